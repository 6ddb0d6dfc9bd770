# what operators see, and what they ask for
UNIT += publish reload
UNIT_SRCS_publish := hostd/publish.c hostd/stat.c
UNIT_SRCS_reload := hostd/reload.c hostd/log.c
UNIT_LDFLAGS_reload := -Wl,--wrap=clock_gettime
