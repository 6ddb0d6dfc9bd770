/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.h - loading and unloading ksched, and what the kernel says meanwhile
 */
#ifndef TESTS_LAB_MODULE_H
#define TESTS_LAB_MODULE_H

#include <stdbool.h>
#include <stddef.h>

/* Path of ksched.ko: below $O, else build. */
const char *module_path(void);

/* Return: 0 or -errno. Loaded already: -EEXIST. */
int module_load(void);
int module_unload(void);
bool module_is_loaded(void);

/* Write a parameter of the loaded module. Return: 0 or -errno. */
int module_set(const char *parameter, const char *value);

/* The first line since the last call that no healthy kernel prints, NULL:
 * none. The first call looks at nothing: the log begins there. */
const char *kernel_complaint(void);

/* One file, one value. Return: 0 or -errno. */
int write_text(const char *path, const char *text);

/* Objects in use in each slab cache that may be told from noise. */
#define SLABS_MAX 512
struct slabs {
	unsigned n;
	struct {
		char name[40];
		long objects;
	} cache[SLABS_MAX];
};

void slabs_read(struct slabs *s);

/* The cache that grew most between both. Return: by how many objects. */
long slabs_growth(const struct slabs *before, const struct slabs *after,
		  const char **name);

/* Lines of /proc/vmallocinfo that name the module. */
unsigned module_vmallocs(void);

#endif
