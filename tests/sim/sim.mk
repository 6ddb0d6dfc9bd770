# the simulator: `make sim` runs every policy in every scenario
SIM_SRCS := $(filter-out tests/sim/hostsim.c tests/sim/matrix.c,\
	$(wildcard tests/sim/*.c)) $(wildcard hostd/policy/*.c) \
	hostd/owners.c tests/unit/policy_rules.c hostd/hostctl_table.c \
	hostd/name.c

$(O)/tests/sim/hostsim: $(call objs,tests/sim/hostsim.c tests/sim/matrix.c \
	$(SIM_SRCS))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -lm -ljansson

ALL += $(O)/tests/sim/hostsim

SIM_SCENARIOS ?= $(sort $(wildcard tests/sim/scenarios/*.sim))

.PHONY: sim
sim: $(O)/tests/sim/hostsim ## policies x scenarios x host sizes, simulated (minutes)
	$(Q)$< matrix $(SIM_ARGS) --csv $(O)/sim.csv --svg $(O)/sim.svg \
		$(SIM_SCENARIOS)
