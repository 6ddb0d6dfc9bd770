// SPDX-License-Identifier: Apache-2.0
/*
 * fake_agent_host.c - a host at the other end of an agent's channel
 */
#include "tests/fake/fake_agent_host.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

void host_page_reset(struct fake_host *h)
{
	assert_int_equal(truncate(h->file, sizeof(*h->page)), 0);
	memset(h->page, 0, sizeof(*h->page));
	h->page->host = (struct agent_host_head){ .magic = AGENT_HOST_MAGIC,
						  .token = FAKE_TOKEN,
						  .version = AGENT_VERSION };
}

static void page_make(struct fake_host *h)
{
	int fd = open(h->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sizeof(*h->page)), 0);
	h->page = mmap(NULL, sizeof(*h->page), PROT_READ | PROT_WRITE,
		       MAP_SHARED, fd, 0);
	assert_true(h->page != MAP_FAILED);
	close(fd);
	host_page_reset(h);
}

void host_open(struct fake_host *h)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	memset(h, 0, sizeof(*h));
	snprintf(h->dir, sizeof(h->dir), "/tmp/hl-agent-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	snprintf(h->sock, sizeof(h->sock), "%s/port", h->dir);
	snprintf(h->file, sizeof(h->file), "%s/page", h->dir);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", h->sock);
	h->fd = -1;
	h->listener =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(h->listener >= 0);
	assert_int_equal(bind(h->listener, (struct sockaddr *)&a, sizeof(a)),
			 0);
	assert_int_equal(listen(h->listener, 8), 0);
	page_make(h);
}

void host_close(struct fake_host *h)
{
	host_hang_up(h);
	if (h->listener >= 0)
		close(h->listener);
	munmap(h->page, sizeof(*h->page));
	unlink(h->sock);
	unlink(h->file);
	rmdir(h->dir);
}

bool host_accept(struct fake_host *h)
{
	host_hang_up(h);
	h->fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return h->fd >= 0;
}

void host_hang_up(struct fake_host *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
	h->rx.fill = 0;
}

bool host_hear(struct fake_host *h, struct agent_any *m)
{
	size_t room;
	ssize_t n;
	void *at;

	while (!agent_rx_next(&h->rx, m)) {
		at = agent_rx_room(&h->rx, &room);
		n = h->fd < 0 ? 0 : recv(h->fd, at, room, MSG_DONTWAIT);
		if (n <= 0)
			return false;
		h->rx.fill += (uint32_t)n;
	}
	if (m->head.kind == AGENT_HELLO)
		h->epoch = m->head.epoch;
	return true;
}

void host_bytes(struct fake_host *h, const void *bytes, size_t n)
{
	if (h->fd >= 0 &&
	    send(h->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		assert_true(errno == EAGAIN || errno == EPIPE ||
			    errno == ECONNRESET);
}

void host_say(struct fake_host *h, struct agent_any *m, enum agent_kind kind,
	      size_t body_bytes)
{
	host_bytes(h, m, agent_msg_put(m, kind, h->epoch, body_bytes));
}

void host_welcome(struct fake_host *h, uint32_t vcpu_cnt, bool page)
{
	struct agent_any m = { .welcome = { .version = AGENT_VERSION,
					    .vcpu_cnt = vcpu_cnt } };

	if (page) {
		m.welcome.caps = AGENT_CAP_PAGE;
		m.welcome.token = FAKE_TOKEN;
	}
	host_say(h, &m, AGENT_WELCOME, sizeof(m.welcome));
}

void host_grants(struct fake_host *h, uint16_t first, uint16_t count,
		 const uint64_t *word)
{
	struct agent_any m = { .grants = { .first = first, .count = count } };

	memcpy(m.grants.word, word, count * sizeof(*word));
	host_say(h, &m, AGENT_GRANTS, agent_grants_bytes(count));
}
