// SPDX-License-Identifier: Apache-2.0
/*
 * test_virt_xml.c - domain XML in, NICs and vcpu numbers or a refusal out
 */
#include "virt_xml.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NIC(source, mac)                                                       \
	"<interface type='vhostuser'>" mac "<source " source "/></interface>"
#define MAC		"<mac address='52:54:00:0a:0B:0c'/>"
#define UNIX		"type='unix' path='/run/a' mode='client'"
#define DEV(in)		"<domain><devices>" in "</devices></domain>"
#define PORT		"<target type='virtio' name='org.heighliner.agent.0'/>"
#define CHANNEL(source) "<channel type='unix'>" source PORT "</channel>"
#define BIND		"<source mode='bind' path='/run/c'/>"
#define SHMEM(name)                                                            \
	"<shmem name='" name "'><model type='ivshmem-plain'/></shmem>"

static void test_whole(void **state)
{
	static const char text[] =
	    "<?xml version='1.0'?>\n<domain type='kvm' id='1'>"
	    "<name>a &amp; b</name><vcpu placement='static' current='2'>"
	    "\n 8 </vcpu>"
	    "<cputune><vcpupin vcpu='0' cpuset='1'/><vcpupin vcpu='65' "
	    "cpuset='1-2'/><vcpupin vcpu='512' cpuset='1'/><vcpupin "
	    "vcpu='x' cpuset='1'/><emulatorpin cpuset='0'/></cputune>"
	    "<devices><emulator>/q</emulator>"
	    "<interface type='network'><mac address='52:54:00:00:00:01'/>"
	    "<source network='default'/></interface>"
	    "<interface type='vhostuser'>" MAC
	    "<source type='unix' path='/run/a' mode='client'>"
	    "<reconnect enabled='yes' timeout='1'/></source>"
	    "<model type='virtio'/></interface>"
	    "<interface type='vhostuser'><source mode='server' "
	    "type='unix' path='/run/b'/>" MAC "</interface>"
	    "</devices></domain>";
	struct virt_xml x;

	(void)state;
	assert_int_equal(virt_xml_parse(text, sizeof(text) - 1, &x), 0);
	assert_int_equal(x.vcpu_max, 8);
	assert_int_equal(x.nic_cnt, 2);
	assert_int_equal(x.nic_refused, 0);
	assert_string_equal(x.nic[0].path, "/run/a");
	assert_false(x.nic[0].qemu_listens);
	assert_memory_equal(x.nic[0].mac, "\x52\x54\x00\x0a\x0b\x0c", 6);
	assert_string_equal(x.nic[1].path, "/run/b");
	assert_true(x.nic[1].qemu_listens);
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(virt_xml_pinned(&x, i), i == 0 || i == 65);
}

