/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_key.h - the keys of hostd.conf as tables; between conf*.c and the tests
 */
#ifndef HOSTD_CONF_KEY_H
#define HOSTD_CONF_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "conf.h"

enum conf_type {
	CONF_TIME,   /* u64 ns, written with a unit */
	CONF_COUNT,  /* u16 or u32, a plain number */
	CONF_POWER,  /* the same, a power of two */
	CONF_OCTAL,  /* u16, a file mode */
	CONF_WORD,   /* u8, index in words[] */
	CONF_TEXT,   /* char[bytes] */
	CONF_PATH,   /* char[bytes], begins with "/" */
	CONF_UPLINK, /* char[bytes], see conf.h */
	CONF_GROUP,  /* char[bytes]; "none" is stored as "" */
	CONF_CPUS,   /* struct cpumask */
	CONF_CPU,    /* u16; "none" is CPU_NONE */
	CONF_RANGE,  /* two u16 after another: MIN-MAX, or N for both */
	CONF_MAC,    /* u8[6], then mac_set */
	CONF_RATE,   /* u64 bytes a second, written with a unit; "none": 0 */
	CONF_SLO,    /* as CONF_TIME, then a u16: the NN of slo-pNN in 10,000 */
};

struct conf_key {
	const char *name;
	enum conf_type type;
	size_t at;    /* offset in struct conf, or in conf_vm for [vm] */
	size_t bytes; /* size of the field */
	uint64_t min, max;
	const char *const *words; /* CONF_WORD, NULL-terminated */
};

/* Each ends with a NULL name. struct conf.at[] counts through hostd's keys,
 * then switch's. */
extern const struct conf_key conf_keys_hostd[], conf_keys_switch[],
    conf_keys_vm[];

/*
 * conf_value_set() - Read @text as a value of @key into the struct at @base
 * @why: gets the reason, the second half of a sentence
 *
 * Pure. Return: 0, or -EINVAL with @why filled; nothing is written then.
 */
int conf_value_set(const struct conf_key *key, void *base, const char *text,
		   char *why, size_t size);

/* conf_vm_init() - The default of a VM no file names. */
void conf_vm_init(struct conf_vm *vm, const char *name);

/*
 * conf_key_at() - Where @name of [hostd] or [switch] was set
 * Return: a place, never NULL; that of a default is { 0, 0 }.
 */
const struct conf_place *conf_key_at(const struct conf *c, const char *name);

/*
 * conf_refuse() - Fill @err; a NULL or default @place is about no line
 * Return: -EINVAL.
 */
int conf_refuse(const struct conf *c, struct conf_error *err,
		const struct conf_place *place, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * conf_nearest() - The word most like a mistyped one
 * @words: array of structs whose first member is the word, @stride bytes each,
 *	   ending in a NULL word
 * Return: a word at most three edits (and less than half of it) away, or NULL.
 */
const char *conf_nearest(const char *typed, const void *words, size_t stride);

#endif
