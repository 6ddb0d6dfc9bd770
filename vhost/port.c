/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port.c - names of the reasons for which frames are dropped
 */
#include "vhost/port.h"

const char *drop_name(unsigned reason)
{
	static const char *const name[] = {
		[DROP_HOLD_FULL] = "hold-full",
		[DROP_HOLD_AGE] = "hold-age",
		[DROP_PORT_DOWN] = "port-down",
		[DROP_SOURCE_MAC] = "source-mac",
		[DROP_BAD_FRAME] = "bad-frame",
		[DROP_FLOOD_LIMIT] = "flood-limit",
		[DROP_NO_ROUTE] = "no-route",
		[DROP_UPLINK_FULL] = "uplink-full",
		[DROP_SELF] = "self",
		[DROP_NO_MBUF] = "no-mbuf",
	};

	_Static_assert(sizeof(name) / sizeof(name[0]) == DROP_NUM,
		       "one name for each reason");
	return reason < DROP_NUM ? name[reason] : "unknown";
}
