# Edge tests of the cgroup backend, the journal and the guardian
CGR_SRCS := hostd/act_cgroup.c hostd/vmgroup.c hostd/cgroup.c hostd/task.c \
	hostd/journal.c hostd/journal_line.c hostd/journal_restore.c \
	hostd/cpulist.c hostd/log.c
FAKE_CGROUP_LDFLAGS := -Wl,--wrap=write -Wl,--wrap=sched_setaffinity

FAKE_KSCHED_LDFLAGS := -Wl,--wrap=open -Wl,--wrap=ioctl -Wl,--wrap=mmap \
	-Wl,--wrap=close
# the table of cases both backends must pass, and its stage
ACT_CASES := tests/edge/act_cases.c tests/edge/act_stage.c \
	tests/fake/fake_cgroup.c

EDGE += act_cgroup
EDGE_SRCS_act_cgroup := $(CGR_SRCS) $(ACT_CASES)
EDGE_LDFLAGS_act_cgroup := $(FAKE_CGROUP_LDFLAGS)

EDGE += act_ksched
EDGE_SRCS_act_ksched := $(CGR_SRCS) hostd/act_ksched.c hostd/ksched_hands.c \
	hostd/ksched_dev.c $(ACT_CASES) tests/fake/fake_ksched.c
EDGE_LDFLAGS_act_ksched := $(FAKE_CGROUP_LDFLAGS) $(FAKE_KSCHED_LDFLAGS)

EDGE += journal
EDGE_SRCS_journal := $(CGR_SRCS) tests/fake/fake_cgroup.c
EDGE_LDFLAGS_journal := $(FAKE_CGROUP_LDFLAGS)

EDGE += guardian
EDGE_SRCS_guardian := $(CGR_SRCS) hostd/guardian.c tests/fake/fake_cgroup.c
EDGE_LDFLAGS_guardian := $(FAKE_CGROUP_LDFLAGS)

EDGE += act_null
EDGE_SRCS_act_null := hostd/act_null.c
