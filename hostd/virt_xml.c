// SPDX-License-Identifier: Apache-2.0
/*
 * virt_xml.c - what hostd needs of a libvirt domain XML
 *
 * Pure but for the memory libxml2 takes and gives back. libvirt writes this
 * text, yet names and paths in it were chosen by whoever may define a VM, so
 * every value is checked for form. A document type is refused before the
 * parser sees it: libvirt writes none, and entities are the one thing in XML
 * whose cost is not bounded by its length.
 */
#include "virt_xml.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#include "hl/hex.h"

#include "hl/agent.h"

static const char doctype[] = "<!DOCTYPE";

static bool is_element(const xmlNode *n, const char *name)
{
	return n->type == XML_ELEMENT_NODE &&
	       !strcmp((const char *)n->name, name);
}

static const xmlNode *child(const xmlNode *of, const char *name)
{
	for (const xmlNode *n = of->children; n; n = n->next)
		if (is_element(n, name))
			return n;
	return NULL;
}

/*
 * attribute() - The value of an attribute, or NULL
 * Points into the document. A value in several pieces (an entity in it) is not
 * something libvirt writes: NULL.
 */
static const char *attribute(const xmlNode *n, const char *name)
{
	for (const xmlAttr *a = n->properties; a; a = a->next) {
		if (strcmp((const char *)a->name, name))
			continue;
		if (!a->children || a->children->next ||
		    a->children->type != XML_TEXT_NODE)
			return NULL;
		return (const char *)a->children->content;
	}
	return NULL;
}

static bool attribute_is(const xmlNode *n, const char *name, const char *value)
{
	const char *at = attribute(n, name);

	return at && !strcmp(at, value);
}

/* A decimal number up to @max, nothing else but white space around it. */
static bool number(const char *at, unsigned max, unsigned *out)
{
	unsigned n = 0;

	if (!at)
		return false;
	at += strspn(at, " \t\r\n");
	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++) {
		n = n * 10 + (unsigned)(*at - '0');
		if (n > max)
			return false;
	}
	at += strspn(at, " \t\r\n");
	*out = n;
	return !*at;
}

