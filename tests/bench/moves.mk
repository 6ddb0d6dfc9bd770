# four ways to move vcpus: tests/bench/moves runs the program in the lab
BENCH_SCRIPTS += moves
MOVES_SRCS := $(addprefix tests/bench/,bench_moves.c moves_sides.c) \
	$(addprefix hostd/,sense_bpf.c cgroup.c task.c cpulist.c virt_proc.c)
MOVES_BINS := $(O)/tests/bench/bench_moves $(O)/tests/bench/moves_count.so

$(O)/tests/bench/bench_moves: $(call objs,$(MOVES_SRCS))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(VIRT_LIBS) $(BPF_LIBS)

# loaded by QEMU, whose functions it calls
$(O)/tests/bench/moves_count.so: tests/bench/moves_count.c \
		tests/bench/moves_mark.h
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -fPIC -shared -o $@ $<

bench-moves: $(MOVES_BINS) ksched-module
