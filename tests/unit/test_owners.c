// SPDX-License-Identifier: Apache-2.0
/*
 * test_owners.c - the ownership table: rules, masks, and what is reported
 *
 * The host of the tables: cpus 1-4 managed, cpu 0 the floor. Slot 0 is a
 * latency-critical VM with vcpus 0-3, at most 3 cpus; slot 1 one with vcpus
 * 8-9, at most 2, vcpu 9 unplugged; slot 2 a best-effort VM with vcpus 16-17.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "owners.h"

#define N  VCPU_NONE
#define LC VM_CLASS_LATENCY_CRITICAL
#define BE VM_CLASS_BEST_EFFORT

static struct owners table;
static struct snapshot snap;
static struct owners_changed changed;

static struct cpumask mask_of(uint64_t bits)
{
	return (struct cpumask){ { bits } };
}

static void add_vm(uint16_t vm, uint8_t class, uint16_t first, uint16_t cnt,
		   uint16_t cpus_max)
{
	snap.vm[vm] = (struct vm_view){ .present = true,
					.class = class,
					.first_vcpu = first,
					.vcpu_cnt = cnt,
					.cpus_max = cpus_max };
	for (unsigned i = 0; i < cnt; i++)
		snap.vcpu[first + i].vm = vm;
	assert_int_equal(owners_vm_set(&table, vm, class, first, cnt), 0);
}

static void set_up(void)
{
	struct cpumask managed = mask_of(0x1e), floor = mask_of(0x1);

	memset(&snap, 0, sizeof(snap));
	snap.vm_cnt = 3;
	snap.vcpu_cnt = 18;
	snap.cpu_cnt = 5;
	for (unsigned i = 0; i < VCPU_MAX; i++)
		snap.vcpu[i].vm = VM_NONE;
	owners_init(&table, &managed, &floor);
	add_vm(0, LC, 0, 4, 3);
	add_vm(1, LC, 8, 2, 2);
	add_vm(2, BE, 16, 2, 4);
	snap.vcpu[9].vm = VM_NONE;
}

struct line {
	uint16_t cpu, vcpu;
};

static unsigned apply(const struct line *line, unsigned cnt)
{
	static struct plan p;

	p.count = p.bar_cnt = 0;
	for (unsigned i = 0; i < cnt; i++)
		p.grant[p.count++] =
		    (struct grant){ .cpu = line[i].cpu, .vcpu = line[i].vcpu };
	return owners_apply(&table, &snap, &p, &changed);
}

static const struct {
	const char *what;
	struct line
	    first[5];	     /* a plan that is carried out before; cpu 0 ends */
	struct line line[5]; /* the plan in question; cpu 0 ends */
	unsigned refused;
	uint16_t owner[5];   /* of cpus 0-4 */
	uint16_t changed[5]; /* vcpus; N ends */
	uint64_t mask[4];    /* of vcpus 0-3 */
} apply_row[] = {
	{ .what = "one grant moves the owner, its fellows ride there",
	  .line = { { 1, 2 } },
	  .owner = { N, 2, N, N, N },
	  .changed = { 0, 1, 2, 3, N },
	  .mask = { 0x2, 0x2, 0x2, 0x2 } },
	{ .what = "a second owner leaves the first one's mask alone",
	  .first = { { 1, 2 } },
	  .line = { { 3, 0 } },
	  .owner = { N, 2, N, 0, N },
	  .changed = { 0, 1, 3, N },
	  .mask = { 0x8, 0xa, 0x2, 0xa } },
	{ .what = "the last cpu gone, all are on the floor",
	  .first = { { 1, 2 } },
	  .line = { { 1, N } },
	  .owner = { N, N, N, N, N },
	  .changed = { 0, 1, 2, 3, N },
	  .mask = { 0x1, 0x1, 0x1, 0x1 } },
	{ .what = "a vcpu that gets a second cpu leaves the first",
	  .first = { { 1, 2 } },
	  .line = { { 4, 2 } },
	  .owner = { N, N, N, N, 2 },
	  .changed = { 0, 1, 2, 3, N },
	  .mask = { 0x10, 0x10, 0x10, 0x10 } },
	{ .what = "taken from another VM: both VMs' vcpus change",
	  .first = { { 1, 8 } },
	  .line = { { 1, 3 } },
	  .owner = { N, 3, N, N, N },
	  .changed = { 0, 1, 2, 3, N },
	  .mask = { 0x2, 0x2, 0x2, 0x2 } },
	{ .what = "handed over inside the VM: the set is the same",
	  .first = { { 1, 0 }, { 2, 1 } },
	  .line = { { 2, 3 } },
	  .owner = { N, 0, 3, N, N },
	  .changed = { 1, 3, N },
	  .mask = { 0x2, 0x6, 0x6, 0x4 } },
	{ .what = "nothing new: nothing changed",
	  .first = { { 1, 2 } },
	  .line = { { 1, 2 } },
	  .owner = { N, 2, N, N, N },
	  .changed = { N },
	  .mask = { 0x2, 0x2, 0x2, 0x2 } },
	{ .what = "two owners swap cpus: only they changed",
	  .first = { { 1, 0 }, { 2, 1 } },
	  .line = { { 1, 1 }, { 2, 0 } },
	  .owner = { N, 1, 0, N, N },
	  .changed = { 0, 1, N },
	  .mask = { 0x4, 0x2, 0x6, 0x6 } },
	{ .what = "a best-effort owner's mask is what it was",
	  .line = { { 1, 16 } },
	  .owner = { N, 16, N, N, N },
	  .changed = { N },
	  .mask = { 0x1, 0x1, 0x1, 0x1 } },
	{ .what = "to nobody, which it was",
	  .line = { { 1, N } },
	  .owner = { N, N, N, N, N },
	  .changed = { N },
	  .mask = { 0x1, 0x1, 0x1, 0x1 } },
	{ .what = "refused: a cpu that is not managed",
	  .line = { { 5, 0 }, { CPU_MAX - 1, 1 } },
	  .refused = 2,
	  .owner = { N, N, N, N, N },
	  .changed = { N },
	  .mask = { 0x1, 0x1, 0x1, 0x1 } },
	{ .what = "refused: no such cpu",
	  .line = { { CPU_MAX, 0 }, { CPU_NONE, N } },
	  .refused = 2,
	  .owner = { N, N, N, N, N },
	  .changed = { N },
	  .mask = { 0x1, 0x1, 0x1, 0x1 } },
	{ .what = "refused: a vcpu unplugged, in no VM, out of range",
	  .line = { { 1, 9 }, { 2, 5 }, { 3, 18 }, { 4, VCPU_MAX } },
	  .refused = 4,
	  .owner = { N, N, N, N, N },
	  .changed = { N },
	  .mask = { 0x1, 0x1, 0x1, 0x1 } },
	{ .what = "refused: the same cpu again; the good lines hold",
	  .line = { { 1, 0 }, { 1, 1 }, { 2, 1 } },
	  .refused = 1,
	  .owner = { N, 0, 1, N, N },
	  .changed = { 0, 1, 2, 3, N },
	  .mask = { 0x2, 0x4, 0x6, 0x6 } },
	{ .what = "refused: more than cpus_max",
	  .line = { { 1, 0 }, { 2, 1 }, { 3, 2 }, { 4, 3 } },
	  .refused = 1,
	  .owner = { N, 0, 1, 2, N },
	  .changed = { 0, 1, 2, 3, N },
	  .mask = { 0x2, 0x4, 0x8, 0xe } },
	{ .what = "at cpus_max a cpu may still change hands inside",
	  .first = { { 1, 0 }, { 2, 1 }, { 3, 2 } },
	  .line = { { 3, 3 }, { 4, 0 } },
	  .owner = { N, N, 1, 3, 0 },
	  .changed = { 0, 2, 3, N },
	  .mask = { 0x10, 0x4, 0x1c, 0x8 } },
};

