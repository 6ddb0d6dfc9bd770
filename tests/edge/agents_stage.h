/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agents_stage.h - fake guests for the agents thread
 *
 * The test plays QEMU (a listening socket, a file) and the agent behind it, on
 * real sockets and real files. Turns are made by hand and the clock jumps.
 */
#ifndef AGENTS_STAGE_H
#define AGENTS_STAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agents.h"
#include "hl/agent_wire.h"

#define MS    1000000ull
#define EPOCH 500 /* of the first agent */
#define VM    3
#define OTHER 4
#define FIRST 40 /* vcpu slot of VM's vcpu 0 */

struct guest {
	char path[108];
	int listener, fd; /* fd -1: hostd is not connected */
	struct agent_rx rx;
};

extern struct guest guest, other;
extern struct agents *agents;
extern struct agent_board *board;
extern unsigned wakes;	  /* of the poll thread */
extern uint64_t ahead_ns; /* of the real clock */

/* eventfd, getrandom or pthread_create: the next one fails. */
extern const char *also_failing;

/* turn() - Let it do what there is; pass(): while time passes. */
void turn(void);
void pass(unsigned ms);

void guest_listen(struct guest *g, const char *name);
void guest_end(struct guest *g);
bool guest_accept(struct guest *g);

/* guest_hear() - The next message hostd sent. Return: its kind; 0: none.
 * guest_expect(): one of this kind; others before it are passed over. */
unsigned guest_hear(struct guest *g, struct agent_any *m);
void guest_expect(struct guest *g, unsigned kind, struct agent_any *m);

/* What the agent says, and a turn. */
void guest_hello(struct guest *g, uint64_t epoch, uint32_t version);
void guest_hint(struct guest *g, uint64_t epoch, unsigned wanted,
		unsigned wait_us);
void guest_word(struct guest *g, enum agent_kind kind, uint64_t epoch);

/* A page's file as QEMU makes it, mapped; the agent takes it for its own. */
char *page_path(const char *name);
struct agent_page *page_make(const char *name, off_t bytes, mode_t mode);
void page_done(struct agent_page *p);
void take_page(struct agent_page *p, uint64_t epoch);

/* hostd's side of it. begin(): VM is there, its agent has said hello. */
void on_wake(void *arg);
struct peer_conf vm_conf(const struct guest *g, const char *shmem);
const struct stat_agent *shown(unsigned vm);
void expect_state(unsigned vm, enum session_state state);
void grant(unsigned vcpu, uint16_t cpu);
void open_agents(void);
void begin(const char *shmem);

/* For cmocka: of each test, of the program. */
int stage_setup(void **state);
int stage_teardown(void **state);
int stage_make(void **state);
int stage_remove(void **state);

extern char stage_dir[]; /* where sockets and pages are */

#endif
