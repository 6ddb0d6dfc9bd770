# any bytes as a scenario of the simulator
FUZZ += sim_scenario
FUZZ_SRCS_sim_scenario = $(SIM_ENGINE)
FUZZ_LIBS_sim_scenario := -lm
