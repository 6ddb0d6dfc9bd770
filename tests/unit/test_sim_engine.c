// SPDX-License-Identifier: Apache-2.0
/*
 * test_sim_engine.c - the simulated host against what can be worked out
 *
 * Queues with known answers, shares, speeds, costs one at a time, and what
 * must be the same twice. Scenarios are texts; where costs would blur the
 * answer they are set to nothing.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/sim/scenario.h"

static struct sim_scenario sc;
static struct sim_result out;

static const struct sim_policy dedicated = { .name = "dedicated",
					     .mode = SIM_OWN,
					     .ops = &policy_static,
					     .interval_ns = 1000000 };
static const struct sim_policy equal = { .name = "equal", .mode = SIM_SHARES };
static const struct sim_policy idle = { .name = "idle",
					.mode = SIM_SHARES,
					.be_idle = true };
static const struct sim_policy oracle = { .name = "oracle",
					  .mode = SIM_ORACLE };
static const struct sim_policy slo = {
	.name = "slo", .mode = SIM_OWN, .ops = &policy_slo, .interval_ns = 20000
};

#define FREE                                                                   \
	"[costs]\nwake = 0ns\nswitch = 0ns\npreempt = 0ns\nmove = 0ns\n"       \
	"move-next = 0ns\nrefill = 0ns\nrefill-far = 0ns\n"

static void run(const char *text, const struct sim_policy *p)
{
	assert_int_equal(
	    scenario_parse(&sc, "test", text, strlen(text), 0, stderr), 0);
	assert_int_equal(sim_run(&sc, p, 1, &out), 0);
}

/* close_to() - Within @percent; a histogram's bucket is 3 %. */
static void close_to(const char *what, double is, double should, double percent)
{
	if (fabs(is - should) > fabs(should) * percent / 100)
		fail_msg("%s: %g, should be %g", what, is, should);
}

/*
 * M/M/1: the time in the system is exponential, of mean service / (1 - load)
 * (Kleinrock 1975, 3.2). M/D/1's quantiles at this load are worked out from
 * the Erlang (1909) series. EDF with one target is first come, first served.
 */
static const struct {
	const char *what, *service;
	const struct sim_policy *policy;
	double p50_us, p99_us;
} queue_row[] = {
	{ "M/M/1, oracle", "exp 100us", &oracle, 200 * 0.6931, 200 * 4.605 },
	{ "M/M/1, a cpu of its own", "exp 100us", &dedicated, 200 * 0.6931,
	  200 * 4.605 },
	{ "M/M/1, fair scheduler", "exp 100us", &equal, 200 * 0.6931,
	  200 * 4.605 },
	{ "M/D/1, oracle", "const 100us", &oracle, 100, 433.6 },
	{ "M/D/1, a cpu of its own", "const 100us", &dedicated, 100, 433.6 },
};

static void test_queues(void **unused)
{
	char text[512];

	(void)unused;
	for (size_t i = 0; i < sizeof(queue_row) / sizeof(*queue_row); i++) {
		snprintf(text, sizeof(text),
			 "seconds = 40\n[host]\ncpus = 1\n" FREE
			 "[vm a]\nvcpus = 1\nload = poisson 50%%\n"
			 "service = %s\n",
			 queue_row[i].service);
		run(text, queue_row[i].policy);
		close_to(queue_row[i].what, (double)out.vm[0].p50_ns / 1000,
			 queue_row[i].p50_us, 4);
		close_to(queue_row[i].what, (double)out.vm[0].p99_ns / 1000,
			 queue_row[i].p99_us, 5);
		close_to(queue_row[i].what, out.vm[0].run_s / out.seconds, 0.5,
			 2);
	}
}

/* One request at a time: the response is its work and what things cost. */
#define LONELY                                                                 \
	"[vm a]\nvcpus = 1\nservice = const 100us\nload = poisson 0.1%%\n"     \
	"memory = 1000\n"
