# tests/load/: load generators, static so that they run in any guest
SYNTHETIC_SRCS := $(addprefix tests/load/,synthetic.c server.c client.c \
	options.c arrive.c tally.c burn.c)
ANTAGONIST_SRCS := $(addprefix tests/load/,antagonist.c options.c arrive.c \
	burn.c)
LOAD_BINS := $(O)/tests/load/synthetic $(O)/tests/load/antagonist
LOAD_LDFLAGS ?= -static

$(O)/tests/load/synthetic: $(patsubst %.c,$(O)/%.o,$(SYNTHETIC_SRCS))
$(O)/tests/load/antagonist: $(patsubst %.c,$(O)/%.o,$(ANTAGONIST_SRCS))
$(LOAD_BINS):
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LOAD_LDFLAGS) -o $@ $^ $(LDFLAGS) -lm

.PHONY: load
load: $(LOAD_BINS) ## build the load generators
ALL += $(LOAD_BINS)
