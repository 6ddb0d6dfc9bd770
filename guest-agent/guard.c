// SPDX-License-Identifier: Apache-2.0
/*
 * guard.c - a small process that puts everything back when the agent is gone
 *
 * Theory of operation. The agent holds one end of a socket pair and nobody else
 * does; the guardian waits on the other. Its end means that the agent is gone,
 * by whatever way: no signal, timer or process number can be missed or
 * mistaken. An agent that lives and does not beat is as good as gone: its
 * workers would stay where the last grants put them. It is killed, and what
 * follows is the same.
 *
 * Putting back. First the table: each worker's mask, then interrupts. Then what
 * no table knows: a thread cloned by a worker before that got its mask back,
 * perhaps by one that is in the middle of clone(2) and has copied the mask, but
 * is not to be seen yet. So all of /proc is gone through until a whole pass
 * finds nothing, then again after a millisecond, two, four .. a quarter of a
 * second: all found nothing, in half a second. Anything found starts it anew.
 *
 * The lock file stays locked until the guardian is done, so that a new agent
 * reads masks that are their owners' own.
 *
 * The table is taken as it is found: chains and counts, which the agent may
 * have been killed in the middle of, are built again from the slots.
 */
#include "guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hands.h"
#include "hl/clock.h"
#include "log.h"
#include "procfs.h"

#define LOOK_MS	      500 /* at the agent's beat */
#define LOCK_RETRY_MS 10
#define PASS_LAST_MS  256 /* the last wait between two passes */
#define PASSES_MAX    1000

static void nap_ms(long ms)
{
	const struct timespec ts = { .tv_sec = ms / 1000,
				     .tv_nsec =
					 ms % 1000 * (long)NSEC_PER_MSEC };

	nanosleep(&ts, NULL);
}

/* --- in the guardian: putting back -------------------------------------- */

/* Threads of one process that have a mask of ours. */
static unsigned pass_process(struct hands *h, pid_t pid)
{
	char path[64];
	const struct dirent *e;
	unsigned found = 0;
	pid_t tid;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	if (!d)
		return 0;
	while ((e = readdir(d)))
		if (procfs_pid(e->d_name, &tid))
			found += hands_stray(h, pid, tid);
	closedir(d);
	return found;
}

/* All of /proc, once. Return: threads that had to be put back. */
static unsigned pass(struct hands *h)
{
	const struct dirent *e;
	unsigned found = 0;
	pid_t pid;
	DIR *d = opendir("/proc");

	if (!d)
		return 0;
	while ((e = readdir(d)))
		if (procfs_pid(e->d_name, &pid))
			found += pass_process(h, pid);
	closedir(d);
	return found;
}

static void put_back(struct guard_share *s)
{
	struct hands h;
	unsigned refused, late = 0, found;
	long wait_ms = 0;

	table_mend(&s->table);
	if (hands_init(&h, &s->table)) {
		log_error("guardian: cannot read this machine's cpus");
		return;
	}
	for (unsigned i = 0; i < s->table.high; i++)
		if (s->table.worker[i].tid)
			hands_back(&h, (uint16_t)i);
	refused = irq_restore(&s->irq);
	for (unsigned i = 0; i < PASSES_MAX && wait_ms <= PASS_LAST_MS; i++) {
		nap_ms(wait_ms);
		found = pass(&h);
		late += found;
		wait_ms = found ? 0 : wait_ms ? 2 * wait_ms : 1;
	}
	if (!h.n.back && !late)
		return;
	log_info("the agent is gone: %llu workers and %u threads they had "
		 "cloned got back what they had, %llu refused; %u interrupts "
		 "refused",
		 (unsigned long long)h.n.back, late,
		 (unsigned long long)(h.n.cpuset + h.n.denied), refused);
}

/* --- in the guardian: waiting ------------------------------------------- */

