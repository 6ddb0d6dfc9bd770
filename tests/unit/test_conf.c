// SPDX-License-Identifier: Apache-2.0
/*
 * test_conf.c - hostd.conf: texts in, values or a refusal with its line out
 *
 * The last tests hold configs/hostd.conf and the man page to the parser's own
 * table of keys: run from the top of the source tree.
 */
#include "conf.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf_key.h"
#include "cpulist.h"

static struct conf conf, other;
static const struct cpumask host = { { 0xff } }; /* cpus 0-7 */

/* All of a configuration as one text, places left out: easy to compare. */
static char *dump(const struct conf *c)
{
	static char text[2][65536];
	static unsigned turn;
	char *out = text[turn++ & 1], cpus[200], floor[200];
	size_t size = sizeof(text[0]), n;

	n = (size_t)snprintf(
	    out, size,
	    "cpus=%s floor=%s poll-cpu=%u idle=%u idle-after=%" PRIu64
	    " interval=%" PRIu64 " policy=%s backend=%u libvirt-uri=%s "
	    "pin-after=%" PRIu64 " meter=%s node-bandwidth=%" PRIu64
	    " uplink=%s hold-time=%" PRIu64
	    " hold-frames=%u mac-table=%u mac-age=%" PRIu64
	    " flood-limit=%u socket-group=%s socket-mode=%o.",
	    cpulist_format(&c->managed, cpus, sizeof(cpus)),
	    cpulist_format(&c->floor, floor, sizeof(floor)), c->poll_cpu,
	    c->idle, c->idle_after_ns, c->interval_ns, c->policy, c->backend,
	    c->libvirt_uri, c->pin_stable_ns, c->meter, c->node_bytes_s,
	    c->uplink, c->hold_ns, c->hold_frames, c->mac_entries,
	    c->mac_age_ns, c->flood_pps, c->socket_group, c->socket_mode);
	for (unsigned i = 0; i < c->vm_cnt && n < size; i++) {
		const struct conf_vm *v = &c->vm[i];

		n += (size_t)snprintf(
		    out + n, size - n,
		    " [%s] class=%u cpus=%u-%u weight=%u slo=%" PRIu64
		    ",%u,%u agent=%u socket=%s mac=%d,%02x%02x.",
		    v->name, v->class, v->cpus_min, v->cpus_max, v->weight,
		    v->slo_ns, v->slo_permyriad, v->slo_signal, v->agent,
		    v->socket, v->mac_set, v->mac[0], v->mac[5]);
	}
	return out;
}

#define VM_REST "weight=100 slo=0,9900,0 agent=1 socket= mac=0,0000."

