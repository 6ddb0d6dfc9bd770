# hostd's libvirt room against a scripted libvirt, and what it feeds
VIRT_SRCS := hostd/virt.c hostd/virt_conn.c hostd/virt_opener.c \
	hostd/virt_proc.c hostd/virt_xml.c

EDGE += virt
EDGE_SRCS_virt := $(VIRT_SRCS) hostd/log.c tests/fake/fake_libvirt.c
EDGE_LDFLAGS_virt := -Wl,--wrap=clock_gettime
EDGE_LIBS_virt := -lxml2

EDGE += act_libvirt
EDGE_SRCS_act_libvirt := hostd/act_libvirt.c hostd/journal.c \
	hostd/journal_line.c hostd/journal_restore.c hostd/cgroup.c \
	hostd/task.c hostd/cpulist.c hostd/log.c

EDGE += pinsync
EDGE_SRCS_pinsync := hostd/pinsync.c
