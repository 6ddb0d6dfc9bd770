# meters of memory traffic, and the thread that reads them
METER_SRCS := hostd/meter.c hostd/meter_script.c hostd/meter_perf.c \
	hostd/meter_resctrl.c
UNIT += meter
UNIT_SRCS_meter := $(METER_SRCS)
UNIT_LDFLAGS_meter := -Wl,--wrap=syscall
UNIT += meters
UNIT_SRCS_meters := hostd/meters.c hostd/meter_board.c hostd/meter.c \
	hostd/meter_script.c hostd/stat.c hostd/policy/snapshot.c hostd/log.c \
	$(filter-out hostd/meter.c hostd/meter_script.c,$(METER_SRCS))
