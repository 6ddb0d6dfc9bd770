// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_agent_link.c - a hostile host: any bytes in the agent's channel and page
 *
 * The input is a list of deeds, one byte each and what they need: send bytes,
 * or messages of the right epoch with any body; write into the page, cut it
 * short; connect, hang up; let time pass; have the agent give its hints. After
 * each the agent must be in a state that makes sense, grant nothing beyond the
 * vcpus agreed on, nothing at all without a host, and want to be called later,
 * not at once.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/link.h"
#include "hl/clock.h"
#include "tests/fake/fake_agent_host.h"

#define must(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake_host host;
static int page_fd = -1;
static struct link *l;
static uint64_t now_ns;

/* What is left of the input. */
struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static uint16_t two_bytes(struct input *in)
{
	return (uint16_t)(byte(in) << 8 | byte(in));
}

static void fill(struct input *in, void *to, size_t bytes)
{
	size_t n = bytes < in->left ? bytes : in->left;

	memset(to, 0, bytes);
	memcpy(to, in->at, n);
	in->at += n;
	in->left -= n;
}

static void page_write(const void *from, size_t bytes, off_t at)
{
	must(pwrite(page_fd, from, bytes, at) == (ssize_t)bytes);
}

static void page_good(void)
{
	const struct agent_host_head head = { .magic = AGENT_HOST_MAGIC,
					      .token = FAKE_TOKEN,
					      .version = AGENT_VERSION };

	must(!ftruncate(page_fd, sizeof(struct agent_page)));
	page_write(&head, sizeof(head), 0);
}

static void open_link(uint8_t how)
{
	const struct link_conf conf = { .port = host.sock,
					.page = how & 1 ? "none" : host.file,
					.caps = AGENT_CAP_PLACE,
					.vcpu_cnt = 4,
					.name = "fuzz" };

	link_close(l);
	must(!link_open(&l, &conf, now_ns));
}

static void once(void)
{
	if (page_fd >= 0)
		return;
	host_open(&host);
	page_fd = open(host.file, O_RDWR | O_CLOEXEC);
	must(page_fd >= 0);
}

/* --- deeds --------------------------------------------------------------- */

static void send_message(struct input *in)
{
	const uint8_t kind = byte(in) % (AGENT_KINDS + 1);
	struct agent_any m = { 0 };
	size_t body = 0;

	switch (kind) {
	case AGENT_HELLO:
		body = sizeof(m.hello);
		break;
	case AGENT_WELCOME:
	case AGENT_REFUSED:
		body = sizeof(m.welcome);
		break;
	case AGENT_GRANTS:
		body = agent_grants_bytes(byte(in) % (AGENT_WORDS_MAX + 2));
		break;
	case AGENT_HINTS:
		body = agent_hints_bytes(byte(in) % AGENT_HINTS_MAX);
		break;
	default:
		break;
	}
	fill(in, (uint8_t *)&m + sizeof(m.head), body);
	if (kind == AGENT_GRANTS)
		m.grants.count = (uint16_t)((body - agent_grants_bytes(0)) / 8);
	host_say(&host, &m, kind, body);
}

static void scribble(struct input *in)
{
	const off_t at = two_bytes(in) * 2;
	uint8_t bytes[64];
	size_t n = byte(in) % sizeof(bytes);

	fill(in, bytes, n);
	page_write(bytes, n, at);
}

static void give_hints(struct input *in)
{
	static struct agent_hint_vcpu vcpu[AGENT_VCPUS];
	struct agent_hint hint;
	uint8_t how = byte(in);

	fill(in, &hint, sizeof(hint));
	fill(in, &vcpu[two_bytes(in) % AGENT_VCPUS], sizeof(vcpu[0]));
	link_hint(l, &hint, vcpu, how & 2 ? AGENT_VCPUS : 4, how & 1, now_ns);
}

static void hear(void)
{
	struct agent_any m;

	while (host_hear(&host, &m))
		must(m.head.kind == AGENT_HELLO || m.head.kind == AGENT_HINTS ||
		     m.head.kind == AGENT_BELL || m.head.kind == AGENT_BEAT ||
		     m.head.kind == AGENT_BYE);
	must(!host.rx.skipped); /* whatever it says, it says whole */
}

static void check(void)
{
	struct grants g;
	enum link_state state;

	link_grants(l, &g);
	state = link_state(l);
	must(state <= LINK_SILENT);
	must(*link_why(l));
	must(g.vcpu_cnt <= AGENT_VCPUS);
	must(!g.vcpu_cnt || state == LINK_CHANNEL || state == LINK_PAGE);
	for (unsigned i = g.vcpu_cnt; i < AGENT_VCPUS; i++)
		must(!g.word[i]);
}

static void turn(uint64_t ms)
{
	now_ns += ms * NSEC_PER_MSEC;
	link_turn(l, now_ns);
	must(link_wait_ms(l, now_ns) > 0);
	must(link_wait_ms(l, now_ns) <= 1000);
}

static void deed(struct input *in)
{
	uint8_t bytes[255];
	uint8_t n;

	switch (byte(in) % 14) {
	case 0:
		turn(byte(in));
		break;
	case 1:
		turn(two_bytes(in));
		break;
	case 2:
		n = byte(in);
		fill(in, bytes, n);
		host_bytes(&host, bytes, n);
		break;
	case 3:
	case 4:
		send_message(in);
		break;
	case 5:
		scribble(in);
		break;
	case 6:
		must(!ftruncate(page_fd, two_bytes(in) * 2));
		break;
	case 7:
		page_good();
		break;
	case 8:
		if (host_accept(&host))
			host.rx.skipped = 0;
		break;
	case 9:
		host_hang_up(&host);
		break;
	case 10:
		give_hints(in);
		break;
	case 11:
		hear();
		break;
	case 12:
		hear();
		n = byte(in);
		host_welcome(&host, (uint32_t)n * 2, n & 1);
		break;
	default:
		open_link(byte(in));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	once();
	now_ns = 1000 * NSEC_PER_SEC;
	host.epoch = 0;
	must(!ftruncate(page_fd, 0)); /* nothing of the run before */
	page_good();
	open_link(byte(&in));
	while (in.left) {
		deed(&in);
		check();
	}
	turn(1);
	turn(10000);
	check();
	link_close(l);
	l = NULL;
	host_hang_up(&host);
	while (host_accept(&host))
		;
	host_hang_up(&host);
	return 0;
}
