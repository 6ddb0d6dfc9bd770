/* SPDX-License-Identifier: Apache-2.0 */
/*
 * switch.c - a learning L2 switch between VM ports and an uplink
 *
 * Theory of operation. A pass visits each port in turn: pull a burst, ask
 * forward.c where each frame goes, put it on its destination's out list, then
 * push all out lists. A burst is delivered before the next one is pulled, so a
 * frame never waits for other ports' traffic, and an out list never has more
 * than one burst.
 *
 * What a VM port does not take is held for it (hold.c), first in, first out:
 * while anything is held, new frames queue behind it. Held frames are tried
 * again at the start of every pass and dropped when too old. An uplink's frames
 * are never held. Every frame that is dropped is dropped here, under a reason,
 * and counted by the port that suffered it: for bad, spoofed, unroutable and
 * limited frames the one they came from, otherwise the one they were for.
 *
 * All memory is taken in sw_open(); frames come from the ports. The poll thread
 * writes everything; sw_wake() alone may be called from other threads.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "vhost/forward.h"
#include "vhost/frame.h"
#include "vhost/hold.h"
#include "vhost/response.h"
#include "vhost/switch.h"
#include "vhost/waiter.h"

struct slot {
	struct port *port; /* NULL: free */
	uint16_t at;	   /* index in sw.active[] */
	uint16_t out_cnt;
	struct rte_mbuf *out[PORT_BURST];
	struct hold hold;
	struct response response;
	uint64_t scored; /* drops for want of room, as far as in a score */
	bool look;	 /* in sw.look[] */
	bool was_up;
	int watched;	 /* waiter's handle, -1: none */
	uint32_t fd_gen; /* port.fd_gen that `watched` is of */
};

#define FLOW_BYTES    (PORT_MAX * FLOW_SETS * sizeof(struct flow_set))
#define HELD_RETRY_NS 50000ull /* far below any hold-time that makes sense */

struct sw {
	struct sw_conf conf;
	struct mac_table macs;
	struct forward forward;
	struct waiter waiter;
	struct hold_entry *hold_ring; /* [PORT_MAX][PORT_HOLD_MAX] */
	struct flow_set *flow_sets;   /* [PORT_MAX][FLOW_SETS] */
	uint32_t held;		      /* frames in all hold queues */
	uint16_t responsive;	      /* ports whose response is measured */
	uint16_t active_cnt, dirty_cnt;
	uint16_t active[PORT_MAX]; /* ports present, dense, in any order */
	uint16_t dirty[PORT_MAX];  /* ports with something on their out list */
	uint16_t look_at, look_cnt;
	uint16_t look[PORT_MAX]; /* a ring: ports to watch, each once */
	struct slot slot[PORT_MAX];
};

static void drop(struct port *suffers, struct rte_mbuf *f, enum drop reason)
{
	suffers->count.drop[reason]++;
	frame_free(f);
}

/* An uplink is always worth a try; a VM needs a driver that runs. */
static bool is_up(const struct port *p)
{
	return p->is_uplink || !p->ops->watch || p->signal.up;
}

/* look() - The port's signal is not what it was. */
static void look(struct sw *sw, struct slot *s)
{
	if (s->look || s->port->is_uplink)
		return;
	s->look = true;
	sw->look[(sw->look_at + sw->look_cnt++) % PORT_MAX] = s->port->id;
}

/* give() - Push @n frames; those taken are counted. Return: how many. */
static unsigned give(struct sw *sw, struct slot *s, struct rte_mbuf **frames,
		     unsigned n, uint64_t since_ns)
{
	struct port *p = s->port;
	uint64_t bytes = 0;
	unsigned taken;

	look(sw, s);

	/* Once taken they may be gone: add up all, then subtract the others */
	for (unsigned i = 0; i < n; i++)
		bytes += frame_bytes(frames[i]);
	taken = p->ops->push(p, frames, n, since_ns);
	for (unsigned i = taken; i < n; i++)
		bytes -= frame_bytes(frames[i]);
	p->count.to_frames += taken;
	p->count.to_bytes += bytes;
	return taken;
}

/* hold_or_drop() - The port had no room for @f */
static void hold_or_drop(struct sw *sw, struct slot *s, struct rte_mbuf *f,
			 uint64_t now_ns)
{
	look(sw, s);
	if (s->port->is_uplink)
		drop(s->port, f, DROP_UPLINK_FULL);
	else if (hold_push(&s->hold, sw->conf.hold_frames, f, now_ns))
		sw->held++;
	else
		drop(s->port, f, DROP_HOLD_FULL);
}

