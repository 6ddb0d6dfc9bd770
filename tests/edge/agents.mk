# hostd's end of the agents' channels: real sockets, real pages, fake guests
AGENTS_SRCS := $(addprefix hostd/,agents.c agent_peer.c agent_page.c \
	agent_session.c stat.c log.c) tests/edge/agents_stage.c \
	tests/fake/fake_fail.c
AGENTS_LDFLAGS := -Wl,--wrap=clock_gettime -Wl,--wrap=eventfd \
	-Wl,--wrap=getrandom -Wl,--wrap=pthread_create

EDGE += agents agents_page
EDGE_SRCS_agents := $(AGENTS_SRCS)
EDGE_LDFLAGS_agents = $(FAKE_FAIL_LDFLAGS) $(AGENTS_LDFLAGS)
EDGE_SRCS_agents_page := $(AGENTS_SRCS)
EDGE_LDFLAGS_agents_page = $(FAKE_FAIL_LDFLAGS) $(AGENTS_LDFLAGS)
