# unit tests of the configuration and the counters
CONF_SRCS := hostd/conf.c hostd/conf_check.c hostd/conf_load.c \
	hostd/conf_value.c hostd/cpulist.c
UNIT += conf stat
UNIT_SRCS_conf := $(CONF_SRCS) $(wildcard hostd/policy/*.c)
UNIT_LIBS_conf := -linih
UNIT_SRCS_stat := hostd/stat.c
UNIT += name hostctl_table
UNIT_SRCS_name := hostd/name.c
UNIT_SRCS_hostctl_table := hostd/hostctl_table.c hostd/name.c
