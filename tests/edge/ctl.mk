# edge tests of the control socket and hostctl
HOSTCTL_LIB := $(filter-out hostd/hostctl.c,$(HOSTCTL_SRCS))
EDGE += control control_trace hostctl check
EDGE_SRCS_control := tests/edge/control_stage.c hostd/control.c \
	hostd/control_facts.c hostd/stat.c hostd/agent_session.c \
	hostd/why.c hostd/why_row.c hostd/record.c hostd/record_feed.c \
	tests/sim/replay_read.c vhost/port.c \
	$(wildcard hostd/policy/*.c) $(HOSTCTL_LIB)
EDGE_LIBS_control = $(DPDK_LIBS) -ljansson
EDGE_SRCS_control_trace := $(EDGE_SRCS_control)
EDGE_LIBS_control_trace = $(EDGE_LIBS_control)
EDGE_SRCS_hostctl := $(HOSTCTL_LIB)
EDGE_LIBS_hostctl := -ljansson
EDGE_SRCS_check := hostd/check.c hostd/cpulist.c
DPDK_SRCS += tests/edge/control_stage.c
