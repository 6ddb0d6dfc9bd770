# the simulator's engine
SIM_PARSE := $(addprefix tests/sim/,scenario.c scenario_key.c costs.c value.c)
SIM_ENGINE := $(SIM_PARSE) $(addprefix tests/sim/,arrive.c check.c cpu.c \
	guest.c host.c memory.c oracle.c place.c queue.c result.c run.c) \
	$(POLICY_SRCS) hostd/owners.c tests/unit/policy_rules.c

UNIT += sim_heap
UNIT_SRCS_sim_heap :=
UNIT += sim_scenario
UNIT_SRCS_sim_scenario := $(SIM_PARSE)
UNIT += sim_engine
UNIT_SRCS_sim_engine := $(SIM_ENGINE)
UNIT_LIBS_sim_engine := -lm
UNIT += sim_check
UNIT_SRCS_sim_check := $(SIM_ENGINE)
UNIT_LIBS_sim_check := -lm
