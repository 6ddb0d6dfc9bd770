// SPDX-License-Identifier: Apache-2.0
/*
 * synthetic.c - a server whose requests say how long they take, and its client
 *
 * The client asks memcached, too. One static program, so that a guest needs
 * nothing but a kernel. Results go to standard output: sentences for people,
 * then one line `result {...}` of JSON for programs, in which a latency of null
 * is infinite and from_ns, to_ns are the measured stretch on this machine's
 * monotonic clock.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/client.h"
#include "tests/load/server.h"
#include "tests/load/tally.h"

static const char usage[] =
    "synthetic server [OPTION]...\n"
    "  --udp PORT, --tcp PORT  serve these\n"
    "  --threads N             each with its own sockets (1)\n"
    "synthetic client --to ADDRESS:PORT [OPTION]...\n"
    "  --proto udp|tcp|memcached  (udp)\n"
    "  --rate RPS              Poisson arrivals, open loop (1000)\n"
    "  --time T, --warmup T    measured and not measured (10s, 1s)\n"
    "  --dist constant|exp|bimodal  of the work (constant)\n"
    "  --service T             mean work of a request, as time (0ns)\n"
    "  --loops N               or as a number of loops\n"
    "  --conns N               flows (1)\n"
    "  --keys N, --value BYTES, --sets PERCENT  memcached: how many keys, of\n"
    "                          what size, and how many requests are SETs, the\n"
    "                          others GETs (1000, 100, 10)\n"
    "  --late T                do not send what is later than this (200us)\n"
    "  --grace T               wait so long for the last answers (1s)\n"
    "  --seed N                another schedule (1)\n"
    "  --spin                  never sleep\n"
    "  --out FILE              every request, CSV\n"
    "  --cdf FILE              histogram of the latencies, CSV\n"
    "Times take ns, us, ms or s; bare numbers are seconds for --time,\n"
    "--warmup and --grace, us for --late, ns for --service.\n";

static void print_us(const char *name, uint64_t ns)
{
	if (ns == TALLY_INF)
		printf("  %s inf", name);
	else
		printf("  %s %.1f", name, (double)ns / 1e3);
}

static void json_us(const char *name, uint64_t ns)
{
	if (ns == TALLY_INF)
		printf(", \"%s_us\": null", name);
	else
		printf(", \"%s_us\": %.1f", name, (double)ns / 1e3);
}

static void report(const struct client_conf *conf, const struct tally *t,
		   const struct client_count *count)
{
	double s = (double)(conf->arrive.length_ns - conf->warmup_ns) / 1e9;
	double offered = (double)t->scheduled / s;
	double achieved = (double)t->answered / s;

	printf("offered %.1f/s  achieved %.1f/s  answered %llu  lost %llu  "
	       "never sent %llu  stray %llu  latest send %.1f us\n",
	       offered, achieved, (unsigned long long)t->answered,
	       (unsigned long long)t->lost, (unsigned long long)t->never_sent,
	       (unsigned long long)count->stray,
	       (double)count->late_max_ns / 1e3);
	printf("latency us:");
	print_us("min", t->min_ns);
	for (int q = 0; q < TALLY_Q_NUM; q++)
		print_us(tally_q_name((enum tally_q)q), t->q_ns[q]);
	print_us("max", t->max_ns);
	if (t->never_sent * 1000 > t->scheduled)
		printf("\nwarning: the client could not keep its schedule for "
		       "%.2f %% of the requests",
		       100.0 * (double)t->never_sent / (double)t->scheduled);
	printf(
	    "\nresult {\"offered\": %.1f, \"achieved\": %.1f, "
	    "\"scheduled\": %llu, \"answered\": %llu, \"lost\": %llu, "
	    "\"never_sent\": %llu, \"stray\": %llu, \"stuck\": %llu, "
	    "\"misses\": %llu, \"from_ns\": %llu, \"to_ns\": %llu",
	    offered, achieved, (unsigned long long)t->scheduled,
	    (unsigned long long)t->answered, (unsigned long long)t->lost,
	    (unsigned long long)t->never_sent, (unsigned long long)count->stray,
	    (unsigned long long)count->stuck, (unsigned long long)count->misses,
	    (unsigned long long)(count->start_ns + conf->warmup_ns),
	    (unsigned long long)(count->start_ns + conf->arrive.length_ns));
	json_us("min", t->min_ns);
	for (int q = 0; q < TALLY_Q_NUM; q++)
		json_us(tally_q_name((enum tally_q)q), t->q_ns[q]);
	json_us("max", t->max_ns);
	printf("}\n");
}

/* Return: 0 or -errno of the file. */
static int finish(FILE *f, const char *path)
{
	int failed = ferror(f);

	if (fclose(f) || failed) {
		fprintf(stderr, "synthetic: %s: not written\n", path);
		return -EIO;
	}
	return 0;
}

