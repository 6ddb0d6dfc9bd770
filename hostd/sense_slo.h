/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sense_slo.h - what a VM's SLO is about, counted
 *
 * Poll thread. Scores are in stat_hostd: a VM's ports write into them.
 */
#ifndef HOSTD_SENSE_SLO_H
#define HOSTD_SENSE_SLO_H

#include <stdint.h>

#include "policy/policy.h"
#include "vhost/score.h"

struct sw;
struct port_list;

/* sense_slo_delays() - Return: the score that delays of @vm's frames go to. */
struct score *sense_slo_delays(uint16_t vm);

/*
 * sense_slo_set() - @vm's configuration or ports are new
 *
 * Its scores get the limit that s->vm[vm] says; response is measured at its
 * ports when its SLO is about it, else not. What was counted stays.
 */
void sense_slo_set(struct snapshot *s, uint16_t vm, struct sw *sw,
		   const struct port_list *ports);

/*
 * sense_slo() - Refresh s->vm[vm].done and late
 * To be called for every VM one of whose ports was watched or moved frames.
 */
void sense_slo(struct snapshot *s, uint16_t vm);

#endif
