# what the vcpu sensor costs; loads BPF programs: root
BENCH += sensor
BENCH_SRCS_sensor := hostd/sense_bpf.c
BENCH_LIBS_sensor = $(BPF_LIBS)
