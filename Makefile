# Heighliner: the front door. `make` alone lists what can be done.
#
# One Makefile, no recursion. A room adds its own lists in a *.mk file:
#	vhost/vhost.mk  hostd/hostd.mk  ksched/ksched.mk  tests/*/*.mk
#	guest-agent/guest-agent.mk
# V=1 shows the commands; O=DIR builds elsewhere; CC, CFLAGS as usual.

O ?= build
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = @printf '  %-7s %s\n' $(1) $(2)

CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION := $(shell git describe --always --dirty 2>/dev/null || echo 0.1)

WARN := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wshadow \
	-Wvla -Wformat=2 -Wpointer-arith -Wundef
ifdef CI
WARN += -Werror
endif
CFLAGS ?= -O2 -g
override CFLAGS += -std=gnu11 -D_GNU_SOURCE $(WARN) -pthread
override CFLAGS += -Iinclude -I. -Ihostd -I$(O)
override CFLAGS += -DHL_VERSION='"$(VERSION)"'

# Third-party flags, given only to the files that need them. Evaluated once,
# and only when something is built, so that `make help` needs nothing.
pkg = $(eval $(1)_$(2) := $$(shell pkg-config --$(2) $(3)))$($(1)_$(2))
DPDK_CFLAGS = $(call pkg,dpdk,cflags,libdpdk)
DPDK_LIBS = $(call pkg,dpdk,libs,libdpdk)
VIRT_LIBS = $(call pkg,virt,libs,libvirt)
BPF_LIBS = $(call pkg,bpf,libs,libbpf)
XML_CFLAGS = $(call pkg,xml,cflags,libxml-2.0)

objs = $(patsubst %.c,$(O)/%.o,$(1))

include $(sort $(wildcard vhost/*.mk hostd/*.mk ksched/*.mk guest-agent/*.mk))
include $(sort $(wildcard tests/*/*.mk))

# --- building -----------------------------------------------------------
# vhost.mk and hostd.mk say which sources see DPDK: DPDK_SRCS
$(call objs,$(DPDK_SRCS)): FILE_CFLAGS = $(DPDK_CFLAGS)

$(O)/hostd/virt_xml.o: FILE_CFLAGS = $(XML_CFLAGS)

$(O)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FILE_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(O) -name '*.d' 2>/dev/null)

# --- products -----------------------------------------------------------
# hostd.mk lists the sources: HOSTD_SRCS, HOSTCTL_SRCS
$(O)/hostd/hostd: $(call objs,$(HOSTD_SRCS) $(VHOST_SRCS))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(DPDK_LIBS) -lvirt-qemu \
		$(VIRT_LIBS) $(BPF_LIBS) -lxml2 -linih -lnuma

$(O)/hostd/hostctl: $(call objs,$(HOSTCTL_SRCS))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -ljansson

ALL += $(O)/hostd/hostd $(O)/hostd/hostctl

.PHONY: all
all: $(ALL) ## build everything

# Whatever starts from a bare clone first gets its packages, then a second
# make that can see them.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: demo
demo: ## two real VMs on one cpu: see one's latency held (starts from a bare clone)
	@scripts/setup build demo
	@$(MAKE) --no-print-directory all
	@$(SUDO) scripts/demo $(DEMO_ARGS)

.PHONY: check
check: ## every test there is (starts from a bare clone)
	@scripts/setup
	@tests/check

