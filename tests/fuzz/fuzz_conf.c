// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_conf.c - any bytes as hostd.conf
 *
 * Whatever is taken obeys the limits the keys promise; whatever is refused
 * says why and where. Laid over itself a second time, a text that was taken
 * gives the same again: a later file replaces, it does not add up.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conf_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int truth)
{
	if (!truth)
		abort();
}

static void check_limits(const struct conf *c)
{
	must(c->vm_cnt <= VM_MAX);
	must(c->interval_ns >= 1000 && c->interval_ns <= 1000000000);
	must(c->hold_frames <= 1024);
	must(c->mac_entries && !(c->mac_entries & (c->mac_entries - 1)));
	must((c->socket_mode & ~0777) == 0);
	must(c->poll_cpu < CPU_MAX || c->poll_cpu == CPU_NONE);
	must(memchr(c->uplink, 0, sizeof(c->uplink)) != NULL);
	must(memchr(c->policy, 0, sizeof(c->policy)) != NULL);
	for (unsigned i = 0; i < c->vm_cnt; i++) {
		const struct conf_vm *vm = &c->vm[i];

		must(*vm->name && strlen(vm->name) < VM_NAME_MAX);
		must(vm->cpus_min <= vm->cpus_max && vm->cpus_max);
		must(vm->weight >= 1 && vm->weight <= 10000);
		must(strlen(vm->socket) < CONF_PATH_MAX);
		must(!vm->slo_ns || vm->slo_ns >= 1000);
		must(vm->slo_permyriad >= 5000 && vm->slo_permyriad <= 9990);
		must(vm->slo_signal < SLO_SIGNAL_NUM);
		must(conf_vm(c, vm->name) == vm);
	}
}

static void check_refusal(const struct conf_error *err, const char *file)
{
	char text[800];

	must(strlen(err->text) > 10);
	must(!strcmp(err->file, file));
	conf_error_text(err, text, sizeof(text));
	for (const char *p = text; *p; p++)
		must((unsigned char)*p >= ' ' && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cpumask host = { { 0xffff } };
	static struct conf c, before;
	struct conf_error err;

	conf_default(&c, &host);
	if (conf_parse(&c, (const char *)data, size, "a", &err)) {
		check_refusal(&err, "a");
		must(err.line > 0);
		return 0;
	}
	check_limits(&c);
	if (conf_check(&c, &host, &err))
		check_refusal(&err, "a");
	before = c;
	must(!conf_parse(&c, (const char *)data, size, "b", &err));
	must(c.vm_cnt == before.vm_cnt);
	must(!memcmp(&c, &before, offsetof(struct conf, vm_cnt)));
	must(!conf_reload_check(&before, &c, &err));
	return 0;
}
