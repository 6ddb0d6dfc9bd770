// SPDX-License-Identifier: Apache-2.0
/*
 * reload.c - a request from an operator's thread, served by the control thread
 *
 * One request at a time: askers queue on the mutex. The control thread serves
 * between two libvirt events, so an answer takes as long as libvirt does. A
 * request that timed out is still carried out, but its answer is dropped.
 */
#include "reload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "log.h"

#define REPLY_S 10

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER; /* one asker */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the rest */
static pthread_cond_t served = PTHREAD_COND_INITIALIZER;
static bool asked, done;
static int result;
static char answer[640];
static volatile sig_atomic_t by_signal;
static void (*wake_control)(void);

void reload_set_wake(void (*wake)(void))
{
	wake_control = wake;
}

void reload_signal(void)
{
	by_signal = 1;
	wake_control();
}

int reload_ask(char *text, size_t size)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += REPLY_S;
	pthread_mutex_lock(&turn);
	pthread_mutex_lock(&lock);
	asked = true;
	done = false;
	wake_control();
	while (!done && !err)
		err = pthread_cond_timedwait(&served, &lock, &until);
	if (done) {
		err = result;
		snprintf(text, size, "%s", answer);
	} else {
		err = -ETIMEDOUT;
		snprintf(text, size,
			 "hostd has not answered for %d s (libvirt may hang); "
			 "see `hostctl info`",
			 REPLY_S);
	}
	pthread_mutex_unlock(&lock);
	pthread_mutex_unlock(&turn);
	return err;
}

void reload_serve(int (*fn)(char *text, size_t size))
{
	char text[sizeof(answer)] = "";
	bool by_asker;
	int err;

	pthread_mutex_lock(&lock);
	by_asker = asked;
	asked = false;
	pthread_mutex_unlock(&lock);
	if (!by_asker && !by_signal)
		return;
	by_signal = 0;
	err = fn(text, sizeof(text));
	log_say(err ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "reload: %s", text);
	if (!by_asker)
		return;
	pthread_mutex_lock(&lock);
	/* Asked again meanwhile: ours gave up, and the next one's question may
	 * be newer than what was read. */
	if (!asked) {
		result = err;
		memcpy(answer, text, sizeof(answer));
		done = true;
		pthread_cond_signal(&served);
	}
	pthread_mutex_unlock(&lock);
}
