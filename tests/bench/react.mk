# reaction to a load step, here and in the lab
BENCH_SCRIPTS += react

bench-react: ksched-module
