# what a decision costs; the rows of 10,000 VMs are built with other bounds
PASS_SRCS := tests/bench/pick_stat.c hostd/sense.c hostd/sense_slo.c \
	hostd/stat.c hostd/owners.c $(wildcard hostd/policy/*.c)
BENCH += pass
BENCH_SRCS_pass := $(PASS_SRCS)
PASS_BIG := $(patsubst %.c,$(O)/big/%.o,tests/bench/bench_pass.c $(PASS_SRCS))

$(O)/big/%.o: %.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -DVM_MAX=16384 -DVCPU_MAX=65024 -MMD -MP -c -o $@ $<

$(O)/tests/bench/big/bench_pass: $(PASS_BIG)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS)

bench-pass: $(O)/tests/bench/big/bench_pass
