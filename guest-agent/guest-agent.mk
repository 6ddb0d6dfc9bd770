# guest-agent/: what runs in a guest; static, so that it runs in any
AGENT_SRCS := $(wildcard guest-agent/*.c) $(addprefix hostd/,cpulist.c log.c task.c)

$(O)/guest-agent/guest-agent: $(AGENT_SRCS:%.c=$(O)/%.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(AGENT_LDFLAGS) -o $@ $^ $(LDFLAGS)

AGENT_LDFLAGS ?= -static
ALL += $(O)/guest-agent/guest-agent
