# hostd/: the daemon and hostctl
HOSTCTL_SRCS := hostd/check.c hostd/cpulist.c hostd/hostctl.c \
	hostd/hostctl_agents.c hostd/hostctl_answer.c hostd/hostctl_cmd.c \
	hostd/hostctl_view.c hostd/hostctl_record.c hostd/hostctl_show.c \
	hostd/hostctl_sock.c \
	hostd/hostctl_table.c hostd/hostctl_why.c hostd/name.c
HOSTD_SRCS := $(filter-out hostd/hostctl%.c hostd/check.c, \
	$(wildcard hostd/*.c hostd/policy/*.c))
DPDK_SRCS += hostd/control.c
