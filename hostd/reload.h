/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload.h - a request from an operator's thread, served by the control thread
 */
#ifndef HOSTD_RELOAD_H
#define HOSTD_RELOAD_H

#include <stddef.h>

/*
 * reload_ask() - Ask for a reload and wait for the outcome
 * @text: gets one sentence, what was done or why not
 * Any thread but the control and poll threads.
 * Return: 0, -EINVAL when refused, -ETIMEDOUT after 10 s.
 */
int reload_ask(char *text, size_t size);

/* reload_set_wake() - How to wake the control thread. Start-up. */
void reload_set_wake(void (*wake)(void));

/* reload_signal() - The same without an answer; async-signal-safe (SIGHUP). */
void reload_signal(void);

/*
 * reload_serve() - Control thread: carry out what was asked, if anything
 * @fn: does it; 0 or -errno, and a sentence
 */
void reload_serve(int (*fn)(char *text, size_t size));

#endif
