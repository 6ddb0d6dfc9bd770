# hostd's libvirt room against a real libvirtd
IT += tests/it/virt tests/it/virt-away
IT_BINS += $(O)/tests/it/virt_watch

VIRT_WATCH_SRCS := tests/it/virt_watch.c hostd/virt.c hostd/virt_conn.c \
	hostd/virt_opener.c hostd/virt_proc.c hostd/virt_xml.c \
	hostd/cpulist.c hostd/log.c

$(O)/tests/it/virt_watch: $(VIRT_WATCH_SRCS:%.c=$(O)/%.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -lvirt-qemu $(VIRT_LIBS) -lxml2