static const struct {
	const char *what, *text, *want;
} good[] = {
	{ "nothing at all", "", "cpus=1-7 floor=0 poll-cpu=0 idle=0" },
	{ "comments and blank lines", "# a\n; b\n\n  # c\n", "cpus=1-7" },
	{ "no final newline", "[hostd]\ninterval = 5us", "interval=5000 " },
	{ "carriage returns", "[hostd]\r\ninterval=5us\r\n", "interval=5000 " },
	{ "byte order mark", "\xef\xbb\xbf[hostd]\ninterval=5us",
	  "interval=5000 " },
	{ "no blanks", "[hostd]\ncpus=2-3", "cpus=2-3 " },
	{ "many blanks", "  [ hostd ]\n\t cpus  =  2-3  ", "cpus=2-3 " },
	{ "indented keys stay keys", "[hostd]\n cpus = 2-3\n  floor = 1\n",
	  "cpus=2-3 floor=1 " },
	{ "# comment behind a value", "[hostd]\ncpus = 2-3 # four\n",
	  "cpus=2-3 " },
	{ "; comment behind a value", "[hostd]\ncpus = 2-3\t; four\n",
	  "cpus=2-3 " },
	{ "# inside a value", "[switch]\nsocket-group = a#b\n",
	  "socket-group=a#b " },
	{ "comment behind a section", "[hostd] # [x]\ncpus = 2\n", "cpus=2 " },
	{ "colon instead of =", "[switch]\nuplink: tap:x\n", "uplink=tap:x " },
	{ "nanoseconds", "[hostd]\ninterval = 1500ns", "interval=1500 " },
	{ "milliseconds", "[hostd]\ninterval = 3ms", "interval=3000000 " },
	{ "seconds", "[hostd]\npin-after = 3 s", "pin-after=3000000000 " },
	{ "nought with a unit", "[hostd]\nidle-after = 0us", "idle-after=0 " },
	{ "nought without", "[hostd]\nidle-after = 0", "idle-after=0 " },
	{ "poll cpu none", "[hostd]\npoll-cpu = none", "poll-cpu=65535 " },
	{ "poll cpu 3", "[hostd]\npoll-cpu = 3", "poll-cpu=3 " },
	{ "idle poll", "[hostd]\nidle = poll", "idle=1 " },
	{ "backend ksched", "[hostd]\nbackend = ksched", "backend=1 " },
	{ "backend cgroup", "[hostd]\nbackend = cgroup", "backend=2 " },
	{ "backend null", "[hostd]\nbackend = null", "backend=4 " },
	{ "uri", "[hostd]\nlibvirt-uri = test:///default",
	  "libvirt-uri=test:///default " },
	{ "a meter", "[hostd]\nmeter = perf", "meter=perf " },
	{ "a meter's file", "[hostd]\nmeter = script:/tmp/a b",
	  "meter=script:/tmp/a b " },
	{ "a rate", "[hostd]\nnode-bandwidth = 25GB/s",
	  "node-bandwidth=25000000000 " },
	{ "the least", "[hostd]\nnode-bandwidth = 1MB/s",
	  "node-bandwidth=1000000 " },
	{ "the most", "[hostd]\nnode-bandwidth = 1000GB/s",
	  "node-bandwidth=1000000000000 " },
	{ "no rate", "[hostd]\nnode-bandwidth = none", "node-bandwidth=0 " },
	{ "pci", "[switch]\nuplink = pci:0000:03:00.1",
	  "uplink=pci:0000:03:00.1 " },
	{ "vdev", "[switch]\nuplink = vdev:net_tap0,iface=x",
	  "uplink=vdev:net_tap0,iface=x " },
	{ "no uplink", "[switch]\nuplink = none", "uplink=none " },
	{ "no hold", "[switch]\nhold-time = 0ns\nhold-frames = 0",
	  "hold-time=0 hold-frames=0 " },
	{ "mac table", "[switch]\nmac-table = 65536", "mac-table=65536 " },
	{ "octal mode", "[switch]\nsocket-mode = 0666", "socket-mode=666." },
	{ "group none", "[switch]\nsocket-group = none", "socket-group= " },
	{ "an empty VM section", "[vm a]", "[a] class=0 cpus=0-512 " VM_REST },
	{ "spaces and dots in a name", "[vm  my web.server 2 ]",
	  "[my web.server 2] " },
	{ "brackets in a name", "[vm a[1]b] # c]", "[a[1]b] " },
	{ "a comment sign in a name", "[vm a #1]", "[a #1] " },
	{ "a long name is whole",
	  "[vm aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffffffff123]",
	  "eeeeeeeeeefffffffff123] " },
	{ "one VM",
	  "[vm web]\nclass = latency-critical\nslo-p99 = 500us\ncpus = 1-4\n",
	  "[web] class=1 cpus=1-4 weight=100 slo=500000,9900,0 " },
	{ "SLO of a median", "[vm a]\nslo-p50 = 1us", "slo=1000,5000,0 " },
	{ "SLO of p90", "[vm a]\nslo-p90 = 1us", "slo=1000,9000,0 " },
	{ "SLO of p95", "[vm a]\nslo-p95 = 1us", "slo=1000,9500,0 " },
	{ "SLO of p99.9", "[vm a]\nslo-p999 = 10s", "slo=10000000000,9990,0 " },
	{ "SLO about response", "[vm a]\nslo-p95=1us\nslo-signal = response",
	  "slo=1000,9500,1 " },
	{ "SLO about delay", "[vm a]\nslo-signal = delay\nslo-p99=1us",
	  "slo=1000,9900,0 " },
	{ "cpus as one number", "[vm a]\ncpus = 3", "cpus=3-3 " },
	{ "cpus from nought", "[vm a]\ncpus = 0-3", "cpus=0-3 " },
	{ "weight", "[vm a]\nweight = 10000", "weight=10000 " },
	{ "agent off", "[vm a]\nagent = off", "agent=0 " },
	{ "agent on", "[vm a]\nagent = on", "agent=1 " },
	{ "socket", "[vm a]\nsocket = /run/a b.sock", "socket=/run/a b.sock " },
	{ "mac", "[vm a]\nmac = 52:54:00:aA:Bb:0F", "mac=1,520f." },
	{ "two VMs", "[vm a]\nweight=1\n[vm b]\nweight=2", "[b] class=0" },
};

