# tests/it/vhost-pair runs this
IT += tests/it/vhost-pair
IT_BINS += $(O)/tests/it/vhost_pair
VHOST_PAIR_SRCS := tests/it/vhost_pair.c vhost/port_vhost.c vhost/sockfile.c \
	vhost/delay.c vhost/port_uplink.c vhost/port_relay.c vhost/eal.c
DPDK_SRCS += tests/it/vhost_pair.c

$(O)/tests/it/vhost_pair: $(VHOST_PAIR_SRCS:%.c=$(O)/%.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(DPDK_LIBS)
