# Edge tests of the cgroup backend, the journal and the guardian
CGR_SRCS := hostd/act_cgroup.c hostd/vmgroup.c hostd/cgroup.c hostd/task.c \
	hostd/journal.c hostd/journal_line.c hostd/journal_restore.c \
	hostd/cpulist.c hostd/log.c
FAKE_CGROUP_LDFLAGS := -Wl,--wrap=write -Wl,--wrap=sched_setaffinity

EDGE += act_cgroup
EDGE_SRCS_act_cgroup := $(CGR_SRCS) tests/fake/fake_cgroup.c
EDGE_LDFLAGS_act_cgroup := $(FAKE_CGROUP_LDFLAGS)

EDGE += journal
EDGE_SRCS_journal := $(CGR_SRCS) tests/fake/fake_cgroup.c
EDGE_LDFLAGS_journal := $(FAKE_CGROUP_LDFLAGS)

EDGE += guardian
EDGE_SRCS_guardian := $(CGR_SRCS) hostd/guardian.c tests/fake/fake_cgroup.c
EDGE_LDFLAGS_guardian := $(FAKE_CGROUP_LDFLAGS)

EDGE += act_null
EDGE_SRCS_act_null := hostd/act_null.c