static void test_good(void **state)
{
	struct conf_error err;

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		conf_default(&conf, &host);
		if (conf_parse(&conf, good[i].text, strlen(good[i].text), "f",
			       &err))
			fail_msg("%s: refused: %s", good[i].what, err.text);
		if (!strstr(dump(&conf), good[i].want))
			fail_msg("%s: no '%s' in %s", good[i].what,
				 good[i].want, dump(&conf));
	}
}

#define LONG_50 "01234567890123456789012345678901234567890123456789"

static const struct {
	const char *what, *text;
	unsigned line;
	const char *want;
} bad[] = {
	{ "mistyped key", "[vm web]\nslo-p9 = 1ms", 2,
	  "unknown key 'slo-p9' in [vm web], did you mean 'slo-p99'?" },
	{ "unknown key", "[hostd]\n\nfrobnicate = 1", 3,
	  "unknown key 'frobnicate' in [hostd]: see hostd.conf(5)" },
	{ "two percentiles", "[vm web]\nslo-p99 = 1ms\nslo-p50 = 1us", 3,
	  "'slo-p99' and 'slo-p50' are both given in [vm web]: an SLO has one "
	  "percentile" },
	{ "one percentile twice", "[vm a]\nslo-p50 = 1ms\nslo-p50 = 1us", 3,
	  "'slo-p50' is given twice" },
	{ "SLO out of range", "[vm a]\nslo-p999 = 11s", 2,
	  "slo-p999: '11s' is out of range: 1us to 10s" },
	{ "unknown signal", "[vm a]\nslo-signal = wait", 2,
	  "not one of delay, response" },
	{ "key of another section", "[hostd]\nuplink = none", 2,
	  "does not belong in [hostd]: move it to [switch]" },
	{ "upper case", "[hostd]\nCPUS = 1", 2, "unknown key 'CPUS'" },
	{ "no key", "[hostd]\n= 1", 2, "unknown key ''" },
	{ "mistyped section", "[hostt]", 1, "did you mean [hostd]?" },
	{ "unknown section", "\n[network]\n", 2,
	  "unknown section [network]: there are" },
	{ "empty section name", "[]", 1, "unknown section []" },
	{ "vm without a name", "[vm]", 1, "needs a name" },
	{ "vm with a blank name", "[vm  ]", 1, "needs a name" },
	{ "vm name too long", "[vm " LONG_50 LONG_50 "]", 1, "too long: 63" },
	{ "open section", "[hostd\ncpus = 1", 1, "no closing ']'" },
	{ "text behind a section", "[hostd] x", 1, "no closing ']'" },
	{ "no section", "cpus = 1", 1, "before any section" },
	{ "no equals sign", "[hostd]\ncpus 1\nfloor = 1", 2,
	  "neither a [section] nor key = value" },
	{ "no equals sign in the last line", "[hostd]\ncpus", 2,
	  "neither a [section]" },
	{ "no value", "[hostd]\ncpus =", 2, "'cpus' has no value" },
	{ "only a comment for a value", "[hostd]\ncpus = # 1", 2,
	  "'cpus' has no value" },
	{ "key twice", "[hostd]\ncpus = 1\nfloor = 0\ncpus = 2", 4,
	  "'cpus' is given twice in [hostd]" },
	{ "section twice", "[hostd]\n[switch]\n[hostd]\n", 3,
	  "[hostd] stands twice" },
	{ "VM twice", "[vm a]\n[vm b]\n[vm a]", 3,
	  "[vm a] stands twice in this file (first in line 1)" },
	{ "long line", "[hostd]\npolicy = " LONG_50 LONG_50 LONG_50 LONG_50, 2,
	  "too long: 198 bytes" },
	{ "tab is fine, bell is not", "[hostd]\n\tcpus = 1\a", 2,
	  "control character (0x07)" },
	{ "the first fault is told", "[hostd]\nidle = 1\nidle-after = x", 2,
	  "idle: '1' is not one of sleep, poll" },
	{ "time without a unit", "[hostd]\ninterval = 10", 2,
	  "interval: '10' has no unit" },
	{ "nought where it makes no sense", "[hostd]\ninterval = 0us", 2,
	  "'0us' is out of range: 1us to 1s" },
	{ "unknown unit", "[hostd]\ninterval = 10m", 2, "one of ns, us" },
	{ "fraction", "[hostd]\ninterval = 1.5ms", 2, "whole number" },
	{ "negative time", "[hostd]\ninterval = -5us", 2, "is no time" },
	{ "time over 64 bits", "[vm a]\nslo-p99 = 99999999999999999999999s", 2,
	  "is no time" },
	{ "time over 64 bits in ns", "[vm a]\nslo-p99 = 18446744073709551615s",
	  2, "out of range: 1us to 10s" },
	{ "time too long", "[hostd]\ninterval = 2s", 2, "out of range" },
	{ "bad cpu list", "[hostd]\ncpus = 1-", 2, "is no list of cpus" },
	{ "cpu too high", "[hostd]\ncpus = 512", 2, "names a cpu over 511" },
	{ "bad poll cpu", "[hostd]\npoll-cpu = x", 2, "no plain number" },
	{ "poll cpu too high", "[hostd]\npoll-cpu = 65535", 2, "0 to 511" },
	{ "unknown backend", "[hostd]\nbackend = kvm", 2,
	  "not one of auto, ksched, cgroup, libvirt, null" },
	{ "policy too long", "[hostd]\npolicy = " LONG_50, 2, "31 bytes" },
	{ "unknown uplink", "[switch]\nuplink = eth0", 2, "is no uplink" },
	{ "tap name too long", "[switch]\nuplink = tap:a234567890123456", 2,
	  "is no uplink" },
	{ "bad pci address", "[switch]\nuplink = pci:03:00.0", 2, "no uplink" },
	{ "pci function 8", "[switch]\nuplink = pci:0000:03:00.8", 2,
	  "is no uplink" },
	{ "mac table of 1000", "[switch]\nmac-table = 1000", 2,
	  "power of two" },
	{ "number with a unit", "[switch]\nhold-frames = 10k", 2, "no plain" },
	{ "too many held frames", "[switch]\nhold-frames = 1025", 2,
	  "0 to 1024" },
	{ "mode in decimal", "[switch]\nsocket-mode = 0890", 2, "in octal" },
	{ "mode too wide", "[switch]\nsocket-mode = 01777", 2, "0600 to 0777" },
	{ "mode that locks out hostd's hand", "[switch]\nsocket-mode = 0477", 2,
	  "out of range" },
	{ "rate without a unit", "[hostd]\nnode-bandwidth = 25", 2,
	  "'25' is no rate from 1MB/s to 1000GB/s" },
	{ "rate in bits", "[hostd]\nnode-bandwidth = 25Gb/s", 2, "no rate" },
	{ "rate 0", "[hostd]\nnode-bandwidth = 0MB/s", 2, "no rate" },
	{ "rate too high", "[hostd]\nnode-bandwidth = 1001GB/s", 2, "no rate" },
	{ "rate over 64 bits",
	  "[hostd]\nnode-bandwidth = 18446744074709551616MB/s", 2, "no rate" },
	{ "rate that wraps", "[hostd]\nnode-bandwidth = 18446744074GB/s", 2,
	  "no rate" },
	{ "class", "[vm a]\nclass = lc", 2,
	  "not one of best-effort, latency-critical" },
	{ "min over max", "[vm a]\ncpus = 4-2", 2, "write 2-4" },
	{ "no cpu ever", "[vm a]\ncpus = 0", 2, "out of range" },
	{ "half a range", "[vm a]\ncpus = 4-", 2, "no number of cpus" },
	{ "weight 0", "[vm a]\nweight = 0", 2, "1 to 10000" },
	{ "agent yes", "[vm a]\nagent = yes", 2, "not one of off, on" },
	{ "relative socket", "[vm a]\nsocket = a.sock", 2, "no full path" },
	{ "socket too long", "[vm a]\nsocket = /" LONG_50 LONG_50 LONG_50, 2,
	  "107 bytes" },
	{ "short mac", "[vm a]\nmac = 52:54:00:12:34", 2, "no MAC address" },
	{ "mac of other letters", "[vm a]\nmac = 5):54:00:12:34:5g", 2,
	  "no MAC" },
	{ "mac with dashes", "[vm a]\nmac = 52-54-00-12-34-56", 2, "no MAC" },
	{ "multicast mac", "[vm a]\nmac = 01:00:5e:00:00:01", 2, "multicast" },
	{ "zero mac", "[vm a]\nmac = 00:00:00:00:00:00", 2, "all zero" },
};

