// SPDX-License-Identifier: Apache-2.0
/*
 * hostctl_agents.c - hostctl's view of the agents in guests
 *
 * A line for each running VM. What only an agent can say is "-" without one.
 */
#include "hostctl_agents.h"

#include <inttypes.h>

#include "hostctl_view.h"
#include "hostctl_table.h"

/* "97.3%"; "-" for a VM that did not run. */
static const char *share(const struct answer *a, char *buf)
{
	uint64_t ppm = answer_num(a, "share_ppm");

	if (!answer_num(a, "ran_ns"))
		return "-";
	snprintf(buf, TEXT_MAX, "%" PRIu64 ".%" PRIu64 "%%", ppm / 10000,
		 ppm / 1000 % 10);
	return buf;
}

static void agent_row(FILE *f, const struct answer *a)
{
	char name[TEXT_MAX], state[TEXT_MAX], why[TEXT_MAX], version[TEXT_MAX];
	char wait[TEXT_MAX], part[TEXT_MAX];

	answer_text(a, "why", why);
	answer_text(a, "version", version);
	fprintf(f, "%s\t%s%s%s\t%s\t%" PRIu64 "/%" PRIu64,
		answer_text(a, "name", name), answer_text(a, "state", state),
		*why ? ": " : "", why, *version ? version : "-",
		answer_num(a, "acked"), answer_num(a, "granted"));
	if (answer_num(a, "hinted"))
		fprintf(
		    f, "\t%" PRIu64 "\t%" PRIu64 "\t%s\t%" PRIu64,
		    answer_num(a, "wanted"), answer_num(a, "runnable"),
		    human_time(answer_num(a, "wait_ns"), wait, sizeof(wait)),
		    answer_num(a, "workers"));
	else
		fputs("\t-\t-\t-\t-", f);
	fprintf(f, "\t%s\n", share(a, part));
}

int show_agents(struct ctl *c, const char *arg)
{
	struct view p;
	int n;

	(void)arg;
	if (view_begin(c, &p,
		       "VM\tSTATE\tAGENT\tACKED\tWANTED\tRUNNABLE\tWAIT\t"
		       "WORKERS\tSHARE\n"))
		return 1;
	n = view_each(c, p.f, "agents", "agent", agent_row);
	view_end(c, &p, n > 0 ? "lllrrrrrr" : NULL);
	if (!n)
		fputs("no VM runs on this host\n", c->out);
	return n < 0;
}