#define BESIDE "[vm b]\nclass = best-effort\nvcpus = 2\nload = spin 2\n"

static const struct {
	const char *what, *host, *costs, *others;
	double p50_us;
} cost_row[] = {
	{ "no cost", "smt = 1\n", "", "", 100 },
	{ "a resting cpu wakes up", "smt = 1\n", "wake = 42us\n", "", 142 },
	{ "a harvester is put off", "smt = 1\n",
	  "switch = 2us\npreempt = 3us\n", BESIDE, 105 },
	{ "it has used the caches", "smt = 1\n", "refill = 7us\n", BESIDE,
	  107 },
	{ "alone, caches stay", "smt = 1\n", "refill = 7us\n", "", 100 },
	{ "the sibling computes", "smt = 2\n", "smt = 50%\n", BESIDE, 200 },
	{ "the sibling rests", "smt = 2\n", "smt = 50%\n", "", 100 },
	/* seen at the next look, after 25 us on average */
	{ "half the bandwidth there is", "smt = 1\nbandwidth = 500\n", "",
	  "[vm b]\nclass = best-effort\nvcpus = 1\nload = spin 1\n"
	  "memory = 1000\n",
	  175 },
};

static void test_costs(void **unused)
{
	char text[1024];

	(void)unused;
	for (size_t i = 0; i < sizeof(cost_row) / sizeof(*cost_row); i++) {
		snprintf(
		    text, sizeof(text),
		    "seconds = 60\n[host]\ncpus = 2\n%s" FREE "%s" LONELY "%s",
		    cost_row[i].host, cost_row[i].costs, cost_row[i].others);
		run(text, &dedicated);
		close_to(cost_row[i].what, (double)out.vm[0].p50_ns / 1000,
			 cost_row[i].p50_us, 3.2);
	}
}

/* Two VMs that spin, on one cpu. */
static const struct {
	const char *what;
	unsigned weight[2], vcpus[2];
	double share; /* of the first */
} share_row[] = {
	{ "alike", { 100, 100 }, { 1, 1 }, 0.5 },
	{ "by weight", { 300, 100 }, { 1, 1 }, 0.75 },
	{ "by VM, not by vcpu", { 100, 100 }, { 1, 2 }, 0.5 },
	{ "weights far apart", { 9900, 100 }, { 1, 1 }, 0.99 },
};

static void test_shares(void **unused)
{
	char text[1024];

	(void)unused;
	for (size_t i = 0; i < sizeof(share_row) / sizeof(*share_row); i++) {
		snprintf(
		    text, sizeof(text),
		    "seconds = 10\n[host]\ncpus = 2\nsmt = 1\nllc = 1\n" FREE
		    "[vm a]\nvcpus = %u\nweight = %u\nload = spin %u\n"
		    "[vm b]\nvcpus = %u\nweight = %u\nload = spin %u\n",
		    share_row[i].vcpus[0], share_row[i].weight[0],
		    share_row[i].vcpus[0], share_row[i].vcpus[1],
		    share_row[i].weight[1], share_row[i].vcpus[1]);
		assert_int_equal(
		    scenario_parse(&sc, "test", text, strlen(text), 0, stderr),
		    0);
		sc.cpus = 1; /* after vcpus were fitted to two */
		assert_int_equal(sim_run(&sc, &equal, 1, &out), 0);
		close_to(share_row[i].what, out.vm[0].run_s / out.seconds,
			 share_row[i].share, 2);
		close_to("all of the cpu", out.vm[0].run_s + out.vm[1].run_s,
			 out.seconds, 0.1);
	}
}

