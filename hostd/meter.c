// SPDX-License-Identifier: Apache-2.0
/*
 * meter.c - which meter: the one that was named, or the first that works
 */
#include "meter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char script[] = "script:";

static const struct meter_ops *const table[] = { &meter_resctrl, &meter_perf };

#define METERS (sizeof(table) / sizeof(table[0]))

static int try(const struct meter_ops *ops, struct meter **out,
	       const struct meter_conf *c, char *why, size_t size)
{
	size_t n = strlen(why);
	int err = ops->open(out, c);

	if (err)
		snprintf(why + n, size - n, "%s%s: %s", n ? "; " : "",
			 ops->name, strerror(-err));
	else
		snprintf(why, size, "%s", ops->name);
	return err;
}

int meter_open(const struct meter_ops **ops, struct meter **out,
	       const char *name, const struct meter_conf *c, char *why,
	       size_t size)
{
	struct meter_conf with = *c;
	int err = -EINVAL;

	why[0] = '\0';
	if (!strncmp(name, script, sizeof(script) - 1)) {
		with.script = name + sizeof(script) - 1;
		*ops = &meter_script;
		return try(*ops, out, &with, why, size);
	}
	for (unsigned i = 0; i < METERS && err; i++) {
		if (strcmp(name, "auto") && strcmp(name, table[i]->name))
			continue;
		*ops = table[i];
		err = try(*ops, out, c, why, size);
	}
	return err;
}
