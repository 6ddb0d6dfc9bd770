# decisions explained, recorded
UNIT += because
UNIT_SRCS_because := $(wildcard hostd/policy/*.c) tests/unit/scene.c
