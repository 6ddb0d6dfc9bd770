// SPDX-License-Identifier: Apache-2.0
/*
 * meter_resctrl.c - memory traffic as the processor counts it, by resctrl
 *
 * Theory of operation. The kernel's resctrl file system hands out the
 * hardware's monitoring ids: threads in one group carry one id, and a file a
 * group and L3 domain says how many bytes moved. Each VM's vcpu threads are
 * put into a group of their own:
 *
 *	ROOT/mon_groups/heighliner-SLOT/tasks
 *	ROOT/mon_groups/heighliner-SLOT/mon_data/mon_L3_DD/mbm_total_bytes
 *
 * ROOT/mon_data has the same of everybody in the default group, its monitoring
 * groups included; other control groups (libvirt makes one for a VM with
 * cachetune) have their own. All of them together, by domain, are what a node's
 * memory bears: domain DD is the node of the cpus whose level 3 cache has id
 * DD. Groups only count; what threads may use of caches stays as it was, and a
 * group's threads fall back into the default one when it is removed.
 *
 * A thread in another control group cannot be put into a group here (-EINVAL),
 * and one that somebody else monitors is left to him (-EBUSY): its VM is then
 * not metered by itself. Ids are few, 100 to 500 a host: VMs past that neither
 * (-ENOSPC).
 */
#include "meter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hl/clock.h"

#define MOUNT	    "sys/fs/resctrl"
#define GROUP	    "heighliner-"
#define DOMAIN	    "mon_L3_"
#define DOMAINS_MAX 64
#define CACHES_MAX  8		       /* of a cpu; there are 3 to 5 */
#define GROUPS_MAX  64		       /* control groups besides the default */
#define LIST_NS	    (2 * NSEC_PER_SEC) /* they are listed so often */
#define PATH_BYTES  512

struct meter {
	const char *root;
	int dir; /* where resctrl is mounted */
	unsigned domain_cnt;
	struct {
		unsigned id;
		uint16_t node;
	} domain[DOMAINS_MAX];
	bool watched[VM_MAX];
	unsigned group_cnt;
	char group[GROUPS_MAX][256];
	uint64_t list_ns; /* of group[], next */
	uint64_t names;	  /* of group[], as one number; 0: never listed */
	bool regrouped; /* what all groups moved cannot be compared with before
			 */
};

/* --- files --------------------------------------------------------------- */

/* A number, and nothing like "Unavailable". */
static bool read_number(int dir, const char *path, uint64_t *out)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	char text[64], *end;
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	if (text[0] < '0' || text[0] > '9')
		return false;
	*out = strtoull(text, &end, 10);
	return *end == '\0' || *end == '\n';
}

static DIR *list(const struct meter *m, const char *path)
{
	int fd = openat(m->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	return d;
}

/* --- domains ------------------------------------------------------------- */

/* File @name of the cache @index of @cpu. */
static bool read_cache(const char *root, unsigned cpu, unsigned index,
		       const char *name, uint64_t *out)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path),
		 "%.400s/sys/devices/system/cpu/cpu%u/cache/index%u/%s", root,
		 cpu, index, name);
	return read_number(AT_FDCWD, path, out);
}

/* The id of @cpu's level 3 cache; false when it has none. */
static bool cache_id(const char *root, unsigned cpu, uint64_t *id)
{
	uint64_t level;

	for (unsigned i = 0; i < CACHES_MAX; i++) {
		if (!read_cache(root, cpu, i, "level", &level))
			return false;
		if (level == 3)
			return read_cache(root, cpu, i, "id", id);
	}
	return false;
}

/* The node of L3 domain @domain; NODE_NONE when no cpu has such a cache. */
static uint16_t domain_node(const struct meter_conf *c, unsigned domain)
{
	const struct topo *t = c->topo;
	uint64_t id;

	for (unsigned cpu = 0; cpu < t->cpu_cnt; cpu++)
		if (t->cpu[cpu].llc == cpu && /* one cpu of each cache */
		    cache_id(c->root, cpu, &id) && id == domain)
			return t->cpu[cpu].node;
	return NODE_NONE;
}

