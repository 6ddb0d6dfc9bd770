// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_sim_scenario.c - any bytes as a scenario
 *
 * Whatever is taken keeps within the simulator's tables; and if it is small, a
 * moment of it is simulated, with hostd's own rules as judge.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int truth)
{
	if (!truth)
		abort();
}

static void check(const struct sim_scenario *s)
{
	unsigned vms = 0, vcpus = 0;

	must(s->cpus >= 1 && s->cpus <= SIM_CPU_MAX && s->floor <= s->cpus);
	must(s->kind_cnt <= SCENARIO_KINDS && s->phase_cnt <= SCENARIO_PHASES);
	must(s->run_ns && s->run_ns <= SCENARIO_SPAN_NS);
	for (unsigned i = 0; i < s->kind_cnt; i++) {
		const struct sim_kind *k = &s->kind[i];

		must(k->vcpus >= 1 && k->vcpus <= SCENARIO_VCPUS);
		must(k->min <= k->max && k->max <= k->vcpus);
		must(memchr(k->name, 0, sizeof(k->name)) != NULL);
		vms += k->count;
		vcpus += k->count * k->vcpus;
	}
	must(vms >= 1 && vms <= SIM_VM_MAX && vcpus <= SIM_VCPU_MAX);
	for (unsigned i = 0; i < s->phase_cnt; i++)
		must(s->phase[i].kind < s->kind_cnt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sim_policy slo = { .name = "slo",
					       .mode = SIM_OWN,
					       .ops = &policy_slo,
					       .interval_ns = 20000 };
	static struct sim_scenario s;
	static struct sim_result out;

	if (scenario_parse(&s, "fuzz", (const char *)data, size, 0, NULL))
		return 0;
	check(&s);
	if (s.cpus > 8)
		return 0;
	s.warmup_ns = 100000;
	s.run_ns = 500000;
	must(sim_run(&s, &slo, 1, &out) == 0);
	must(out.events < 1000000);
	if (out.broken)
		must(strstr(out.first_broken, "oscillation") != NULL);
	return 0;
}
