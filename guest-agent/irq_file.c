// SPDX-License-Identifier: Apache-2.0
/*
 * irq_file.c - files that hold a set of cpus, and where those of a NIC are
 *
 * A virtio NIC is a network interface whose device is called virtioN; its
 * interrupts are the lines of /proc/interrupts with a name "virtioN-..."
 * (virtio0-input.0, virtio0-config), or, without MSI-X, the line it may share
 * with other devices, with the bare name "virtioN" among theirs.
 */
#include "irq_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpulist.h"
#include "hl/hex.h"
#include "text.h"

#define NICS_MAX   64
#define TEXT_BYTES 4096	 /* of a mask */
#define LINE_BYTES 16384 /* of a line of /proc/interrupts: 11 bytes a cpu */
#define PATH_BYTES 512

/* --- masks --------------------------------------------------------------- */

int mask_parse_hex(const char *text, struct cpumask *out)
{
	struct cpumask m = { 0 };
	size_t end = strlen(text);
	unsigned bit = 0, digits = 0;

	while (end && isspace((unsigned char)text[end - 1]))
		end--;
	for (; end; end--) {
		int v = hex_digit(text[end - 1]);

		/* a comma closes a word; the lowest may not be shortened */
		if (text[end - 1] == ',' && digits && bit % 32 == 0) {
			digits = 0;
			continue;
		}
		if (v < 0 || digits == 8)
			return -EINVAL;
		for (unsigned i = 0; i < 4; i++, bit++) {
			if (!(v >> i & 1))
				continue;
			if (bit >= CPU_MAX)
				return -ERANGE;
			cpumask_set(&m, bit);
		}
		digits++;
	}
	if (!digits)
		return -EINVAL;
	*out = m;
	return 0;
}

char *mask_format_hex(const struct cpumask *m, char *buf, size_t size)
{
	size_t used = 0;
	bool begun = false;

	if (size)
		buf[0] = '\0';
	for (unsigned w = CPU_MAX / 32; w--;) {
		uint32_t word = (uint32_t)(m->word[w / 2] >> (w % 2 * 32));

		if (!begun && !word && w)
			continue;
		used += (size_t)snprintf(buf + used, size - used,
					 begun ? ",%08x" : "%x", word);
		if (used >= size)
			break;
		begun = true;
	}
	return buf;
}

int mask_read(const char *path, bool hex, struct cpumask *out)
{
	char text[TEXT_BYTES];
	ssize_t n = text_read(path, text, sizeof(text));

	if (n < 0)
		return (int)n;
	return hex ? mask_parse_hex(text, out) : cpulist_parse(text, out);
}

int mask_write(const char *path, bool hex, const struct cpumask *m)
{
	char text[TEXT_BYTES];
	int fd, err = 0;
	size_t bytes;

	if (hex)
		mask_format_hex(m, text, sizeof(text));
	else
		cpulist_format(m, text, sizeof(text));
	bytes = strlen(text);
	text[bytes++] = '\n';
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, bytes) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* --- NICs ---------------------------------------------------------------- */

struct nics {
	unsigned count;
	unsigned long virtio[NICS_MAX];
};

/* The number in "virtio12", which @name must begin with; @rest: what follows.
 */
static bool virtio_number(const char *name, unsigned long *n, const char **rest)
{
	char *end;

	if (strncmp(name, "virtio", 6) || !isdigit((unsigned char)name[6]))
		return false;
	*n = strtoul(name + 6, &end, 10);
	*rest = end;
	return true;
}

static void find_rps(const char *net, irq_found found, void *arg)
{
	char path[PATH_BYTES];
	struct cpumask m = { 0 };
	struct dirent *e;
	DIR *dir;

	if (snprintf(path, sizeof(path), "%s/queues", net) >= (int)sizeof(path))
		return;
	dir = opendir(path);
	if (!dir)
		return;
	while ((e = readdir(dir))) {
		if (strncmp(e->d_name, "rx-", 3) ||
		    snprintf(path, sizeof(path), "%s/queues/%s/rps_cpus", net,
			     e->d_name) >= (int)sizeof(path))
			continue;
		/* nobody asked for steering where it is zero */
		if (!mask_read(path, true, &m) && !cpumask_empty(&m))
			found(arg, path, true);
	}
	closedir(dir);
}

static bool find_nics(const char *root, struct nics *nics, irq_found found,
		      void *arg)
{
	char path[PATH_BYTES], net[PATH_BYTES], target[PATH_BYTES];
	const char *name, *rest;
	unsigned long n;
	struct dirent *e;
	ssize_t len;
	DIR *dir;

	if (snprintf(path, sizeof(path), "%s/sys/class/net", root) >=
	    (int)sizeof(path))
		return false;
	dir = opendir(path);
	if (!dir)
		return false;
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.' ||
		    snprintf(net, sizeof(net), "%s/sys/class/net/%s", root,
			     e->d_name) >= (int)sizeof(net) ||
		    snprintf(path, sizeof(path), "%s/device", net) >=
			(int)sizeof(path))
			continue;
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		name = strrchr(target, '/');
		name = name ? name + 1 : target;
		if (!virtio_number(name, &n, &rest) || *rest)
			continue;
		if (nics->count < NICS_MAX)
			nics->virtio[nics->count++] = n;
		find_rps(net, found, arg);
	}
	closedir(dir);
	return true;
}

static bool is_nics(const struct nics *nics, const char *name)
{
	const char *rest;
	unsigned long n;

	if (!virtio_number(name, &n, &rest) || (*rest && *rest != '-'))
		return false;
	for (unsigned i = 0; i < nics->count; i++)
		if (nics->virtio[i] == n)
			return true;
	return false;
}

/* The number of a line " 24:  0 17  PCI-MSI ... virtio0-input.0" if one of its
 * names is a NIC's queue. */
static bool line_is_nics(const struct nics *nics, char *line,
			 unsigned long *irq)
{
	char *end, *word, *save = NULL;

	while (*line == ' ')
		line++;
	if (!isdigit((unsigned char)*line))
		return false;
	*irq = strtoul(line, &end, 10);
	if (*end != ':')
		return false;
	for (word = strtok_r(end + 1, " ,\t\n", &save); word;
	     word = strtok_r(NULL, " ,\t\n", &save))
		if (is_nics(nics, word))
			return true;
	return false;
}

bool irq_scan(const char *root, irq_found found, void *arg)
{
	static char line[LINE_BYTES];
	struct nics nics = { 0 };
	char path[PATH_BYTES];
	unsigned long irq;
	bool all;
	FILE *f;

	if (!strcmp(root, "/"))
		root = "";
	all = find_nics(root, &nics, found, arg);
	if (snprintf(path, sizeof(path), "%s/proc/interrupts", root) >=
	    (int)sizeof(path))
		return false;
	f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (!line_is_nics(&nics, line, &irq) ||
		    snprintf(path, sizeof(path),
			     "%s/proc/irq/%lu/smp_affinity_list", root,
			     irq) >= (int)sizeof(path))
			continue;
		found(arg, path, false);
	}
	all &= !ferror(f);
	fclose(f);
	return all;
}
