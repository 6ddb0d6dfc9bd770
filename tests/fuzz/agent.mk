# the agent's core: its configuration, the kernel's texts and messages
FUZZ += agent_conf agent_procfs agent_events
FUZZ_SRCS_agent_conf := guest-agent/conf.c guest-agent/match.c
FUZZ_SRCS_agent_procfs := guest-agent/procfs.c guest-agent/text.c \
	hostd/cpulist.c
FUZZ_SRCS_agent_events := guest-agent/events.c