/* check_masks() - And nothing may change that was not reported. */
static void check_row(size_t i, const struct cpumask *before)
{
	const char *what = apply_row[i].what;
	unsigned n = 0;

	for (uint16_t cpu = 0; cpu < 5; cpu++)
		if (owners_of_cpu(&table, cpu) != apply_row[i].owner[cpu])
			fail_msg("%s: owner of cpu %u", what, cpu);
	for (uint16_t v = 0; v < 4; v++)
		if (owners_mask(&table, v).word[0] != apply_row[i].mask[v])
			fail_msg("%s: mask of vcpu %u", what, v);
	/* vcpus of slot 1 and 2 are left out of the row's list */
	for (unsigned c = 0; c < changed.count; c++)
		if (changed.vcpu[c] < 8 &&
		    changed.vcpu[c] != apply_row[i].changed[n++])
			fail_msg("%s: reports %u", what, changed.vcpu[c]);
	if (apply_row[i].changed[n] != N)
		fail_msg("%s: does not report %u", what,
			 apply_row[i].changed[n]);
	for (uint16_t v = 0; v < 18; v++) {
		struct cpumask now = owners_mask(&table, v);
		bool told = false;

		for (unsigned c = 0; c < changed.count; c++)
			told |= changed.vcpu[c] == v;
		if (told == cpumask_equal(&now, &before[v]))
			fail_msg("%s: vcpu %u, told %d", what, v, told);
	}
}

