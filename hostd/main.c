// SPDX-License-Identifier: Apache-2.0
/*
 * main.c - hostd: options, start in order, control thread, stop in reverse
 *
 * The thread that runs main() becomes the control thread: libvirt events,
 * adopting and releasing VMs, ports opened and closed, reload, libvirt's view
 * of the pins. It may block. The poll thread (loop.c) never waits for it.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agents.h"
#include "conf.h"
#include "control.h"
#include "guardian.h"
#include "hl/clock.h"
#include "journal.h"
#include "log.h"
#include "loop.h"
#include "meters.h"
#include "notify.h"
#include "options.h"
#include "pins.h"
#include "record.h"
#include "reload.h"
#include "sense_bpf.h"
#include "stat.h"
#include "topo.h"
#include "vhost/eal.h"
#include "vhost/port_uplink.h"
#include "virt.h"
#include "vms.h"

/* One a host, whatever its run directory: two would fight over every VM. */
#define LOCK_FILE    "/run/heighliner.lock"
#define MBUFS	     32768 /* frames of packet memory: 72 MB */
#define HUGEPAGES    64	   /* of 2 MB: packet memory and DPDK's own tables */
#define LOCK_WAIT_MS 5000  /* a guardian may still be putting things back */
#define TURN_MS	     200   /* control thread's slow chores, at least so often */

static struct options opt;

static struct hostd {
	struct conf conf, next;
	struct topo topo;
	char journal_path[256];
	const struct act_ops *ops;
	struct act *act;
	struct actuate *actuate;
	struct sense_bpf *bpf;
	struct agents *agents; /* NULL: none */
	struct meters *meters;
	struct sw *sw;
	struct port *uplink;
	struct loop *loop;
	struct vms *vms;
	struct virt *virt;
	struct pins *pins;
} hd;

static volatile sig_atomic_t stop_asked;

static void load_conf(void)
{
	struct conf_error e = { 0 };
	char text[1024];
	int err;

	err = topo_read(&hd.topo, "/");
	if (err)
		log_die("cannot read the host's cpus from /sys: %s",
			strerror(-err));
	conf_default(&hd.conf, &hd.topo.online);
	if (conf_load(&hd.conf, opt.conf, opt.conf_dir, &hd.topo.online, &e))
		log_die("%s", conf_error_text(&e, text, sizeof(text)));
	if (opt.dry_run)
		hd.conf.backend = CONF_BACKEND_NULL;
}

static void settings_of(const struct conf *c, struct settings *s)
{
	s->managed = c->managed;
	s->floor = c->floor;
	s->policy = policy_find(c->policy);
	s->interval_ns = c->interval_ns;
	s->idle_after_ns = c->idle_after_ns;
	s->may_sleep = c->idle == CONF_IDLE_SLEEP;
	s->act = s->policy != &policy_none;
	s->sw.mac_entries = c->mac_entries;
	s->sw.mac_age_ns = c->mac_age_ns;
	s->sw.hold_frames = c->hold_frames;
	s->sw.hold_ns = c->hold_ns;
	s->sw.flood_pps = c->flood_pps;
}

/* --- doors for other threads --------------------------------------------- */

static void wake_control(void)
{
	if (hd.virt)
		virt_wake(hd.virt);
}

static void wake_loop(void *arg)
{
	(void)arg;
	if (hd.loop)
		loop_wake(hd.loop);
}

static void on_control(void (*fn)(void *arg), void *arg)
{
	loop_call(hd.loop, fn, arg);
}

static int slow_pin(const char *uuid, unsigned index, const struct cpumask *m)
{
	return hd.virt ? virt_pin(hd.virt, uuid, index, m) : -ENOTCONN;
}

static int slow_pinned(const char *uuid, unsigned index, struct cpumask *m)
{
	return hd.virt ? virt_pinned(hd.virt, uuid, index, m) : -ENOTCONN;
}

static void on_signal(int sig)
{
	if (sig == SIGHUP) {
		reload_signal();
		return;
	}
	stop_asked = 1;
	wake_control();
}

/* --- start --------------------------------------------------------------- */

/*
 * Every thread but the poll thread inherits this: off the managed cpus, where
 * they would wait behind VMs (a host thread competes with the group of all VMs,
 * which is not idle even when only best-effort VMs run). All cpus managed: the
 * poll cpu; not even that: anywhere.
 */
