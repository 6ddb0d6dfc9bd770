# tests/load/: load generators, static so that they run in any guest
SYNTHETIC_SRCS := $(addprefix tests/load/,synthetic.c server.c client.c \
	memc.c options.c arrive.c tally.c burn.c)
ANTAGONIST_SRCS := $(addprefix tests/load/,antagonist.c options.c arrive.c \
	burn.c)
# Of a guest with a page and an agent's channel: who measures, and who lies
ONCPU_SRCS := $(addprefix tests/load/,oncpu.c share.c page.c options.c arrive.c)
LIAR_SRCS := $(addprefix tests/load/,liar.c page.c options.c arrive.c)
LOAD_BINS := $(addprefix $(O)/tests/load/,synthetic antagonist oncpu liar)
LOAD_LDFLAGS ?= -static

$(O)/tests/load/synthetic: $(patsubst %.c,$(O)/%.o,$(SYNTHETIC_SRCS))
$(O)/tests/load/antagonist: $(patsubst %.c,$(O)/%.o,$(ANTAGONIST_SRCS))
$(O)/tests/load/oncpu: $(patsubst %.c,$(O)/%.o,$(ONCPU_SRCS))
$(O)/tests/load/liar: $(patsubst %.c,$(O)/%.o,$(LIAR_SRCS))
$(LOAD_BINS):
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LOAD_LDFLAGS) -o $@ $^ $(LDFLAGS) -lm

.PHONY: load
load: $(LOAD_BINS) ## build the load generators
ALL += $(LOAD_BINS)