static void drop_held(struct sw *sw, struct slot *s)
{
	struct rte_mbuf *f;
	uint64_t since_ns;

	while (hold_front(&s->hold, &f, 1, &since_ns)) {
		hold_pop(&s->hold, 1);
		sw->held--;
		drop(s->port, f, DROP_PORT_DOWN);
	}
}

/* retry() - Give a port what is held for it; drop what waited too long */
static unsigned retry(struct sw *sw, struct slot *s, uint64_t now_ns)
{
	struct rte_mbuf *frames[PORT_BURST], *f;
	unsigned n, taken, moved = 0;
	uint64_t since_ns;

	if (!is_up(s->port))
		drop_held(sw, s);
	do {
		n = hold_front(&s->hold, frames, PORT_BURST, &since_ns);
		taken = n ? give(sw, s, frames, n, since_ns) : 0;
		hold_pop(&s->hold, taken);
		sw->held -= taken;
		moved += taken;
	} while (n && taken == n);
	while ((f = hold_expire(&s->hold, sw->conf.hold_ns, now_ns))) {
		sw->held--;
		drop(s->port, f, DROP_HOLD_AGE);
	}
	return moved;
}

/* put() - @f is for @s; pushed when the burst is through */
static void put(struct sw *sw, struct slot *s, struct rte_mbuf *f)
{
	if (!s->out_cnt)
		sw->dirty[sw->dirty_cnt++] = s->port->id;
	s->out[s->out_cnt++] = f;
}

/*
 * flood() - A frame for every port that is up but the one it came from
 *
 * VM ports share it, an uplink gets a copy: see frame.h. The pull's own share
 * ends here.
 */
static void flood(struct sw *sw, struct port *from, struct rte_mbuf *f)
{
	for (unsigned i = 0; i < sw->active_cnt; i++) {
		struct slot *s = &sw->slot[sw->active[i]];
		struct rte_mbuf *own;

		if (s->port == from || !is_up(s->port))
			continue;
		own = s->port->is_uplink ? frame_copy(f) : frame_share(f);
		if (own)
			put(sw, s, own);
		else
			from->count.drop[DROP_NO_MBUF]++;
	}
	frame_free(f);
}

/* measure() - @f is a request, an answer, or neither, to either end. Out of
 * line: what it needs must not burden the frames of those who do not ask. */
static __attribute__((noinline)) void measure(struct slot *from,
					      struct slot *to,
					      const struct rte_mbuf *f,
					      uint64_t now_ns)
{
	struct flow flow;

	if (!from->response.score && !to->response.score)
		return;
	if (!flow_parse(&flow, frame_head(f), frame_head_bytes(f),
			frame_bytes(f)))
		return;
	flow.peer = to->port->id;
	flow.uplink = to->port->is_uplink;
	if (from->response.score)
		response_answered(&from->response, &flow, now_ns);
	flow.peer = from->port->id;
	flow.uplink = from->port->is_uplink;
	if (to->response.score && !response_asked(&to->response, &flow, now_ns))
		to->port->count.requests_lost++;
}

/* route() - One frame onto the out lists of where it goes */
static void route(struct sw *sw, struct port *from, struct rte_mbuf *f,
		  uint64_t now_ns)
{
	uint32_t bytes = frame_bytes(f);
	struct verdict v;
	struct slot *s;

	from->count.from_frames++;
	from->count.from_bytes += bytes;
	v = forward_decide(&sw->forward, from, frame_head(f),
			   frame_head_bytes(f), bytes, now_ns);
	switch (v.kind) {
	case VERDICT_PORT:
		s = &sw->slot[v.port];
		if (!is_up(s->port)) {
			drop(s->port, f, DROP_PORT_DOWN);
			break;
		}
		if (sw->responsive)
			measure(&sw->slot[from->id], s, f, now_ns);
		put(sw, s, f);
		break;
	case VERDICT_FLOOD:
		flood(sw, from, f);
		break;
	default:
		drop(from, f, v.reason);
	}
}

/* deliver() - Push every out list; what is not taken is held or dropped */
static void deliver(struct sw *sw, uint64_t now_ns)
{
	while (sw->dirty_cnt) {
		struct slot *s = &sw->slot[sw->dirty[--sw->dirty_cnt]];
		unsigned taken = 0;

		if (!s->hold.cnt)
			taken = give(sw, s, s->out, s->out_cnt, now_ns);
		for (unsigned i = taken; i < s->out_cnt; i++)
			hold_or_drop(sw, s, s->out[i], now_ns);
		s->out_cnt = 0;
	}
}

