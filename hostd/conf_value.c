// SPDX-License-Identifier: Apache-2.0
/*
 * conf_value.c - one value of hostd.conf, from text to field
 *
 * The tables below are all the keys there are: their types, their limits and
 * the field each fills. conf.c finds the key, this file reads the value. Pure.
 */
#include "conf_key.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpulist.h"
#include "hl/clock.h"
#include "hl/hex.h"
#include "vhost/port.h"

static const char *const idle_words[] = { "sleep", "poll", NULL };
static const char *const backend_words[] = { "auto",	"ksched", "cgroup",
					     "libvirt", "null",	  NULL };
static const char *const class_words[] = { "best-effort", "latency-critical",
					   NULL };
static const char *const signal_words[] = {
	[SLO_DELAY] = "delay", [SLO_RESPONSE] = "response", NULL
};
static const char *const switch_words[] = { "off", "on", NULL };

#define FIELD(type, member)                                                    \
	offsetof(struct type, member), sizeof(((struct type *)0)->member)
#define SEC NSEC_PER_SEC
#define SLO(name)                                                              \
	{                                                                      \
		name, CONF_SLO, FIELD(conf_vm, slo_ns), 1000, 10 * SEC, NULL   \
	}

const struct conf_key conf_keys_hostd[] = {
	{ "cpus", CONF_CPUS, FIELD(conf, managed), 0, 0, NULL },
	{ "floor", CONF_CPUS, FIELD(conf, floor), 0, 0, NULL },
	{ "poll-cpu", CONF_CPU, FIELD(conf, poll_cpu), 0, CPU_MAX - 1, NULL },
	{ "idle", CONF_WORD, FIELD(conf, idle), 0, 0, idle_words },
	{ "idle-after", CONF_TIME, FIELD(conf, idle_after_ns), 0, SEC, NULL },
	{ "interval", CONF_TIME, FIELD(conf, interval_ns), 1000, SEC, NULL },
	{ "policy", CONF_TEXT, FIELD(conf, policy), 0, 0, NULL },
	{ "backend", CONF_WORD, FIELD(conf, backend), 0, 0, backend_words },
	{ "libvirt-uri", CONF_TEXT, FIELD(conf, libvirt_uri), 0, 0, NULL },
	{ "pin-after", CONF_TIME, FIELD(conf, pin_stable_ns), SEC / 10,
	  3600 * SEC, NULL },
	{ "meter", CONF_TEXT, FIELD(conf, meter), 0, 0, NULL },
	{ "node-bandwidth", CONF_RATE, FIELD(conf, node_bytes_s), 1000000,
	  1000000000000, NULL },
	{ 0 },
};

const struct conf_key conf_keys_switch[] = {
	{ "uplink", CONF_UPLINK, FIELD(conf, uplink), 0, 0, NULL },
	{ "hold-time", CONF_TIME, FIELD(conf, hold_ns), 0, SEC, NULL },
	{ "hold-frames", CONF_COUNT, FIELD(conf, hold_frames), 0, PORT_HOLD_MAX,
	  NULL },
	{ "mac-table", CONF_POWER, FIELD(conf, mac_entries), 16, 1 << 20,
	  NULL },
	{ "mac-age", CONF_TIME, FIELD(conf, mac_age_ns), SEC, 86400 * SEC,
	  NULL },
	{ "flood-limit", CONF_COUNT, FIELD(conf, flood_pps), 0, 100000000,
	  NULL },
	{ "socket-group", CONF_GROUP, FIELD(conf, socket_group), 0, 0, NULL },
	{ "socket-mode", CONF_OCTAL, FIELD(conf, socket_mode), 0600, 0777,
	  NULL },
	{ 0 },
};

_Static_assert(sizeof(conf_keys_hostd) / sizeof(struct conf_key) +
		       sizeof(conf_keys_switch) / sizeof(struct conf_key) <=
		   CONF_KEYS_MAX,
	       "struct conf.at[] has room for every key");
_Static_assert(offsetof(struct conf_vm, cpus_max) ==
		   offsetof(struct conf_vm, cpus_min) + 2,
	       "CONF_RANGE fills both");
_Static_assert(offsetof(struct conf_vm, slo_permyriad) ==
		   offsetof(struct conf_vm, slo_ns) + 8,
	       "CONF_SLO fills both");
