// SPDX-License-Identifier: Apache-2.0
/*
 * test_sim_check.c - the simulator notices policies that break the rules
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/pick.h"
#include "tests/sim/scenario.h"

/* Each does one thing wrong once it has decided so often: early, when every
 * plan goes through policy_rules.c, or late, when the quick checks are alone
 * with most plans. */
static unsigned when;

struct wrong_state {
	unsigned calls, plans;
};

/* base() - Everybody has the minimum. Return: whether to do it wrong now. */
static bool base(void *state, const struct snapshot *s, struct plan *p,
		 struct pick *k)
{
	struct wrong_state *w = state;

	pick_begin(k, s, p);
	pick_guarantee(k);
	if (++w->calls < when)
		/* plans about nothing */
		plan_add(p, 7, VCPU_NONE, REASON_SPARE);
	return w->calls == when;
}

static void takes_all(void *state, const struct snapshot *s, struct plan *p)
{
	struct pick k;

	if (base(state, s, p, &k))
		plan_add(p, s->vcpu[0].cpu, VCPU_NONE, REASON_SPARE);
}

static void gives_too_much(void *state, const struct snapshot *s,
			   struct plan *p)
{
	struct pick k;

	/* VM 0 may own two, and has vcpus 0 to 3 */
	if (base(state, s, p, &k))
		for (uint16_t i = 1; i < 4; i++)
			plan_add(p, i, i, REASON_SPARE);
}

static void names_nobody(void *state, const struct snapshot *s, struct plan *p)
{
	struct pick k;

	if (base(state, s, p, &k))
		plan_add(p, 1, s->vcpu_cnt, REASON_SPARE);
}

static void says_nothing(void *state, const struct snapshot *s, struct plan *p)
{
	struct pick k;

	if (base(state, s, p, &k))
		plan_add(p, 1, 1, REASON_NONE);
}

static void swings(void *state, const struct snapshot *s, struct plan *p)
{
	struct pick k;

	base(state, s, p, &k);
	plan_add(p, 3, s->cpu[3].owner == 1 ? VCPU_NONE : 1, REASON_SPARE);
}

static void is_good(void *state, const struct snapshot *s, struct plan *p)
{
	struct pick k;

	base(state, s, p, &k);
}

static const struct {
	void (*decide)(void *, const struct snapshot *, struct plan *);
	unsigned when;
	const char *rule; /* NULL: none is broken */
} row[] = {
	{ is_good, 1000, NULL },
	{ takes_all, 9, "a VM owns its minimum, in slot order" },
	{ takes_all, 1001, "no less than its guarantee" },
	{ gives_too_much, 9, "no VM owns more than its maximum" },
	{ gives_too_much, 1001, "every line can be carried out" },
	{ names_nobody, 9, "only plugged vcpus of present VMs get cpus" },
	{ names_nobody, 1001, "every line can be carried out" },
	{ says_nothing, 9, "every line has a reason" },
	{ swings, 9, "no oscillation under constant load" },
};

static void test_rules(void **unused)
{
	static const char text[] = "seconds = 1\nwarmup = 100ms\n"
				   "[host]\ncpus = 8\n"
				   "[vm a]\nmin = 1\nmax = 2\nload = spin 4\n";
	static struct sim_scenario sc;
	static struct sim_result out;

	(void)unused;
	assert_int_equal(
	    scenario_parse(&sc, "test", text, strlen(text), 0, stderr), 0);
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		const struct policy_ops ops = {
			.name = "wrong",
			.state_bytes = sizeof(struct wrong_state),
			.decide = row[i].decide,
		};
		const struct sim_policy p = { .name = "wrong",
					      .mode = SIM_OWN,
					      .ops = &ops,
					      .interval_ns = 20000,
					      .strict = true };

		when = row[i].when;
		assert_int_equal(sim_run(&sc, &p, 1, &out), 0);
		if (!row[i].rule) {
			assert_int_equal(out.broken, 0);
			continue;
		}
		if (!out.broken)
			fail_msg("nobody noticed: %s", row[i].rule);
		if (!strstr(out.first_broken, row[i].rule))
			fail_msg("%s: noticed \"%s\"", row[i].rule,
				 out.first_broken);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