static void test_bad(void **state)
{
	struct conf_error err;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		conf_default(&conf, &host);
		memset(&err, 0, sizeof(err));
		if (conf_parse(&conf, bad[i].text, strlen(bad[i].text),
			       "x.conf", &err) != -EINVAL)
			fail_msg("%s: taken", bad[i].what);
		if (err.line != bad[i].line || strcmp(err.file, "x.conf") ||
		    !strstr(err.text, bad[i].want))
			fail_msg("%s: %s:%u: %s", bad[i].what, err.file,
				 err.line, err.text);
	}
}

static void test_nul(void **state)
{
	static const char text[] = "[hostd]\ncpus = 1\0-3\n";
	struct conf_error err;

	(void)state;
	conf_default(&conf, &host);
	assert_int_equal(conf_parse(&conf, text, sizeof(text) - 1, "f", &err),
			 -EINVAL);
	assert_int_equal(err.line, 2);
	assert_non_null(strstr(err.text, "control character (0x00)"));
}

/* @b laid over @a: what b says wins, what it does not say stays. */
static const struct {
	const char *what, *a, *b, *want;
} layers[] = {
	{ "a later value wins", "[hostd]\ninterval=1us",
	  "[hostd]\ninterval=2us", "interval=2000 " },
	{ "the others stay", "[hostd]\ninterval=1us", "[hostd]\nidle-after=2us",
	  "idle-after=2000 interval=1000 " },
	{ "VM keys merge", "[vm a]\nweight=7\ncpus=2", "[vm a]\ncpus=1-3",
	  "[a] class=0 cpus=1-3 weight=7 " },
	{ "another percentile replaces the first", "[vm a]\nslo-p99=1ms",
	  "[vm a]\nslo-p50=2us", "slo=2000,5000,0 " },
	{ "VMs add up", "[vm a]\nweight=7", "[vm b]\nweight=8", "] class=0" },
};

