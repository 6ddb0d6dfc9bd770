# Unit tests of the journal's lines and of finding control groups
UNIT += journal
UNIT_SRCS_journal := hostd/journal_line.c hostd/cpulist.c

UNIT += cgroup
UNIT_SRCS_cgroup := hostd/cgroup.c
