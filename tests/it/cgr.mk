# tests/it/guardian runs this
GUARDIAN_VM_SRCS := tests/it/guardian_vm.c hostd/guardian.c $(CGR_SRCS)

IT += tests/it/guardian
IT_BINS += $(O)/tests/it/guardian_vm

$(O)/tests/it/guardian_vm: $(GUARDIAN_VM_SRCS:%.c=$(O)/%.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS)
