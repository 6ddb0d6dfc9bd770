# the agent's core on real threads
AGENT_CORE := $(addprefix guest-agent/,crew.c hands.c match.c place.c \
	procfs.c scan.c table.c text.c) hostd/cpulist.c hostd/task.c

EDGE += agent_hands agent_events agent_guard
EDGE_SRCS_agent_hands := guest-agent/hands.c guest-agent/procfs.c \
	guest-agent/table.c guest-agent/text.c hostd/cpulist.c hostd/task.c
EDGE_LDFLAGS_agent_hands := -Wl,--wrap=sched_setaffinity
EDGE_SRCS_agent_events := guest-agent/events.c
EDGE_SRCS_agent_guard := $(AGENT_CORE) guest-agent/guard.c guest-agent/irq.c \
	guest-agent/irq_file.c hostd/log.c
