# the demo's phases in alternating rounds, with figures
BENCH_SCRIPTS += tail
