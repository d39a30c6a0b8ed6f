// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many variables (and records of ids, which stand among them), buckets and callbacks does the core handle in one section with interrupts off?
 * The module is built with a core that tells it (shadow-sections.h) and counts, call by call, up to
 * 100,000 variables, which makes the table grow ten times. A line for each kind of call goes to the kernel log.
 */
#include "fake.h"
#include "shadow-sections.h"
#include "shadow-store.h"

#define FEW	100ul
#define MANY	100000ul
#define DECLARED 100
#define OTHER	101
#define UNDECLARED 102
#define SIZE	16

struct handled {
	unsigned long variables, buckets, callbacks;
};

/* In this section; in all of them; the most in one; how many of them there were with any. */
static struct handled now, all, most, with;
static unsigned long sections;
static unsigned int depth;

void section_begin(void)
{
	if (depth++)
		return;
	now = (struct handled){ };
}

static void add_up(unsigned long n, unsigned long *sum, unsigned long *max, unsigned long *some)
{
	*sum += n;
	*max = max(*max, n);
	*some += n != 0;
}

void section_end(void)
{
	CHECK(depth && irqs_disabled());
	if (--depth)
		return;
	sections++;
	/* A bucket is no variable, but takes as long. */
	CHECK(now.variables + now.buckets <= 1);
	add_up(now.variables, &all.variables, &most.variables, &with.variables);
	add_up(now.buckets, &all.buckets, &most.buckets, &with.buckets);
	add_up(now.callbacks, &all.callbacks, &most.callbacks, &with.callbacks);
}

void section_node(const struct shadow_node *node)
{
	if (node->key & 1) {
		CHECK(depth);
		now.variables++;
	} else {
		/* The first ones, in a table that nobody sees yet, are linked with interrupts on. */
		now.buckets++;
	}
}

static int counted_ctor(void *obj, void *data, void *fail)
{
	CHECK(depth);
	now.callbacks++;
	return fail ? -EINVAL : 0;
}

static void counted_dtor(void *obj, void *data)
{
	CHECK(depth);
	now.callbacks++;
}

static unsigned long linked_buckets(void)
{
	const struct shadow_table *t = &shadow_root->table;
	unsigned long n = 0;
	u32 b;

	for (b = 0; b <= t->mask; b++)
		n += shadow_bucket_ready(t, b);
	return n;
}

static void report(const char *what)
{
	static unsigned long buckets = SHADOW_CHUNK;

	/* With variables it depends on their addresses how many buckets there are. */
	buckets += all.buckets;
	CHECK(with.buckets == all.buckets);
	CHECK(!shadow_root || buckets == linked_buckets());
	pr_info("one section: %s: %lu variables in %lu, at most %lu; %lu callbacks, at most %lu; buckets at most %lu; %lu others\n",
		what, all.variables, with.variables, most.variables, all.callbacks, most.callbacks,
		most.buckets, sections - with.variables - with.buckets);
	all = most = with = (struct handled){ };
	sections = 0;
}

static const struct kpatch_shadow_field fields[] = {
	{ .name = "sections.declared", .id = DECLARED, .size = SIZE, .align = 8, .dtor = counted_dtor },
	{ .name = "sections.other", .id = OTHER, .size = SIZE, .align = 8, .dtor = counted_dtor },
};
FAKE_LIVEPATCH(fields);

static void *object(unsigned long i)
{
	return (void *)(0xffff888000000000ul + i * 256);
}

static void make(unsigned long from, unsigned long to, unsigned long id)
{
	for (; from < to; from++)
		CHECK(klp_shadow_alloc(object(from), id, SIZE, GFP_KERNEL, counted_ctor, NULL));
}

static int __init sections_init(void)
{
	unsigned long i;
	int err = fake_enable();

	if (err)
		return err;
	report("enable");
	make(0, FEW, DECLARED);
	report("alloc, 100");
	make(FEW, MANY, DECLARED);
	CHECK(shadow_root->table.mask == 131071);
	report("alloc, 100,000");
	for (i = 0; i < MANY; i++)
		CHECK(klp_shadow_get_or_alloc(object(i), DECLARED, SIZE, GFP_KERNEL, counted_ctor, NULL));
	report("get_or_alloc, there");
	for (i = 0; i < 1000; i++)
		CHECK(klp_shadow_get_or_alloc(object(i), OTHER, SIZE, GFP_ATOMIC, counted_ctor, NULL));
	report("get_or_alloc, new");
	for (i = 1000; i < 1500; i++)
		CHECK(!klp_shadow_get_or_alloc(object(i), OTHER, SIZE, GFP_KERNEL, counted_ctor, &i));
	/* These may well have linked buckets; what counts is that nothing else was linked. */
	report("constructor fails");
	for (i = 0; i < 2 * MANY; i += 2)
		klp_shadow_free(object(i), DECLARED, counted_dtor);
	report("free, every other pair there");
	make(0, 3000, UNDECLARED);
	report("undeclared");
	klp_shadow_free_all(UNDECLARED, counted_dtor);
	report("free_all");
	make(0, 2000, UNDECLARED);
	report("undeclared again");
	if (!failures)
		return 0;
	fake_disable();
	return -EINVAL;
}

static void __exit sections_exit(void)
{
	kpatch_shadow_post_unpatch(NULL);
	report("disable");
	kpatch_shadow_leave();
	report("leave");
	pr_info("shadow test: %d failures\n", failures);
}

module_init(sections_init);
module_exit(sections_exit);
MODULE_LICENSE("GPL");