static unsigned lines(const struct line *line)
{
	unsigned cnt = 0;

	while (cnt < 5 && line[cnt].cpu)
		cnt++;
	return cnt;
}

static void test_apply(void **unused)
{
	struct cpumask before[18];

	(void)unused;
	for (size_t i = 0; i < sizeof(apply_row) / sizeof(apply_row[0]); i++) {
		unsigned refused;

		set_up();
		apply(apply_row[i].first, lines(apply_row[i].first));
		for (uint16_t v = 0; v < 18; v++)
			before[v] = owners_mask(&table, v);
		refused = apply(apply_row[i].line, lines(apply_row[i].line));
		if (refused != apply_row[i].refused)
			fail_msg("%s: %u refused", apply_row[i].what, refused);
		check_row(i, before);
	}
}

/* An unplugged owner does not count against its VM's limit, wherever in the
 * plan its cpu stands. */
static void test_unplugged_owner(void **unused)
{
	const struct line own[] = { { 1, 0 }, { 2, 1 }, { 3, 2 } };
	const struct line next[] = { { 4, 3 }, { 1, N } };

	(void)unused;
	set_up();
	assert_int_equal(apply(own, 3), 0);
	snap.vcpu[0].vm = VM_NONE;
	assert_int_equal(apply(next, 2), 0);
	assert_int_equal(owners_of_cpu(&table, 1), N);
	assert_int_equal(owners_of_cpu(&table, 4), 3);
	assert_int_equal(owners_of_vm(&table, 0), 3);
}

static void test_masks_by_class(void **unused)
{
	struct cpumask none = mask_of(0), floor = mask_of(0x1);
	const struct line own[] = { { 1, 8 }, { 2, 16 } };

	(void)unused;
	set_up();
	assert_int_equal(apply(own, 2), 0);
	assert_int_equal(owners_mask(&table, 8).word[0], 0x2);
	assert_int_equal(owners_mask(&table, 0).word[0], 0x1);
	assert_int_equal(owners_mask(&table, 16).word[0], 0x1e);
	assert_int_equal(owners_mask(&table, 17).word[0], 0x1e);
	/* there is no such vcpu: nothing to allow */
	assert_int_equal(owners_mask(&table, 5).word[0], 0);
	assert_int_equal(owners_mask(&table, VCPU_NONE).word[0], 0);

	/* no cpu is managed any more: everybody is on the floor */
	owners_set(&table, &none, &floor);
	assert_int_equal(owners_mask(&table, 8).word[0], 0x1);
	assert_int_equal(owners_mask(&table, 16).word[0], 0x1);
	assert_int_equal(owners_of_vm(&table, 1), 0);
}

static void test_cpus_change(void **unused)
{
	const struct line own[] = { { 1, 0 }, { 2, 1 }, { 3, 8 } };
	struct cpumask managed = mask_of(0x6c), floor = mask_of(0x3);

	(void)unused;
	set_up();
	assert_int_equal(apply(own, 3), 0);
	owners_set(&table, &managed, &floor);
	assert_int_equal(owners_of_cpu(&table, 1), N);
	assert_int_equal(owners_of_cpu(&table, 2), 1);
	assert_int_equal(owners_of_cpu(&table, 3), 8);
	assert_int_equal(owners_of_vm(&table, 0), 1);
	assert_int_equal(owners_mask(&table, 0).word[0], 0x4);
	assert_int_equal(owners_mask(&table, 16).word[0], 0x6c);
	owners_clear(&table);
	assert_int_equal(owners_of_vm(&table, 0), 0);
	assert_int_equal(owners_mask(&table, 0).word[0], 0x3);
	/* the table still reports as it should */
	assert_int_equal(apply((struct line[]){ { 2, 0 } }, 1), 0);
	assert_int_equal(changed.count, 4);
}

