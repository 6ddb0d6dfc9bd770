# hostsim replay: policies decide again on what was recorded
REPLAY_SRCS := tests/sim/replay.c tests/sim/replay_read.c \
	tests/sim/replay_run.c hostd/owners.c hostd/hostctl_table.c \
	hostd/name.c $(wildcard hostd/policy/*.c)

# as a program of its own; needs nothing else of the simulator
$(O)/tests/sim/hl-replay: $(call objs,tests/sim/replay_alone.c $(REPLAY_SRCS))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS)
