# the restore journal's lines, and the kernel's texts about control groups
FUZZ += journal
FUZZ_SRCS_journal := hostd/journal_line.c hostd/cpulist.c hostd/cgroup.c
