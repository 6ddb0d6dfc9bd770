# the guest-agent with and without, in KVM guests: in the lab where none is here
BENCH_SCRIPTS += agent

bench-agent: ksched-module
