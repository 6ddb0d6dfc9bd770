/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.h - hostd's commands on DPDK's telemetry socket
 *
 *	/heighliner/info	daemon-wide facts and counters
 *	/heighliner/vms[,SKIP]	names of the VMs, as many as fit; ask again
 *				with the count had so far, until none comes
 *	/heighliner/vm,NAME	everything of one VM (NAME or UUID)
 *	/heighliner/agents[,SKIP]	names of the VMs that run, likewise
 *	/heighliner/agent,NAME	what is known of its agent
 *	/heighliner/cpus	managed cpus
 *	/heighliner/cpu,N	owner, riders, for how long, why
 *	/heighliner/log[,N[,BEFORE[,WHO]]]	the last N decisions (before
 *				event number BEFORE, about VM or cpu WHO), as
 *				many as fit, as columns; "first" is the oldest
 *				that was looked at
 *	/heighliner/record[,start,SECONDS,PATH|,stop]	how the recording
 *				goes, after that was done; "errno" says why not
 *	/heighliner/reload	read the configuration again
 *
 * All values are plain numbers in ns or counts, or names in wire form
 * (name.h); a VM whose name is too long for DPDK that way goes by its UUID.
 * An unknown VM, cpu or number is answered with null.
 */
#ifndef HOSTD_CONTROL_H
#define HOSTD_CONTROL_H

#include <stddef.h>

#define CONTROL_TEXT_MAX 1024 /* bytes of reload's answer */

/*
 * control_start() - Register the commands; before eal_start(), so that whoever
 * finds its socket can use them. Until hostd is ready much of what they tell
 * is 0, and a reload waits.
 * @reload: called on a telemetry thread, one at a time; must hand over to the
 *	    control thread, wait, and put its answer into @text. Return: 0 or
 *	    -errno.
 */
int control_start(int (*reload)(char *text, size_t size));

#endif
