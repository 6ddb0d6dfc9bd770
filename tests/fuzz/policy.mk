# random snapshots through every policy
FUZZ += snapshot
FUZZ_SRCS_snapshot := $(wildcard hostd/policy/*.c) hostd/owners.c \
	tests/unit/policy_rules.c