static void test_vms_come_and_go(void **unused)
{
	const struct line own[] = { { 1, 0 }, { 2, 1 }, { 3, 8 } };

	(void)unused;
	set_up();
	assert_int_equal(apply(own, 3), 0);

	/* the same again: nothing changes */
	assert_int_equal(owners_vm_set(&table, 0, LC, 0, 4), 0);
	assert_int_equal(owners_of_vm(&table, 0), 2);
	/* now best-effort: starts anew */
	assert_int_equal(owners_vm_set(&table, 0, BE, 0, 4), 0);
	assert_int_equal(owners_of_vm(&table, 0), 0);
	assert_int_equal(owners_of_cpu(&table, 1), N);
	assert_int_equal(owners_mask(&table, 0).word[0], 0x1e);

	owners_vm_del(&table, 1);
	owners_vm_del(&table, 1);
	assert_int_equal(owners_of_cpu(&table, 3), N);
	assert_int_equal(owners_mask(&table, 8).word[0], 0);
	assert_int_equal(apply((struct line[]){ { 3, 8 } }, 1), 1);

	/* its slots can serve another VM */
	assert_int_equal(owners_vm_set(&table, 5, LC, 6, 4), 0);
	assert_int_equal(owners_mask(&table, 8).word[0], 0x1);
}

static const struct {
	const char *what;
	uint16_t vm, first, cnt;
	int err;
} set_row[] = {
	{ "no such VM slot", VM_MAX, 100, 1, -EINVAL },
	{ "slots past the end", 7, VCPU_MAX - 1, 2, -EINVAL },
	{ "a number that wraps", 7, 65535, 2, -EINVAL },
	{ "slots of another VM", 7, 3, 2, -EINVAL },
	{ "between two VMs", 7, 4, 4, 0 },
	{ "the last slot", 7, VCPU_MAX - 1, 1, 0 },
	{ "no vcpus at all", 7, 0, 0, 0 },
};

static void test_vm_set(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(set_row) / sizeof(set_row[0]); i++) {
		int err;

		set_up();
		err = owners_vm_set(&table, set_row[i].vm, LC, set_row[i].first,
				    set_row[i].cnt);
		if (err != set_row[i].err)
			fail_msg("%s: %d", set_row[i].what, err);
		/* a refusal leaves the neighbours alone */
		if (err)
			assert_int_equal(owners_mask(&table, 3).word[0], 0x1);
	}
}

/* --- bars ---------------------------------------------------------------- */

struct bar_line {
	uint16_t vm;
	uint64_t cpus;
};

#define ALL	  VM_NONE
#define BAR_LINES 4

/* Slot 3 is a best-effort VM with vcpus 20-21. */
static const struct {
	const char *what;
	struct bar_line first[BAR_LINES]; /* a plan before; no cpus and slot 0
					     ends */
	struct bar_line line[BAR_LINES];
	unsigned refused;
	uint64_t mask[2]; /* of the vcpus of slots 2 and 3 */
	unsigned told;	  /* vcpus reported */
} bar_row[] = {
	{ .what = "one VM, off one cpu",
	  .line = { { 2, 0x4 } },
	  .mask = { 0x1a, 0x1e },
	  .told = 2 },
	{ .what = "all, off one cpu",
	  .line = { { ALL, 0x4 } },
	  .mask = { 0x1a, 0x1a },
	  .told = 4 },
	{ .what = "what is said of all and of one adds up",
	  .first = { { ALL, 0x4 } },
	  .line = { { 2, 0x8 } },
	  .mask = { 0x12, 0x1a },
	  .told = 2 },
	{ .what = "in one plan, each vcpu reported once",
	  .line = { { 2, 0x8 }, { ALL, 0x4 } },
	  .mask = { 0x12, 0x1a },
	  .told = 4 },
	{ .what = "barred twice, once is lifted: still barred",
	  .first = { { ALL, 0x4 }, { 2, 0x4 } },
	  .line = { { ALL, 0 } },
	  .mask = { 0x1a, 0x1e },
	  .told = 2 },
	{ .what = "a later bar replaces the earlier one",
	  .first = { { 2, 0x6 } },
	  .line = { { 2, 0x8 } },
	  .mask = { 0x16, 0x1e },
	  .told = 2 },
	{ .what = "lifted",
	  .first = { { 2, 0x6 }, { ALL, 0x10 } },
	  .line = { { 2, 0 }, { ALL, 0 } },
	  .mask = { 0x1e, 0x1e },
	  .told = 4 },
	{ .what = "the same again is nothing new",
	  .first = { { 2, 0x6 } },
	  .line = { { 2, 0x6 } },
	  .mask = { 0x18, 0x1e } },
	{ .what = "off every cpu: the floor",
	  .line = { { 2, 0x1e } },
	  .mask = { 0x1, 0x1e },
	  .told = 2 },
	{ .what = "off every cpu by both: the floor",
	  .first = { { 2, 0x6 } },
	  .line = { { ALL, ~0ull } },
	  .mask = { 0x1, 0x1 },
	  .told = 4 },
	{ .what = "off cpus it could not use anyway",
	  .line = { { 2, 0xffe1 } },
	  .mask = { 0x1e, 0x1e } },
	{ .what = "refused: latency-critical, not there, no such slot",
	  .line = { { 1, 0x2 }, { 7, 0x2 }, { VM_MAX, 0x2 } },
	  .refused = 3,
	  .mask = { 0x1e, 0x1e } },
	{ .what = "refused: the same VM twice; the first line holds",
	  .line = { { 2, 0x2 }, { 2, 0x4 }, { ALL, 0x8 }, { ALL, 0x10 } },
	  .refused = 2,
	  .mask = { 0x14, 0x16 },
	  .told = 4 },
};

