# unit tests of tests/load/
UNIT += load_msg load_arrive load_tally load_options load_burn load_memc \
	load_share
UNIT_SRCS_load_msg :=
UNIT_SRCS_load_arrive := tests/load/arrive.c
UNIT_LIBS_load_arrive := -lm
UNIT_SRCS_load_tally := tests/load/tally.c
UNIT_SRCS_load_options := tests/load/options.c tests/load/arrive.c
UNIT_LIBS_load_options := -lm
UNIT_SRCS_load_burn := tests/load/burn.c
UNIT_SRCS_load_memc := tests/load/memc.c
UNIT_SRCS_load_share := tests/load/share.c
