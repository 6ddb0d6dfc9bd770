# decisions explained, recorded
UNIT += because
UNIT_SRCS_because := $(wildcard hostd/policy/*.c) $(SCENE_SRCS)
UNIT += why
UNIT_SRCS_why := hostd/why.c hostd/why_row.c hostd/stat.c hostd/name.c \
	hostd/cpulist.c \
	$(wildcard hostd/policy/*.c) $(SCENE_SRCS)
UNIT += record
UNIT_SRCS_record := hostd/record_feed.c tests/sim/replay_read.c \
	$(wildcard hostd/policy/*.c)
UNIT += replay
UNIT_SRCS_replay := hostd/record_feed.c tests/sim/replay.c \
	tests/sim/replay_read.c tests/sim/replay_run.c hostd/owners.c \
	hostd/hostctl_table.c hostd/name.c $(wildcard hostd/policy/*.c)
UNIT += replay_read
UNIT_SRCS_replay_read := tests/sim/replay_read.c
