/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.h - what the switch does with a packet buffer
 *
 * The one place where the switch and port_mem see DPDK: a frame is an rte_mbuf,
 * of one segment or a chain. Frames are freed by whoever owns them; a port may
 * free them on another thread.
 */
#ifndef VHOST_FRAME_H
#define VHOST_FRAME_H

#include <rte_mbuf.h>

/* The first segment: all that may be read without following the chain. */
static inline const uint8_t *frame_head(const struct rte_mbuf *f)
{
	return rte_pktmbuf_mtod(f, const uint8_t *);
}

static inline uint32_t frame_head_bytes(const struct rte_mbuf *f)
{
	return rte_pktmbuf_data_len(f);
}

static inline uint32_t frame_bytes(const struct rte_mbuf *f)
{
	return rte_pktmbuf_pkt_len(f);
}

/* frame_free() - Give up one owner's share; the last one frees the memory. */
static inline void frame_free(struct rte_mbuf *f)
{
	rte_pktmbuf_free(f);
}

/*
 * frame_share() - One more owner, who only reads; needs no memory
 * For VM ports: enqueueing to a guest copies out of the frame.
 */
static inline struct rte_mbuf *frame_share(struct rte_mbuf *f)
{
	rte_pktmbuf_refcnt_update(f, 1);
	return f;
}

/*
 * frame_copy() - A frame of its own from the same memory, flags included
 * For uplinks, whose driver may write checksums or be on another thread.
 * Return: NULL when packet memory is exhausted.
 */
static inline struct rte_mbuf *frame_copy(const struct rte_mbuf *f)
{
	return rte_pktmbuf_copy(f, f->pool, 0, UINT32_MAX);
}

/*
 * frame_make() - A frame with these bytes, chained when one segment is too
 * small. Return: NULL when packet memory is exhausted.
 */
static inline struct rte_mbuf *frame_make(struct rte_mempool *pool,
					  const uint8_t *data, uint32_t bytes)
{
	struct rte_mbuf *first = NULL, *m;
	uint16_t part;

	do {
		m = rte_pktmbuf_alloc(pool);
		if (!m || (first && rte_pktmbuf_chain(first, m)))
			goto err_free;
		if (!first)
			first = m;
		part = RTE_MIN(bytes, (uint32_t)rte_pktmbuf_tailroom(m));
		memcpy(rte_pktmbuf_append(first, part), data, part);
		data += part;
		bytes -= part;
	} while (bytes);
	return first;

err_free:
	rte_pktmbuf_free(m);
	rte_pktmbuf_free(first);
	return NULL;
}

/* frame_read() - Copy a frame's bytes out. Return: how many, at most @size. */
static inline uint32_t frame_read(const struct rte_mbuf *f, void *buf,
				  uint32_t size)
{
	uint32_t bytes = RTE_MIN(frame_bytes(f), size);
	const void *data = rte_pktmbuf_read(f, 0, bytes, buf);

	if (data && data != buf)
		memcpy(buf, data, bytes);
	return data ? bytes : 0;
}

#endif
