# ns a pick: the picker and the three it is compared with
BENCH += pick
BENCH_SRCS_pick := $(addprefix tests/bench/pick_,trace.c stat.c list.c array.c \
	memo.c homed.c)