_Static_assert(offsetof(struct conf_vm, mac_set) ==
		   offsetof(struct conf_vm, mac) + 6,
	       "CONF_MAC fills both");

const struct conf_key conf_keys_vm[] = {
	{ "class", CONF_WORD, FIELD(conf_vm, class), 0, 0, class_words },
	SLO("slo-p99"), /* first: the one that is meant by most mistyped ones */
	SLO("slo-p50"),
	SLO("slo-p90"),
	SLO("slo-p95"),
	SLO("slo-p999"),
	{ "slo-signal", CONF_WORD, FIELD(conf_vm, slo_signal), 0, 0,
	  signal_words },
	{ "cpus", CONF_RANGE, FIELD(conf_vm, cpus_min), 0, CPU_MAX, NULL },
	{ "weight", CONF_COUNT, FIELD(conf_vm, weight), 1, 10000, NULL },
	{ "agent", CONF_WORD, FIELD(conf_vm, agent), 0, 0, switch_words },
	{ "socket", CONF_PATH, FIELD(conf_vm, socket), 0, 0, NULL },
	{ "mac", CONF_MAC, FIELD(conf_vm, mac), 0, 0, NULL },
	{ 0 },
};

/* No unit may be left out: "10" means microseconds to one reader and seconds
 * to the next. */
static const struct {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "s", NSEC_PER_SEC },
	{ "ms", NSEC_PER_MSEC },
	{ "us", NSEC_PER_USEC },
	{ "ns", 1 },
};

/* A time as an operator would write it: in the largest unit that is exact. */
static void time_text(uint64_t ns, char *buf, size_t size)
{
	unsigned u = 0;

	while (ns % units[u].ns)
		u++;
	snprintf(buf, size, "%" PRIu64 "%s", ns / units[u].ns, units[u].name);
}

/* Digits of @base at *s; *s moves behind them. False: none, or too many. */
static bool digits(const char **s, unsigned base, uint64_t *out)
{
	uint64_t v = 0;
	const char *p = *s;

	for (; *p >= '0' && *p < (char)('0' + base); p++)
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (unsigned)(*p - '0'), &v))
			return false;
	if (p == *s)
		return false;
	*s = p;
	*out = v;
	return true;
}

static int set_time(const struct conf_key *k, void *field, const char *text,
		    char *why, size_t size)
{
	const char *p = text;
	char low[32], high[32];
	uint64_t v = 0;
	unsigned u = 0;

	if (!digits(&p, 10, &v)) {
		snprintf(why, size,
			 "'%s' is no time: write a whole number and a unit, "
			 "as in 500us",
			 text);
		return -EINVAL;
	}
	while (*p == ' ' || *p == '\t')
		p++;
	while (u < 4 && strcmp(p, units[u].name))
		u++;
	if (u == 4 && !(v == 0 && !*p)) {
		snprintf(why, size,
			 *p ? "'%s' is no time: write a whole number and one "
			      "of ns, us, ms, s"
			    : "'%s' has no unit: write ns, us, ms or s behind "
			      "it",
			 text);
		return -EINVAL;
	}
	if (u < 4 && __builtin_mul_overflow(v, units[u].ns, &v))
		v = UINT64_MAX;
	if (v < k->min || v > k->max) {
		time_text(k->min, low, sizeof(low));
		time_text(k->max, high, sizeof(high));
		snprintf(why, size, "'%s' is out of range: %s to %s", text, low,
			 high);
		return -EINVAL;
	}
	memcpy(field, &v, sizeof(v));
	return 0;
}

static void put_uint(void *field, size_t bytes, uint64_t v)
{
	if (bytes == sizeof(uint32_t))
		*(uint32_t *)field = (uint32_t)v;
	else
		*(uint16_t *)field = (uint16_t)v;
}

/* "slo-p99" and a time: 9900 of 10,000 within it. */
static int set_slo(const struct conf_key *k, void *field, const char *text,
		   char *why, size_t size)
{
	unsigned place = 1000, permyriad = 0;
	int rc = set_time(k, field, text, why, size);

	if (rc)
		return rc;
	for (const char *p = k->name + strcspn(k->name, "0123456789"); *p;
	     p++) {
		permyriad += place * (unsigned)(*p - '0');
		place /= 10;
	}
	put_uint((char *)field + 8, 2, permyriad);
	return 0;
}