unsigned sw_pass(struct sw *sw, uint64_t now_ns)
{
	struct rte_mbuf *frames[PORT_BURST];
	unsigned n, moved = 0;

	for (unsigned i = 0; sw->held && i < sw->active_cnt; i++) {
		struct slot *s = &sw->slot[sw->active[i]];

		if (s->hold.cnt)
			moved += retry(sw, s, now_ns);
	}
	for (unsigned i = 0; i < sw->active_cnt; i++) {
		struct slot *s = &sw->slot[sw->active[i]];
		struct port *from = s->port;

		n = from->ops->pull(from, frames, PORT_BURST);
		for (unsigned k = 0; k < n; k++)
			route(sw, from, frames[k], now_ns);
		deliver(sw, now_ns);
		moved += n;
		if (n || s->was_up != from->signal.up)
			look(sw, s);
		s->was_up = from->signal.up;
	}
	return moved;
}

static uint64_t room_drops(const struct port *p)
{
	return p->count.drop[DROP_HOLD_FULL] + p->count.drop[DROP_HOLD_AGE];
}

/* What the guest had no room for waited in vain. */
static void score_drops(struct slot *s, struct score *delays)
{
	uint64_t n = room_drops(s->port);

	if (delays && n != s->scored)
		score_lost(delays, n - s->scored);
	s->scored = n;
}

void sw_watch(struct sw *sw, struct port *p, uint64_t now_ns,
	      struct score *delays)
{
	struct slot *s = &sw->slot[p->id];
	const struct hold *hold = &s->hold;
	uint64_t held_ns = hold_oldest_ns(hold, now_ns);

	score_drops(s, delays);
	if (p->ops->watch)
		p->ops->watch(p, now_ns, delays);
	else
		p->signal = (struct port_signal){ .up = true };
	p->signal.held = hold->cnt;
	if (held_ns > p->signal.delay_ns)
		p->signal.delay_ns = held_ns;
	if (p->signal.untaken || p->signal.held || p->signal.blind)
		look(sw, s);
}

unsigned sw_looks(const struct sw *sw)
{
	return sw->look_cnt;
}

struct port *sw_next_look(struct sw *sw)
{
	struct slot *s = &sw->slot[sw->look[sw->look_at]];

	sw->look_at = (uint16_t)((sw->look_at + 1) % PORT_MAX);
	sw->look_cnt--;
	s->look = false;
	return s->port;
}

/* overlook() - The port goes: others in the ring keep their order. */
static void overlook(struct sw *sw, struct slot *s)
{
	unsigned cnt = s->look ? sw->look_cnt : 0;

	for (unsigned i = 0; i < cnt; i++) {
		struct port *p = sw_next_look(sw);

		if (p != s->port)
			look(sw, &sw->slot[p->id]);
	}
}

void sw_response(struct sw *sw, struct port *p, struct score *score)
{
	struct response *r = &sw->slot[p->id].response;

	if (r->score == score)
		return;
	sw->responsive =
	    (uint16_t)(sw->responsive + (score != NULL) - (r->score != NULL));
	response_set(r, score);
}

/* --- sleeping --------------------------------------------------------- */

/* rewatch() - The port's file is another one, or gone: wait on what is now */
static void rewatch(struct sw *sw, struct slot *s)
{
	uint32_t gen = __atomic_load_n(&s->port->fd_gen, __ATOMIC_ACQUIRE);
	int fd;

	if (gen == s->fd_gen)
		return;
	waiter_forget(&sw->waiter, s->watched);
	fd = s->port->ops->fd(s->port);
	s->watched = fd < 0 ? -1 : waiter_watch(&sw->waiter, fd);
	if (fd < 0 || s->watched >= 0) /* else closed under us: look again */
		s->fd_gen = gen;
}

bool sw_sleep(struct sw *sw, uint64_t timeout_ns)
{
	bool work = false;
	unsigned armed = 0;

	/* A ring that has room again tells nobody. Sleeping shortly all the
	 * same leaves the cpu to whoever must run for room to come up. */
	if (sw->held && timeout_ns > HELD_RETRY_NS)
		timeout_ns = HELD_RETRY_NS;

	while (!work && armed < sw->active_cnt) {
		struct slot *s = &sw->slot[sw->active[armed++]];

		rewatch(sw, s);
		work = s->port->ops->arm(s->port, true);
	}
	if (!work)
		waiter_wait(&sw->waiter, timeout_ns);
	for (unsigned i = 0; i < armed; i++) {
		struct port *p = sw->slot[sw->active[i]].port;

		p->ops->arm(p, false);
	}
	return !work;
}

