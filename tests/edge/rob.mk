# the list of VMs with everything around it faked
EDGE += vms
EDGE_SRCS_vms := hostd/vms.c hostd/stat.c hostd/log.c
EDGE_LDFLAGS_vms := -Wl,--wrap=nanosleep