static void test_layers(void **state)
{
	struct conf_error err;

	(void)state;
	for (unsigned i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
		conf_default(&conf, &host);
		assert_int_equal(conf_parse(&conf, layers[i].a,
					    strlen(layers[i].a), "a", &err),
				 0);
		assert_int_equal(conf_parse(&conf, layers[i].b,
					    strlen(layers[i].b), "b", &err),
				 0);
		if (!strstr(dump(&conf), layers[i].want))
			fail_msg("%s: %s", layers[i].what, dump(&conf));
	}
	assert_int_equal(conf.vm_cnt, 2);
	assert_string_equal(conf_vm(&conf, "b")->name, "b");
	assert_int_equal(conf_vm(&conf, "b")->weight, 8);
	assert_string_equal(conf_vm(&conf, "c")->name, "");
	assert_int_equal(conf_vm(&conf, "c")->cpus_max, CPU_MAX);
	assert_int_equal(conf_vm(&conf, "c")->class, VM_CLASS_BEST_EFFORT);
}

static const struct {
	const char *what, *text;
	unsigned line;	  /* 0: about no line */
	const char *want; /* NULL: it is fine */
} checks[] = {
	{ "defaults", "", 0, NULL },
	{ "SLO and class", "[vm a]\nclass=latency-critical\nslo-p99=1ms", 0,
	  NULL },
	{ "a meter by name", "[hostd]\nmeter=resctrl", 0, NULL },
	{ "a meter from a file", "[hostd]\nmeter=script:/x", 0, NULL },
	{ "an unknown meter", "[hostd]\nmeter=pcm", 2,
	  "unknown meter 'pcm': there are auto, resctrl, perf" },
	{ "a file somewhere", "[hostd]\nmeter=script:x", 2, "unknown meter" },
	{ "SLO alone", "\n[vm a]\nslo-p99=1ms", 2,
	  "VM a has an SLO but is best-effort: set class" },
	{ "a signal without SLO is watched", "[vm a]\nslo-signal=response", 0,
	  NULL },
	{ "all cpus guaranteed", "[vm a]\ncpus=4\n[vm b]\ncpus=3", 0, NULL },
	{ "one too many",
	  "[hostd]\ncpus=4-7\n[vm web]\ncpus=3\n[vm db]\ncpus=2-4\n[vm c]", 0,
	  "VMs are guaranteed 5 cpus (web 3, db 2) but only 4 are managed: "
	  "lower a minimum or widen cpus =" },
	{ "more than managed is a wish", "[vm a]\ncpus=0-100", 0, NULL },
	{ "a cpu the host lacks", "[hostd]\n\ncpus = 6-9", 3,
	  "cpus = names cpu 8-9, but only 0-7 are online" },
	{ "a floor the host lacks", "[hostd]\nfloor = 0,64", 2,
	  "floor = names cpu 64, but" },
	{ "poll cpu the host lacks", "[hostd]\npoll-cpu = 8", 2,
	  "poll-cpu = names cpu 8" },
	{ "poll cpu managed, sleeping", "[hostd]\npoll-cpu = 3", 0, NULL },
	{ "poll cpu managed, burning", "[hostd]\nidle = poll\npoll-cpu = 3", 3,
	  "cpu 3 would be burnt by hostd" },
	{ "managed poll cpu, burning", "[hostd]\nidle = poll\ncpus = 0-7", 3,
	  "cpu 0 would be burnt by hostd" },
	{ "poll cpu none, burning",
	  "[hostd]\nidle = poll\npoll-cpu = none\ncpus = 0-7", 0, NULL },
	{ "mistyped policy", "[hostd]\npolicy = sol", 2,
	  "unknown policy 'sol'" },
	{ "unknown policy", "[hostd]\npolicy = fastest", 2,
	  "unknown policy 'fastest': there are " },
	{ "nearly static", "[hostd]\npolicy = statik", 2,
	  "did you mean 'static'?" },
	{ "mac without a socket", "[vm a]\nmac = 52:54:00:00:00:01", 1,
	  "has a mac but no socket" },
	{ "one socket for two", "[vm a]\nsocket=/s\n[vm b]\nsocket=/s", 3,
	  "VMs a and b share socket /s" },
	{ "one mac for two",
	  "[vm a]\nsocket=/s\nmac = 52:54:00:00:00:01\n"
	  "[vm b]\nsocket=/t\nmac = 52:54:00:00:00:01",
	  4, "VMs a and b have the same mac" },
};