static void stay_off_managed_cpus(void)
{
	struct cpumask keep = hd.topo.online;

	for (unsigned i = 0; i < CPUMASK_WORDS; i++)
		keep.word[i] &= ~hd.conf.managed.word[i];
	if (cpumask_empty(&keep))
		cpumask_set(&keep, hd.conf.poll_cpu);
	if (!cpumask_empty(&keep) &&
	    sched_setaffinity(0, sizeof(keep), (const cpu_set_t *)&keep))
		log_warn("cannot keep hostd's own threads off the managed "
			 "cpus: %s",
			 strerror(errno));
}

/* What a hostd left behind whose guardian died as well. */
static void put_back_leftovers(void)
{
	struct journal_result r = { 0 };
	int err = journal_put_back(hd.journal_path, &r);

	if (err != -ENOENT) {
		pins_restore(hd.journal_path);
		unlink(hd.journal_path);
		log_warn("put back what a former hostd left behind: %u VMs, %u "
			 "settings restored, %u gone, %u failed",
			 r.vms, r.restored, r.gone, r.failed);
	}
	if (opt.restore)
		exit(err && err != -ENOENT ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void start_safety(void)
{
	int fd, err;

	snprintf(hd.journal_path, sizeof(hd.journal_path), "%s/restore",
		 opt.run_dir);
	if (mkdir(opt.run_dir, 0755) && errno != EEXIST)
		log_die("cannot make %s: %s", opt.run_dir, strerror(errno));
	fd = guardian_lock(LOCK_FILE, LOCK_WAIT_MS);
	if (fd < 0)
		log_die("another hostd runs on this host (" LOCK_FILE ": %s)",
			strerror(-fd));
	put_back_leftovers();
	err = guardian_start(hd.journal_path, fd, pins_restore);
	if (err)
		log_die("cannot fork the guardian: %s", strerror(-err));
}

/* The first of these that works here. Return: 0 or the last one's error. */
static int first_backend(const struct act_conf *c)
{
	static const struct {
		const struct act_ops *ops;
		const char *without;
	} choice[] = {
		{ &act_ksched, "moves take tens of microseconds" },
		{ &act_cgroup, "moves take milliseconds" },
		{ &act_libvirt, NULL },
	};
	int err = 0;

	for (unsigned i = 0; i < sizeof(choice) / sizeof(choice[0]); i++) {
		hd.ops = choice[i].ops;
		err = hd.ops->open(&hd.act, c);
		if (!err)
			break;
		if (err == -ENOENT && hd.ops == &act_ksched)
			log_info("the module ksched is not loaded: %s",
				 choice[i].without);
		else if (choice[i].without)
			log_warn("backend %s cannot work here (%s): %s",
				 hd.ops->name, strerror(-err),
				 choice[i].without);
	}
	return err;
}

static void start_backend(void)
{
	static const struct act_ops *const by_conf[] = {
		[CONF_BACKEND_KSCHED] = &act_ksched,
		[CONF_BACKEND_CGROUP] = &act_cgroup,
		[CONF_BACKEND_LIBVIRT] = &act_libvirt,
		[CONF_BACKEND_NULL] = &act_null,
	};
	const struct act_conf c = {
		.managed = hd.conf.managed,
		.floor = hd.conf.floor,
		.journal = hd.journal_path,
		.wake = wake_loop,
		.on_control = on_control,
		.pin = slow_pin,
		.pinned = slow_pinned,
	};
	int err;

	if (hd.conf.backend == CONF_BACKEND_AUTO) {
		err = first_backend(&c);
	} else {
		hd.ops = by_conf[hd.conf.backend];
		err = hd.ops->open(&hd.act, &c);
	}
	if (err)
		log_die("backend %s cannot work on this host: %s", hd.ops->name,
			strerror(-err));
	if (actuate_open(&hd.actuate, hd.ops, hd.act))
		log_die("out of memory");
	snprintf(stat_hostd.backend, sizeof(stat_hostd.backend), "%s",
		 hd.ops->name);
}

static void start_sensor(void)
{
	if (sense_bpf_open(&hd.bpf, stat_hostd.sensor,
			   sizeof(stat_hostd.sensor))) {
		hd.bpf = NULL;
		log_warn("no vcpu states, deciding by delay alone: %s",
			 stat_hostd.sensor);
		return;
	}
	snprintf(stat_hostd.sensor, sizeof(stat_hostd.sensor), "on");
}

/* Without it VMs are managed as if they had no agents. */
static void start_agents(void)
{
	int err = agents_open(&hd.agents, "/dev/shm", wake_loop, NULL);

	if (!err) {
		err = agents_start(hd.agents);
		if (err)
			agents_close(hd.agents);
	}
	if (!err)
		return;
	hd.agents = NULL;
	log_warn("guests' agents are not used: %s", strerror(-err));
}

static void set_meters(void)
{
	const struct meters_set set = {
		.acts = policy_find(hd.conf.policy) == &policy_ias,
		.node_max_bytes_s = hd.conf.node_bytes_s,
	};

	meters_set(hd.meters, &set);
}

static void start_meters(void)
{
	const struct meter_conf c = { .root = "/", .topo = &hd.topo };

	if (meters_open(&hd.meters, hd.conf.meter, &c))
		log_die("out of memory");
	set_meters();
	if (meters_start(hd.meters))
		log_die("cannot start the meters thread");
}

/* Free hugepages of the default size; DPDK runs without them, too. */
static unsigned long hugepages_free(void)
{
	static const char key[] = "HugePages_Free:";
	unsigned long free_cnt = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, sizeof(key) - 1))
			free_cnt = strtoul(line + sizeof(key) - 1, NULL, 10);
	fclose(f);
	return free_cnt;
}