static unsigned apply_bars(const struct bar_line *line)
{
	static struct plan p;

	p.count = p.bar_cnt = 0;
	for (unsigned i = 0; i < BAR_LINES; i++)
		if (line[i].vm || line[i].cpus)
			p.bar[p.bar_cnt++] =
			    (struct bar){ .vm = line[i].vm,
					  .cpus = mask_of(line[i].cpus) };
	return owners_apply(&table, &snap, &p, &changed);
}

static void test_bars(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(bar_row) / sizeof(bar_row[0]); i++) {
		const char *what = bar_row[i].what;
		unsigned refused;

		set_up();
		add_vm(3, BE, 20, 2, 4);
		assert_int_equal(apply_bars(bar_row[i].first), 0);
		refused = apply_bars(bar_row[i].line);
		if (refused != bar_row[i].refused)
			fail_msg("%s: %u refused", what, refused);
		for (uint16_t v = 0; v < 2; v++)
			if (owners_mask(&table, 17).word[0] !=
				bar_row[i].mask[0] ||
			    owners_mask(&table, 20 + v).word[0] !=
				bar_row[i].mask[1])
				fail_msg("%s: wrong mask", what);
		if (changed.count != bar_row[i].told)
			fail_msg("%s: %u vcpus reported", what, changed.count);
		/* no bar is about them */
		assert_int_equal(owners_mask(&table, 0).word[0], 0x1);
	}
}

/* How long a bar stands. */
static void test_bars_end(void **unused)
{
	struct cpumask managed = mask_of(0x7c), floor = mask_of(0x1);
	const struct bar_line bars[BAR_LINES] = { { 2, 0x4 }, { ALL, 0x8 } };

	(void)unused;
	set_up();
	assert_int_equal(apply_bars(bars), 0);
	/* other cpus are managed: it stands */
	owners_set(&table, &managed, &floor);
	assert_int_equal(owners_mask(&table, 16).word[0], 0x70);
	assert_int_equal(owners_barred(&table, 2).word[0], 0xc);
	assert_int_equal(owners_barred(&table, 0).word[0], 0);
	assert_int_equal(owners_barred(&table, VM_NONE).word[0], 0);
	/* a vcpu more: it stands; of another class: not */
	assert_int_equal(owners_vm_set(&table, 2, BE, 16, 1), 0);
	assert_int_equal(owners_mask(&table, 16).word[0], 0x70);
	assert_int_equal(owners_vm_set(&table, 2, LC, 16, 1), 0);
	assert_int_equal(owners_vm_set(&table, 2, BE, 16, 1), 0);
	assert_int_equal(owners_mask(&table, 16).word[0], 0x74);
	assert_int_equal(apply_bars(bars), 0);
	/* the VM is another one: what all are barred from stands */
	owners_vm_del(&table, 2);
	assert_int_equal(owners_vm_set(&table, 2, BE, 16, 2), 0);
	assert_int_equal(owners_mask(&table, 16).word[0], 0x74);
	/* another policy */
	owners_bars_clear(&table);
	assert_int_equal(owners_mask(&table, 16).word[0], 0x7c);
	/* nobody acts any more */
	assert_int_equal(apply_bars(bars), 0);
	owners_clear(&table);
	assert_int_equal(owners_mask(&table, 16).word[0], 0x7c);
}

