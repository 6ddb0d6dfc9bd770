// SPDX-License-Identifier: Apache-2.0
/*
 * matrix.c - many runs at once
 *
 * Workers are forked once. Each takes the next job's number from a counter in
 * shared memory, runs it and leaves the result in the job's row. Long jobs
 * first is what the caller should order; then the last one to end is short.
 */
#include "matrix.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

struct shared {
	atomic_uint next, done;
	atomic_int err;
};

static void *shared_pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

struct sim_row *matrix_rows(unsigned cnt)
{
	return shared_pages(cnt * sizeof(struct sim_row));
}

static int run_job(const struct matrix_job *j, struct sim_row *row)
{
	memcpy(row->scenario, j->scenario->name, sizeof(row->scenario));
	row->cpus = j->scenario->cpus;
	row->policy = j->policy;
	row->seed = j->seed;
	return sim_run(j->scenario, j->policy, j->seed, &row->result);
}

static void work(const struct matrix_job *job, unsigned cnt, struct shared *sh,
		 struct sim_row *rows, FILE *say)
{
	unsigned i;

	while ((i = atomic_fetch_add(&sh->next, 1)) < cnt) {
		int err = run_job(&job[i], &rows[i]);

		if (err)
			atomic_store(&sh->err, err);
		fprintf(
		    say, "%u of %u: %s on %u cpus, %s: %.1f s of cpu time\n",
		    atomic_fetch_add(&sh->done, 1) + 1, cnt, rows[i].scenario,
		    rows[i].cpus, job[i].policy->name, rows[i].result.cpu_s);
		fflush(say);
	}
}

int matrix_run(const struct matrix_job *job, unsigned cnt, unsigned workers,
	       struct sim_row *rows, FILE *say)
{
	struct shared *sh = shared_pages(sizeof(*sh));
	int err = 0, status;
	unsigned i;

	if (!sh)
		return -ENOMEM;
	fflush(NULL); /* or children print it again */
	for (i = 0; i < workers; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			err = -errno;
			break;
		}
		if (!pid) {
			work(job, cnt, sh, rows, say);
			_exit(0);
		}
	}
	for (; i; i--)
		if (wait(&status) < 0 || status)
			err = -ECHILD;
	if (!err)
		err = atomic_load(&sh->err);
	munmap(sh, sizeof(*sh));
	return err;
}
