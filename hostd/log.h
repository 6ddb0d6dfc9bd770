/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - words for the operator, on standard error (the journal under systemd)
 */
#ifndef HOSTD_LOG_H
#define HOSTD_LOG_H

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* log_set_level() - Say nothing below this. Start-up. */
void log_set_level(enum log_level level);

/* log_say() - One line, newline added. Any thread but the poll thread. */
void log_say(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...) log_say(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_say(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_say(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_say(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * log_limited() - At most 10 lines in 10 s from this place; the next line let
 * through says how many were swallowed. For anything a guest or peer can cause.
 */
struct log_limit {
	unsigned long long window_s;
	unsigned said, swallowed;
};

/* log_limit_pass() - May this place speak now? *swallowed: lines lost before.
 */
int log_limit_pass(struct log_limit *l, unsigned *swallowed);

#define log_limited(level, fmt, ...)                                           \
	do {                                                                   \
		static struct log_limit limit_;                                \
		unsigned swallowed_;                                           \
		if (log_limit_pass(&limit_, &swallowed_)) {                    \
			if (swallowed_)                                        \
				log_say(level,                                 \
					"(%u like the next one left out)",     \
					swallowed_);                           \
			log_say(level, fmt, ##__VA_ARGS__);                    \
		}                                                              \
	} while (0)

/* log_die() - An error sentence, then exit(1). Start-up only. */
void log_die(const char *fmt, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

#endif