/* The counter of all traffic of domain @id in the group at @path. */
static void counter_path(char *buf, const char *path, unsigned id)
{
	snprintf(buf, PATH_BYTES,
		 "%.400s/mon_data/" DOMAIN "%02u/mbm_total_bytes", path, id);
}

/* Every domain with such a counter. */
static int find_domains(struct meter *m, const struct meter_conf *c)
{
	char path[PATH_BYTES];
	struct dirent *e;
	unsigned id;
	DIR *d = list(m, "mon_data");

	if (!d)
		return -errno;
	while ((e = readdir(d)) && m->domain_cnt < DOMAINS_MAX) {
		if (strncmp(e->d_name, DOMAIN, sizeof(DOMAIN) - 1))
			continue;
		id =
		    (unsigned)strtoul(e->d_name + sizeof(DOMAIN) - 1, NULL, 10);
		counter_path(path, ".", id);
		if (faccessat(m->dir, path, R_OK, 0))
			continue;
		m->domain[m->domain_cnt].id = id;
		m->domain[m->domain_cnt++].node = domain_node(c, id);
	}
	closedir(d);
	return m->domain_cnt ? 0 : -EOPNOTSUPP;
}

/* --- groups -------------------------------------------------------------- */

/* All of ours, also what a hostd left behind that was killed. */
static void remove_groups(const struct meter *m)
{
	DIR *d = list(m, "mon_groups");
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d)))
		if (!strncmp(e->d_name, GROUP, sizeof(GROUP) - 1))
			unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	closedir(d);
}

/* Control groups but the default one. */
static void list_groups(struct meter *m)
{
	char path[PATH_BYTES];
	DIR *d = list(m, ".");
	struct dirent *e;

	m->group_cnt = 0;
	if (!d)
		return;
	while ((e = readdir(d)) && m->group_cnt < GROUPS_MAX) {
		if (e->d_name[0] == '.' || !strcmp(e->d_name, "mon_groups"))
			continue;
		snprintf(path, sizeof(path), "%s/mon_data", e->d_name);
		if (!faccessat(m->dir, path, X_OK, 0))
			snprintf(m->group[m->group_cnt++], sizeof(m->group[0]),
				 "%s", e->d_name);
	}
	closedir(d);
}

/* relist() - List the groups again; are they others than before? Then their
 * sum is another one, whatever was moved meanwhile. */
static void relist(struct meter *m)
{
	uint64_t names = 1;

	list_groups(m);
	/* FNV-1a, 64 bits, over the names, each with its end */
	for (unsigned i = 0; i < m->group_cnt; i++)
		for (size_t c = 0; c <= strlen(m->group[i]); c++)
			names = (names ^ (uint8_t)m->group[i][c]) *
				0x100000001b3ull;
	m->regrouped |= m->names && names != m->names;
	m->names = names;
}

static void group_path(char *buf, unsigned vm, const char *file)
{
	snprintf(buf, PATH_BYTES, "mon_groups/" GROUP "%u%s", vm, file);
}

/* --- the table's functions ----------------------------------------------- */

static int resctrl_open(struct meter **out, const struct meter_conf *c)
{
	struct meter *m = calloc(1, sizeof(*m));
	char path[PATH_BYTES];
	int err;

	if (!m)
		return -ENOMEM;
	m->root = c->root;
	snprintf(path, sizeof(path), "%.400s/" MOUNT, c->root);
	m->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->dir < 0) {
		err = -errno;
		goto err_free;
	}
	err = find_domains(m, c);
	if (err)
		goto err_close;
	remove_groups(m);
	*out = m;
	return 0;

err_close:
	close(m->dir);
err_free:
	free(m);
	return err;
}

static void resctrl_close(struct meter *m)
{
	remove_groups(m);
	close(m->dir);
	free(m);
}

/* Does a monitoring group that is none of ours have @tid? The kernel tells
 * since 5.6: "mon:NAME", without a name for none. */
