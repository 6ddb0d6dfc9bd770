# the guest-agent's edges: channel, page, door. FAKE_FAIL makes one call of the
# C library fail once.
comma := ,
FAKE_FAIL_LDFLAGS := $(addprefix -Wl$(comma)--wrap=,calloc close epoll_create1 \
	epoll_ctl socket connect bind listen chmod open mmap fstat sigaction \
	memfd_create ftruncate fcntl read poll getsockopt accept4)
AGENT_LINK_SRCS := $(addprefix guest-agent/,link.c session.c say.c port.c \
	page.c text.c)

EDGE += agent_port agent_link agent_link_page
AGENT_LINK_STAGE := $(AGENT_LINK_SRCS) tests/edge/link_stage.c \
	tests/fake/fake_agent_host.c
EDGE_SRCS_agent_port := $(AGENT_LINK_STAGE) tests/fake/fake_fail.c
EDGE_LDFLAGS_agent_port := $(FAKE_FAIL_LDFLAGS)
EDGE_SRCS_agent_link := $(AGENT_LINK_STAGE)
EDGE_SRCS_agent_link_page := $(AGENT_LINK_STAGE)

EDGE += agent_page
EDGE_SRCS_agent_page := guest-agent/page.c guest-agent/text.c \
	tests/fake/fake_fail.c
EDGE_LDFLAGS_agent_page := $(FAKE_FAIL_LDFLAGS)

EDGE += agent_door agent_door_bad
AGENT_DOOR_STAGE := $(addprefix guest-agent/,door.c door_lines.c \
	door_listen.c door_peer.c procfs.c text.c) hostd/cpulist.c \
	tests/edge/door_stage.c
EDGE_SRCS_agent_door := $(AGENT_DOOR_STAGE) guest-agent/status.c
EDGE_SRCS_agent_door_bad := $(AGENT_DOOR_STAGE) tests/fake/fake_fail.c
EDGE_LDFLAGS_agent_door_bad := $(FAKE_FAIL_LDFLAGS)

# the door is tried with the example of docs/workers.md too
$(O)/tests/edge/test_agent_door: | $(O)/tests/load/cooperate
$(O)/tests/load/cooperate: $(O)/tests/load/cooperate.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS)