/* Best-effort in an idle group gets what is left and hurts nobody. */
static void test_idle_group(void **unused)
{
	static const char text[] =
	    "seconds = 20\n[host]\ncpus = 1\n" FREE
	    "[vm a]\nvcpus = 1\nservice = exp 100us\nload = poisson 50%\n"
	    "[vm b]\nclass = best-effort\nvcpus = 1\nload = spin 1\n";

	(void)unused;
	run(text, &idle);
	close_to("p99 as if alone", (double)out.vm[0].p99_ns / 1000,
		 200 * 4.605, 5);
	close_to("the other half", out.vm[1].run_s / out.seconds, 0.5, 3);
	run(text, &equal);
	if (out.vm[0].p50_ns < 300000)
		fail_msg("an equal beside it, and no wait?");
}

/* Equal sharing is fair: two spinners on either side of a load. */
static void test_conserves(void **unused)
{
	static const char text[] =
	    "seconds = 1\n[host]\ncpus = 16\nsmt = 1\n" FREE
	    "[vm a]\ncount = 10\nvcpus = 4\nload = bursts 90% 3ms 3ms\n"
	    "[vm b]\nclass = best-effort\ncount = 3\nvcpus = 16\n"
	    "load = spin 16\n";
	static const struct sim_policy *const all[] = { &dedicated, &equal,
							&idle, &slo };

	(void)unused;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		double run_s = 0, work_s = 0;

		run(text, all[i]);
		for (unsigned v = 0; v < out.vm_cnt; v++) {
			run_s += out.vm[v].run_s;
			work_s += out.vm[v].work_s;
		}
		close_to(all[i]->name, run_s, 16 * out.seconds, 0.1);
		close_to("work is run time, free of cost", work_s, run_s, 0.1);
	}
}

/* Of the oracle: who is due first runs, wherever there is a cpu. */
static void test_oracle(void **unused)
{
	(void)unused;
	run("seconds = 10\n[host]\ncpus = 1\n"
	    "[vm fast]\nvcpus = 1\nservice = const 10us\nload = poisson 10%\n"
	    "slo = p99 50us\n"
	    "[vm slow]\nvcpus = 1\nservice = const 10ms\nload = poisson 50%\n"
	    "slo = p99 100ms\n",
	    &oracle);
	close_to("the fast one does not see the slow one",
		 (double)out.vm[0].p50_ns, 10000, 4);
	assert_true(out.vm[0].met && out.vm[1].met);
	run("seconds = 10\n[host]\ncpus = 8\n"
	    "[vm a]\nvcpus = 4\nmax = 2\nload = spin 1\n"
	    "[vm b]\nvcpus = 4\nmax = 2\nservice = const 100us\n"
	    "load = poisson 100%\n",
	    &oracle);
	close_to("no more at once than it may own", out.vm[1].run_s,
		 2 * out.seconds, 0.5);
}

/* With an agent work keeps to vcpus that own a cpu. */
static void test_agent(void **unused)
{
	char text[512];
	double waits[2];

	(void)unused;
	for (unsigned agent = 0; agent < 2; agent++) {
		snprintf(text, sizeof(text),
			 "seconds = 4\nwarmup = 100ms\n[host]\ncpus = 4\n"
			 "smt = 1\nfloor = 1\n"
			 "[vm a]\nvcpus = 4\nmax = 2\nagent = %s\n"
			 "service = const 100us\nload = poisson 30%%\n",
			 agent ? "yes" : "no");
		run(text, &dedicated);
		assert_int_equal(out.broken, 0);
		close_to("it owns two", out.vm[0].owned_s, 2 * out.seconds,
			 0.1);
		waits[agent] = (double)out.vm[0].p99_ns;
	}
	/* without one, riders and owners queue behind each other */
	if (waits[1] >= waits[0])
		fail_msg("p99 %g us with an agent, %g without", waits[1],
			 waits[0]);
}

/* Collections: nothing else runs in the VM meanwhile. */
static void test_collect(void **unused)
{
	(void)unused;
	run("seconds = 10\n[host]\ncpus = 4\nsmt = 1\n" FREE
	    "[vm a]\nvcpus = 4\ncollect = 10ms 100ms\n"
	    "service = const 10us\nload = poisson 1%\n",
	    &dedicated);
	close_to("a tenth of the time, on each", out.vm[0].run_s,
		 4 * out.seconds * (0.1 + 0.01), 3);
	close_to("one in ten waits, 9 ms at most", (double)out.vm[0].max_ns,
		 10e6, 5);
	if (out.vm[0].p50_ns > 15000)
		fail_msg("the others do not wait");
}

