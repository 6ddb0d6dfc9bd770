// SPDX-License-Identifier: Apache-2.0
/*
 * report_svg.c - the matrix of runs as one picture
 *
 * Sizes of the host side by side, scenarios one below the other. The tail's
 * axis is logarithmic from 1/32 of the SLO to 32 times it; what is beyond, or
 * was lost, stands at the edge. The line is the SLO.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "report_group.h"

#define FIELD_W	  230
#define FIELD_H	  150
#define GAP	  46
#define LEFT	  60
#define TOP	  70
#define MARK_W	  105 /* a name in the legend */
#define LEGEND_W  (LEFT + 11 * MARK_W)
#define OCTAVES	  5
#define SIZES	  16
#define SCENARIOS 64

/* Told apart by those who see few colours, too: by lightness. */
static const char *const color[POLICIES_MAX] = {
	"#2a9d5c", "#8fd0a9", "#4c78a8", "#e45756", "#f2a33a", "#8e6bbf",
	"#9c755f", "#1b1b1b", "#bbbbbb", "#d37295", "#499894", "#b6992d",
	"#79706e", "#a0cbe8", "#ff9d9a", "#86bcb6",
};

/* What stands where. */
struct grid {
	const char *scenario[SCENARIOS];
	unsigned cpus[SIZES];
	unsigned scenarios, sizes;
};

static unsigned row_of(struct grid *g, const char *scenario)
{
	for (unsigned i = 0; i < g->scenarios; i++)
		if (!strcmp(g->scenario[i], scenario))
			return i;
	if (g->scenarios == SCENARIOS)
		return SCENARIOS;
	g->scenario[g->scenarios] = scenario;
	return g->scenarios++;
}

static unsigned column_of(struct grid *g, unsigned cpus)
{
	for (unsigned i = 0; i < g->sizes; i++)
		if (g->cpus[i] == cpus)
			return i;
	if (g->sizes == SIZES)
		return SIZES;
	g->cpus[g->sizes] = cpus;
	return g->sizes++;
}

static double most_cpu_s(const struct kase *k)
{
	double most = 1e-9;

	for (unsigned i = 0; i < k->policies; i++)
		if (k->group[i].cnt)
			most = fmax(most, k->group[i].score.cpu_s);
	return most;
}

/* height() - Of a tail above the field's lower edge. */
static double height(double tail)
{
	double octave = tail > 0 ? log2(tail) : -OCTAVES;

	octave = fmin(fmax(octave, -OCTAVES), OCTAVES);
	return FIELD_H * (octave + OCTAVES) / (2 * OCTAVES);
}

static void field(FILE *to, const struct kase *k, double x, double y)
{
	double most = most_cpu_s(k), at_x, at_y;

	fprintf(to,
		"<rect x=\"%.0f\" y=\"%.0f\" width=\"%d\" height=\"%d\" "
		"fill=\"none\" stroke=\"#999\"/>\n",
		x, y, FIELD_W, FIELD_H);
	fprintf(to,
		"<line x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\" "
		"stroke=\"#c33\" stroke-dasharray=\"4 3\"/>\n",
		x, x + FIELD_W, y + FIELD_H - height(1),
		y + FIELD_H - height(1));
	fprintf(to, "<text x=\"%.0f\" y=\"%.0f\">%s, %u cpus</text>\n", x,
		y - 5, k->scenario, k->cpus);
	fprintf(to,
		"<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">%.3g "
		"cpu-s</text>\n",
		x + FIELD_W, y + FIELD_H + 13, most);
	for (unsigned i = k->policies; i-- > 0;) { /* ours on top */
		if (!k->group[i].cnt)
			continue;
		at_x = x + k->group[i].score.cpu_s / most * (FIELD_W - 8);
		at_y = y + FIELD_H - height(k->group[i].score.tail);
		fprintf(to,
			"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" fill=\""
			"%s\" stroke=\"#fff\"><title>%s: tail %.2f, %.2f "
			"cpu-s</title></circle>\n",
			at_x, at_y, (int)i == k->ours ? 6 : 4, color[i],
			k->group[i].policy->name, k->group[i].score.tail,
			k->group[i].score.cpu_s);
	}
}

static void legend(FILE *to)
{
	unsigned i = 0;

	for (const struct sim_policy *p = sim_policies;
	     p->name && i < POLICIES_MAX; p++, i++)
		fprintf(to,
			"<circle cx=\"%u\" cy=\"34\" r=\"5\" fill=\"%s\"/>"
			"<text x=\"%u\" y=\"38\">%s</text>\n",
			LEFT + i * MARK_W, color[i], LEFT + 8 + i * MARK_W,
			p->name);
}

static void scale(FILE *to, double y)
{
	for (int octave = -OCTAVES; octave <= OCTAVES; octave += OCTAVES)
		fprintf(to,
			"<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">"
			"%s%g</text>\n",
			LEFT - 4, y + FIELD_H - height(exp2(octave)) + 4,
			octave < 0 ? "SLO/" : "SLO x ", exp2(abs(octave)));
}

int report_svg(FILE *to, const struct sim_row *rows, unsigned cnt)
{
	struct cases *all = cases_of(rows, cnt);
	struct grid g = { 0 };
	unsigned row, column, width, height_px;

	if (!all)
		return -ENOMEM;
	for (unsigned i = 0; i < all->cnt; i++) {
		row_of(&g, all->kase[i].scenario);
		column_of(&g, all->kase[i].cpus);
	}
	width = LEFT + g.sizes * (FIELD_W + GAP);
	height_px = TOP + g.scenarios * (FIELD_H + GAP);
	fprintf(to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" "
		"height=\"%u\" font-family=\"sans-serif\" font-size=\"11\" "
		"fill=\"#222\">\n<rect width=\"100%%\" height=\"100%%\" "
		"fill=\"#fff\"/>\n",
		width < LEGEND_W ? LEGEND_W : width, height_px);
	fprintf(to,
		"<text x=\"%d\" y=\"16\">Worst tail, as a multiple of the "
		"SLO (up), over cpu-seconds of latency-critical VMs (right); "
		"low and left is good.</text>\n",
		LEFT);
	legend(to);
	for (unsigned i = 0; i < all->cnt; i++) {
		row = row_of(&g, all->kase[i].scenario);
		column = column_of(&g, all->kase[i].cpus);
		if (row == SCENARIOS || column == SIZES)
			continue;
		if (!column)
			scale(to, TOP + row * (FIELD_H + GAP));
		field(to, &all->kase[i], LEFT + column * (FIELD_W + GAP),
		      TOP + row * (FIELD_H + GAP));
	}
	fprintf(to, "</svg>\n");
	free(all);
	return ferror(to) ? -EIO : 0;
}
