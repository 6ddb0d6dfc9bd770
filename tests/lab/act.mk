# The cases every backend must pass, on the lab's kernel
LAB_CASES += act-cases
LAB_BINS += $(O)/tests/lab/act_cases

$(O)/tests/lab/act_cases: $(call objs,tests/lab/act_cases.c \
	tests/edge/act_cases.c hostd/act_ksched.c hostd/ksched_hands.c \
	hostd/ksched_dev.c hostd/act_cgroup.c hostd/vmgroup.c hostd/cgroup.c \
	hostd/task.c hostd/journal.c hostd/journal_line.c \
	hostd/journal_restore.c hostd/cpulist.c hostd/log.c)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -lcmocka
