// SPDX-License-Identifier: Apache-2.0
/*
 * log.c - words for the operator
 *
 * Each line is one write(2), so lines of several threads do not mix. Under
 * systemd (JOURNAL_STREAM set) lines carry a "<n>" priority; elsewhere the
 * level as a word.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static enum log_level log_max = LOG_LEVEL_INFO;

static const struct {
	const char *word, *prio;
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error: ", "<3>" },
	[LOG_LEVEL_WARN] = { "warning: ", "<4>" },
	[LOG_LEVEL_INFO] = { "", "<6>" },
	[LOG_LEVEL_DEBUG] = { "debug: ", "<7>" },
};

void log_set_level(enum log_level level)
{
	log_max = level;
}

static void log_write(enum log_level level, const char *fmt, va_list ap)
{
	char line[1024];
	int head, n;

	if (getenv("JOURNAL_STREAM"))
		head = snprintf(line, sizeof(line), "%s", levels[level].prio);
	else
		head =
		    snprintf(line, sizeof(line), "%s: %s",
			     program_invocation_short_name, levels[level].word);
	n = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, fmt, ap);
	if (n < 0)
		return;
	n += head;
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	/* Nothing sensible can be done when standard error is gone. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

void log_say(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > log_max)
		return;
	va_start(ap, fmt);
	log_write(level, fmt, ap);
	va_end(ap);
}

int log_limit_pass(struct log_limit *l, unsigned *swallowed)
{
	struct timespec ts;
	unsigned long long window_s;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	window_s = (unsigned long long)ts.tv_sec / 10 + 1;
	*swallowed = 0;
	if (l->window_s != window_s) {
		*swallowed = l->swallowed;
		l->window_s = window_s;
		l->said = l->swallowed = 0;
	}
	if (l->said >= 10) {
		l->swallowed++;
		return 0;
	}
	l->said++;
	return 1;
}

void log_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_write(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
	exit(EXIT_FAILURE);
}
