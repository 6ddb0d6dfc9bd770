# Unit test of the host's topology; libnuma is wrapped, not linked
UNIT += topo
UNIT_SRCS_topo := hostd/topo.c hostd/cpulist.c
UNIT_LDFLAGS_topo := -Wl,--wrap=numa_available -Wl,--wrap=numa_node_of_cpu
