# a hostile host: any bytes in the agent's channel and page
FUZZ += agent_link
FUZZ_SRCS_agent_link := $(addprefix guest-agent/,link.c session.c say.c port.c \
	page.c text.c) tests/fake/fake_agent_host.c
FUZZ_LIBS_agent_link := -lcmocka
