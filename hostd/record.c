// SPDX-License-Identifier: Apache-2.0
/*
 * record.c - recordings: what hostd sees and decides, into a file
 *
 * Theory of operation. The poll thread puts records into a ring
 * (record_feed.c); a thread that lives as long as the recording takes them out
 * and writes them. It is not the control thread, which may wait for libvirt for
 * longer than the ring lasts. The feed is allocated for each recording; a gate
 * says whether it is there, so that the poll thread neither waits nor looks at
 * it once it is freed.
 *
 * Who writes what: `turn` is held by who starts or stops, `lock` guards the
 * status. The feed's counts are the poll thread's; the status has them from the
 * records that carry them.
 */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hl/clock.h"
#include "record_feed.h"
#include "stat.h"
#include "vhost/gate.h"

#define DRAIN_MS  5    /* between two looks into the ring: 2 % of it */
#define CHUNK_MAX 1024 /* records in one write() */

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct record_status status; /* lock */
static struct gate gate;	    /* open: `feed` may be used */
static struct feed *feed;
static pthread_t writer;
static bool joinable;	  /* turn: `writer` was started, not joined */
static bool stop_asked;	  /* atomic */
static uint64_t began_ns; /* before the thread starts */
static uint64_t until_ns; /* likewise */
static int fd;		  /* the writer's, once it was started */

/* --- the poll thread's side ------------------------------------------------
 */

static const char *name_of(uint16_t vm)
{
	return stat_hostd.vm[vm].name;
}

void record_look(const struct snapshot *s, const struct plan *p,
		 uint64_t interval_ns, const char *policy)
{
	if (!gate_enter(&gate))
		return;
	feed_look(feed, s, p, name_of, interval_ns, policy);
	gate_leave(&gate);
}

void record_again(void)
{
	if (!gate_enter(&gate))
		return;
	feed_again(feed);
	gate_leave(&gate);
}

/* --- the writer ------------------------------------------------------------
 */

static int write_all(const void *buf, size_t bytes)
{
	const char *p = buf;
	ssize_t n;

	while (bytes) {
		n = write(fd, p, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* add() - @cnt records to the file. Return: 0 or -errno. */
static int add(const struct record *r, unsigned cnt)
{
	int err = write_all(r, cnt * sizeof(*r));

	pthread_mutex_lock(&lock);
	status.ran_ns = clock_now_ns() - began_ns;
	if (!err)
		status.bytes += cnt * sizeof(*r);
	for (unsigned i = 0; i < cnt; i++) {
		if (r[i].kind != RECORD_TIME)
			continue;
		status.skipped = r[i].time.skipped;
		status.lost = r[i].time.lost;
	}
	pthread_mutex_unlock(&lock);
	return err;
}

/* drain() - All that is in the ring. Return: 0 or -errno. */
static int drain(void)
{
	static struct record chunk[CHUNK_MAX];
	unsigned cnt;
	int err;

	do {
		for (cnt = 0; cnt < CHUNK_MAX; cnt++)
			if (!mbox_pop(&feed->ring, &chunk[cnt]))
				break;
		err = cnt ? add(chunk, cnt) : 0;
	} while (cnt == CHUNK_MAX && !err);
	return err;
}

static int put_head(void)
{
	struct record r = { .kind = RECORD_HEAD,
			    .head = { .magic = RECORD_MAGIC,
				      .version = RECORD_VERSION,
				      .bytes = RECORD_BYTES,
				      .began_ns = began_ns } };
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	r.head.real_ns =
	    (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
	snprintf(r.head.hostd, sizeof(r.head.hostd), "%s", HL_VERSION);
	return add(&r, 1);
}

static int put_end(void)
{
	const struct record r = { .kind = RECORD_END,
				  .end = { .now_ns = clock_now_ns(),
					   .records =
					       status.bytes / sizeof(r) + 1 } };

	return add(&r, 1);
}

static bool is_over(void)
{
	return __atomic_load_n(&stop_asked, __ATOMIC_ACQUIRE) ||
	       clock_now_ns() >= until_ns;
}

static void *writer_main(void *arg)
{
	const struct timespec pause = { .tv_nsec = DRAIN_MS * NSEC_PER_MSEC };
	int err = put_head();

	(void)arg;
	pthread_setname_np(pthread_self(), "hostd-record");
	while (!err && !is_over()) {
		nanosleep(&pause, NULL);
		err = drain();
		if (!err && status.bytes >= RECORD_FILE_MAX)
			err = -EFBIG;
	}
	gate_shut(&gate);
	if (!err)
		err = drain();
	if (!err || err == -EFBIG)
		put_end();
	if (close(fd) && !err)
		err = -errno;
	feed_exit(feed);
	free(feed);
	pthread_mutex_lock(&lock);
	status.err = -err;
	status.state = RECORD_DONE;
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* --- who starts and stops --------------------------------------------------
 */

static bool runs(void)
{
	bool yes;

	pthread_mutex_lock(&lock);
	yes = status.state == RECORD_RUNS;
	pthread_mutex_unlock(&lock);
	return yes;
}

/* turn is held */
static void join(void)
{
	if (joinable)
		pthread_join(writer, NULL);
	joinable = false;
}

/* begin() - turn is held, nobody records. Return: 0 or -errno. */
static int begin(const char *path, unsigned seconds)
{
	int err;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return -errno;
	feed = malloc(sizeof(*feed));
	err = feed ? feed_init(feed) : -ENOMEM;
	if (err)
		goto err_file;
	began_ns = clock_now_ns();
	until_ns = began_ns + seconds * NSEC_PER_SEC;
	stop_asked = false;
	pthread_mutex_lock(&lock);
	status = (struct record_status){ .state = RECORD_RUNS };
	snprintf(status.path, sizeof(status.path), "%s", path);
	pthread_mutex_unlock(&lock);
	gate_open(&gate);
	err = -pthread_create(&writer, NULL, writer_main, NULL);
	if (!err) {
		joinable = true;
		return 0;
	}
	gate_shut(&gate);
	pthread_mutex_lock(&lock);
	status.state = RECORD_NEVER;
	pthread_mutex_unlock(&lock);
	feed_exit(feed);
err_file:
	free(feed);
	close(fd);
	unlink(path);
	return err;
}

int record_start(const char *path, unsigned seconds)
{
	int err = -EBUSY;

	if (*path != '/' || strlen(path) >= RECORD_PATH_MAX || !seconds ||
	    seconds > RECORD_S_MAX)
		return -EINVAL;
	pthread_mutex_lock(&turn);
	if (!runs()) {
		join();
		err = begin(path, seconds);
	}
	pthread_mutex_unlock(&turn);
	return err;
}

void record_stop(void)
{
	pthread_mutex_lock(&turn);
	__atomic_store_n(&stop_asked, true, __ATOMIC_RELEASE);
	join();
	pthread_mutex_unlock(&turn);
}

void record_get(struct record_status *out)
{
	pthread_mutex_lock(&lock);
	*out = status;
	pthread_mutex_unlock(&lock);
}
