# models of what users have today, for the simulator
UNIT += sim_models
UNIT_SRCS_sim_models := $(POLICY_SRCS) $(wildcard tests/sim/model_*.c) \
	$(SCENE_SRCS)
UNIT_LIBS_sim_models := -lm
UNIT += sim_report
UNIT_SRCS_sim_report := $(POLICY_SRCS) $(wildcard tests/sim/model*.c) \
	$(addprefix tests/sim/,judge.c report.c report_group.c report_svg.c)
UNIT_LIBS_sim_report := -lm
UNIT += sim_demo
UNIT_SRCS_sim_demo := $(SIM_SRCS)
UNIT_LIBS_sim_demo := -lm -ljansson
UNIT += sim_calibrate
UNIT_SRCS_sim_calibrate := $(SIM_SRCS)
UNIT_LIBS_sim_calibrate := -lm -ljansson
