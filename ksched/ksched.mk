# ksched/: what runs in the host kernel; here the BPF sensor, made into a C
# header that hostd loads it from. It takes the kernel's types from the running
# kernel when it is loaded: nothing of the building machine goes into it.
BPF_OBJ := $(O)/ksched/bpf/vcpu.bpf.o
BPF_SKEL := $(O)/ksched/bpf/vcpu.skel.h
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -Iinclude
# BPF_PROG() makes a context argument that a program need not use.
BPF_CFLAGS += -Wall -Wextra -Wno-unused-parameter $(if $(CI),-Werror)
# linux/types.h asks for asm/types.h, which Debian keeps by architecture.
BPF_CFLAGS += $(addprefix -idirafter ,$(wildcard /usr/include/*-linux-gnu))

$(BPF_OBJ): ksched/bpf/vcpu.bpf.c include/hl/bounds.h include/hl/dirty.h \
	include/hl/sensor.h
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

# Linking, even of one object, leaves out what only a debugger reads. What is
# generated is not linted: it leaks when memory runs out half-way.
$(BPF_SKEL): $(BPF_OBJ)
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen object $(@:.skel.h=.linked.o) $<
	$(Q)echo '/* NOLINTBEGIN */' >$@
	$(Q)$(BPFTOOL) gen skeleton $(@:.skel.h=.linked.o) name vcpu_bpf >>$@
	$(Q)echo '/* NOLINTEND */' >>$@

$(O)/hostd/sense_bpf.o: $(BPF_SKEL)
