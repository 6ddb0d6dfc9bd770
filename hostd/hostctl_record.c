// SPDX-License-Identifier: Apache-2.0
/*
 * hostctl_record.c - hostctl makes hostd record
 *
 * hostd writes the file; hostctl starts it, shows how it goes on a terminal,
 * and ends it early when interrupted.
 */
#include "hostctl_record.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hl/clock.h"
#include "hostctl_table.h"
#include "name.h"

#define SECONDS	 "10"
#define LOOK_MS	 100		     /* between two looks at how it goes */
#define STALL_NS (10 * NSEC_PER_SEC) /* longer than asked for by so much */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* absolute() - hostd has a working directory of its own. Return: false when
 * there is no such directory. */
static bool absolute(const char *file, char *out, size_t size)
{
	const char *base = strrchr(file, '/');
	char dir[PATH_MAX] = ".", real[PATH_MAX];

	if (base)
		snprintf(dir, sizeof(dir), "%.*s", (int)(base - file + 1),
			 file);
	if (!realpath(dir, real))
		return false;
	base = base ? base + 1 : file;
	return (size_t)snprintf(out, size, "%s/%s",
				strcmp(real, "/") ? real : "", base) < size;
}

/* ask() - Return: an answer for answer_free(), or NULL with a sentence. */
static struct answer *ask(struct ctl *c, const char *arg)
{
	return answer_ask(c, ANSWER_RECORD, "record", arg, ASK_S);
}

/* Sixty blanks of a line are enough for what progress() writes. */
static void progress(struct ctl *c, const struct answer *a, const char *seconds)
{
	char ran[32], bytes[32];

	if (!isatty(fileno(c->err)))
		return;
	human_time(answer_num(a, "ran_ns"), ran, sizeof(ran));
	human_count(answer_num(a, "bytes"), bytes, sizeof(bytes));
	fprintf(c->err, "\r%s of %ss, %s bytes   ", ran, seconds, bytes);
	fflush(c->err);
}

static int outcome(struct ctl *c, const struct answer *a, const char *path)
{
	int failed = (int)answer_num(a, "failed");
	char ran[32], bytes[32], skipped[32], lost[32];

	if (isatty(fileno(c->err)))
		fprintf(c->err, "\r%60s\r", "");
	human_time(answer_num(a, "ran_ns"), ran, sizeof(ran));
	human_count(answer_num(a, "bytes"), bytes, sizeof(bytes));
	human_count(answer_num(a, "skipped"), skipped, sizeof(skipped));
	human_count(answer_num(a, "lost"), lost, sizeof(lost));
	fprintf(c->out, "%s: %s, %s bytes", path, ran, bytes);
	if (answer_num(a, "skipped"))
		fprintf(c->out,
			"; too much for the disk: %s looks left out, %s "
			"decisions with them",
			skipped, lost);
	fputc('\n', c->out);
	return failed ? complain(c, "the recording ended early: %s",
				 strerror(failed))
		      : 0;
}

/* follow() - Until it is over. Return: 0, or 1. */
static int follow(struct ctl *c, const char *path, const char *seconds)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * NSEC_PER_MSEC };
	uint64_t limit_ns = strtoull(seconds, NULL, 10) * NSEC_PER_SEC +
			    STALL_NS + clock_now_ns();
	struct answer *a = NULL;
	char state[TEXT_MAX];
	int rc = 1;

	for (;;) {
		a = ask(c, interrupted ? "stop" : NULL);
		if (!a)
			return 1;
		if (strcmp(answer_text(a, "state", state), "runs"))
			break;
		progress(c, a, seconds);
		answer_free(a);
		a = NULL;
		if (clock_now_ns() > limit_ns)
			return complain(c, "the recording does not end");
		nanosleep(&pause, NULL);
	}
	if (strcmp(state, "done"))
		complain(c, "hostd knows of no recording");
	else
		rc = outcome(c, a, path);
	answer_free(a);
	return rc;
}

int do_record(struct ctl *c, const char *arg)
{
	const char *seconds = c->arg2 ? c->arg2 : SECONDS;
	char path[PATH_MAX], shown[PATH_MAX], wire[900], request[1000];
	struct sigaction sa = { .sa_handler = on_interrupt }, old;
	struct answer *a;
	int err, rc;

	if (!arg || !*arg || arg[strlen(arg) - 1] == '/' || !is_number(seconds))
		return complain(c, "record takes a file and seconds, as in: "
				   "hostctl record /tmp/a.rec 10");
	if (!absolute(arg, path, sizeof(path)) ||
	    !name_to_wire(path, wire, sizeof(wire)))
		return complain(c,
				"cannot record into %s: no such directory, "
				"or too long a name",
				name_printable(arg, shown, sizeof(shown)));
	snprintf(request, sizeof(request), "start,%s,%s", seconds, wire);
	a = ask(c, request);
	if (!a)
		return 1;
	err = (int)answer_num(a, "errno");
	answer_free(a);
	name_printable(path, shown, sizeof(shown));
	if (err)
		return complain(c, "hostd cannot record into %s: %s", shown,
				err == EBUSY ? "it is recording already"
				: err == EINVAL
				    ? "1 to 3600 seconds can be recorded"
				    : strerror(err));
	interrupted = 0;
	sigaction(SIGINT, &sa, &old);
	rc = follow(c, shown, seconds);
	sigaction(SIGINT, &old, NULL);
	return rc;
}
