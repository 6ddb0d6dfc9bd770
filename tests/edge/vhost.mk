# The switch with real frames: needs DPDK's memory, so it is an edge test
EDGE += switch
EDGE_SRCS_switch := vhost/switch.c vhost/flow.c vhost/response.c \
	vhost/forward.c vhost/mac_table.c \
	vhost/hold.c vhost/waiter.c vhost/port.c vhost/port_mem.c \
	vhost/delay.c vhost/eal.c
EDGE_LIBS_switch = $(DPDK_LIBS)
DPDK_SRCS += tests/edge/test_switch.c

EDGE += switch_response
EDGE_SRCS_switch_response := $(EDGE_SRCS_switch)
EDGE_LIBS_switch_response = $(DPDK_LIBS)
DPDK_SRCS += tests/edge/test_switch_response.c
