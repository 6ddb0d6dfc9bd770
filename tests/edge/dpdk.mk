# the DPDK half of the packet path
EDGE += port_vhost
EDGE_SRCS_port_vhost := vhost/port_vhost.c vhost/sockfile.c vhost/delay.c \
	tests/fake/fake_vhost.c

EDGE += port_uplink
EDGE_SRCS_port_uplink := vhost/port_uplink.c vhost/port_relay.c vhost/eal.c
EDGE_LIBS_port_uplink = $(DPDK_LIBS)

DPDK_SRCS += tests/edge/test_port_vhost.c tests/edge/test_port_uplink.c \
	tests/fake/fake_vhost.c
