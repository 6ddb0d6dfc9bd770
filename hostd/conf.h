/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf.h - hostd.conf and its drop-in directory as one plain struct
 *
 * struct conf is about 200 KB: allocate it, do not put it on a stack.
 */
#ifndef HOSTD_CONF_H
#define HOSTD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hl/bounds.h"
#include "hl/cpumask.h"
#include "policy/policy.h"

#define CONF_PATH_MAX  108 /* a Unix socket's sun_path */
#define CONF_TEXT_MAX  128
#define CONF_NAME_MAX  216 /* bytes of a file's name in messages */
#define CONF_FILES_MAX 64  /* hostd.conf and its drop-ins */
#define CONF_KEYS_MAX  32  /* keys of [hostd] and [switch] together */

enum conf_backend {
	CONF_BACKEND_AUTO, /* the first of the next three that works */
	CONF_BACKEND_KSCHED,
	CONF_BACKEND_CGROUP,
	CONF_BACKEND_LIBVIRT,
	CONF_BACKEND_NULL,
};

enum conf_idle {
	CONF_IDLE_SLEEP, /* poll for idle_after_ns, then sleep until kicked */
	CONF_IDLE_POLL,	 /* never sleep: lowest latency, one cpu burnt */
};

/* Where something was set: line 0 and file 0 mean "nowhere, a default". */
struct conf_place {
	uint16_t file; /* 1 + index in conf.file[] */
	uint32_t line;
};

/* [vm NAME] */
struct conf_vm {
	char name[VM_NAME_MAX];
	uint8_t class;		     /* enum vm_class */
	uint16_t cpus_min, cpus_max; /* max CPU_MAX: all that are managed */
	uint16_t weight;
	uint8_t agent;		    /* agent = off | on */
	uint64_t slo_ns;	    /* slo-pNN; 0: none */
	uint16_t slo_permyriad;	    /* of 10,000: 9900 for slo-p99 */
	uint8_t slo_signal;	    /* enum slo_signal */
	char socket[CONF_PATH_MAX]; /* socket = ; "": only what libvirt says */
	uint8_t mac[6];		    /* mac = ; of the NIC behind `socket` */
	bool mac_set;
	struct conf_place place; /* its section, the latest one */
};

struct conf {
	/* [hostd] */
	struct cpumask managed; /* cpus = */
	struct cpumask floor;	/* floor = */
	uint16_t poll_cpu;	/* poll-cpu = ; CPU_NONE: not pinned */
	uint8_t idle;		/* idle = sleep | poll */
	uint64_t idle_after_ns; /* idle-after = */
	uint64_t interval_ns;	/* interval = : between two decisions */
	char policy[32];	/* policy = */
	uint8_t backend;	/* backend = */
	char libvirt_uri[CONF_TEXT_MAX]; /* libvirt-uri = */
	uint64_t pin_stable_ns;		 /* pin-after = : then tell libvirt */
	char meter[CONF_TEXT_MAX]; /* meter = auto, resctrl, perf, script:FILE,
				    * none */
	uint64_t node_bytes_s; /* node-bandwidth = : a node's limit; 0: none */
	/* [switch] */
	char uplink[CONF_TEXT_MAX]; /* uplink = : tap:NAME, pci:ADDR, */
				    /* vdev:ARGS, none */
	uint64_t hold_ns;	    /* hold-time = */
	uint16_t hold_frames;	    /* hold-frames = */
	uint32_t mac_entries;	    /* mac-table = */
	uint64_t mac_age_ns;	    /* mac-age = */
	uint32_t flood_pps;    /* flood-limit = : flooded frames a second */
	char socket_group[32]; /* socket-group = ; "": leave it */
	uint16_t socket_mode;  /* socket-mode = */
	/* [vm ...] */
	uint16_t vm_cnt;
	struct conf_vm vm[VM_MAX];
	/* where it all came from, for messages */
	uint16_t file_cnt;
	char file[CONF_FILES_MAX][CONF_NAME_MAX];
	struct conf_place at[CONF_KEYS_MAX]; /* in the order of conf_key.h */
};

/* Where and why a configuration was refused: a full sentence with the cure. */
struct conf_error {
	char file[CONF_NAME_MAX]; /* "": about no file */
	unsigned line;		  /* 0: not about one line */
	char text[512];
};

/*
 * conf_default() - The values that hold where no file says otherwise
 * @host: cpus this host has online
 *
 * Managed: all but the lowest cpu; floor and poll cpu: the lowest one.
 */
void conf_default(struct conf *c, const struct cpumask *host);

/*
 * conf_parse() - Lay one text over a configuration
 * @c: starts as conf_default() or as what former texts gave
 * @text: @len bytes, any bytes at all; need not end in NUL
 * @name: file name for messages
 *
 * Pure. Unknown sections and keys, bad units and values, and a section or key
 * that stands twice in one text are refused. What an earlier text said of the
 * same key is replaced.
 * Return: 0, or -EINVAL with @err filled (@c is half changed then).
 */
int conf_parse(struct conf *c, const char *text, size_t len, const char *name,
	       struct conf_error *err);

/*
 * conf_check() - Refuse what cannot be kept
 * @host: cpus this host has online
 *
 * Pure. More guaranteed cpus than managed, an empty floor, a cpu the host
 * lacks, an SLO on a best-effort VM, a managed cpu burnt by polling, an unknown
 * policy or meter, two VMs on one socket.
 * Return: 0, or -EINVAL with @err filled.
 */
int conf_check(const struct conf *c, const struct cpumask *host,
	       struct conf_error *err);

/*
 * conf_load() - Read a file and its drop-ins, in order, and check the whole
 * @path: the main file; NULL: none, defaults only
 * @dropin_dir: every *.conf in it, sorted by name; NULL or missing: none
 *
 * Blocks on files: start-up and control thread only.
 * Return: 0, or -errno with @err filled; @c is untouched on error.
 */
int conf_load(struct conf *c, const char *path, const char *dropin_dir,
	      const struct cpumask *host, struct conf_error *err);

/*
 * conf_error_text() - "FILE:LINE: sentence" on one printable line
 * Return: @buf, NUL-terminated.
 */
char *conf_error_text(const struct conf_error *err, char *buf, size_t size);

/*
 * conf_vm() - What the configuration says of a VM
 *
 * Return: its section, or the default of a VM no file names: best-effort,
 * cpus 0 to CPU_MAX (all managed), weight 100, its agent is used. Never NULL.
 */
const struct conf_vm *conf_vm(const struct conf *c, const char *name);

/*
 * conf_reload_check() - May a running hostd take @next in place of @now?
 *
 * What is opened once is fixed at start: poll-cpu, backend, libvirt-uri,
 * meter, uplink, mac-table.
 * Return: 0, or -EINVAL with @err saying which key needs a restart.
 */
int conf_reload_check(const struct conf *now, const struct conf *next,
		      struct conf_error *err);

#endif
