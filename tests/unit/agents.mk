# the agent's channel, and hostd's end of it
UNIT += agent_wire agents_session agents_board
UNIT_SRCS_agent_wire :=
UNIT_SRCS_agents_session := hostd/agent_session.c
UNIT_SRCS_agents_board :=
