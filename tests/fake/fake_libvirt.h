/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_libvirt.h - a libvirt made of tables, and a clock that can be set
 *
 * fake_libvirt.c defines the vir* symbols hostd uses. Domains are entries a
 * test fills in; any call can be made to fail; the connection can drop. Link
 * with -Wl,--wrap=clock_gettime.
 */
#ifndef TESTS_FAKE_LIBVIRT_H
#define TESTS_FAKE_LIBVIRT_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/cpumask.h"

#define FAKE_CPUS    12 /* of the host */
#define FAKE_VCPUS   4u
#define FAKE_ID_NONE (~0u)

struct fake_domain {
	char name[128];
	unsigned char uuid[16];
	char uuid_text[37];
	unsigned id;	      /* FAKE_ID_NONE: does not run */
	bool transient, gone; /* gone: not listed, not found */
	bool ghost;	      /* listed, but not found any more */
	bool paused;
	char xml[2048];
	char cpus[256]; /* what the monitor says; "": it fails */
	struct cpumask pin[FAKE_VCPUS];
	unsigned vcpu_cnt;
};

/* fake_reset() - No domains, libvirtd there, nothing fails. */
void fake_reset(void);

/* fake_domain() - A new one, defined, not running. @number makes its uuid. */
struct fake_domain *fake_domain(const char *name, unsigned number);

/* fake_event() - Deliver a lifecycle event; fake_device(): DEVICE_ADDED. */
void fake_event(const struct fake_domain *d);
void fake_device(const struct fake_domain *d);

/* fake_there() - Is libvirtd there? Going away drops the connection. */
void fake_there(bool there);

/* fake_fail_at() - The @n-th call from now on fails, once; 0: none. */
void fake_fail_at(unsigned n);
/* fake_fail_with() - All pin calls fail with this virErrorNumber; 0: none. */
void fake_fail_with(int code);
/* fake_calls() - How many calls were made since fake_fail_at(). */
unsigned fake_calls(void);
/* fake_opens() - How many attempts to connect there were. */
unsigned fake_opens(void);

/* fake_refs() - Handles given out and not given back. */
unsigned fake_refs(void);

/* fake_advance() - Let the clock jump. */
void fake_advance(uint64_t ns);

#endif