.PHONY: install
install: all ## into $(DESTDIR)$(PREFIX), configuration into /etc
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man5 \
		$(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/share/man/man4 \
		$(DESTDIR)/etc/heighliner/conf.d $(DESTDIR)$(UNITDIR)
	install -m 755 $(O)/hostd/hostd $(O)/hostd/hostctl \
		$(O)/guest-agent/guest-agent $(DESTDIR)$(PREFIX)/sbin
	install -m 644 docs/*.4 $(DESTDIR)$(PREFIX)/share/man/man4
	install -m 644 docs/*.5 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 docs/*.8 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 644 configs/hostd.service configs/guest-agent.service \
		$(DESTDIR)$(UNITDIR)
	for f in hostd.conf guest-agent.conf; do \
		test -e $(DESTDIR)/etc/heighliner/$$f || \
		install -m 644 configs/$$f $(DESTDIR)/etc/heighliner || exit 1; \
	done

PREFIX ?= /usr/local
UNITDIR ?= /etc/systemd/system

# --- tests --------------------------------------------------------------
# A unit test NAME is tests/unit/test_NAME.c plus the sources it lists in
# UNIT_SRCS_NAME; an edge test the same with EDGE_*, which may add
# EDGE_LDFLAGS_NAME (say -Wl,--wrap=...) and EDGE_LIBS_NAME.
define test_rule
$(O)/tests/$(1)/test_$(2): $(call objs,tests/$(1)/test_$(2).c $($(3)_SRCS_$(2)))
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(CFLAGS) $$($(3)_LDFLAGS_$(2)) -o $$@ $$^ \
		$$(LDFLAGS) $$($(3)_LIBS_$(2)) -lcmocka
endef
$(foreach t,$(UNIT),$(eval $(call test_rule,unit,$(t),UNIT)))
$(foreach t,$(EDGE),$(eval $(call test_rule,edge,$(t),EDGE)))
TEST_BINS := $(UNIT:%=$(O)/tests/unit/test_%) $(EDGE:%=$(O)/tests/edge/test_%)

.PHONY: test
test: $(TEST_BINS) ## unit and edge tests, seconds
	$(Q)tests/run.sh $(TEST_BINS) $(sort $(wildcard tests/unit/*.py))

# Sanitizers: the same tests, built again beside the others.
.PHONY: asan
asan: ## unit and edge tests under ASan and UBSan
	@$(MAKE) --no-print-directory O=$(O)-asan CC=$(CC) \
		CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer' \
		test

# A fuzz target NAME is tests/fuzz/fuzz_NAME.c plus FUZZ_SRCS_NAME, all
# compiled by clang; its seeds are in tests/fuzz/corpus/NAME/.
FUZZ_RUNS ?= 200000
FUZZ_FLAGS = -g -O1 -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=undefined -std=gnu11 -D_GNU_SOURCE -Iinclude -I. \
	-Ihostd -Wall -Wextra -DHL_VERSION='"fuzz"'
define fuzz_rule
$(O)/tests/fuzz/fuzz_$(1): tests/fuzz/fuzz_$(1).c $(FUZZ_SRCS_$(1))
	$$(call say,FUZZ,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CLANG) $$(FUZZ_FLAGS) $$(FUZZ_CFLAGS_$(1)) -o $$@ $$^ \
		$$(FUZZ_LIBS_$(1))
endef
$(foreach t,$(FUZZ),$(eval $(call fuzz_rule,$(t))))

.PHONY: fuzz
fuzz: $(FUZZ:%=$(O)/tests/fuzz/fuzz_%) ## every parser, FUZZ_RUNS inputs each
	$(Q)FUZZ_RUNS=$(FUZZ_RUNS) tests/fuzz/run.sh $^

# A bench NAME is a program (BENCH, BENCH_SRCS_NAME, BENCH_LIBS_NAME) or a script
# tests/bench/NAME (BENCH_SCRIPTS). Each closes with its figures and exits 0
# whether or not a goal is met; it fails only when it could not measure.
define bench_rule
$(O)/tests/bench/bench_$(1): $(call objs,tests/bench/bench_$(1).c $(BENCH_SRCS_$(1)))
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(CFLAGS) -o $$@ $$^ $$(LDFLAGS) $$(BENCH_LIBS_$(1))
.PHONY: bench-$(1)
bench-$(1): $(O)/tests/bench/bench_$(1)
	$$(Q)$$(SUDO) $$<
endef
$(foreach t,$(BENCH),$(eval $(call bench_rule,$(t))))
$(BENCH_SCRIPTS:%=bench-%): bench-%: all
	$(Q)$(SUDO) tests/bench/$* --build $(abspath $(O)) $(BENCH_ARGS)

.PHONY: bench $(BENCH_SCRIPTS:%=bench-%)
bench: $(BENCH:%=bench-%) $(BENCH_SCRIPTS:%=bench-%) ## every bench; one alone: bench-NAME

.PHONY: it
it: all $(IT_BINS) ## integration tests: real guests, libvirt, sensors (root)
	$(Q)$(SUDO) env O=$(abspath $(O)) tests/it/with-libvirt tests/run.sh $(sort $(IT))

.PHONY: lab lab-test
lab: all ksched-module $(LAB_BINS) ## a shell on a virtual KVM host of 8 cpus (root)
	$(Q)$(SUDO) env O=$(abspath $(O)) scripts/lab $(LAB_ARGS) --shell

lab-test: all ksched-module $(LAB_BINS) ## ksched, KVM and cgroup v2 on such a host (root)
	$(Q)$(SUDO) env O=$(abspath $(O)) tests/lab/run $(LAB_CASES)

.PHONY: man-check
man-check: ## the manual pages are well-formed
	$(call say,MAN,docs/*.4 docs/*.5 docs/*.8)
	$(Q)mandoc -T lint -W warning docs/*.4 docs/*.5 docs/*.8

.PHONY: clean
clean: ## remove what was built
	$(Q)rm -rf $(O) build-asan

.PHONY: help
help: ## this list
	@printf 'Heighliner: many VMs on one host, each keeps its latency SLO.\n\n'
	@printf 'make TARGET, where TARGET is one of\n'
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | \
		sed -E 's/:.*## /\t/' | \
		awk -F'\t' '{printf "  %-14s %s\n", $$1, $$2}'
