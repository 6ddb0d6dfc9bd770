# ksched.ko: built from a copy, so that the source tree stays clean. KDIR names
# the kernel's build directory: by default that of the newest Debian headers
# of the distribution's own kernel, else of the running kernel.
KDIR ?= $(firstword $(shell ls -dvr \
	/usr/src/linux-headers-*-cloud-amd64 2>/dev/null) \
	/lib/modules/$(shell uname -r)/build)
KSCHED_SRC := $(wildcard ksched/module/*.[ch] ksched/module/Kbuild)
KSCHED_DIR := $(O)/ksched/module
# What both builds share. O=, V= and the rest of our command line mean other
# things to the kernel's make: it gets none of it. W=1 is on, and the recipe
# fails when the compiler said anything.
KBUILD = env -u MAKEFLAGS -u MFLAGS -u O make -C $(KDIR) M=$(abspath $(KSCHED_DIR)$(1)) W=1 \
	KSCHED_BUILD=$(VERSION) $(if $(1),KSCHED_DEBUG=1)

define ksched_rule
$(KSCHED_DIR)$(1)/ksched.ko: $(KSCHED_SRC) include/hl/ksched.h
	$$(call say,KO,$$@)
	@test -e $(KDIR)/Makefile || { echo "no kernel headers in $(KDIR):" \
		"run scripts/setup lab, or give KDIR=" >&2; exit 1; }
	@mkdir -p $$(@D)/hl
	@cp $(KSCHED_SRC) $$(@D)/
	@cp include/hl/ksched.h $$(@D)/hl/
	$(Q)$$(call KBUILD,$(1)) modules >$$(@D)/log 2>&1 || \
		{ cat $$(@D)/log >&2; exit 1; }
	$(Q)! grep -A 5 -w warning $$(@D)/log >&2
endef
$(eval $(call ksched_rule,))
$(eval $(call ksched_rule,-debug))

.PHONY: ksched-module ksched-sparse
ksched-module: $(KSCHED_DIR)/ksched.ko $(KSCHED_DIR)-debug/ksched.ko ## the kernel module, for KDIR

ksched-sparse: $(KSCHED_DIR)-debug/ksched.ko ## static check of the module
	$(Q)touch $(KSCHED_DIR)-debug/*.c
	$(Q)$(call KBUILD,-debug) C=2 CF=-Wsparse-error modules >$(KSCHED_DIR)-debug/sparse.log 2>&1 || \
		{ cat $(KSCHED_DIR)-debug/sparse.log >&2; exit 1; }

# What dkms builds from. Its version may hold no slash.
DKMS_DIR = $(DESTDIR)/usr/src/ksched-$(VERSION)

.PHONY: install-dkms
install-dkms: ## sources of the module for dkms, and its modprobe settings
	install -d $(DKMS_DIR)/hl $(DESTDIR)/etc/modprobe.d \
		$(DESTDIR)/etc/modules-load.d
	install -m 644 $(KSCHED_SRC) $(DKMS_DIR)
	install -m 644 include/hl/ksched.h $(DKMS_DIR)/hl
	sed 's/@VERSION@/$(VERSION)/g' ksched/module/dkms.conf \
		>$(DKMS_DIR)/dkms.conf
	install -m 644 configs/ksched.conf $(DESTDIR)/etc/modprobe.d
	install -m 644 configs/ksched.modules \
		$(DESTDIR)/etc/modules-load.d/ksched.conf
	@echo "now: dkms install ksched/$(VERSION)"
