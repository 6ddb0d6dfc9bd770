# cost of a switch pass
BENCH += switch
BENCH_SRCS_switch := vhost/switch.c vhost/flow.c vhost/response.c \
	vhost/forward.c vhost/mac_table.c \
	vhost/hold.c vhost/waiter.c vhost/port_mem.c vhost/delay.c vhost/eal.c
BENCH_LIBS_switch = $(DPDK_LIBS)
