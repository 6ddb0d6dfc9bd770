# The module ksched as its callers see it, and under abuse; run in the lab
LAB_CASES += ksched-life slo chaos soak
LAB_KSCHED_SRCS := $(addprefix tests/lab/,session.c worker.c module.c)
LAB_LIFE_SRCS := $(addprefix tests/lab/,ksched_life.c life_args.c life_move.c \
	life_end.c life_model.c)
LAB_KSCHED_BINS := $(addprefix $(O)/tests/lab/,ksched_life lab_herd lab_mover \
	lab_fuzz)
LAB_BINS += $(LAB_KSCHED_BINS)

$(O)/tests/lab/ksched_life: $(call objs,$(LAB_LIFE_SRCS))
$(O)/tests/lab/ksched_life: LDLIBS = -lcmocka
$(O)/tests/lab/lab_herd: $(call objs,tests/lab/lab_herd.c)
$(O)/tests/lab/lab_mover: $(call objs,tests/lab/lab_mover.c tests/lab/mover.c)
$(O)/tests/lab/lab_fuzz: $(call objs,tests/lab/lab_fuzz.c)
$(LAB_KSCHED_BINS): $(call objs,$(LAB_KSCHED_SRCS))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)
