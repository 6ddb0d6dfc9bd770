# Static checks. What is off, and why, stands in .clang-tidy and cppcheck.txt.

# Pure: no world outside. Their headers and include/hl/ are held to the same;
# hl/ksched.h is the kernel's door, with types and ioctl numbers of its kind;
# hl/worker.h is for applications, and all in one file.
PURE_SRCS := $(addprefix vhost/,mac_table.c forward.c hold.c delay.c \
	flow.c response.c) \
	$(addprefix hostd/,agent_session.c owners.c cpulist.c pinsync.c) \
	$(addprefix guest-agent/,say.c hint.c match.c place.c table.c) \
	$(wildcard hostd/policy/*.c)
PURE_PARSERS := hostd/conf.c guest-agent/conf.c
PURE_HEADERS := $(filter-out include/hl/ksched.h include/hl/worker.h, \
	$(wildcard include/hl/*.h \
	hostd/policy/*.h $(PURE_SRCS:.c=.h) $(PURE_PARSERS:.c=.h)))

.PHONY: lint
lint: layers format-check cppcheck tidy ## all static checks

.PHONY: layers
layers: $(PURE_SRCS:%.c=$(O)/%.o) ## arrows point inward, one door a library
	$(call say,CHECK,layers)
	$(Q)tests/lint/layers-selftest
	$(Q)scripts/check-layers -o $(O) $(PURE_PARSERS:%=-p %) . \
		$(PURE_SRCS) $(PURE_PARSERS) $(PURE_HEADERS)

.PHONY: format-check
format-check: ## every file as clang-format writes it
	$(call say,CHECK,format)
	$(Q)scripts/check-format

# BPF programs are left to clang and the kernel's verifier: to cppcheck SEC()
# and BPF_PROG() are no C.
.PHONY: cppcheck
cppcheck: ## cppcheck over product and tests
	$(call say,CHECK,cppcheck)
	$(Q)cppcheck --quiet -j$$(nproc) --std=c11 --inline-suppr \
		--enable=warning,performance,portability --error-exitcode=1 \
		--suppressions-list=tests/lint/cppcheck.txt \
		--template='{file}:{line}: {id}: {message}' \
		-Iinclude -I. -Ihostd vhost hostd guest-agent tests

# One stamp a file, so that only what changed is looked at again; the object
# is there for the headers it depends on.
TIDY := $(patsubst %.c,$(O)/%.tidy,$(sort $(VHOST_SRCS) $(HOSTD_SRCS) \
	$(HOSTCTL_SRCS) $(filter guest-agent/%,$(AGENT_SRCS))))
TIDY_CFLAGS = $(filter -I% -D% -std=%,$(CFLAGS)) \
	$(if $(filter $<,$(DPDK_SRCS)),$(DPDK_CFLAGS)) \
	$(if $(filter %_xml.c,$<),$(XML_CFLAGS))

$(O)/%.tidy: %.c $(O)/%.o .clang-tidy
	$(call say,TIDY,$<)
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- $(TIDY_CFLAGS) 2>$@.log || \
		{ cat $@.log; exit 1; }
	@touch $@

.PHONY: tidy
tidy: $(TIDY) ## clang-tidy over the product
