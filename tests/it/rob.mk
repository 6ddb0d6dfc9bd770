# hostd as a whole, with real guests
IT += tests/it/syscalls tests/it/kill tests/it/life tests/it/life-crash \
	tests/it/life-libvirtd
