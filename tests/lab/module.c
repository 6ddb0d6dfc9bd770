// SPDX-License-Identifier: Apache-2.0
/*
 * module.c - loading and unloading ksched, and what the kernel says meanwhile
 */
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PARAMETERS "/sys/module/ksched/parameters/"

const char *module_path(void)
{
	static char path[512];
	const char *build = getenv("O");

	snprintf(path, sizeof(path), "%s/ksched/module/ksched.ko",
		 build ? build : "build");
	return path;
}

int module_load(void)
{
	int fd = open(module_path(), O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	rc = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return rc;
}

int module_unload(void)
{
	return syscall(SYS_delete_module, "ksched", O_NONBLOCK) ? -errno : 0;
}

bool module_is_loaded(void)
{
	return !access("/sys/module/ksched", F_OK);
}

int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int module_set(const char *parameter, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), PARAMETERS "%s", parameter);
	return write_text(path, value);
}

static bool is_complaint(const char *line)
{
	static const char *const words[] = {
		"BUG",
		"WARNING",
		"Oops",
		"stall",
		"refcount",
		"Call Trace",
		"hung_task",
		"blocked for more",
		"KASAN",
		"UBSAN",
		"general protection",
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

/* /dev/kmsg gives one record a read. */
const char *kernel_complaint(void)
{
	static char line[2048];
	static int fd = -1;
	ssize_t n;

	if (fd < 0) {
		fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			lseek(fd, 0, SEEK_END);
		return fd < 0 ? "/dev/kmsg cannot be read" : NULL;
	}
	while ((n = read(fd, line, sizeof(line) - 1)) > 0 ||
	       (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue; /* overwritten; go on with what is left */
		line[n] = 0;
		if (is_complaint(line))
			return line;
	}
	return NULL;
}

/* Give back what cpus hold in reserve, so that the counts are of objects in
 * use. */
static void shrink_slabs(void)
{
	glob_t found;

	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		write_text(found.gl_pathv[i], "1");
	globfree(&found);
}

/* Of files and directories there may be more or fewer for any reason; freed
 * ranges of addresses are kept until there are many (ours are counted by
 * module_vmallocs()). */
static bool is_noise(const char *name)
{
	static const char *const caches[] = { "dentry",	     "inode",
					      "buffer_head", "kernfs",
					      "radix_tree",  "lsm_",
					      "proc_",	     "vmap_area" };

	for (unsigned i = 0; i < sizeof(caches) / sizeof(caches[0]); i++)
		if (strstr(name, caches[i]))
			return true;
	return false;
}

void slabs_read(struct slabs *s)
{
	FILE *f;
	char line[512];

	shrink_slabs();
	s->n = 0;
	f = fopen("/proc/slabinfo", "re");
	while (f && s->n < SLABS_MAX && fgets(line, sizeof(line), f))
		if (sscanf(line, "%39s %ld", s->cache[s->n].name,
			   &s->cache[s->n].objects) == 2 &&
		    !is_noise(s->cache[s->n].name))
			s->n++;
	if (f)
		fclose(f);
}

long slabs_growth(const struct slabs *before, const struct slabs *after,
		  const char **name)
{
	long most = 0;

	*name = "none";
	for (unsigned i = 0; i < after->n; i++)
		for (unsigned k = 0; k < before->n; k++) {
			long grown =
			    after->cache[i].objects - before->cache[k].objects;

			if (strcmp(after->cache[i].name,
				   before->cache[k].name) ||
			    grown <= most)
				continue;
			most = grown;
			*name = after->cache[i].name;
		}
	return most;
}

unsigned module_vmallocs(void)
{
	FILE *f = fopen("/proc/vmallocinfo", "re");
	unsigned n = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		n += !!strstr(line, "[ksched]");
	if (f)
		fclose(f);
	return n;
}
