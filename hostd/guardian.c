// SPDX-License-Identifier: Apache-2.0
/*
 * guardian.c - a small process that puts everything back if hostd dies
 *
 * Theory of operation. One end of a socket pair is hostd's alone, and closed
 * on exec; the guardian sleeps in read(2) on the other. One byte means "all is
 * well, go"; the end of the stream means hostd is gone, by whatever way. No
 * signal, timer or pid can be missed or mistaken.
 *
 * The guardian shares nothing but three descriptors with hostd: the socket,
 * the lock file and standard error. It must outlive what kills hostd: it is in
 * a session of its own, ignores what a terminal or a service manager sends
 * first, and asks the kernel to spare it when memory is short. Killed with
 * SIGKILL together with hostd, nothing is left but the journal: the next start
 * of hostd, or `hostd --restore`, carries it out.
 */
#include "guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hl/clock.h"
#include "journal.h"
#include "log.h"

#define LOCK_RETRY_NS (10 * (long)NSEC_PER_MSEC)

/* hostd's side; main thread. */
static int guardian_fd = -1;
static pid_t guardian_pid;

/* --- in the guardian ----------------------------------------------------- */

static void close_others(int fd, int lock_fd)
{
	int low = fd, high = lock_fd;

	if (low > high) {
		low = lock_fd;
		high = fd;
	}
	if (low > STDERR_FILENO)
		close_range(STDERR_FILENO + 1, (unsigned)low - 1, 0);
	else
		low = STDERR_FILENO;
	close_range((unsigned)low + 1, (unsigned)high - 1, 0);
	close_range((unsigned)high + 1, ~0u, 0);
}

/* Spare it when memory is short, let it run at once when cpus are. Neither is
 * needed, so a refusal (no privilege) is no matter. */
static void ask_favours(void)
{
	static const char spare[] = "-1000\n";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	bool spared = fd >= 0 && write(fd, spare, sizeof(spare) - 1) > 0;

	if (fd >= 0)
		close(fd);
	if (setpriority(PRIO_PROCESS, 0, -20) || !spared)
		log_debug("guardian: no privilege to be spared or preferred");
}

static void settle(int fd, int lock_fd)
{
	static const int ignored[] = { SIGHUP,	SIGINT,	 SIGQUIT, SIGTERM,
				       SIGPIPE, SIGTSTP, SIGUSR1, SIGUSR2 };
	sigset_t none;

	setsid();
	prctl(PR_SET_NAME, "hostd-guardian");
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close_others(fd, lock_fd);
	ask_favours();
}

static void put_back(const char *journal, void (*after)(const char *journal))
{
	struct journal_result r = { 0 };
	int err = journal_put_back(journal, &r);

	if (err == -ENOENT)
		return;
	log_warn("hostd is gone: %u VMs get back what they had (%u items, "
		 "%u gone, %u failed)",
		 r.vms, r.restored, r.gone, r.failed);
	if (after)
		after(journal);
	unlink(journal);
}

static void __attribute__((noreturn))
guard(int fd, int lock_fd, const char *journal,
      void (*after)(const char *journal))
{
	ssize_t n;
	char c = 0;

	settle(fd, lock_fd);
	/* Ready. */
	if (send(fd, &c, 1, MSG_NOSIGNAL) != 1)
		log_debug("guardian: hostd died before it was guarded");
	do {
		n = read(fd, &c, 1);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		put_back(journal, after);
	_exit(0);
}

/* --- in hostd ------------------------------------------------------------ */

static int wait_ready(int fd)
{
	ssize_t n;
	char c;

	do {
		n = read(fd, &c, 1);
	} while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : -ECHILD;
}

int guardian_start(const char *journal, int lock_fd,
		   void (*after)(const char *journal))
{
	int pair[2], err;
	pid_t pid;

	if (guardian_fd >= 0)
		return -EALREADY;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	if (pid < 0) {
		err = -errno;
		close(pair[0]);
		close(pair[1]);
		return err;
	}
	if (!pid) {
		close(pair[0]);
		guard(pair[1], lock_fd, journal, after);
	}
	close(pair[1]);
	guardian_fd = pair[0];
	guardian_pid = pid;
	err = wait_ready(guardian_fd);
	if (err)
		guardian_dismiss();
	return err;
}

void guardian_dismiss(void)
{
	char c = 0;

	if (guardian_fd < 0)
		return;
	if (send(guardian_fd, &c, 1, MSG_NOSIGNAL) != 1)
		log_warn("the guardian was gone before hostd stopped");
	close(guardian_fd);
	guardian_fd = -1;
	while (waitpid(guardian_pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int guardian_lock(const char *path, unsigned wait_ms)
{
	uint64_t until_ns = clock_now_ns() + wait_ms * NSEC_PER_MSEC;
	const struct timespec nap = { .tv_nsec = LOCK_RETRY_NS };
	int fd, err = 0;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (err != -EINTR &&
		    (err != -EBUSY || clock_now_ns() >= until_ns)) {
			close(fd);
			return err;
		}
		nanosleep(&nap, NULL);
	}
	return fd;
}
