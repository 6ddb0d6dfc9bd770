// SPDX-License-Identifier: Apache-2.0
/*
 * lab_herd.c - a process of many threads that stands in for a VM
 *
 *	lab_herd FILE THREADS
 *
 * FILE becomes an array of struct worker, through which anybody can watch the
 * threads and ask one to end and be replaced. Of eight threads one spins, the
 * others sleep and wake more or less often. It ends with its standard input.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker.h"

static volatile uint32_t leave;

static void *wait_for_end(void *arg)
{
	char byte;

	(void)arg;
	while (read(0, &byte, 1) > 0)
		;
	leave = 1;
	return NULL;
}

int main(int argc, char **argv)
{
	static const enum work works[8] = { WORK_SPIN, WORK_NAP,  WORK_DOZE,
					    WORK_DOZE, WORK_DOZE, WORK_NAP,
					    WORK_DOZE, WORK_DOZE };
	unsigned n = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
	size_t bytes = n * sizeof(struct worker);
	struct worker *w;
	pthread_t end;
	int fd;

	if (!n) {
		fputs("usage: lab_herd FILE THREADS\n", stderr);
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)bytes)) {
		perror(argv[1]);
		return 1;
	}
	w = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (w == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (unsigned i = 0; i < n; i++)
		w[i].work = works[i % 8];
	if (pthread_create(&end, NULL, wait_for_end, NULL))
		return 1;
	herd_run(w, n, &leave);
	return 0;
}
