// SPDX-License-Identifier: Apache-2.0
/*
 * sense_slo.c - what a VM's SLO is about, counted
 *
 * Each of a VM's signals has a score, which the switch fills: delays as frames
 * are found taken, responses as answers leave. The counts of the one that its
 * SLO is about become the VM's `done` and `late`. Those never go back, whatever
 * a reload makes of signal or limit: a policy looks at what came in addition.
 */
#include "sense_slo.h"

#include "sense.h"
#include "stat.h"
#include "vhost/switch.h"

struct score *sense_slo_delays(uint16_t vm)
{
	return &stat_hostd.vm[vm].signal[SLO_DELAY].score;
}

void sense_slo_set(struct snapshot *s, uint16_t vm, struct sw *sw,
		   const struct port_list *ports)
{
	const struct vm_view *view = &s->vm[vm];
	struct stat_vm *st = &stat_hostd.vm[vm];
	struct score *responses = NULL;

	for (unsigned i = 0; i < SLO_SIGNAL_NUM; i++) {
		struct score *score = &st->signal[i].score;

		score->limit_ns = view->slo_ns;
		score->done = score->late = 0;
	}
	if (view->present && view->slo_signal == SLO_RESPONSE)
		responses = &st->signal[SLO_RESPONSE].score;
	for (unsigned i = 0; i < ports->count; i++)
		if (ports->port[i]->vm == vm)
			sw_response(sw, ports->port[i], responses);
	if (view->present)
		sense_slo(s, vm);
}

void sense_slo(struct snapshot *s, uint16_t vm)
{
	struct vm_view *view = &s->vm[vm];
	struct stat_vm *st = &stat_hostd.vm[vm];
	struct score *score = &st->signal[view->slo_signal].score;

	st->done += score->done;
	st->late += score->late;
	score->done = score->late = 0;
	view->done = st->done;
	view->late = st->late;
}
