# any bytes as a recording
FUZZ += replay
FUZZ_SRCS_replay := tests/sim/replay_read.c tests/sim/replay_run.c \
	hostd/owners.c $(wildcard hostd/policy/*.c)