static void test_check(void **state)
{
	struct conf_error err;

	(void)state;
	for (unsigned i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		int rc;

		conf_default(&conf, &host);
		assert_int_equal(conf_parse(&conf, checks[i].text,
					    strlen(checks[i].text), "c.conf",
					    &err),
				 0);
		memset(&err, 0, sizeof(err));
		rc = conf_check(&conf, &host, &err);
		if (!checks[i].want) {
			if (rc)
				fail_msg("%s: %s", checks[i].what, err.text);
			continue;
		}
		if (rc != -EINVAL || err.line != checks[i].line ||
		    strcmp(err.file, "c.conf") ||
		    !strstr(err.text, checks[i].want))
			fail_msg("%s: %d %s:%u: %s", checks[i].what, rc,
				 err.file, err.line, err.text);
	}
}

static void test_empty_masks(void **state)
{
	static const struct cpumask one = { { 1 } };
	struct conf_error err;

	(void)state;
	conf_default(&conf, &one);
	assert_int_equal(conf_check(&conf, &one, &err), 0);
	assert_true(cpumask_has(&conf.managed, 0));
	memset(&conf.floor, 0, sizeof(conf.floor));
	assert_int_equal(conf_check(&conf, &one, &err), -EINVAL);
	assert_non_null(strstr(err.text, "floor = names no cpu"));
	conf_default(&conf, &one);
	memset(&conf.managed, 0, sizeof(conf.managed));
	assert_int_equal(conf_check(&conf, &one, &err), -EINVAL);
	assert_non_null(strstr(err.text, "cpus = names no cpu"));
	/* about no file: nothing is set in one */
	assert_string_equal(err.file, "");
	assert_int_equal(err.line, 0);
}

