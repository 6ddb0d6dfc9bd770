# Unit tests of the host's topology and of nodes; libnuma is wrapped, not linked
UNIT += topo
UNIT_SRCS_topo := hostd/topo.c hostd/cpulist.c
UNIT += node
UNIT_SRCS_node := hostd/node.c
UNIT_LDFLAGS_node := -Wl,--wrap=numa_available -Wl,--wrap=numa_node_of_cpu \
	-Wl,--wrap=numa_max_node -Wl,--wrap=numa_distance \
	-Wl,--wrap=numa_move_pages
