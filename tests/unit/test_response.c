// SPDX-License-Identifier: Apache-2.0
/*
 * test_response.c - requests and answers of one VM, one row a frame
 *
 * The VM serves port 80; clients call from C, D, ... Times in microseconds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vhost/response.h"

#define ROWS(t) (sizeof(t) / sizeof((t)[0]))
#define US	1000ull
#define NONE	UINT64_MAX
#define LIMIT	100 /* us */

enum way { IN, OUT }; /* into the VM, out of it */

/* A frame; `sample`: the response it closes, or NONE. */
struct step {
	const char *what;
	uint64_t at;
	enum way way;
	uint16_t client, vm; /* ports */
	uint32_t bytes, seq, ack;
	uint64_t sample;
};

static struct flow_set sets[FLOW_SETS];
static struct response response;
static struct score score;

static int setup(void **state)
{
	static const uint64_t seed[2] = { 5, 7 };

	(void)state;
	memset(sets, 0, sizeof(sets));
	memset(&score, 0, sizeof(score));
	score.limit_ns = LIMIT * US;
	response_init(&response, sets, seed);
	response_set(&response, &score);
	return 0;
}

static bool play(const struct step *s, uint8_t proto)
{
	const struct flow_end client = { { 1, 0 }, s->client };
	const struct flow_end vm = { { 2, 0 }, s->vm };
	const struct flow f = {
		.src = s->way == IN ? client : vm,
		.dst = s->way == IN ? vm : client,
		.proto = proto,
		.uplink = true,
		.payload_bytes = s->bytes,
		.seq_end = s->seq + s->bytes,
		.ack = s->ack,
	};

	if (s->way == IN)
		return response_asked(&response, &f, s->at * US);
	response_answered(&response, &f, s->at * US);
	return true;
}

static void run(const struct step *step, size_t cnt, uint8_t proto)
{
	uint64_t count = 0, late = 0;

	for (size_t i = 0; i < cnt; i++) {
		bool closes = step[i].sample != NONE;

		memset(&score.hist, 0, sizeof(score.hist));
		if (!play(&step[i], proto))
			fail_msg("%s: another one was given up", step[i].what);
		count += closes;
		late += closes && step[i].sample > LIMIT;
		if (score.hist.count != closes ||
		    (closes && score.hist.max_ns != step[i].sample * US))
			fail_msg("%s: %u samples, %u us", step[i].what,
				 (unsigned)score.hist.count,
				 (unsigned)(score.hist.max_ns / US));
		if (score.done != count || score.late != late)
			fail_msg("%s: %u done, %u late", step[i].what,
				 (unsigned)score.done, (unsigned)score.late);
	}
}

#define C 50000
#define D 50001
#define S (RESPONSE_LOST_NS / US) /* so long may an answer take */

static void test_udp(void **state)
{
	static const struct step step[] = {
		{ "an answer to nothing", 10, OUT, C, 80, 9, 0, 0, NONE },
		{ "a request", 100, IN, C, 80, 9, 0, 0, NONE },
		{ "another client's", 110, IN, D, 80, 9, 0, 0, NONE },
		{ "the first answered", 150, OUT, C, 80, 9, 0, 0, 50 },
		{ "once", 151, OUT, C, 80, 9, 0, 0, NONE },
		{ "the other one, at the limit", 210, OUT, D, 80, 9, 0, 0,
		  100 },
		{ "two requests: the first opens", 300, IN, C, 80, 9, 0, 0,
		  NONE },
		{ "the second does not", 350, IN, C, 80, 9, 0, 0, NONE },
		{ "over the limit", 401, OUT, C, 80, 9, 0, 0, 101 },
		{ "the second's answer is not measured", 410, OUT, C, 80, 9, 0,
		  0, NONE },
		{ "an empty datagram is a request", 500, IN, C, 80, 0, 0, 0,
		  NONE },
		{ "and an answer", 501, OUT, C, 80, 0, 0, 0, 1 },
		{ "to another service", 600, IN, C, 81, 9, 0, 0, NONE },
		{ "which has not answered yet", 610, OUT, C, 80, 9, 0, 0,
		  NONE },
		{ "but now", 620, OUT, C, 81, 9, 0, 0, 20 },
		{ "the VM asks somebody: no answer", 700, OUT, 53, 40000, 9, 0,
		  0, NONE },
		{ "what it is told is no request", 710, IN, 53, 40000, 9, 0, 0,
		  NONE },
		{ "and its next question no answer", 9000, OUT, 53, 40000, 9, 0,
		  0, NONE },
		{ "like to like: it is asked", 9100, IN, 123, 123, 9, 0, 0,
		  NONE },
		{ "and answers", 9105, OUT, 123, 123, 9, 0, 0, 5 },
		{ "never answered", 10000, IN, C, 80, 9, 0, 0, NONE },
		{ "just in time", 10000 + S, OUT, C, 80, 9, 0, 0, S },
		{ "never answered again", S * 2, IN, C, 80, 9, 0, 0, NONE },
		{ "too late", S * 3 + 1, OUT, C, 80, 9, 0, 0, NONE },
		{ "and closed", S * 3 + 2, OUT, C, 80, 9, 0, 0, NONE },
		{ "lost", S * 4, IN, C, 80, 9, 0, 0, NONE },
		{ "the next one opens anew", S * 5 + 1, IN, C, 80, 9, 0, 0,
		  NONE },
		{ "from there it counts", S * 5 + 4, OUT, C, 80, 9, 0, 0, 3 },
	};

	(void)state;
	run(step, ROWS(step), FLOW_UDP);
}

