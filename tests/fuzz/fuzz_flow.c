// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_flow.c - any bytes as frames to and from a VM: no crash, no made-up wait
 *
 * The input is a list of frames: which way and how often (bit 0: into the VM,
 * the rest: time step), header bytes present, how long the frame is beyond
 * those, then the header. One VM's table is measured; a second one, with
 * another seed, must come to the same samples: what is measured must not hang
 * on luck.
 */
#include <stdlib.h>
#include <string.h>

#include "vhost/response.h"

#define RECORD	   3 /* bytes before the header */
#define STEP_NS	   50000000ull
#define must(what) ((what) ? (void)0 : abort())

struct side {
	struct flow_set set[FLOW_SETS];
	struct score score;
	struct response response;
	unsigned lost;
};

static struct side side[2];

static void start(void)
{
	static const uint64_t seed[2][2] = {
		{ 0x8a5cd789635d2dffull, 0x121fd2155c472f96ull },
		{ 0xb9f6a4c8d7e30251ull, 0x2c5e1b7f90ad8643ull },
	};

	memset(side, 0, sizeof(side));
	for (unsigned i = 0; i < 2; i++) {
		side[i].score.limit_ns = STEP_NS;
		response_init(&side[i].response, side[i].set, seed[i]);
		response_set(&side[i].response, &side[i].score);
	}
}

/* What must hold of every frame that was understood. */
static void check_flow(const struct flow *f, uint32_t head_bytes,
		       uint32_t frame_bytes)
{
	static const struct flow_table t = { .seed = { 3, 5 } };
	struct flow back = *f;

	must(f->proto == FLOW_TCP || f->proto == FLOW_UDP);
	must(head_bytes >= 42 && f->payload_bytes <= frame_bytes - 42);
	must(f->is_v6 || (!f->src.ip[1] && !f->dst.ip[1]));
	must(f->vlan < 1 << 24);
	back.src = f->dst;
	back.dst = f->src;
	must(flow_id(&t, f, true) == flow_id(&t, &back, false));
}

static void play(const struct flow *f, bool in, uint64_t now_ns)
{
	for (unsigned i = 0; i < 2; i++) {
		struct side *s = &side[i];
		uint64_t done = s->score.done, late = s->score.late;

		if (in) {
			s->lost += !response_asked(&s->response, f, now_ns);
			must(s->score.done == done);
		} else {
			response_answered(&s->response, f, now_ns);
			must(s->score.done - done <= 1);
		}
		must(s->score.late - late <= s->score.done - done);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t now_ns = 1;
	struct flow f;

	start();
	while (size > RECORD) {
		bool in = data[0] & 1;
		uint32_t head_bytes = data[1], frame_bytes;
		uint8_t *head;

		now_ns += (data[0] >> 1) * STEP_NS;
		frame_bytes = data[2];
		data += RECORD;
		size -= RECORD;
		if (head_bytes > size)
			head_bytes = (uint32_t)size;
		frame_bytes += head_bytes;
		/* Memory of its own, so that one byte too far is seen */
		head = malloc(head_bytes + !head_bytes);
		must(head);
		memcpy(head, data, head_bytes);
		if (flow_parse(&f, head, head_bytes, frame_bytes)) {
			check_flow(&f, head_bytes, frame_bytes);
			play(&f, in, now_ns);
		}
		free(head);
		data += head_bytes;
		size -= head_bytes;
	}
	must(side[0].score.hist.max_ns <= RESPONSE_LOST_NS);
	if (!side[0].lost && !side[1].lost) {
		must(side[0].score.done == side[1].score.done);
		must(side[0].score.late == side[1].score.late);
	}
	return 0;
}
