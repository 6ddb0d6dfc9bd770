// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_frame.c - any bytes as frames: no crash, and no tenant gets another's
 *
 * The input is a list of frames: port, time step, header bytes present, how
 * long the frame is beyond those (two bytes), then the header. Ports as in
 * test_forward.c: 0 the uplink, 1 and 2 VMs with a checked MAC, 3 and 4 VMs
 * that may use any.
 */
#include <stdlib.h>

#include "vhost/forward.h"

#define PORTS	   5
#define MACS	   16 /* small: eviction is usual */
#define RECORD	   5  /* bytes before the header */
#define AGE_NS	   1000
#define STEP_NS	   10
#define must(what) ((what) ? (void)0 : abort())

static const uint8_t mac[PORTS][6] = {
	[1] = { 0x52, 0x54, 0, 0, 0, 0x0a },
	[2] = { 0x52, 0x54, 0, 0, 0, 0x0b },
};

static struct mac_table macs;
static struct forward forward;
static struct port port[PORTS];

static void start(void)
{
	must(!mac_table_init(&macs, MACS, AGE_NS));
	forward = (struct forward){ .macs = &macs, .flood_pps = 1000 };
	for (uint16_t id = 0; id < PORTS; id++) {
		port[id] = (struct port){ .id = id, .is_uplink = !id };
		memcpy(port[id].mac, mac[id], 6);
		port[id].mac_check = mac_key(mac[id]) != 0;
		if (port[id].mac_check)
			must(!mac_table_pin(&macs, mac_key(mac[id]), id));
	}
}

/* What must hold for every frame, whatever came before. */
static void check(struct verdict v, const struct port *from,
		  const uint8_t *head, uint64_t now_ns)
{
	must(mac_table_lookup(&macs, mac_key(mac[1]), now_ns) == 1);
	must(mac_table_lookup(&macs, mac_key(mac[2]), now_ns) == 2);
	if (v.kind == VERDICT_DROP) {
		must(v.reason < DROP_NUM);
		return;
	}
	for (unsigned id = 1; id <= 2; id++) {
		/* sent in its name: by itself; sent to it: to it alone */
		must(memcmp(head + 6, mac[id], 6) || from->id == id);
		must(memcmp(head, mac[id], 6) || v.port == id);
	}
	must(!from->mac_check || !memcmp(head + 6, from->mac, 6));
	if (v.kind == VERDICT_PORT) {
		must(v.port < PORTS && v.port != from->id);
		must(!mac_is_group(head));
	} else {
		must(v.kind == VERDICT_FLOOD && mac_is_group(head));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t now_ns = 1;

	start();
	while (size > RECORD) {
		const struct port *from = &port[data[0] % PORTS];
		uint32_t head_bytes = data[2];
		uint32_t beyond = data[3] | (uint32_t)data[4] << 8;
		struct verdict v;
		uint8_t *head;

		now_ns += data[1] * STEP_NS;
		data += RECORD;
		size -= RECORD;
		if (head_bytes > size)
			head_bytes = (uint32_t)size;
		/* Memory of its own, so that one byte too far is seen */
		head = malloc(head_bytes + !head_bytes);
		must(head);
		memcpy(head, data, head_bytes);
		v = forward_decide(&forward, from, head, head_bytes,
				   head_bytes + beyond, now_ns);
		check(v, from, head, now_ns);
		free(head);
		data += head_bytes;
		size -= head_bytes;
	}
	mac_table_exit(&macs);
	return 0;
}