static void test_full(void **state)
{
	static char text[VM_MAX * 16];
	struct conf_error err;
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < VM_MAX; i++)
		n += (size_t)sprintf(text + n, "[vm %u]\n", i);
	conf_default(&conf, &host);
	assert_int_equal(conf_parse(&conf, text, n, "f", &err), 0);
	assert_int_equal(conf.vm_cnt, VM_MAX);
	assert_int_equal(conf_check(&conf, &host, &err), 0);
	assert_int_equal(conf_parse(&conf, "[vm x]", 6, "g", &err), -EINVAL);
	assert_non_null(strstr(err.text, "too many VMs"));
	assert_string_equal(err.file, "g");
	while (conf.file_cnt < CONF_FILES_MAX)
		assert_int_equal(conf_parse(&conf, "", 0, "h", &err), 0);
	assert_int_equal(conf_parse(&conf, "", 0, "i", &err), -EINVAL);
	assert_non_null(strstr(err.text, "too many files"));
	assert_string_equal(err.file, "i");
}

/* Keys that a running hostd can and cannot take. */
static const struct {
	const char *text, *key; /* NULL: it can */
} reloads[] = {
	{ "[hostd]\ninterval=1ms", NULL },
	{ "[hostd]\npolicy=none", NULL },
	{ "[switch]\nhold-time=1ms", NULL },
	{ "[vm a]\ncpus=1", NULL },
	{ "[hostd]\ncpus=1-6", NULL },
	{ "[hostd]\nfloor=1", NULL },
	{ "[hostd]\npoll-cpu=none", "poll-cpu" },
	{ "[hostd]\nbackend=null", "backend" },
	{ "[hostd]\nlibvirt-uri=test:///default", "libvirt-uri" },
	{ "[hostd]\nmeter=none", "meter" },
	{ "[hostd]\nnode-bandwidth=1GB/s", NULL },
	{ "[switch]\nuplink=none", "uplink" },
	{ "[switch]\nmac-table=1024", "mac-table" },
};

static void test_reload(void **state)
{
	struct conf_error err;

	(void)state;
	for (unsigned i = 0; i < sizeof(reloads) / sizeof(reloads[0]); i++) {
		conf_default(&conf, &host);
		conf_default(&other, &host);
		assert_int_equal(conf_parse(&other, reloads[i].text,
					    strlen(reloads[i].text), "r", &err),
				 0);
		memset(&err, 0, sizeof(err));
		if (conf_reload_check(&conf, &other, &err) !=
			(reloads[i].key ? -EINVAL : 0) ||
		    (reloads[i].key &&
		     (err.line != 2 || strncmp(err.text, reloads[i].key,
					       strlen(reloads[i].key)))))
			fail_msg("%s: %s:%u: %s", reloads[i].text, err.file,
				 err.line, err.text);
	}
}

static void put_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fputs(text, f) >= 0, 1);
	assert_int_equal(fclose(f), 0);
}

static void test_load(void **state)
{
	char dir[] = "/tmp/test_conf.XXXXXX", main_file[64], text[700], cmd[64];
	struct conf_error err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(main_file, sizeof(main_file), "%s/main", dir);
	put_file(dir, "main", "[hostd]\ninterval=1us\nidle-after=1us\n");
	put_file(dir, "9.conf", "[hostd]\ninterval=9us\n");
	put_file(dir, "10.conf", "[hostd]\ninterval=10us\nidle-after=10us\n");
	put_file(dir, "11.conf.bak", "rubbish");
	put_file(dir, ".hidden.conf", "rubbish");

	/* by bytes "10" comes before "9" */
	assert_int_equal(conf_load(&conf, main_file, dir, &host, &err), 0);
	assert_int_equal(conf.interval_ns, 9000);
	assert_int_equal(conf.idle_after_ns, 10000);

	/* a fault in a drop-in is told with its file; nothing changes */
	put_file(dir, "95.conf", "[vm web]\nslo-p9=1ms\n");
	other = conf;
	assert_int_equal(conf_load(&conf, main_file, dir, &host, &err),
			 -EINVAL);
	assert_memory_equal(&conf, &other, sizeof(conf));
	conf_error_text(&err, text, sizeof(text));
	assert_non_null(strstr(text, "/95.conf:2: unknown key 'slo-p9'"));

	/* so is one only the whole shows, at the section it is about */
	put_file(dir, "95.conf", "\n\n[vm web]\nslo-p99=1ms\n");
	assert_int_equal(conf_load(&conf, main_file, dir, &host, &err),
			 -EINVAL);
	conf_error_text(&err, text, sizeof(text));
	assert_non_null(strstr(text, "/95.conf:3: VM web has an SLO"));

	/* no files, no directory: the defaults */
	assert_int_equal(conf_load(&conf, NULL, "/nonexistent", &host, &err),
			 0);
	assert_int_equal(conf.interval_ns, 20000);
	assert_int_equal(conf_load(&conf, NULL, NULL, &host, &err), 0);
	/* but a file that was asked for must be there */
	assert_int_equal(conf_load(&conf, "/nonexistent", NULL, &host, &err),
			 -ENOENT);
	assert_string_equal(err.file, "/nonexistent");
	assert_int_equal(conf_load(&conf, dir, NULL, &host, &err), -EISDIR);
	assert_int_equal(conf_load(&conf, "/dev/zero", NULL, &host, &err),
			 -EFBIG);
	assert_int_equal(conf_load(&conf, NULL, main_file, &host, &err),
			 -ENOTDIR);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
}

