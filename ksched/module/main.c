// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - ksched: moves vcpu threads between cpus, for hostd
 *
 * What it is not: it sets affinities and nothing else. No idle hook, no model
 * specific registers, no signals, no tracepoints or probes, no scheduling
 * class, no flags of other people's tasks. A host that loads it and opens
 * nothing runs as before.
 *
 * Unloading. The kernel refuses to unload a module whose device is open. So
 * `echo 1 >/sys/module/ksched/parameters/drain` comes first: it ends the
 * session, every thread gets its affinity back, and hostd closes the device
 * and goes on without.
 */
#include <linux/cpumask.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "session.h"

static int drain_set(const char *text, const struct kernel_param *kp)
{
	bool on;
	int err = kstrtobool(text, &on);

	if (!err)
		session_drain(on);
	return err;
}

static int drain_get(char *text, const struct kernel_param *kp)
{
	return scnprintf(text, PAGE_SIZE, "%c\n",
			 session_draining() ? 'Y' : 'N');
}

static const struct kernel_param_ops drain_ops = {
	.set = drain_set,
	.get = drain_get,
};

module_param_cb(drain, &drain_ops, NULL, 0600);
MODULE_PARM_DESC(drain, "Y: end the session, refuse others (before rmmod)");

static int __init ksched_init(void)
{
	int err;

	if (nr_cpu_ids > KSCHED_CPUS_MAX) {
		pr_err(
		    "ksched: this machine may have %u cpus, ksched knows %u\n",
		    nr_cpu_ids, KSCHED_CPUS_MAX);
		return -EOVERFLOW;
	}
	err = selftest_run();
	if (err)
		return err;
	err = move_init();
	if (err)
		return err;
	err = dev_init();
	if (err)
		goto err_move;
	pr_info("ksched: version %s, interface %u\n", KSCHED_BUILD,
		KSCHED_VERSION);
	return 0;

err_move:
	move_exit();
	return err;
}

static void __exit ksched_exit(void)
{
	dev_exit();
	move_exit();
}

module_init(ksched_init);
module_exit(ksched_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The Heighliner authors");
MODULE_DESCRIPTION("Moves vcpu threads between cpus without waiting for them");
MODULE_VERSION(KSCHED_BUILD);