static void close_others(int fd, int lock_fd)
{
	int low = fd < lock_fd ? fd : lock_fd;
	int high = fd < lock_fd ? lock_fd : fd;

	if (low > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, (unsigned)low - 1, 0);
	if (low <= STDERR_FILENO)
		low = STDERR_FILENO;
	if (high > low + 1)
		close_range((unsigned)low + 1, (unsigned)high - 1, 0);
	close_range((unsigned)high + 1, ~0u, 0);
}

/* Not needed, so a refusal is no matter: spare it when memory is short, let it
 * run at once when cpus are. */
static void ask_favours(void)
{
	static const char spare[] = "-1000\n";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, spare, sizeof(spare) - 1) < 0)
		log_debug("guardian: not spared when memory is short");
	if (fd >= 0)
		close(fd);
	setpriority(PRIO_PROCESS, 0, -20);
}

static void settle(int fd, int lock_fd)
{
	static const int ignored[] = { SIGHUP,	SIGINT,	 SIGQUIT, SIGTERM,
				       SIGPIPE, SIGTSTP, SIGUSR1, SIGUSR2 };
	struct cpumask all;
	sigset_t none;

	setsid();
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close_others(fd, lock_fd);
	/* The agent may follow the grants itself. */
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), (const cpu_set_t *)&all);
	ask_favours();
}

/* Kill an agent that does not beat. Its number is its own as long as it is our
 * parent. */
static void watch(const struct guard_share *s, pid_t agent)
{
	uint64_t beat_ns = __atomic_load_n(&s->beat_ns, __ATOMIC_RELAXED);
	uint64_t now_ns = clock_now_ns();

	if (!beat_ns || now_ns < beat_ns || now_ns - beat_ns < s->stuck_ns ||
	    getppid() != agent)
		return;
	log_error("the agent has not moved for %llu s: it is killed, and "
		  "everything put back",
		  (unsigned long long)((now_ns - beat_ns) / NSEC_PER_SEC));
	kill(agent, SIGKILL);
}

static void __attribute__((noreturn))
guard(struct guard_share *s, int fd, int lock_fd, pid_t agent)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c = 0;

	settle(fd, lock_fd);
	/* Ready. Nobody reads it: then the end follows. */
	if (send(fd, &c, 1, MSG_NOSIGNAL) != 1)
		log_debug("guardian: the agent died before it was guarded");
	while (poll(&p, 1, LOOK_MS) <= 0)
		watch(s, agent);
	put_back(s);
	_exit(0);
}

/* --- in the agent ------------------------------------------------------- */

struct guard_share *guard_share(void)
{
	struct guard_share *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		return NULL;
	s->stuck_ns = GUARD_STUCK_NS;
	return s;
}

int guard_lock(const char *path, unsigned wait_ms)
{
	uint64_t until_ns = clock_now_ns() + wait_ms * NSEC_PER_MSEC;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err;

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (err != -EINTR &&
		    (err != -EBUSY || clock_now_ns() >= until_ns)) {
			close(fd);
			return err;
		}
		nap_ms(LOCK_RETRY_MS);
	}
	return fd;
}

static int wait_ready(int fd)
{
	ssize_t n;
	char c;

	do {
		n = read(fd, &c, 1);
	} while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : -ECHILD;
}

int guard_start(struct guard *g, struct guard_share *share, int lock_fd)
{
	int pair[2], err;
	pid_t self = getpid();

	*g = (struct guard){ .share = share, .fd = -1, .lock_fd = lock_fd };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	g->pid = fork();
	if (g->pid < 0) {
		err = -errno;
		close(pair[0]);
		close(pair[1]);
		return err;
	}
	if (!g->pid)
		guard(share, pair[1], lock_fd, self);
	close(pair[1]);
	g->fd = pair[0];
	err = wait_ready(g->fd);
	if (err)
		guard_lost(g);
	return err;
}

void guard_lost(struct guard *g)
{
	close(g->fd);
	g->fd = -1;
	while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void guard_finish(struct guard *g)
{
	if (g->fd >= 0)
		guard_lost(g);
}