static int set_count(const struct conf_key *k, void *field, const char *text,
		     char *why, size_t size)
{
	bool octal = k->type == CONF_OCTAL;
	const char *p = text;
	uint64_t v = 0;

	if (!digits(&p, octal ? 8 : 10, &v) || *p)
		snprintf(why, size,
			 octal ? "'%s' is no file mode: write it in octal, as "
				 "in 0660"
			       : "'%s' is no plain number",
			 text);
	else if (v < k->min || v > k->max)
		snprintf(why, size,
			 octal
			     ? "'%s' is out of range: 0%" PRIo64 " to 0%" PRIo64
			     : "'%s' is out of range: %" PRIu64 " to %" PRIu64,
			 text, k->min, k->max);
	else if (k->type == CONF_POWER && (v & (v - 1)))
		snprintf(why, size,
			 "'%s' is no power of two: write 1024, 2048, 4096, ...",
			 text);
	else if (octal && (v & 0600) != 0600)
		snprintf(why, size,
			 "'%s' would lock out hostd itself: 0600 is the least",
			 text);
	else {
		put_uint(field, k->bytes, v);
		return 0;
	}
	return -EINVAL;
}

static int set_word(const struct conf_key *k, void *field, const char *text,
		    char *why, size_t size)
{
	size_t n;

	for (uint8_t i = 0; k->words[i]; i++)
		if (!strcmp(text, k->words[i])) {
			*(uint8_t *)field = i;
			return 0;
		}
	n = (size_t)snprintf(why, size, "'%s' is not one of", text);
	for (unsigned i = 0; k->words[i] && n < size; i++)
		n += (size_t)snprintf(why + n, size - n, "%s %s", i ? "," : "",
				      k->words[i]);
	return -EINVAL;
}

/* "0000:03:00.0" */
static bool is_pci(const char *s)
{
	static const char shape[] = "xxxx:xx:xx.7";
	static const char hex[] = "0123456789abcdefABCDEF";

	for (unsigned i = 0; i < sizeof(shape) - 1; i++) {
		if (shape[i] == 'x'   ? !s[i] || !strchr(hex, s[i])
		    : shape[i] == '7' ? s[i] < '0' || s[i] > '7'
				      : s[i] != shape[i])
			return false;
	}
	return !s[sizeof(shape) - 1];
}

static bool is_uplink(const char *s)
{
	size_t n;

	if (!strncmp(s, "tap:", 4)) { /* 15 bytes: IFNAMSIZ - 1 */
		n = strlen(s + 4);
		return n >= 1 && n <= 15 && !strpbrk(s + 4, "/ \t:,%");
	}
	if (!strncmp(s, "pci:", 4))
		return is_pci(s + 4);
	if (!strncmp(s, "vdev:", 5))
		return s[5] && !strpbrk(s + 5, " \t");
	return !strcmp(s, "none");
}

static int set_text(const struct conf_key *k, void *field, const char *text,
		    char *why, size_t size)
{
	if (k->type == CONF_GROUP && !strcmp(text, "none"))
		text = "";
	if (strlen(text) >= k->bytes)
		snprintf(why, size, "the value is too long: %zu bytes at most",
			 k->bytes - 1);
	else if (k->type == CONF_PATH && *text != '/')
		snprintf(why, size, "'%s' is no full path: begin with /", text);
	else if (k->type == CONF_UPLINK && !is_uplink(text))
		snprintf(why, size,
			 "'%s' is no uplink: write tap:NAME, pci:0000:03:00.0, "
			 "vdev:DRIVER,ARGS or none",
			 text);
	else {
		memset(field, 0, k->bytes);
		memcpy(field, text, strlen(text));
		return 0;
	}
	return -EINVAL;
}

static int set_cpus(void *field, const char *text, char *why, size_t size)
{
	struct cpumask mask;
	int err = cpulist_parse(text, &mask);

	if (!err) {
		memcpy(field, &mask, sizeof(mask));
		return 0;
	}
	if (err == -ERANGE)
		snprintf(why, size, "'%s' names a cpu over %d", text,
			 CPU_MAX - 1);
	else
		snprintf(why, size,
			 "'%s' is no list of cpus: write it as in 2-7,10",
			 text);
	return -EINVAL;
}