static void test_rows(void **state)
{
	static const struct {
		const char *what, *text;
		int out;
		unsigned vcpus, nics, refused;
	} row[] = {
		{ "empty", "", -EINVAL, 0, 0, 0 },
		{ "no XML", "hello", -EINVAL, 0, 0, 0 },
		{ "cut off", "<domain><devices>", -EINVAL, 0, 0, 0 },
		{ "another root", "<network/>", -EINVAL, 0, 0, 0 },
		{ "smallest", "<domain/>", 0, 1, 0, 0 },
		{ "vcpu no number", "<domain><vcpu>two</vcpu></domain>",
		  -EINVAL, 0, 0, 0 },
		{ "vcpu empty", "<domain><vcpu/></domain>", -EINVAL, 0, 0, 0 },
		{ "vcpu too large", "<domain><vcpu>65536</vcpu></domain>",
		  -EINVAL, 0, 0, 0 },
		{ "vcpu large", "<domain><vcpu>65535</vcpu></domain>", 0, 65535,
		  0, 0 },
		{ "vcpu negative", "<domain><vcpu>-1</vcpu></domain>", -EINVAL,
		  0, 0, 0 },
		{ "vcpu deeper is another thing",
		  "<domain><vcpus><vcpu>3</vcpu></vcpus></domain>", 0, 1, 0,
		  0 },
		{ "a NIC", DEV(NIC(UNIX, MAC)), 0, 1, 1, 0 },
		{ "NIC outside of devices",
		  "<domain>" NIC(UNIX, MAC) "</domain>", 0, 1, 0, 0 },
		{ "no MAC", DEV(NIC(UNIX, "")), 0, 1, 0, 1 },
		{ "no path", DEV(NIC("type='unix' mode='client'", MAC)), 0, 1,
		  0, 1 },
		{ "relative path",
		  DEV(NIC("type='unix' path='a' mode='client'", MAC)), 0, 1, 0,
		  1 },
		{ "no mode", DEV(NIC("type='unix' path='/a'", MAC)), 0, 1, 0,
		  1 },
		{ "odd mode",
		  DEV(NIC("type='unix' path='/a' mode='both'", MAC)), 0, 1, 0,
		  1 },
		{ "not unix",
		  DEV(NIC("type='tcp' path='/a' mode='client'", MAC)), 0, 1, 0,
		  1 },
		{ "path with an escaped character",
		  DEV(NIC("type='unix' path='/a&amp;b' mode='client'", MAC)), 0,
		  1, 1, 0 },
		{ "group MAC",
		  DEV(NIC(UNIX, "<mac address='53:54:00:00:00:01'/>")), 0, 1, 0,
		  1 },
		{ "short MAC", DEV(NIC(UNIX, "<mac address='52:54:0:0:0:1'/>")),
		  0, 1, 0, 1 },
		{ "MAC with a bad digit",
		  DEV(NIC(UNIX, "<mac address='52:54:00:00:00:0g'/>")), 0, 1, 0,
		  1 },
		{ "MAC with dashes",
		  DEV(NIC(UNIX, "<mac address='52-54-00-00-00-01'/>")), 0, 1, 0,
		  1 },
		{ "document type",
		  "<!DOCTYPE domain [<!ENTITY a 'b'>]><domain/>", -EINVAL, 0, 0,
		  0 },
		{ "undeclared entity",
		  DEV(NIC("type='unix' path='&x;' mode='client'", MAC)),
		  -EINVAL, 0, 0, 0 },
		{ "not UTF-8", "<domain>\xff\xfe</domain>", -EINVAL, 0, 0, 0 },
	};
	struct virt_xml x;

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		int out = virt_xml_parse(row[i].text, strlen(row[i].text), &x);

		if (out != row[i].out)
			fail_msg("%s: %d", row[i].what, out);
		if (!out &&
		    (x.vcpu_max != row[i].vcpus || x.nic_cnt != row[i].nics ||
		     x.nic_refused != row[i].refused))
			fail_msg("%s: %u vcpus, %u nics, %u refused",
				 row[i].what, x.vcpu_max, x.nic_cnt,
				 x.nic_refused);
	}
}