/* "52:54:00:12:34:56": six pairs, one machine's address (not a group's). */
static bool mac_parse(const char *at, uint8_t mac[6])
{
	if (!at || strlen(at) != 17)
		return false;
	for (unsigned i = 0; i < 6; i++, at += 3) {
		int high = hex_digit(at[0]), low = hex_digit(at[1]);

		if (high < 0 || low < 0 || at[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return !(mac[0] & 1);
}

static bool nic_parse(const xmlNode *interface, struct virt_nic *nic)
{
	const xmlNode *source = child(interface, "source");
	const xmlNode *mac = child(interface, "mac");
	const char *path = source ? attribute(source, "path") : NULL;
	size_t bytes = path ? strlen(path) + 1 : 0;

	if (!path || !mac || *path != '/' || bytes > sizeof(nic->path))
		return false;
	if (!attribute_is(source, "type", "unix"))
		return false;
	nic->qemu_listens = attribute_is(source, "mode", "server");
	if (!nic->qemu_listens && !attribute_is(source, "mode", "client"))
		return false;
	memcpy(nic->path, path, bytes);
	return mac_parse(attribute(mac, "address"), nic->mac);
}

static void nics_parse(const xmlNode *devices, struct virt_xml *out)
{
	for (const xmlNode *n = devices->children; n; n = n->next) {
		struct virt_nic nic = { .qemu_listens = false };

		if (!is_element(n, "interface") ||
		    !attribute_is(n, "type", "vhostuser"))
			continue;
		if (out->nic_cnt < VIRT_NICS_MAX && nic_parse(n, &nic))
			out->nic[out->nic_cnt++] = nic;
		else if (out->nic_refused < UINT16_MAX)
			out->nic_refused++;
	}
}

/*
 * Of <channel type='unix'> the one whose port in the guest is the agent's. Only
 * where QEMU listens (mode='bind') can hostd connect.
 */
static void channel_parse(const xmlNode *n, struct virt_xml *out)
{
	const xmlNode *source = child(n, "source");
	const xmlNode *target = child(n, "target");
	const char *path = source ? attribute(source, "path") : NULL;
	size_t bytes = path ? strlen(path) + 1 : 0;

	if (!target || !attribute_is(target, "type", "virtio") ||
	    !attribute_is(target, "name", AGENT_PORT))
		return;
	/* no path: not started, and libvirt will choose one */
	if (out->channel[0] || !attribute_is(n, "type", "unix") ||
	    (path && (*path != '/' || bytes > sizeof(out->channel) ||
		      !attribute_is(source, "mode", "bind"))))
		out->agent_refused++;
	else if (path)
		memcpy(out->channel, path, bytes);
}

/* Of <shmem> the one whose name begins as the agent's page does. */
static void shmem_parse(const xmlNode *n, struct virt_xml *out)
{
	static const char prefix[] = AGENT_SHMEM;
	const xmlNode *model = child(n, "model");
	const char *name = attribute(n, "name");
	size_t bytes = name ? strlen(name) + 1 : 0;

	if (!name || strncmp(name, prefix, sizeof(prefix) - 1))
		return;
	if (out->shmem[0] || strchr(name, '/') || bytes > sizeof(out->shmem) ||
	    !model || !attribute_is(model, "type", "ivshmem-plain"))
		out->agent_refused++;
	else
		memcpy(out->shmem, name, bytes);
}

static void agent_parse(const xmlNode *devices, struct virt_xml *out)
{
	for (const xmlNode *n = devices->children; n; n = n->next) {
		if (out->agent_refused == UINT16_MAX)
			return;
		if (is_element(n, "channel"))
			channel_parse(n, out);
		else if (is_element(n, "shmem"))
			shmem_parse(n, out);
	}
}

static void pins_parse(const xmlNode *cputune, struct virt_xml *out)
{
	for (const xmlNode *n = cputune->children; n; n = n->next) {
		unsigned i;

		if (is_element(n, "vcpupin") &&
		    number(attribute(n, "vcpu"), VIRT_VCPUS_MAX - 1, &i))
			out->pinned[i / 64] |= 1ull << i % 64;
	}
}

static int domain_parse(const xmlNode *domain, struct virt_xml *out)
{
	const xmlNode *vcpu, *cputune, *devices;
	unsigned max = 1; /* libvirt's default */

	if (!domain || !is_element(domain, "domain"))
		return -EINVAL;
	vcpu = child(domain, "vcpu");
	if (vcpu &&
	    (!vcpu->children || vcpu->children->next ||
	     vcpu->children->type != XML_TEXT_NODE ||
	     !number((const char *)vcpu->children->content, UINT16_MAX, &max)))
		return -EINVAL;
	out->vcpu_max = (uint16_t)max;
	cputune = child(domain, "cputune");
	if (cputune)
		pins_parse(cputune, out);
	devices = child(domain, "devices");
	if (devices) {
		nics_parse(devices, out);
		agent_parse(devices, out);
	}
	return 0;
}

int virt_xml_parse(const char *text, size_t len, struct virt_xml *out)
{
	const int options = XML_PARSE_NONET | XML_PARSE_NOERROR |
			    XML_PARSE_NOWARNING | XML_PARSE_NOCDATA;
	xmlDoc *doc;
	int err;

	memset(out, 0, sizeof(*out));
	if (len > VIRT_XML_MAX)
		return -E2BIG;
	if (memmem(text, len, doctype, strlen(doctype)))
		return -EINVAL;
	/* With the encoding given, no declaration can hide a document type. */
	doc = xmlReadMemory(text, (int)len, NULL, "UTF-8", options);
	if (!doc) {
		const xmlError *e = xmlGetLastError();

		return e && e->code == XML_ERR_NO_MEMORY ? -ENOMEM : -EINVAL;
	}
	err = domain_parse(xmlDocGetRootElement(doc), out);
	xmlFreeDoc(doc);
	return err;
}