static void start_packets(void)
{
	const struct eal_conf e = {
		.prefix = "heighliner",
		.main_cpu = hd.conf.poll_cpu != CPU_NONE
				? hd.conf.poll_cpu
				: (uint16_t)cpumask_next(&hd.topo.online, 0),
		.hugepages = hugepages_free() >= HUGEPAGES,
		.mbufs = MBUFS,
		.telemetry = true,
	};
	struct settings set;
	int err;

	err = eal_start(&e);
	if (err)
		log_die("DPDK does not start: %s; run as root, see "
			"`hostctl check`",
			strerror(-err));
	settings_of(&hd.conf, &set);
	err = sw_open(&hd.sw, &set.sw);
	if (err)
		log_die("cannot allocate the switch: %s", strerror(-err));
}

static void start_loop(void)
{
	struct loop_conf c = {
		.sw = hd.sw,
		.actuate = hd.actuate,
		.bpf = hd.bpf,
		.board = hd.agents ? agents_board(hd.agents) : NULL,
		.meters = meters_board(hd.meters),
		.topo = &hd.topo,
		.cpu = hd.conf.poll_cpu,
		.wake_control = wake_control,
	};
	struct msg m = { .kind = MSG_PORT_ADD };
	int err;

	settings_of(&hd.conf, &c.settings);
	if (loop_open(&hd.loop, &c))
		log_die("out of memory");
	if (strcmp(hd.conf.uplink, "none")) {
		err = port_uplink_open(&hd.uplink, hd.conf.uplink, wake_loop,
				       NULL);
		if (err)
			log_die("cannot open uplink '%s': %s; set uplink = in "
				"hostd.conf, none for no uplink",
				hd.conf.uplink, strerror(-err));
		m.port = hd.uplink;
	}
	err = loop_start(hd.loop);
	if (err)
		log_die("cannot start the poll thread: %s", strerror(-err));
	if (hd.uplink)
		loop_send(hd.loop, &m);
}

static void on_vm(void *arg, const struct virt_vm *vm)
{
	(void)arg;
	vms_update(hd.vms, vm);
}

static void on_release(uint16_t first_vcpu, uint16_t cnt)
{
	if (hd.virt)
		pins_release(hd.pins, first_vcpu, cnt);
}

static void on_link(void *arg, bool up)
{
	(void)arg;
	stat_hostd.libvirt_up = up;
	if (up)
		pins_doubt(hd.pins);
	if (up)
		log_info("connected to libvirt at %s", hd.conf.libvirt_uri);
	else
		log_warn("libvirt is away: VMs keep running and being served; "
			 "new ones are seen when it is back");
}

static void start_vms(void)
{
	const struct virt_events ev = { .vm = on_vm, .link = on_link };
	const struct vms_conf c = {
		.conf = &hd.conf,
		.loop = hd.loop,
		.ops = hd.ops,
		.act = hd.act,
		.bpf = hd.bpf,
		.agents = hd.agents,
		.meters = hd.meters,
		.run_dir = opt.run_dir,
		.on_release = on_release,
		.act_on = policy_find(hd.conf.policy) != &policy_none,
	};
	int err;

	if (vms_open(&hd.vms, &c))
		log_die("out of memory");
	if (pins_open(&hd.pins, &hd.virt, hd.loop, hd.actuate, hd.ops, hd.act))
		log_die("out of memory");
	err = virt_open(&hd.virt, hd.conf.libvirt_uri, &ev);
	if (err)
		log_die("cannot prepare the connection to libvirt: %s",
			strerror(-err));
}