static bool is_others(const struct meter *m, pid_t tid)
{
	static const char none[] = "mon:\n", ours[] = "mon:" GROUP;
	char path[PATH_BYTES], line[512];
	bool others = false;
	FILE *f;

	snprintf(path, sizeof(path), "%.400s/proc/%d/cpu_resctrl_groups",
		 m->root, tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		others |= !strncmp(line, "mon:", 4) && strcmp(line, none) &&
			  strncmp(line, ours, sizeof(ours) - 1);
	if (f)
		fclose(f);
	return others;
}

/* The kernel takes one thread a write. */
static int add_thread(int fd, pid_t tid)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", tid);

	return write(fd, text, (size_t)n) == n ? 0 : -errno;
}

/* drop_group() - What it counted leaves the sum. */
static void drop_group(struct meter *m, uint16_t vm)
{
	char path[PATH_BYTES];

	if (!m->watched[vm])
		return;
	group_path(path, vm, "");
	unlinkat(m->dir, path, AT_REMOVEDIR);
	m->watched[vm] = false;
	m->regrouped = true;
}

static int resctrl_watch(struct meter *m, const struct act_vm *vm)
{
	char path[PATH_BYTES];
	int fd, err = 0;

	drop_group(m, vm->vm);
	if (!vm->vcpu_cnt)
		return 0;
	group_path(path, vm->vm, "");
	if (mkdirat(m->dir, path, 0755) && errno != EEXIST)
		return -errno;
	m->watched[vm->vm] = true;
	group_path(path, vm->vm, "/tasks");
	fd = openat(m->dir, path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (unsigned i = 0; i < vm->vcpu_cnt && err != -EBUSY; i++) {
		if (vm->tid[i] && is_others(m, vm->tid[i]))
			err = -EBUSY;
		else if (vm->tid[i] && add_thread(fd, vm->tid[i]))
			err = -errno;
	}
	close(fd);
	if (err == -EBUSY)
		drop_group(m, vm->vm); /* a part of its traffic is none */
	return err;
}

/* Add what the group at @path moved in each domain to @sum, and to the nodes.
 * A domain that has nothing to say just now makes the sum unknown. */
static void add_group(const struct meter *m, const char *path,
		      struct meter_count *sum, struct meter_sample *nodes)
{
	char file[PATH_BYTES];
	uint64_t bytes;

	for (unsigned i = 0; i < m->domain_cnt; i++) {
		uint16_t node = m->domain[i].node;

		counter_path(file, path, m->domain[i].id);
		if (!read_number(m->dir, file, &bytes)) {
			sum->there = false;
			return;
		}
		sum->bytes += bytes;
		if (nodes && node < NODE_MAX) {
			nodes->node[node].there = true;
			nodes->node[node].bytes += bytes;
		}
	}
}

static void read_nodes(struct meter *m, uint64_t now_ns, struct meter_sample *s)
{
	struct meter_count all = { .there = true };

	if (now_ns >= m->list_ns) {
		relist(m);
		m->list_ns = now_ns + LIST_NS;
	}
	add_group(m, ".", &all, s);
	for (unsigned i = 0; i < m->group_cnt; i++)
		add_group(m, m->group[i], &all, s);
	if (!all.there) /* a group is gone: see at once which are left */
		m->list_ns = 0;
	if (!all.there || m->regrouped) /* better none than a false step */
		memset(s->node, 0, sizeof(s->node));
	m->regrouped = false;
}

static void resctrl_read(struct meter *m, uint64_t now_ns,
			 struct meter_sample *s)
{
	char path[PATH_BYTES];

	for (unsigned vm = 0; vm < VM_MAX; vm++) {
		if (!m->watched[vm])
			continue;
		group_path(path, vm, "");
		s->vm[vm].there = true;
		add_group(m, path, &s->vm[vm], NULL);
	}
	read_nodes(m, now_ns, s);
}

const struct meter_ops meter_resctrl = {
	.name = "resctrl",
	.open = resctrl_open,
	.watch = resctrl_watch,
	.read = resctrl_read,
	.close = resctrl_close,
};
