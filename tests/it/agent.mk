# the real guest-agent, natively, with a host played by the test
IT += tests/it/agent-native
IT_BINS += $(O)/tests/it/agent-crew $(O)/tests/load/storm

$(O)/tests/it/agent-crew: $(O)/tests/it/agent_crew.o $(O)/tests/load/burn.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS)

$(O)/tests/load/storm: $(O)/tests/load/storm.o $(O)/tests/load/burn.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -static -o $@ $^ $(LDFLAGS)