static void test_tcp(void **state)
{
	static const struct step step[] = {
		{ "a bare ACK is no request", 10, IN, C, 80, 0, 5, 0, NONE },
		{ "nor opened one", 20, OUT, C, 80, 9, 0, 5, NONE },
		{ "a request", 100, IN, C, 80, 10, 1000, 0, NONE },
		{ "its bare ACK is no answer", 110, OUT, C, 80, 0, 0, 1010,
		  NONE },
		{ "the tail of what was before", 120, OUT, C, 80, 500, 0, 1000,
		  NONE },
		{ "the answer", 160, OUT, C, 80, 500, 0, 1010, 60 },
		{ "its second part", 161, OUT, C, 80, 500, 0, 1010, NONE },
		{ "a request of two parts", 200, IN, C, 80, 10, 1010, 0, NONE },
		{ "the second", 230, IN, C, 80, 10, 1020, 0, NONE },
		{ "answered after the first", 240, OUT, C, 80, 9, 0, 1020, 40 },
		{ "lost on its way", 300, IN, C, 80, 10, 1030, 0, NONE },
		{ "so sent again", 500, IN, C, 80, 10, 1030, 0, NONE },
		{ "counts from the first", 510, OUT, C, 80, 9, 0, 1040, 210 },
		{ "the numbers go round", 600, IN, C, 80, 0x20, 0xfffffff0u, 0,
		  NONE },
		{ "behind it", 610, OUT, C, 80, 9, 0, 0xfffffff5u, NONE },
		{ "just there", 620, OUT, C, 80, 9, 0, 0x10, 20 },
		{ "ahead of it is there too", 700, IN, C, 80, 0x20, 0xfffffff0u,
		  0, NONE },
		{ "it is", 730, OUT, C, 80, 9, 0, 0x90, 30 },
	};

	(void)state;
	run(step, ROWS(step), FLOW_TCP);
}

/* More at once than there is room for: some are given up and said so; each
 * of the others is measured. */
static void test_crowd(void **state)
{
	struct step in = { .way = IN, .vm = 80, .bytes = 1 };
	struct step out = { .at = 90000, .way = OUT, .vm = 80, .bytes = 1 };
	unsigned lost = 0;

	(void)state;
	for (unsigned i = 0; i < 4000; i++) {
		in.at = 10 + i;
		in.client = (uint16_t)(30000 + i);
		lost += !play(&in, FLOW_UDP);
	}
	for (unsigned i = 0; i < 4000; i++) {
		out.client = (uint16_t)(30000 + i);
		play(&out, FLOW_UDP);
	}
	assert_int_equal(score.done, 4000 - lost);
	assert_in_range(lost, 4000 - FLOW_FAR_SETS * FLOW_WAYS, 3000);
	/* those lost long ago make room without being missed */
	setup(state);
	in.at = 10;
	for (unsigned i = 0; i < 4000; i++) {
		in.client = (uint16_t)(30000 + i);
		play(&in, FLOW_UDP);
	}
	in.at = 11 + S;
	in.client = 20000;
	assert_true(play(&in, FLOW_UDP));
}

/* Switched off and on again: nothing from before is answered. */
static void test_set(void **state)
{
	static const struct step ask = { "", 1, IN, C, 80, 1, 0, 0, NONE };
	static const struct step answer = { "", 2, OUT, C, 80, 1, 0, 0, NONE };

	(void)state;
	play(&ask, FLOW_UDP);
	response_set(&response, NULL);
	response_set(&response, &score);
	play(&answer, FLOW_UDP);
	assert_int_equal(score.done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_udp, setup),
		cmocka_unit_test_setup(test_tcp, setup),
		cmocka_unit_test_setup(test_crowd, setup),
		cmocka_unit_test_setup(test_set, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