/* Lost and unanswered requests are late ones. */
static void test_overload(void **unused)
{
	(void)unused;
	run("seconds = 5\nwarmup = 0s\n[host]\ncpus = 1\n" FREE
	    "[vm a]\nvcpus = 1\nservice = const 100us\nload = poisson 200%\n"
	    "queue = 100\nslo = p50 1ms\n",
	    &dedicated);
	close_to("half of all are lost",
		 (double)out.vm[0].lost / (double)out.vm[0].done, 1, 3);
	assert_false(out.vm[0].met);
	assert_true(out.vm[0].late > out.vm[0].lost);
	run("seconds = 1\nwarmup = 0s\n[host]\ncpus = 1\n" FREE
	    "[vm a]\nvcpus = 1\nservice = const 1s\nload = poisson 1000%\n"
	    "slo = p50 1ms\n",
	    &dedicated);
	assert_true(out.vm[0].late > 0);
	assert_false(out.vm[0].met);
}

static void test_same_twice(void **unused)
{
	static const char text[] =
	    "seconds = 0.3\n[host]\ncpus = 8\nbandwidth = 1000\n"
	    "[vm a]\ncount = 4\nvcpus = 4\nload = bursts 40% 5ms 5ms\n"
	    "slo = p99 1ms\nmemory = 500\nagent = yes\n"
	    "[vm b]\nclass = best-effort\nvcpus = 8\nload = spin 8\n"
	    "memory = 900\n"
	    "[phase]\nvm = a\nat = 100ms\nspread = 50ms\nevery = 200ms\n"
	    "load = poisson 20%\n";
	static const struct sim_policy *const all[] = { &dedicated, &equal,
							&slo, &oracle };
	static struct sim_result other;

	(void)unused;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		run(text, all[i]);
		assert_int_equal(sim_run(&sc, all[i], 1, &other), 0);
		other.wall_s = out.wall_s;
		other.cpu_s = out.cpu_s;
		other.decide_ns = out.decide_ns;
		if (memcmp(&out, &other, sizeof(out)))
			fail_msg("%s: two runs differ", all[i]->name);
		assert_int_equal(sim_run(&sc, all[i], 2, &other), 0);
		if (other.vm[0].done == out.vm[0].done &&
		    other.vm[1].done == out.vm[1].done)
			fail_msg("%s: another seed, the same run",
				 all[i]->name);
	}
}

/* All policies meet the same requests: none is drawn by what the host does. */
static void test_same_arrivals(void **unused)
{
	static const char text[] = "seconds = 2\n[host]\ncpus = 8\n"
				   "[vm a]\ncount = 3\nvcpus = 2\n"
				   "service = lognormal 100us 1.5\n"
				   "load = bursts 50% 2ms 2ms\n";
	static const struct sim_policy *const all[] = { &dedicated, &equal,
							&slo };
	uint64_t done[3];

	(void)unused;
	run(text, &oracle);
	for (unsigned v = 0; v < 3; v++)
		done[v] = out.vm[v].done;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		run(text, all[i]);
		for (unsigned v = 0; v < 3; v++)
			/* but for what is under way at the end */
			assert_in_range(out.vm[v].done, done[v] - 50,
					done[v] + 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_costs),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_idle_group),
		cmocka_unit_test(test_conserves),
		cmocka_unit_test(test_oracle),
		cmocka_unit_test(test_agent),
		cmocka_unit_test(test_collect),
		cmocka_unit_test(test_overload),
		cmocka_unit_test(test_same_twice),
		cmocka_unit_test(test_same_arrivals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
