# any bytes as hostd.conf
FUZZ += conf
FUZZ_SRCS_conf := hostd/conf.c hostd/conf_check.c hostd/conf_load.c \
	hostd/conf_value.c hostd/cpulist.c $(wildcard hostd/policy/*.c)
FUZZ_LIBS_conf := -linih