/* More lines than a plan has are not read. */
static void test_bars_bounded(void **unused)
{
	static struct plan p;

	(void)unused;
	set_up();
	for (unsigned i = 0; i < BAR_MAX; i++)
		p.bar[i] = (struct bar){ .vm = 1 };
	p.bar_cnt = BAR_MAX + 9;
	assert_int_equal(owners_apply(&table, &snap, &p, &changed), BAR_MAX);
}

/* The obvious model: owner per cpu, everything else counted afresh. */
static uint16_t model[CPU_MAX];

static unsigned model_owned(uint16_t vm)
{
	unsigned cnt = 0;

	for (unsigned cpu = 0; cpu < 8; cpu++)
		cnt += model[cpu] != N && snap.vcpu[model[cpu]].vm == vm;
	return cnt;
}

static bool model_grant(uint16_t cpu, uint16_t vcpu)
{
	uint16_t was[8];
	uint16_t vm;

	if (vcpu == N) {
		model[cpu] = N;
		return true;
	}
	if (!cpumask_has(&table.managed, cpu) || vcpu >= snap.vcpu_cnt)
		return false;
	vm = snap.vcpu[vcpu].vm;
	if (vm == VM_NONE)
		return false;
	memcpy(was, model, sizeof(was));
	for (unsigned i = 0; i < 8; i++)
		if (model[i] == vcpu)
			model[i] = N;
	model[cpu] = vcpu;
	if (model_owned(vm) <= snap.vm[vm].cpus_max)
		return true;
	memcpy(model, was, sizeof(was));
	return false;
}

static uint64_t model_mask(uint16_t vcpu)
{
	uint16_t vm = snap.vcpu[vcpu].vm;
	uint64_t own = 0;

	if (snap.vm[vm].class == BE)
		return 0x7e;
	for (unsigned cpu = 0; cpu < 8; cpu++) {
		if (model[cpu] == vcpu)
			return 1ull << cpu;
		if (model[cpu] != N && snap.vcpu[model[cpu]].vm == vm)
			own |= 1ull << cpu;
	}
	return own ? own : 0x81;
}

static void test_against_model(void **unused)
{
	struct cpumask managed = mask_of(0x7e), floor = mask_of(0x81);
	uint64_t before[18];

	(void)unused;
	set_up();
	owners_set(&table, &managed, &floor);
	snap.vcpu[9].vm = 1;
	memset(model, 0xff, sizeof(model));
	srand(7);
	for (unsigned run = 0; run < 50000; run++) {
		struct line line[6];
		unsigned cnt = (unsigned)rand() % 7, refused = 0, told = 0;
		unsigned seen = 0, differ = 0;

		for (uint16_t v = 0; v < 18; v++)
			if (snap.vcpu[v].vm != VM_NONE)
				before[v] = model_mask(v);
		for (unsigned i = 0; i < cnt; i++) {
			uint16_t v = (uint16_t)(rand() % 20);

			line[i].cpu = (uint16_t)(rand() % 8);
			line[i].vcpu = v < 18 ? v : N;
			refused += seen >> line[i].cpu & 1 ||
				   !model_grant(line[i].cpu, line[i].vcpu);
			seen |= 1u << line[i].cpu;
		}
		assert_int_equal(apply(line, cnt), refused);
		for (uint16_t cpu = 0; cpu < 8; cpu++)
			assert_int_equal(owners_of_cpu(&table, cpu),
					 model[cpu]);
		for (uint16_t v = 0; v < 18; v++) {
			if (snap.vcpu[v].vm == VM_NONE)
				continue;
			assert_int_equal(owners_mask(&table, v).word[0],
					 model_mask(v));
			differ += before[v] != model_mask(v);
		}
		for (unsigned i = 0; i < changed.count; i++)
			told += before[changed.vcpu[i]] !=
				model_mask(changed.vcpu[i]);
		assert_int_equal(told, differ);
		assert_int_equal(changed.count, differ);
		for (uint16_t vm = 0; vm < 3; vm++)
			assert_int_equal(owners_of_vm(&table, vm),
					 model_owned(vm));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_unplugged_owner),
		cmocka_unit_test(test_masks_by_class),
		cmocka_unit_test(test_cpus_change),
		cmocka_unit_test(test_vms_come_and_go),
		cmocka_unit_test(test_vm_set),
		cmocka_unit_test(test_bars),
		cmocka_unit_test(test_bars_end),
		cmocka_unit_test(test_bars_bounded),
		cmocka_unit_test(test_against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
