# the loop's stations
UNIT += actuate
UNIT_SRCS_actuate := hostd/actuate.c hostd/stat.c
UNIT += sense
UNIT_SRCS_sense := hostd/sense.c hostd/sense_slo.c hostd/stat.c \
	hostd/policy/snapshot.c
UNIT += sense_slo
UNIT_SRCS_sense_slo := hostd/sense_slo.c hostd/stat.c
