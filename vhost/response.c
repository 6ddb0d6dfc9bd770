// SPDX-License-Identifier: Apache-2.0
/*
 * response.c - from a request that enters a VM to the first answer that leaves
 *
 * Theory of operation. A frame with payload that enters the VM on a flow with
 * no open request opens one. The first frame with payload back on that flow
 * closes it; its age is one sample. What protocol is spoken is not known.
 *
 * Who asks whom: the end with the lower port is the server, for services have
 * ports they are known by and clients take high ones (RFC 6335: 49152 on;
 * Linux: 32768 on). A flow on which the VM is the client is not looked at:
 * else its own thinking between an answer and its next request would count.
 *
 * TCP: a frame without payload is no answer, nor is one that does not
 * acknowledge the request, such as the tail of the answer before. A request
 * sent again because it was lost counts from its first copy, as its sender
 * counts. UDP: any frame is a request or an answer.
 *
 * What it cannot see. Several requests at once on one flow (pipelining, many
 * streams in one connection): the first one opens, the first answer closes,
 * those between are not measured. When answers come late, the next request to
 * open one may be answered, as it seems, by what was for an earlier one: too
 * short. A request of many frames counts from its first. A server on a port
 * above its client's is not measured.
 */
#include "vhost/response.h"

#include <stddef.h>

void response_init(struct response *r, struct flow_set *set,
		   const uint64_t seed[2])
{
	*r = (struct response){
		.waiting = { .set = set, .seed = { seed[0], seed[1] } },
	};
}

void response_set(struct response *r, struct score *score)
{
	flow_forget(&r->waiting);
	r->score = score;
}

static bool is_lost(const struct flow_slot *w, uint64_t now_ns)
{
	return now_ns - w->since_ns > RESPONSE_LOST_NS;
}

static bool is_message(const struct flow *f)
{
	return f->proto == FLOW_UDP || f->payload_bytes;
}

bool response_asked(struct response *r, const struct flow *f, uint64_t now_ns)
{
	struct flow_slot *w;
	bool lost = false;
	uint64_t id;

	if (!is_message(f) || f->dst.port > f->src.port)
		return true;
	id = flow_id(&r->waiting, f, true);
	w = flow_find(&r->waiting, id);
	if (w && !is_lost(w, now_ns))
		return true;
	if (!w)
		w = flow_add(&r->waiting, id, &lost);
	lost = lost && !is_lost(w, now_ns);
	w->since_ns = now_ns;
	w->seq_end = f->seq_end;
	return !lost;
}

void response_answered(struct response *r, const struct flow *f,
		       uint64_t now_ns)
{
	struct flow_slot *w;

	if (!is_message(f))
		return;
	w = flow_find(&r->waiting, flow_id(&r->waiting, f, false));
	if (!w)
		return;
	/* sequence numbers go round: RFC 9293, 3.4 */
	if (f->proto == FLOW_TCP && (int32_t)(f->ack - w->seq_end) < 0)
		return;
	if (!is_lost(w, now_ns))
		score_add(r->score, now_ns - w->since_ns);
	w->since_ns = 0;
}
