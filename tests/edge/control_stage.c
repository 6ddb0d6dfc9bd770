// SPDX-License-Identifier: Apache-2.0
/*
 * control_stage.c - hostd's telemetry commands in a process of their own
 */
#include "control_stage.h"

#include <errno.h>
#include <rte_eal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control.h"
#include "hostctl_cmd.h"

char stage_dir[] = "/tmp/test_control.XXXXXX";
static char sock_path[108];
char reply[SOCK_REPLY_MAX];
int stage_reload_rc;
static int sock = -1;
char stage_reload_text[1024];

static int fake_reload(char *text, size_t size)
{
	snprintf(text, size, "%s", stage_reload_text);
	return stage_reload_rc;
}

int stage_start(void **state)
{
	char prefix[] = "--file-prefix=hlctl", lcores[] = "--lcores=0@0";
	char memory[] = "-m32", nohuge[] = "--no-huge", nopci[] = "--no-pci";
	char name[] = "test", log[] = "--log-level=*:error";
	char *argv[] = { name, nohuge, nopci, memory, lcores, prefix, log };

	(void)state;
	if (!mkdtemp(stage_dir))
		return -1;
	setenv("RUNTIME_DIRECTORY", stage_dir, 1);
	if (control_start(fake_reload) || rte_eal_init(7, argv) < 0)
		return -1;
	snprintf(sock_path, sizeof(sock_path), "%s/dpdk_telemetry.v2",
		 rte_eal_get_runtime_dir());
	sock = sock_open(sock_path);
	return sock < 0 ? -1 : 0;
}

int stage_stop(void **state)
{
	char cmd[64];

	(void)state;
	close(sock);
	rte_eal_cleanup();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", stage_dir);
	return system(cmd);
}

struct stat_vm *stage_add_vm(unsigned slot, const char *name)
{
	struct stat_vm *v = &stat_hostd.vm[slot];

	snprintf(v->name, sizeof(v->name), "%s", name);
	snprintf(v->uuid, sizeof(v->uuid), "00000000-0000-0000-0000-%012u",
		 slot);
	v->view.present = v->present = true;
	v->view.cpus_max = 4;
	v->view.weight = 100;
	v->view.vcpu_cnt = 4;
	return v;
}

/* Two VMs; web owns cpus 1 and 2. */
int stage_fill(void **state)
{
	struct stat_vm *v;

	(void)state;
	memset(&stat_hostd, 0, sizeof(stat_hostd));
	strcpy(stat_hostd.policy, "slo");
	strcpy(stat_hostd.version, "1.2");
	strcpy(stat_hostd.sensor, "on");
	strcpy(stat_hostd.backend, "ksched");
	stat_hostd.act.fast = 40;
	stat_hostd.act.refused = 2;
	stat_hostd.act.widened = 3;
	for (unsigned i = 0; i < CPU_MAX; i++) {
		stat_hostd.cpu[i].owner = VCPU_NONE;
		stat_hostd.cpu[i].owner_vm = VM_NONE;
		stat_hostd.cpu[i].managed = i >= 1 && i <= 3;
	}
	stat_hostd.cpu[0].floor = true;
	v = stage_add_vm(0, "web, the 1st");
	v->view.class = VM_CLASS_LATENCY_CRITICAL;
	v->view.slo_ns = 500000;
	v->view.slo_permyriad = 9900;
	v->view.has_port = v->port_up = true;
	v->view.owned = 2;
	v->view.cpus_min = 1;
	v->port.drop[DROP_HOLD_FULL] = 7;
	v->port.drop[DROP_SELF] = 1;
	v->port.to_frames = 1000;
	for (unsigned i = 0; i < 98; i++)
		hist_add(&v->signal[SLO_DELAY].score.hist, 10);
	hist_add(&v->signal[SLO_DELAY].before, 500001);
	hist_add(&v->signal[SLO_DELAY].before, 500001);
	for (unsigned i = 1; i <= 2; i++)
		stat_hostd.cpu[i] = (struct stat_cpu){
			.managed = true,
			.owner = (uint16_t)(i - 1),
			.owner_index = (uint16_t)(i - 1),
			.reason = REASON_DELAY,
			.moves = 5,
		};
	v->share.ran_ns = 1000;
	v->share.owned_ns = 973;
	v->agent =
	    (struct stat_agent){ .state = SESSION_PAGE,
				 .name = "1.2 \x1b",
				 .granted = 2,
				 .acked = 1,
				 .hint = { .valid = true,
					   .wanted = 3,
					   .runnable = 5,
					   .workers = 8,
					   .wait_us = 250 },
				 .count = { .messages = 77, .skipped = 4 } };
	stage_add_vm(5, "batch\x1b\xc3\xbc");
	return 0;
}

const char *ask(const char *request)
{
	ssize_t n = sock_ask(sock, request, reply, sizeof(reply), 5);

	if (n < 0)
		fail_msg("%s: %s", request, strerror((int)-n));
	return reply;
}

unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

/* Run hostctl against it. Return: what it printed, out and err together. */
char *hostctl(int want_rc, const char *a, const char *b)
{
	static char text[1 << 20];
	char name[] = "hostctl", opt[] = "--socket", one[200], two[200];
	char seconds[] = "1"; /* for `record FILE` */
	char *argv[] = { name, opt, sock_path, one, two, seconds, NULL };
	bool third = b && !strcmp(a, "record");
	FILE *f = fmemopen(text, sizeof(text), "w");

	snprintf(one, sizeof(one), "%s", a ? a : "");
	snprintf(two, sizeof(two), "%s", b ? b : "");
	assert_int_equal(hostctl_run(3 + !!a + !!b + third, argv, f, f),
			 want_rc);
	fclose(f);
	return text;
}
