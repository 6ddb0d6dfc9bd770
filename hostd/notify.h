/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.h - words to systemd
 */
#ifndef HOSTD_NOTIFY_H
#define HOSTD_NOTIFY_H

/* notify() - "READY=1" and the like, if systemd started us. Control thread. */
void notify(const char *state);

#endif
