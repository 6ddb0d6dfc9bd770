/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_page.h - how the poll thread reads the vcpu sensor
 *
 * The sensor's memory as hostd has it mapped (sense_bpf.c), or as a test or a
 * bench makes it up. Reading takes no system call.
 */
#ifndef HOSTD_SENSOR_PAGE_H
#define HOSTD_SENSOR_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/bounds.h"
#include "hl/dirty.h"
#include "hl/sensor.h"

struct sensor_page {
	struct sensor_slot *slot; /* [VCPU_MAX] */
	struct dirty_word *word;  /* [DIRTY_WORDS(VCPU_MAX)] */
	unsigned long long *top;  /* [DIRTY_TOPS(VCPU_MAX)] */
};

#define SENSOR_TRIES 3

/*
 * sensor_read() - A consistent copy of slot @vcpu (< VCPU_MAX). Any thread.
 * @out: undefined when false is returned; tid 0: it watches nothing, or its
 *	thread has ended. `ran_ns` and `waited_ns` are sums of finished
 *	stretches: the one since `since_ns` is not in them.
 *
 * Return: false when it was being written: keep the former values; the writer
 * marks it when he is done.
 */
static inline bool sensor_read(const struct sensor_page *p, uint16_t vcpu,
			       struct sensor_slot *out)
{
#define SENSOR_COPY(field)                                                     \
	(out->field = __atomic_load_n(&slot->field, __ATOMIC_RELAXED))
	const struct sensor_slot *slot = &p->slot[vcpu];

	for (int i = 0; i < SENSOR_TRIES; i++) {
		out->seq = __atomic_load_n(&slot->seq, __ATOMIC_ACQUIRE);
		if (out->seq & 1)
			continue;
		SENSOR_COPY(state);
		SENSOR_COPY(since_ns);
		SENSOR_COPY(ran_ns);
		SENSOR_COPY(waited_ns);
		SENSOR_COPY(runs);
		SENSOR_COPY(cpu);
		SENSOR_COPY(tid);
		SENSOR_COPY(missed);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&slot->seq, __ATOMIC_RELAXED) == out->seq)
			return true;
	}
	return false;
#undef SENSOR_COPY
}

#endif