static char *read_file(const char *path)
{
	static char text[1 << 16];
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f) {
		fail_msg("%s: %s (run from the top of the tree)", path,
			 strerror(errno));
		return NULL; /* not reached; cppcheck does not know */
	}
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

/* The commented defaults of configs/hostd.conf are the real ones. */
static void test_file_shows_defaults(void **state)
{
	char *text = read_file("configs/hostd.conf"), *line = text;
	struct conf_error err;
	unsigned keys = 0;

	(void)state;
	while (*line) {
		if (line[0] == '#' && line[1] >= 'a' && line[1] <= 'z') {
			line[0] = ' ';
			keys++;
		}
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	conf_default(&other, &host);
	conf_default(&conf, &host);
	/* so that a key that is not set is seen */
	conf.interval_ns = conf.hold_ns = 1;
	conf.socket_group[0] = conf.uplink[0] = '\0';
	if (conf_parse(&conf, text, strlen(text), "configs/hostd.conf", &err))
		fail_msg("line %u: %s", err.line, err.text);
	assert_string_equal(dump(&conf), dump(&other));
	assert_int_equal(keys, 20);
}

/* The example behind a tab in configs/hostd.conf can be used as it stands. */
static void test_file_example(void **state)
{
	char *text = read_file("configs/hostd.conf"), *line = text;
	struct conf_error err;

	(void)state;
	while (*line) {
		if (line[0] == '#' && line[1] == '\t' &&
		    strstr(text, "[vm web]") - line <= 2)
			line[0] = ' ';
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	conf_default(&conf, &host);
	if (conf_parse(&conf, text, strlen(text), "f", &err) ||
	    conf_check(&conf, &host, &err))
		fail_msg("line %u: %s", err.line, err.text);
	assert_int_equal(conf_vm(&conf, "web")->slo_ns, 500000);
	assert_int_equal(conf_vm(&conf, "nightly batch")->weight, 50);
	assert_int_equal(conf_load(&conf, NULL, "configs/conf.d", &host, &err),
			 0);
	assert_int_equal(conf.vm_cnt, 1);
}

/* Every key the parser knows is written up in both places. */
static void test_keys_written_up(void **state)
{
	static const struct conf_key *const tables[] = { conf_keys_hostd,
							 conf_keys_switch,
							 conf_keys_vm };
	static const struct {
		const char *path, *before, *after;
	} files[] = {
		{ "configs/hostd.conf", "#", " " },
		{ "docs/hostd.conf.5", ".It Cm ", "" },
	};
	char want[64];

	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		const char *text = read_file(files[f].path);

		for (unsigned t = 0; t < 3; t++)
			for (const struct conf_key *k = tables[t]; k->name;
			     k++) {
				snprintf(want, sizeof(want), "%s%s%s%s",
					 files[f].before,
					 f == 0 && t == 2 ? "   " : "", k->name,
					 files[f].after);
				if (!strstr(text, want))
					fail_msg("no '%s' in %s", want,
						 files[f].path);
			}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_empty_masks),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_file_shows_defaults),
		cmocka_unit_test(test_file_example),
		cmocka_unit_test(test_keys_written_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
