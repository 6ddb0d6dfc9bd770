# any bytes from a guest's agent, in its channel and in its page
FUZZ += agent_wire agents_session
FUZZ_SRCS_agent_wire :=
FUZZ_SRCS_agents_session := hostd/agent_session.c hostd/agent_page.c
