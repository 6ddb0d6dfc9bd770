# sense_bpf.c with libbpf's calls answered by the test
SENSE_BPF_WRAPS := libbpf_set_print \
	bpf_object__open_skeleton bpf_object__load_skeleton \
	bpf_object__attach_skeleton bpf_object__destroy_skeleton \
	bpf_map__fd bpf_map_update_elem bpf_map_lookup_elem \
	bpf_map_delete_elem access clock_gettime

EDGE += sense_bpf
EDGE_SRCS_sense_bpf := hostd/sense_bpf.c
EDGE_LDFLAGS_sense_bpf := $(SENSE_BPF_WRAPS:%=-Wl,--wrap=%)
EDGE_LIBS_sense_bpf = $(BPF_LIBS)
$(O)/tests/edge/test_sense_bpf.o: $(BPF_SKEL)
