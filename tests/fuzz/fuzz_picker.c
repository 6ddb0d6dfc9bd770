// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_picker.c - a host's shape and steps of the picker, from bytes
 *
 * The first bytes say how many cpus and members there are and what the cpus
 * share, any nonsense included: what picker_init() takes, the picker must
 * serve. Then two bytes a step; every step is made in the plain model too, and
 * both must answer alike and end alike.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/ref/picker_model.h"

#define CPUS_MAX    24
#define MEMBERS_MAX 24

struct input {
	const uint8_t *data;
	size_t left;
};

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

/* small() - Mostly 0 to @max - 1; the top of a byte's range is "wrong" */
static uint16_t small(uint8_t b, unsigned max)
{
	return b >= 0xfe ? CPU_NONE : (uint16_t)(b % (max + 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct picker_model m;
	uint16_t sibling[CPUS_MAX], llc[CPUS_MAX];
	struct input in = { data, size };
	uint16_t cpus = (uint16_t)(1 + byte(&in) % CPUS_MAX);
	uint16_t members = byte(&in) % (MEMBERS_MAX + 1);
	struct picker *p = malloc(picker_bytes(members));

	if (!p)
		abort();
	for (unsigned i = 0; i < cpus; i++) {
		sibling[i] = small(byte(&in), cpus);
		llc[i] = small(byte(&in), cpus);
	}
	if (picker_init(p, cpus, members, sibling, llc))
		goto out_free;
	picker_model_init(&m, cpus, members, sibling, llc);
	while (in.left) {
		uint8_t what = byte(&in), cpu = byte(&in);
		enum picker_op op = OP_JOIN + what % (OP_NUM - OP_JOIN);
		uint16_t member = what / (OP_NUM - OP_JOIN) % (members + 1);

		if (picker_step(p, op, member, small(cpu, cpus)) !=
		    picker_model_step(&m, op, member, small(cpu, cpus)))
			abort();
	}
	if (!picker_whole(p, &m))
		abort();
out_free:
	free(p);
	return 0;
}
