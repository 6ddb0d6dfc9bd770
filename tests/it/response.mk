# response as the switch sees it and as the client does, with and without guests
IT += tests/it/response tests/it/response-tap
IT_BINS += $(O)/tests/it/response_tap
RESPONSE_TAP_SRCS := tests/it/response_tap.c vhost/switch.c vhost/flow.c \
	vhost/response.c vhost/forward.c vhost/mac_table.c vhost/hold.c \
	vhost/waiter.c vhost/port_uplink.c vhost/port_relay.c vhost/eal.c
DPDK_SRCS += tests/it/response_tap.c

$(O)/tests/it/response_tap: $(RESPONSE_TAP_SRCS:%.c=$(O)/%.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(DPDK_LIBS)
