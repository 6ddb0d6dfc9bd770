# The vcpu sensor with real threads; exit 77 where BPF cannot be loaded
IT += $(O)/tests/it/sensor
IT_BINS += $(O)/tests/it/sensor

$(O)/tests/it/sensor: $(O)/tests/it/sensor.o $(O)/hostd/sense_bpf.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(BPF_LIBS)