static int set_cpu(const struct conf_key *k, void *field, const char *text,
		   char *why, size_t size)
{
	uint16_t none = CPU_NONE;

	if (strcmp(text, "none"))
		return set_count(k, field, text, why, size);
	memcpy(field, &none, sizeof(none));
	return 0;
}

static int set_range(const struct conf_key *k, void *field, const char *text,
		     char *why, size_t size)
{
	const char *p = text;
	uint64_t min = 0, max = 0;
	bool good = digits(&p, 10, &min);

	max = min;
	if (good && *p == '-') {
		p++;
		good = digits(&p, 10, &max);
	}
	if (!good || *p) {
		snprintf(why, size,
			 "'%s' is no number of cpus: write MIN-MAX as in 1-4, "
			 "or 2 for just two",
			 text);
		return -EINVAL;
	}
	if (min > max) {
		snprintf(why, size,
			 "'%s' has its minimum over its maximum: write %" PRIu64
			 "-%" PRIu64,
			 text, max, min);
		return -EINVAL;
	}
	if (!max || max > k->max) {
		snprintf(why, size,
			 "'%s' is out of range: 1 to %" PRIu64 " cpus at most",
			 text, k->max);
		return -EINVAL;
	}
	put_uint(field, 2, min);
	put_uint((char *)field + 2, 2, max);
	return 0;
}

static int set_rate(const struct conf_key *k, void *field, const char *text,
		    char *why, size_t size)
{
	static const struct {
		const char *name;
		uint64_t bytes_s;
	} unit[] = { { "MB/s", 1000000 }, { "GB/s", 1000000000 } };
	const char *s = text;
	uint64_t v = 0;

	if (!strcmp(text, "none")) {
		*(uint64_t *)field = 0;
		return 0;
	}
	for (unsigned i = 0; digits(&s, 10, &v) && i < 2; i++, s = text) {
		if (strcmp(s, unit[i].name))
			continue;
		if (__builtin_mul_overflow(v, unit[i].bytes_s, &v) ||
		    v < k->min || v > k->max)
			break;
		*(uint64_t *)field = v;
		return 0;
	}
	snprintf(why, size,
		 "'%s' is no rate from 1MB/s to 1000GB/s: write it as in "
		 "25GB/s, or none",
		 text);
	return -EINVAL;
}

static int set_mac(void *field, const char *text, char *why, size_t size)
{
	uint8_t mac[7] = { 0 };
	bool good = strlen(text) == 17, zero = true;

	for (unsigned i = 0; good && i < 6; i++) {
		int high = hex_digit(text[3 * i]);
		int low = hex_digit(text[3 * i + 1]);

		good =
		    high >= 0 && low >= 0 && (i == 5 || text[3 * i + 2] == ':');
		mac[i] = (uint8_t)(high * 16 + low);
		zero = zero && !mac[i];
	}
	if (!good) {
		snprintf(why, size,
			 "'%s' is no MAC address: write it as in "
			 "52:54:00:12:34:56",
			 text);
		return -EINVAL;
	}
	if (zero || (mac[0] & 1)) {
		snprintf(why, size, "'%s' cannot be a NIC's address: it is %s",
			 text, zero ? "all zero" : "a multicast address");
		return -EINVAL;
	}
	mac[6] = true; /* mac_set */
	memcpy(field, mac, sizeof(mac));
	return 0;
}

int conf_value_set(const struct conf_key *k, void *base, const char *text,
		   char *why, size_t size)
{
	void *field = (char *)base + k->at;

	switch (k->type) {
	case CONF_TIME:
		return set_time(k, field, text, why, size);
	case CONF_SLO:
		return set_slo(k, field, text, why, size);
	case CONF_COUNT:
	case CONF_POWER:
	case CONF_OCTAL:
		return set_count(k, field, text, why, size);
	case CONF_WORD:
		return set_word(k, field, text, why, size);
	case CONF_TEXT:
	case CONF_PATH:
	case CONF_UPLINK:
	case CONF_GROUP:
		return set_text(k, field, text, why, size);
	case CONF_CPUS:
		return set_cpus(field, text, why, size);
	case CONF_CPU:
		return set_cpu(k, field, text, why, size);
	case CONF_RANGE:
		return set_range(k, field, text, why, size);
	case CONF_MAC:
		return set_mac(field, text, why, size);
	case CONF_RATE:
		return set_rate(k, field, text, why, size);
	}
	return -EINVAL;
}