static void test_agent(void **state)
{
	static const struct {
		const char *what, *text, *channel, *shmem;
		unsigned refused;
	} row[] = {
		{ "none", DEV(""), "", "", 0 },
		{ "a channel", DEV(CHANNEL(BIND)), "/run/c", "", 0 },
		{ "as libvirt writes it",
		  DEV("<channel type='unix'>"
		      "<source mode='bind' path='/run/c'/><target "
		      "type='virtio' name='org.heighliner.agent.0' "
		      "state='disconnected'/><alias name='channel0'/><address "
		      "type='virtio-serial' controller='0' bus='0' "
		      "port='1'/></channel>"),
		  "/run/c", "", 0 },
		{ "not started: no source", DEV(CHANNEL("")), "", "", 0 },
		{ "not started: no path", DEV(CHANNEL("<source mode='bind'/>")),
		  "", "", 0 },
		{ "another port",
		  DEV("<channel type='unix'>" BIND "<target type='virtio' "
		      "name='org.qemu.guest_agent.0'/></channel>"),
		  "", "", 0 },
		{ "a port of another kind",
		  DEV("<channel type='unix'>" BIND "<target type='guestfwd' "
		      "name='org.heighliner.agent.0'/></channel>"),
		  "", "", 0 },
		{ "a longer name",
		  DEV("<channel type='unix'>" BIND "<target type='virtio' "
		      "name='org.heighliner.agent.00'/></channel>"),
		  "", "", 0 },
		{ "QEMU connects",
		  DEV(CHANNEL("<source mode='connect' path='/run/c'/>")), "",
		  "", 1 },
		{ "no mode", DEV(CHANNEL("<source path='/run/c'/>")), "", "",
		  1 },
		{ "a relative path",
		  DEV(CHANNEL("<source mode='bind' path='c'/>")), "", "", 1 },
		{ "an empty path",
		  DEV(CHANNEL("<source mode='bind' path=''/>")), "", "", 1 },
		{ "a pty", DEV("<channel type='pty'>" BIND PORT "</channel>"),
		  "", "", 1 },
		{ "two", DEV(CHANNEL(BIND) CHANNEL(BIND)), "/run/c", "", 1 },
		{ "outside of devices", "<domain>" CHANNEL(BIND) "</domain>",
		  "", "", 0 },
		{ "a page", DEV(SHMEM("heighliner-a")), "", "heighliner-a", 0 },
		{ "both", DEV(SHMEM("heighliner-a") CHANNEL(BIND)), "/run/c",
		  "heighliner-a", 0 },
		{ "somebody else's memory", DEV(SHMEM("lg")), "", "", 0 },
		{ "no name", DEV("<shmem/>"), "", "", 0 },
		{ "a name with a slash", DEV(SHMEM("heighliner-/../x")), "", "",
		  1 },
		{ "another model",
		  DEV("<shmem name='heighliner-a'><model "
		      "type='ivshmem-doorbell'/></shmem>"),
		  "", "", 1 },
		{ "no model", DEV("<shmem name='heighliner-a'/>"), "", "", 1 },
		{ "two pages", DEV(SHMEM("heighliner-a") SHMEM("heighliner-b")),
		  "", "heighliner-a", 1 },
		{ "a name of 63 bytes",
		  DEV(SHMEM("heighliner-"
			    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
			    "ff")),
		  "",
		  "heighliner-"
		  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeff",
		  0 },
		{ "a name of 64 bytes",
		  DEV(SHMEM("heighliner-"
			    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
			    "fff")),
		  "", "", 1 },
	};
	struct virt_xml x;

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(
		    virt_xml_parse(row[i].text, strlen(row[i].text), &x), 0);
		if (strcmp(x.channel, row[i].channel) ||
		    strcmp(x.shmem, row[i].shmem) ||
		    x.agent_refused != row[i].refused)
			fail_msg("%s: channel '%s', page '%s', %u refused",
				 row[i].what, x.channel, x.shmem,
				 x.agent_refused);
	}
}

/* A path of 107 bytes fits sun_path, one of 108 does not. */
static void test_path_length(void **state)
{
	char path[120], text[512];
	struct virt_xml x;

	(void)state;
	for (int len = 106; len < 110; len++) {
		memset(path, 'a', sizeof(path));
		path[0] = '/';
		path[len] = '\0';
		snprintf(text, sizeof(text),
			 "<domain><devices><interface type='vhostuser'>" MAC
			 "<source type='unix' path='%s' mode='client'/>"
			 "</interface><channel type='unix'><source mode='bind' "
			 "path='%s'/>" PORT "</channel></devices></domain>",
			 path, path);
		assert_int_equal(virt_xml_parse(text, strlen(text), &x), 0);
		assert_int_equal(x.nic_cnt, len < 108);
		assert_string_equal(x.channel, len < 108 ? path : "");
		if (x.nic_cnt)
			assert_string_equal(x.nic[0].path, path);
	}
}

static void test_many(void **state)
{
	static const char nic[] = NIC(UNIX, MAC);
	char *text = calloc(1, VIRT_XML_MAX + 1);
	struct virt_xml x;

	(void)state;
	strcpy(text, "<domain><devices>");
	for (unsigned i = 0; i < VIRT_NICS_MAX + 100; i++)
		strcat(text, nic);
	strcat(text, "</devices></domain>");
	assert_int_equal(virt_xml_parse(text, strlen(text), &x), 0);
	assert_int_equal(x.nic_cnt, VIRT_NICS_MAX);
	assert_int_equal(x.nic_refused, 100);
	assert_int_equal(virt_xml_parse(text, VIRT_XML_MAX + 1, &x), -E2BIG);
	/* deep nesting is the parser's to refuse */
	text[0] = '\0';
	for (unsigned i = 0; i < 5000; i++)
		memcpy(text + i * 3, "<a>", 4);
	assert_int_equal(virt_xml_parse(text, strlen(text), &x), -EINVAL);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_agent),
		cmocka_unit_test(test_path_length),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
