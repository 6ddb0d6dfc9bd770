// SPDX-License-Identifier: Apache-2.0
/*
 * meter_script.c - memory traffic as a file says: for tests and trials
 *
 * The file is read once, when the meter is opened. Its lines:
 *
 *	at 1500ms		what follows holds from then on
 *	vm NAME 800		MB/s that VM moves; a NAME with blanks cannot
 *				be written
 *	node 0 21000		MB/s all that loads node 0's memory moves
 *	# a comment, or nothing
 *
 * Times count from the first reading and rise. What is said of a VM or node
 * holds until something else is; before that it is not metered.
 */
#include "meter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hl/clock.h"

#define LINES_MAX    4096
#define BYTES_PER_MB 1000000ull
#define RATE_MAX     1000000000ull /* MB/s: far more than there is */

struct line {
	uint64_t at_ns;
	uint16_t node; /* NODE_NONE: about a VM */
	char name[VM_NAME_MAX];
	uint64_t bytes_s;
};

/* Something whose rate was said, from when on, and its bytes until then. */
struct flow {
	bool there;
	uint64_t bytes_s, since_ns, bytes;
};

struct meter {
	uint64_t start_ns;  /* first reading; 0: none yet */
	unsigned next, cnt; /* lines that hold already; all */
	struct line line[LINES_MAX];
	struct flow node[NODE_MAX];
	struct flow vm[VM_MAX];
	char name[VM_MAX][VM_NAME_MAX]; /* "": not watched */
};

/* --- the file ------------------------------------------------------------ */

#define WORDS_MAX 4
#define BLANKS	  " \t\r\n"

/* Digits, then @unit and nothing more. */
static bool number(const char *word, const char *unit, uint64_t max,
		   uint64_t *out)
{
	char *end;

	if (*word < '0' || *word > '9')
		return false;
	errno = 0;
	*out = strtoull(word, &end, 10);
	return !errno && *out <= max && !strcmp(end, unit);
}

/* What a line says, into the next of @m. Return: false when it makes no sense.
 */
static bool parse(struct meter *m, char *const *word, unsigned cnt,
		  uint64_t *at_ns)
{
	struct line *l = &m->line[m->cnt];
	uint64_t n, node;

	if (cnt == 2 && !strcmp(word[0], "at")) {
		if (!number(word[1], "ms", UINT32_MAX, &n) ||
		    n * NSEC_PER_MSEC < *at_ns)
			return false;
		*at_ns = n * NSEC_PER_MSEC;
		return true;
	}
	if (cnt != 3 || !number(word[2], "", RATE_MAX, &n))
		return false;
	*l = (struct line){ .at_ns = *at_ns,
			    .node = NODE_NONE,
			    .bytes_s = n * BYTES_PER_MB };
	if (!strcmp(word[0], "vm")) {
		snprintf(l->name, sizeof(l->name), "%s", word[1]);
	} else {
		if (strcmp(word[0], "node") ||
		    !number(word[1], "", NODE_MAX - 1, &node))
			return false;
		l->node = (uint16_t)node;
	}
	m->cnt++;
	return true;
}

static bool parse_text(struct meter *m, char *text, uint64_t *at_ns)
{
	char *word[WORDS_MAX], *rest = NULL;
	unsigned cnt = 0;

	for (char *w = strtok_r(text, BLANKS, &rest); w && cnt < WORDS_MAX;
	     w = strtok_r(NULL, BLANKS, &rest))
		word[cnt++] = w;
	return !cnt || word[0][0] == '#' || parse(m, word, cnt, at_ns);
}

static int load(struct meter *m, const char *path)
{
	uint64_t at_ns = 0;
	char text[256];
	FILE *f = fopen(path, "re");
	int err = 0;

	if (!f)
		return -errno;
	while (!err && fgets(text, sizeof(text), f))
		if (m->cnt == LINES_MAX || !parse_text(m, text, &at_ns))
			err = -EINVAL;
	fclose(f);
	return err;
}

static int script_open(struct meter **out, const struct meter_conf *c)
{
	struct meter *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	err = load(m, c->script);
	if (err) {
		free(m);
		return err;
	}
	*out = m;
	return 0;
}

static void script_close(struct meter *m)
{
	free(m);
}

/* --- reading ------------------------------------------------------------- */

static uint64_t flowed(const struct flow *f, uint64_t now_ns)
{
	return f->bytes + (uint64_t)((double)f->bytes_s *
				     (double)(now_ns - f->since_ns) / 1e9);
}

static void set(struct flow *f, uint64_t bytes_s, uint64_t at_ns)
{
	f->bytes = f->there ? flowed(f, at_ns) : 0;
	f->bytes_s = bytes_s;
	f->since_ns = at_ns;
	f->there = true;
}

/* What @l says of whoever has that name now. */
static void obey(struct meter *m, const struct line *l, uint64_t at_ns)
{
	if (l->node != NODE_NONE) {
		set(&m->node[l->node], l->bytes_s, at_ns);
		return;
	}
	for (unsigned i = 0; i < VM_MAX; i++)
		if (!strcmp(m->name[i], l->name))
			set(&m->vm[i], l->bytes_s, at_ns);
}

/* A VM that comes late is as the lines until now say. */
static int script_watch(struct meter *m, const struct act_vm *vm)
{
	m->vm[vm->vm] = (struct flow){ 0 };
	m->name[vm->vm][0] = '\0';
	if (!vm->vcpu_cnt)
		return 0;
	snprintf(m->name[vm->vm], VM_NAME_MAX, "%s", vm->name);
	for (unsigned i = 0; i < m->next; i++)
		if (m->line[i].node == NODE_NONE &&
		    !strcmp(m->line[i].name, vm->name))
			set(&m->vm[vm->vm], m->line[i].bytes_s,
			    m->start_ns + m->line[i].at_ns);
	return 0;
}

static void show(const struct flow *f, uint64_t now_ns, struct meter_count *c)
{
	c->there = f->there;
	c->bytes = f->there ? flowed(f, now_ns) : 0;
}

static void script_read(struct meter *m, uint64_t now_ns,
			struct meter_sample *s)
{
	if (!m->start_ns)
		m->start_ns = now_ns;
	for (; m->next < m->cnt; m->next++) {
		const struct line *l = &m->line[m->next];

		if (m->start_ns + l->at_ns > now_ns)
			break;
		obey(m, l, m->start_ns + l->at_ns);
	}
	for (unsigned i = 0; i < VM_MAX; i++)
		show(&m->vm[i], now_ns, &s->vm[i]);
	for (unsigned i = 0; i < NODE_MAX; i++)
		show(&m->node[i], now_ns, &s->node[i]);
}

const struct meter_ops meter_script = {
	.name = "script",
	.open = script_open,
	.watch = script_watch,
	.read = script_read,
	.close = script_close,
};
