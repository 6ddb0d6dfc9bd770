# the agent's core: its pure modules, and what it reads out of /proc
UNIT += agent_table agent_place agent_place_model agent_match agent_procfs
UNIT += agent_conf
UNIT_SRCS_agent_table := guest-agent/table.c
UNIT_SRCS_agent_place := guest-agent/place.c guest-agent/table.c
UNIT_SRCS_agent_place_model := guest-agent/place.c guest-agent/table.c
UNIT_SRCS_agent_match := guest-agent/match.c
UNIT_SRCS_agent_procfs := guest-agent/procfs.c guest-agent/table.c \
	guest-agent/text.c hostd/cpulist.c
UNIT_SRCS_agent_conf := guest-agent/conf.c
