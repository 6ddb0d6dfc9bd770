/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_table.h - the journal in memory; for journal.c, journal_restore.c
 */
#ifndef HOSTD_JOURNAL_TABLE_H
#define HOSTD_JOURNAL_TABLE_H

#include "journal.h"
#include "journal_line.h"

struct journal_item {
	enum journal_kind kind; /* FILE, THREAD or PIN */
	uint32_t id;
	uint64_t start;
	struct cpumask mask;
	char *path, *value; /* FILE */
	int err;	    /* of the last attempt to put it back */
};

struct journal_owner {
	char uuid[37];
	char name[VM_NAME_MAX];
	pid_t pid;
	uint64_t start;
	unsigned cnt, room;
	struct journal_item *item;
};

struct journal {
	char *path;
	unsigned cnt, room;
	struct journal_owner *vm;
};

/* journal_find() - Return: the VM, or NULL. */
struct journal_owner *journal_find(struct journal *j, const char *uuid);

/* journal_owner_add() - Return: 0 (a VM already there loses its items if it
 * is not the same process), -ENOSPC or -ENOMEM. */
int journal_owner_add(struct journal *j, const struct journal_line *l);

/* journal_item_add() - Keep what is there, else append. Return: 0 or -errno. */
int journal_item_add(struct journal_owner *v, const struct journal_line *l);

/* journal_owner_put_back() - Carry out one VM's items, adding to @out.
 * Return: 0 or the first -errno. */
int journal_owner_put_back(struct journal_owner *v, struct journal_result *out);

#endif
