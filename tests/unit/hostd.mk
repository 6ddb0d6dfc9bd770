# the loop's stations
UNIT += actuate
UNIT_SRCS_actuate := hostd/actuate.c hostd/stat.c
UNIT += sense
UNIT_SRCS_sense := hostd/sense.c hostd/stat.c hostd/policy/snapshot.c