static int write_samples(const char *path, const struct request *req, size_t n,
			 uint64_t warmup_ns)
{
	FILE *f = fopen(path, "w");

	if (!f) {
		perror(path);
		return -errno;
	}
	fprintf(f, "due_ns,work,latency_ns\n");
	for (size_t i = 0; i < n; i++) {
		if (req[i].due_ns < warmup_ns)
			continue;
		fprintf(f, "%llu,%llu,", (unsigned long long)req[i].due_ns,
			(unsigned long long)req[i].work);
		if (req[i].latency_ns == LATENCY_NEVER_SENT)
			fprintf(f, "never_sent\n");
		else if (req[i].latency_ns == LATENCY_NONE)
			fprintf(f, "lost\n");
		else
			fprintf(f, "%llu\n",
				(unsigned long long)req[i].latency_ns);
	}
	return finish(f, path);
}

static int write_cdf(const char *path, const struct tally *t)
{
	FILE *f = fopen(path, "w");

	if (!f) {
		perror(path);
		return -errno;
	}
	fprintf(f, "upto_ns,count\n");
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		if (t->hist.bucket[i])
			fprintf(f, "%llu,%llu\n",
				(unsigned long long)hist_upper(i),
				(unsigned long long)t->hist.bucket[i]);
	if (t->lost)
		fprintf(f, "inf,%llu\n", (unsigned long long)t->lost);
	return finish(f, path);
}

static int run_client(const struct client_conf *conf)
{
	static struct tally t;
	size_t room = arrive_room(&conf->arrive), n;
	struct request *req = calloc(room, sizeof(*req));
	uint64_t *scratch = calloc(room, sizeof(*scratch));
	struct client_count count;
	int rc = -ENOMEM;

	if (!req || !scratch) {
		fprintf(stderr, "synthetic: no memory\n");
		goto out_free;
	}
	n = arrive_fill(&conf->arrive, req, room);
	rc = client_run(conf, req, n, &count);
	if (rc)
		goto out_free;
	tally_make(&t, req, n, conf->warmup_ns, scratch);
	report(conf, &t, &count);
	if (conf->out)
		rc = write_samples(conf->out, req, n, conf->warmup_ns);
	if (!rc && conf->cdf)
		rc = write_cdf(conf->cdf, &t);
out_free:
	free(scratch);
	free(req);
	return rc;
}

int main(int argc, char **argv)
{
	struct synthetic_conf conf;
	char why[256];
	int rc;

	if (options_synthetic(argc, argv, &conf, why, sizeof(why))) {
		fprintf(stderr, "synthetic: %s\n", why);
		return 2;
	}
	if (conf.command == COMMAND_HELP) {
		fputs(usage, stdout);
		return 0;
	}
	rc = conf.command == COMMAND_SERVER ? server_run(&conf.server)
					    : run_client(&conf.client);
	return rc ? 1 : 0;
}
