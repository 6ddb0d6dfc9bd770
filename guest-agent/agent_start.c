// SPDX-License-Identifier: Apache-2.0
/*
 * agent_start.c - the agent: begin and end, and what others call it for
 *
 * The guardian is forked first of all, before there is anything to put back and
 * anything open that it should not hold. At the end the host is told, then the
 * guardian is let go: it puts everything back, as it would after a crash.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent.h"
#include "hl/clock.h"
#include "report.h"

#define FILES_OTHER (DOOR_CLIENTS + 64) /* than those of workers */

/* --- called by crew and door -------------------------------------------- */

static void tell(void *arg, const struct worker *w, uint16_t vcpu, bool leaving)
{
	struct agent *a = arg;

	if (w->why & WORKER_REGISTERED)
		door_tell(a->door, w->tid, vcpu, leaving);
}

static void forget(void *arg, uint16_t slot, pid_t tid)
{
	struct agent *a = arg;

	procfs_forget(&a->files, slot);
	door_forget(a->door, tid);
}

static int on_join(void *arg, pid_t tid, pid_t tgid)
{
	struct agent *a = arg;

	if (!a->conf->registered)
		return -EPERM;
	return crew_join(&a->crew, tid, tgid, WORKER_NONE, WORKER_REGISTERED,
			 clock_now_ns());
}

static void on_leave(void *arg, pid_t tid)
{
	struct agent *a = arg;
	uint16_t slot = table_find(&a->share->table, tid);

	if (slot != WORKER_NONE)
		crew_leave(&a->crew, slot, WORKER_REGISTERED, clock_now_ns());
}

static size_t on_status(void *arg, char *buf, size_t size, int json)
{
	return report(arg, buf, size, json, clock_now_ns());
}

/* --- begin and end ------------------------------------------------------ */

static int watch(struct agent *a, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static int open_waiting(struct agent *a)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	a->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	a->timer_fd =
	    timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (a->epoll_fd < 0 || a->signal_fd < 0 || a->timer_fd < 0)
		return -errno;
	err = watch(a, a->signal_fd);
	if (!err)
		err = watch(a, a->timer_fd);
	if (!err)
		err = watch(a, a->guard.fd);
	if (!err)
		err = watch(a, link_fd(a->link));
	if (!err)
		err = watch(a, door_fd(a->door));
	if (!err && a->events.fd >= 0)
		err = watch(a, a->events.fd);
	return err;
}

/* Room for two files a worker, as far as we may. */
static void open_files(struct agent *a)
{
	const rlim_t want = FILES_OTHER + 2 * WORKER_MAX;
	struct rlimit r;

	a->files.table = &a->share->table;
	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
	if (setrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur <= FILES_OTHER)
		return;
	a->files.left = (unsigned)(r.rlim_cur - FILES_OTHER) / 2;
}

static int open_link(struct agent *a)
{
	const struct agent_conf *c = a->conf;
	const struct link_conf lc = {
		.port = *c->channel ? c->channel : NULL,
		.page = *c->page ? c->page : NULL,
		.caps = AGENT_CAP_PAGE | (c->place ? AGENT_CAP_PLACE : 0),
		.vcpu_cnt = (uint16_t)cpumask_count(&a->crew.hands.online),
		.name = HL_VERSION,
	};

	return link_open(&a->link, &lc, clock_now_ns());
}

int agent_open(struct agent *a, const struct agent_conf *conf, int lock_fd,
	       char *why, size_t size)
{
	const struct door_ops ops = { on_status, on_join, on_leave, a };
	const char *what = "memory cannot be allocated";
	int err = -ENOMEM;

	a->conf = conf;
	a->started_ns = clock_now_ns();
	a->share = guard_share();
	if (!a->share)
		goto out;
	table_init(&a->share->table);
	what = "this machine's cpus cannot be read";
	err = hands_init(&a->crew.hands, &a->share->table);
	if (err)
		goto out;
	what = "placing cannot be set up";
	err = place_init(&a->crew.place, &a->share->table, procfs_possible(),
			 conf->age_ns, conf->tick_ns);
	if (err)
		goto out;
	open_files(a);
	a->crew.table = &a->share->table;
	a->crew.match = &conf->match;
	a->crew.ops = (struct crew_ops){ tell, forget, a };
	what = "the guardian cannot be started";
	err = guard_start(&a->guard, a->share, lock_fd);
	if (err)
		goto out;
	what = "the channel cannot be set up";
	err = open_link(a);
	if (err)
		goto out;
	what = "the local socket cannot be opened";
	err = door_open(&a->door, conf->socket, &ops);
	if (err)
		goto out;
	a->events_err = events_open(&a->events);
	what = "waiting cannot be set up";
	err = open_waiting(a);
out:
	if (err)
		snprintf(why, size, "%s: %s", what, strerror(-err));
	return err;
}

void agent_close(struct agent *a)
{
	link_close(a->link);
	door_close(a->door);
	events_close(&a->events);
	scan_end(&a->scan);
	guard_finish(&a->guard);
	place_exit(&a->crew.place);
}
