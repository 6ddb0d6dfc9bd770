# unit tests of the switch and of include/hl/
UNIT += hist mbox cpumask mac_table forward hold waiter port
UNIT_SRCS_hist :=
UNIT_SRCS_mbox :=
UNIT_SRCS_cpumask :=
UNIT_SRCS_mac_table := vhost/mac_table.c
UNIT_SRCS_forward := vhost/forward.c vhost/mac_table.c
UNIT_SRCS_hold := vhost/hold.c
UNIT_SRCS_waiter := vhost/waiter.c
UNIT_SRCS_port := vhost/port.c
UNIT += flow response
UNIT_SRCS_flow := vhost/flow.c
UNIT_SRCS_response := vhost/response.c vhost/flow.c
