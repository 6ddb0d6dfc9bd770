# vhost/: the packet path, a library that knows nothing of hostd
VHOST_SRCS := $(wildcard vhost/*.c)
DPDK_SRCS += $(VHOST_SRCS)
