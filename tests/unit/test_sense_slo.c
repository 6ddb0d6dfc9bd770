// SPDX-License-Identifier: Apache-2.0
/*
 * test_sense_slo.c - done and late follow the signal the SLO is about
 *
 * The switch is played here: it notes whose response is measured.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sense.h"
#include "sense_slo.h"
#include "stat.h"

static struct snapshot *s;
static struct port port[3];
static struct port_list ports;
static struct score *measured[3]; /* by port */

void sw_response(struct sw *sw, struct port *p, struct score *score)
{
	(void)sw;
	measured[p->id] = score;
}

/* VM 0 has ports 0 and 2, VM 1 has port 1. */
static int setup(void **state)
{
	(void)state;
	memset(&stat_hostd, 0, sizeof(stat_hostd));
	memset(measured, 0, sizeof(measured));
	s = calloc(1, sizeof(*s));
	if (!s)
		return -1;
	s->vm_cnt = 2;
	ports.count = 3;
	for (uint16_t i = 0; i < 3; i++) {
		port[i] = (struct port){ .id = i, .vm = i % 2 };
		ports.port[i] = &port[i];
	}
	s->vm[0].present = s->vm[1].present = true;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(s);
	return 0;
}

static void configure(enum slo_signal signal, uint64_t slo_ns)
{
	s->vm[0].slo_signal = signal;
	s->vm[0].slo_ns = slo_ns;
	sense_slo_set(s, 0, NULL, &ports);
}

static void test_counts(void **state)
{
	static const struct {
		const char *what;
		enum slo_signal signal;
		uint64_t slo_ns;
		uint64_t delay_ns, response_ns; /* one sample each */
		uint64_t done, late;		/* from then on */
	} row[] = {
		{ "no SLO: all are done", SLO_DELAY, 0, 50, 500, 1, 0 },
		{ "delay, in time", SLO_DELAY, 100, 100, 500, 2, 0 },
		{ "delay, late", SLO_DELAY, 100, 101, 500, 3, 1 },
		{ "a tighter one", SLO_DELAY, 40, 41, 500, 4, 2 },
		{ "response, in time: no step back", SLO_RESPONSE, 600, 9999,
		  500, 5, 2 },
		{ "response, late", SLO_RESPONSE, 400, 1, 500, 6, 3 },
		{ "delay again: nothing of between", SLO_DELAY, 100, 99, 500, 7,
		  3 },
	};
	struct stat_vm *vm = &stat_hostd.vm[0];

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		configure(row[i].signal, row[i].slo_ns);
		score_add(sense_slo_delays(0), row[i].delay_ns);
		score_add(&vm->signal[SLO_RESPONSE].score, row[i].response_ns);
		sense_slo(s, 0);
		sense_slo(s, 0); /* counted once */
		if (s->vm[0].done != row[i].done ||
		    s->vm[0].late != row[i].late)
			fail_msg("%s: %u done, %u late", row[i].what,
				 (unsigned)s->vm[0].done,
				 (unsigned)s->vm[0].late);
	}
	/* a reload replaces the view; the counts come back at once */
	s->vm[0].done = s->vm[0].late = 0;
	configure(SLO_DELAY, 100);
	assert_int_equal(s->vm[0].done, 7);
	assert_int_equal(s->vm[0].late, 3);
	assert_int_equal(vm->signal[SLO_DELAY].score.hist.count, 7);
	assert_int_equal(s->vm[1].done, 0);
}

/* Response is measured at all ports of whose SLO is about it, and nowhere. */
static void test_ports(void **state)
{
	struct score *score = &stat_hostd.vm[0].signal[SLO_RESPONSE].score;

	(void)state;
	configure(SLO_DELAY, 100);
	assert_null(measured[0]);
	configure(SLO_RESPONSE, 0); /* without a target: to be shown */
	for (unsigned i = 0; i < 3; i++)
		assert_ptr_equal(measured[i], i == 1 ? NULL : score);
	s->vm[0] = (struct vm_view){ .slo_signal = SLO_RESPONSE }; /* left */
	sense_slo_set(s, 0, NULL, &ports);
	for (unsigned i = 0; i < 3; i++)
		assert_null(measured[i]);
	assert_int_equal(s->vm[0].done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ports, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
