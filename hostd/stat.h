/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stat.h - what hostd counts and shows
 *
 * One static table. The poll thread writes, but for the fields marked
 * (control) or (agents); the telemetry thread reads at any time: a reader may
 * see one count more in one field than in its neighbour, never a torn number.
 * Slots are never freed, so a reader needs no lock; `present` says whether a
 * slot means anything.
 */
#ifndef HOSTD_STAT_H
#define HOSTD_STAT_H

#include <stdbool.h>
#include <stdint.h>

#include "act.h"
#include "agent_session.h"
#include "hl/bounds.h"
#include "hl/cpumask.h"
#include "hl/hist.h"
#include "policy/policy.h"
#include "vhost/port.h"
#include "vhost/score.h"

#define STAT_WINDOW_NS (10 * 1000000000ull) /* signals: last 10..20 s */

/* (agents) A VM's agent, as seen last; all 0 without a channel. */
struct stat_agent {
	uint8_t state;		     /* enum session_state */
	char name[AGENT_NAME_BYTES]; /* its version; always ends in NUL */
	const char *why;	     /* about the page's file; NULL: good */
	uint32_t status, version;    /* of SESSION_REFUSED */
	uint16_t granted, acked;     /* vcpus */
	struct session_hint hint;
	struct session_count count;
};

/* Run time of a VM's vcpus, and how much of it on vcpus that owned a cpu. */
struct stat_share {
	uint64_t ran_ns, owned_ns;
};

/* Cpus best-effort VMs are barred from, and why the last change of it. */
struct stat_bar {
	struct cpumask cpus;
	uint16_t reason; /* enum reason */
};

/* A signal of a VM. */
struct stat_signal {
	struct score score; /* its histogram: of this STAT_WINDOW_NS */
	struct hist before; /* of the one before */
};

struct stat_vm {
	char name[VM_NAME_MAX]; /* (control), before present is set */
	char uuid[37];		/* (control) */
	bool present;
	struct vm_view view; /* as in the latest snapshot */
	struct port_count port;
	bool port_up;
	struct stat_signal signal[SLO_SIGNAL_NUM];
	uint64_t window_end_ns; /* when its histograms turn; 0: never seen */
	uint64_t done, late;	/* of its SLO's signal, since it came */
	uint64_t gained, lost;	/* cpus */
	uint64_t moves_failed;
	uint64_t ran_ns;	 /* cpu time of its vcpus while watched */
	uint32_t used_permille;	 /* cpus it used between the last two looks */
	uint64_t waited_ns;	 /* ready wait, summed over its vcpus */
	struct stat_share share; /* since the VM came */
	struct stat_share share_was[2]; /* one and two STAT_WINDOW_NS ago */
	struct stat_bar bar;		/* of this VM alone */
	struct stat_agent agent;	/* (agents) */
};

struct stat_cpu {
	bool managed, floor;
	uint16_t owner;	      /* vcpu or VCPU_NONE */
	uint16_t owner_vm;    /* VM slot or VM_NONE */
	uint16_t owner_index; /* which vcpu of that VM */
	uint64_t since_ns;
	uint64_t moves;
	uint16_t reason; /* of the last change */
};

struct stat_all {
	uint64_t started_ns;
	char policy[32], backend[32]; /* (control) */
	char version[32];	      /* (control) */
	struct act_count act;	      /* (control) what the backend did */
	bool libvirt_up;	      /* (control) */
	char sensor[160];	      /* (control) "on", or why there is none */
	char meter[160]; /* (control) which one, or why there is none */
	uint64_t reloads, reloads_refused; /* (control) */
	uint64_t vms_refused; /* (control) tables full, sockets refused */
	uint64_t passes, passes_busy, sleeps, decisions;
	uint64_t looks_put_off; /* more was new than one decision looks at */
	uint64_t pass_max_ns, decide_max_ns;
	uint64_t moves_asked, moves_done, moves_failed, moves_full;
	uint64_t grants_refused; /* plan lines that broke a rule */
	uint64_t bars;		 /* bars set, changed or lifted */
	struct stat_bar bar;	 /* of all best-effort VMs */
	struct hist move_ns;	 /* asked to done */
	struct port_count uplink;
	uint16_t node_cnt;
	struct node_view node[NODE_MAX]; /* as in the latest snapshot */
	struct stat_cpu cpu[CPU_MAX];
	struct stat_vm vm[VM_MAX];
};

/* The one instance, in stat.c. */
extern struct stat_all stat_hostd;

/* stat_window() - The last one to two windows of a signal, into @out. */
void stat_window(const struct stat_signal *signal, struct hist *out);

/*
 * stat_share_ppm() - Of its run time in the last one to two windows, the
 * millionth parts that were on vcpus that owned a cpu; 0 when it did not run.
 */
uint64_t stat_share_ppm(const struct stat_vm *vm);

/* stat_bar_note() - Poll thread: a bar was carried out. Return: whether it is
 * another one than before. */
bool stat_bar_note(const struct bar *b);

/* stat_barred() - Any thread: is best-effort VM @vm barred from @cpu? */
bool stat_barred(uint16_t vm, unsigned cpu);

/* stat_bars_clear() - Poll thread: nobody is barred any more. */
void stat_bars_clear(void);

#endif
