# the guest-agent's edges: hints, interrupts, what is said to the host, and the
# document for applications
UNIT += agent_hint agent_irq agent_say
UNIT_SRCS_agent_hint := guest-agent/hint.c
UNIT_SRCS_agent_irq := guest-agent/irq.c guest-agent/irq_file.c \
	guest-agent/text.c hostd/cpulist.c
UNIT_LDFLAGS_agent_irq := -Wl,--wrap=write
UNIT_SRCS_agent_say := guest-agent/say.c
