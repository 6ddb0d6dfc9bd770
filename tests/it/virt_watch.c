// SPDX-License-Identifier: Apache-2.0
/*
 * virt_watch.c - hostd's libvirt room on a terminal, for tests/it/virt
 *
 *	virt_watch URI [RUNDIR]
 *
 * Prints a line for each event: "link up", "link down", or
 *	NAME STATE pid=N max=N tids=A,B,... nics=PATH:MODE:MAC,...
 * and takes lines on standard input: "pin UUID INDEX CPUS", "pinned UUID
 * INDEX", answered "= RESULT [CPUS]". Ends with standard input.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cpulist.h"
#include "log.h"
#include "virt.h"

static void on_vm(void *arg, const struct virt_vm *vm)
{
	static const char *const state[] = {
		[VIRT_DEFINED] = "DEFINED",
		[VIRT_RUNNING] = "RUNNING",
		[VIRT_GONE] = "GONE",
	};

	(void)arg;
	printf("%s %s pid=%d max=%u tids=", vm->name, state[vm->state],
	       (int)vm->pid, vm->vcpu_max);
	for (unsigned i = 0; i < vm->vcpu_cnt; i++)
		printf("%s%d", i ? "," : "", (int)vm->tid[i]);
	printf(" nics=");
	for (unsigned i = 0; i < vm->nic_cnt; i++) {
		const struct virt_nic *n = &vm->nic[i];

		printf("%s%s:%s:%02x:%02x:%02x:%02x:%02x:%02x", i ? "," : "",
		       n->path, n->qemu_listens ? "server" : "client",
		       n->mac[0], n->mac[1], n->mac[2], n->mac[3], n->mac[4],
		       n->mac[5]);
	}
	putchar('\n');
}

static void on_link(void *arg, bool up)
{
	(void)arg;
	printf("link %s\n", up ? "up" : "down");
}

static void command(struct virt *v, const char *line)
{
	char uuid[37], text[256] = "";
	struct cpumask mask;
	unsigned index;

	if (sscanf(line, "pin %36s %u %255s", uuid, &index, text) == 3 &&
	    !cpulist_parse(text, &mask)) {
		printf("= %d\n", virt_pin(v, uuid, index, &mask));
	} else if (sscanf(line, "pinned %36s %u", uuid, &index) == 2) {
		int err = virt_pinned(v, uuid, index, &mask);

		printf("= %d %s\n", err,
		       err < 0 ? ""
			       : cpulist_format(&mask, text, sizeof(text)));
	} else {
		printf("= ? %s", line);
	}
}

int main(int argc, char **argv)
{
	const struct virt_events ev = { .vm = on_vm, .link = on_link };
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	struct virt *v;
	char line[512];

	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0); /* so that poll() knows of each line */
	if (argc < 2 || virt_open_at(&v, argv[1], &ev, "/proc",
				     argc > 2 ? argv[2] : "/run/libvirt/qemu"))
		return 1;
	for (;;) {
		virt_turn(v, 50);
		if (poll(&in, 1, 0) <= 0)
			continue;
		if (!fgets(line, sizeof(line), stdin))
			break;
		command(v, line);
	}
	virt_close(v);
	return 0;
}
