# the pure parts of the DPDK half
UNIT += delay
UNIT_SRCS_delay := vhost/delay.c

UNIT += gate