/* --- run ----------------------------------------------------------------- */

static int reload(char *text, size_t size)
{
	struct conf_error e = { 0 };
	struct msg m = { .kind = MSG_SETTINGS };
	char why[1024];
	int err;

	conf_default(&hd.next, &hd.topo.online);
	err = conf_load(&hd.next, opt.conf, opt.conf_dir, &hd.topo.online, &e);
	if (!err && opt.dry_run)
		hd.next.backend = CONF_BACKEND_NULL;
	if (!err)
		err = conf_reload_check(&hd.conf, &hd.next, &e);
	if (err) {
		stat_hostd.reloads_refused++;
		conf_error_text(&e, why, sizeof(why));
		snprintf(text, size, "%s; nothing was changed", why);
		return err;
	}
	hd.conf = hd.next;
	if (hd.ops->room) {
		struct cpumask room =
		    cpumask_or(hd.conf.managed, &hd.conf.floor);

		hd.ops->room(hd.act, &room);
	}
	set_meters();
	settings_of(&hd.conf, &m.settings);
	/* Stop acting before VMs are released; adopt them before acting. */
	if (!m.settings.act)
		loop_send(hd.loop, &m);
	vms_reload(hd.vms, &hd.conf, m.settings.act);
	if (m.settings.act)
		loop_send(hd.loop, &m);
	stat_hostd.reloads++;
	snprintf(stat_hostd.policy, sizeof(stat_hostd.policy), "%s",
		 hd.conf.policy);
	snprintf(text, size, "configuration taken: policy %s, %u VMs named",
		 hd.conf.policy, hd.conf.vm_cnt);
	return 0;
}

static void turn_backend(void)
{
	if (hd.ops->turn)
		hd.ops->turn(hd.act, clock_now_ns());
	if (hd.ops->count)
		hd.ops->count(hd.act, &stat_hostd.act);
}

static void run(void)
{
	while (!stop_asked) {
		turn_backend();
		virt_turn(hd.virt, TURN_MS);
		vms_pump(hd.vms);
		reload_serve(reload);
		pins_turn(hd.pins, hd.vms, hd.conf.pin_stable_ns,
			  clock_now_ns());
	}
}

static void stop(void)
{
	notify("STOPPING=1");
	log_info("stopping: VMs get back what they had");
	vms_close(hd.vms);
	loop_stop(hd.loop);
	record_stop(); /* its disk may be slow: VMs first */
	if (hd.agents)
		agents_close(hd.agents);
	meters_close(hd.meters);
	hd.ops->close(hd.act);
	pins_close(hd.pins);
	virt_close(hd.virt);
	hd.virt = NULL;
	actuate_close(hd.actuate);
	sw_close(hd.sw);
	if (hd.uplink)
		hd.uplink->ops->close(hd.uplink);
	loop_close(hd.loop);
	hd.loop = NULL;
	if (hd.bpf)
		sense_bpf_close(hd.bpf);
	guardian_dismiss();
	eal_stop();
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };

	options_parse(&opt, argc, argv);
	load_conf();
	if (opt.check) {
		printf("configuration is good: policy %s, %u VMs named\n",
		       hd.conf.policy, hd.conf.vm_cnt);
		return EXIT_SUCCESS;
	}
	stat_hostd.started_ns = clock_now_ns();
	snprintf(stat_hostd.version, sizeof(stat_hostd.version), "%s",
		 HL_VERSION);
	snprintf(stat_hostd.policy, sizeof(stat_hostd.policy), "%s",
		 hd.conf.policy);
	/* Before DPDK opens the socket: who finds it finds the commands. */
	reload_set_wake(wake_control);
	if (control_start(reload_ask))
		log_warn("no telemetry commands: hostctl cannot ask this "
			 "hostd");
	stay_off_managed_cpus();
	start_safety();
	start_backend();
	start_sensor();
	start_agents();
	start_meters();
	start_packets();
	start_loop();
	start_vms();
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	log_info("ready: policy %s, backend %s, uplink %s", hd.conf.policy,
		 hd.ops->name, hd.conf.uplink);
	notify("READY=1");
	run();
	stop();
	return EXIT_SUCCESS;
}
