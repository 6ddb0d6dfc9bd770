// SPDX-License-Identifier: Apache-2.0
/*
 * conf_load.c - hostd.conf and its drop-ins read from disk
 *
 * The new configuration is built apart and handed over whole, so that a bad
 * file changes nothing.
 */
#include "conf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf_key.h"

#define CONF_FILE_MAX (1u << 20) /* bytes; VM_MAX sections need a quarter */

static int refuse_file(struct conf_error *err, const char *name, int rc,
		       const char *what)
{
	memset(err, 0, sizeof(*err));
	snprintf(err->file, sizeof(err->file), "%.*s", CONF_NAME_MAX - 1, name);
	snprintf(err->text, sizeof(err->text), "%s (%s)", what, strerror(-rc));
	return rc;
}

/* Read @fd to its end. Return: bytes, or -errno (-EFBIG: over @size). */
static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return (ssize_t)len;
		len += (size_t)n;
	}
	return -EFBIG;
}

static int load_file(struct conf *c, const char *path, char *buf,
		     struct conf_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return refuse_file(err, path, -errno,
				   "the file cannot be opened");
	n = read_all(fd, buf, CONF_FILE_MAX);
	close(fd);
	if (n < 0)
		return refuse_file(err, path, (int)n,
				   "the file cannot be read");
	return conf_parse(c, buf, (size_t)n, path, err);
}

/* scandir() filter: *.conf, and nothing hidden. */
static int is_dropin(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 &&
	       !strcmp(d->d_name + n - 5, ".conf");
}

/* By bytes: the same order whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_dropins(struct conf *c, const char *dir, char *buf,
			struct conf_error *err)
{
	struct dirent **list;
	char path[CONF_NAME_MAX];
	int rc = 0, n = scandir(dir, &list, is_dropin, by_name);

	if (n < 0)
		return errno == ENOENT ? 0
				       : refuse_file(err, dir, -errno,
						     "the drop-in directory "
						     "cannot be read");
	for (int i = 0; i < n; i++) {
		if (!rc && (size_t)snprintf(path, sizeof(path), "%s/%s", dir,
					    list[i]->d_name) >= sizeof(path))
			rc = refuse_file(err, list[i]->d_name, -ENAMETOOLONG,
					 "the drop-in's path is too long");
		if (!rc)
			rc = load_file(c, path, buf, err);
		free(list[i]);
	}
	free(list);
	return rc;
}

int conf_load(struct conf *c, const char *path, const char *dropin_dir,
	      const struct cpumask *host, struct conf_error *err)
{
	struct conf *next = malloc(sizeof(*next));
	char *buf = malloc(CONF_FILE_MAX);
	int rc;

	if (!next || !buf) {
		rc = refuse_file(err, "", -ENOMEM, "there is no memory");
		goto out_free;
	}
	conf_default(next, host);
	rc = path ? load_file(next, path, buf, err) : 0;
	if (!rc && dropin_dir)
		rc = load_dropins(next, dropin_dir, buf, err);
	if (!rc)
		rc = conf_check(next, host, err);
	if (!rc)
		*c = *next;
out_free:
	free(buf);
	free(next);
	return rc;
}

char *conf_error_text(const struct conf_error *err, char *buf, size_t size)
{
	if (err->file[0] && err->line)
		snprintf(buf, size, "%s:%u: %s", err->file, err->line,
			 err->text);
	else
		snprintf(buf, size, "%s%s%s", err->file,
			 err->file[0] ? ": " : "", err->text);
	for (char *p = buf; size && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return buf;
}