void sw_wake(struct sw *sw)
{
	waiter_wake(&sw->waiter);
}

/* --- ports come and go ------------------------------------------------- */

static uint16_t free_slot(const struct sw *sw)
{
	for (uint16_t id = 0; id < PORT_MAX; id++)
		if (!sw->slot[id].port)
			return id;
	return PORT_NONE;
}

int sw_add(struct sw *sw, struct port *p)
{
	uint16_t id = free_slot(sw);
	struct slot *s;
	int err;

	if (id == PORT_NONE)
		return -ENOSPC;
	if (mac_key(p->mac)) {
		err = mac_table_pin(&sw->macs, mac_key(p->mac), id);
		if (err)
			return err;
	}
	p->id = id;
	s = &sw->slot[id];
	s->port = p;
	s->watched = -1;
	s->fd_gen = p->fd_gen - 1; /* not looked at yet */
	s->at = sw->active_cnt;
	sw->active[sw->active_cnt++] = id;
	sw->forward.flood_next_ns[id] = 0;
	s->scored = room_drops(p);
	s->was_up = false;
	look(sw, s);
	if (p->is_uplink && sw->forward.uplink == PORT_NONE)
		sw->forward.uplink = id;
	return 0;
}

void sw_del(struct sw *sw, struct port *p)
{
	struct slot *s = &sw->slot[p->id];
	uint16_t last = sw->active[sw->active_cnt - 1];

	sw_response(sw, p, NULL);
	drop_held(sw, s);
	overlook(sw, s);
	waiter_forget(&sw->waiter, s->watched);
	mac_table_forget_port(&sw->macs, p->id);
	sw->active[s->at] = last;
	sw->slot[last].at = s->at;
	sw->active_cnt--;
	s->port = NULL;
	if (sw->forward.uplink != p->id)
		return;
	sw->forward.uplink = PORT_NONE;
	for (unsigned i = 0; i < sw->active_cnt; i++)
		if (sw->slot[sw->active[i]].port->is_uplink)
			sw->forward.uplink = sw->active[i];
}

/* --- life -------------------------------------------------------------- */

void sw_set(struct sw *sw, const struct sw_conf *conf)
{
	sw->conf = *conf;
	sw->macs.age_ns = conf->mac_age_ns;
	sw->forward.flood_pps = conf->flood_pps;
}

const struct mac_count *sw_mac_count(const struct sw *sw)
{
	return &sw->macs.count;
}

/* Memory for all ports, of which nothing is used until it is needed. */
static int flows_open(struct sw *sw)
{
	uint64_t seed[2];

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	sw->flow_sets = mmap(NULL, FLOW_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sw->flow_sets == MAP_FAILED)
		return -ENOMEM;
	for (unsigned id = 0; id < PORT_MAX; id++)
		response_init(&sw->slot[id].response,
			      &sw->flow_sets[(size_t)id * FLOW_SETS], seed);
	return 0;
}

int sw_open(struct sw **out, const struct sw_conf *conf)
{
	struct sw *sw = calloc(1, sizeof(*sw));
	int err;

	if (!sw)
		return -ENOMEM;
	sw->hold_ring =
	    calloc((size_t)PORT_MAX * PORT_HOLD_MAX, sizeof(*sw->hold_ring));
	if (!sw->hold_ring) {
		err = -ENOMEM;
		goto err_free;
	}
	err = mac_table_init(&sw->macs, conf->mac_entries, conf->mac_age_ns);
	if (err)
		goto err_free_ring;
	err = flows_open(sw);
	if (err)
		goto err_exit_macs;
	err = waiter_open(&sw->waiter);
	if (err)
		goto err_unmap_flows;
	for (unsigned id = 0; id < PORT_MAX; id++)
		hold_init(&sw->slot[id].hold,
			  &sw->hold_ring[(size_t)id * PORT_HOLD_MAX]);
	sw->forward.macs = &sw->macs;
	sw->forward.uplink = PORT_NONE;
	sw_set(sw, conf);
	*out = sw;
	return 0;

err_unmap_flows:
	munmap(sw->flow_sets, FLOW_BYTES);
err_exit_macs:
	mac_table_exit(&sw->macs);
err_free_ring:
	free(sw->hold_ring);
err_free:
	free(sw);
	return err;
}

void sw_close(struct sw *sw)
{
	while (sw->active_cnt)
		sw_del(sw, sw->slot[sw->active[0]].port);
	waiter_close(&sw->waiter);
	munmap(sw->flow_sets, FLOW_BYTES);
	mac_table_exit(&sw->macs);
	free(sw->hold_ring);
	free(sw);
}
