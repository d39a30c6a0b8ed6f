// SPDX-License-Identifier: GPL-2.0-only
/*
 * The core beside the kernel's exported functions, in one run. For each number of variables the
 * calls go over all pairs in random order; the cost of the loop and of reading the pair is measured the same
 * way and subtracted. A line per call goes to the kernel log: name, variables, nanoseconds of the
 * core, of the kernel (medians of 5).
 */
#include <linux/delay.h>
#include <linux/random.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>

#include "fake.h"

/* The build sends klp_shadow_* to the core; these are the kernel's. */
#include "shadow-kernel.h"

#define ROUNDS		5
#define ID		11
#define MISS		12
#define MAX		1000000

static const struct kpatch_shadow_field fields[] = { };
FAKE_LIVEPATCH(fields);

struct ops {
	const char *name;
	void *(*get)(void *obj, unsigned long id);
	void *(*alloc)(void *, unsigned long, size_t, gfp_t, klp_shadow_ctor_t, void *);
	void *(*get_or_alloc)(void *, unsigned long, size_t, gfp_t, klp_shadow_ctor_t, void *);
	void (*free)(void *, unsigned long, klp_shadow_dtor_t);
	void (*free_all)(unsigned long, klp_shadow_dtor_t);
};

static const struct ops impl[2] = {
	{ "core", kpatch_shadow_get, kpatch_shadow_alloc, kpatch_shadow_get_or_alloc, kpatch_shadow_free,
	  kpatch_shadow_free_all },
	{ "kernel", kernel_shadow_get, kernel_shadow_alloc, kernel_shadow_get_or_alloc, kernel_shadow_free,
	  kernel_shadow_free_all },
};

static void **objects;
static u32 *order;
static volatile unsigned long sink;

/* As many calls as take some ten milliseconds, at most n. */
static unsigned long calls_for(unsigned long n, bool slow)
{
	return min(n, slow ? 2000ul : 200000ul);
}

static void noinline empty(const struct ops *o, void *obj)
{
	sink += (unsigned long)obj;
}

static void noinline get_hit(const struct ops *o, void *obj)
{
	sink += (unsigned long)o->get(obj, ID);
}

static void noinline get_miss(const struct ops *o, void *obj)
{
	sink += (unsigned long)o->get(obj, MISS);
}

static void noinline get_or_alloc(const struct ops *o, void *obj)
{
	sink += (unsigned long)o->get_or_alloc(obj, ID, 16, GFP_KERNEL, NULL, NULL);
}

static void noinline alloc(const struct ops *o, void *obj)
{
	sink += (unsigned long)o->alloc(obj, MISS, 16, GFP_KERNEL, NULL, NULL);
}

static void noinline free(const struct ops *o, void *obj)
{
	o->free(obj, MISS, NULL);
}

static u64 run(const struct ops *o, void (*call)(const struct ops *, void *), unsigned long n,
	       unsigned long calls, unsigned long from)
{
	unsigned long i, repeat = calls < 1000 ? 1000 / calls : 1, r;
	u64 start;

	if (call == alloc || call == free)
		repeat = 1;
	start = ktime_get_ns();
	for (r = 0; r < repeat; r++)
		for (i = 0; i < calls; i++)
			call(o, objects[order[(from + i) % n]]);
	return (ktime_get_ns() - start) * 10 / (calls * repeat);
}

static int compare(const void *a, const void *b)
{
	return *(const u64 *)a < *(const u64 *)b ? -1 : *(const u64 *)a > *(const u64 *)b;
}

static u64 median(u64 *values)
{
	sort(values, ROUNDS, sizeof(*values), compare, NULL);
	return values[ROUNDS / 2];
}

static void measure(const char *name, void (*call)(const struct ops *, void *), unsigned long n)
{
	u64 result[2], values[ROUNDS], base[ROUNDS], overhead;
	int i, r;

	for (i = 0; i < 2; i++) {
		unsigned long calls = calls_for(n, i && n > 50000);

		for (r = 0; r < ROUNDS; r++) {
			unsigned long from = get_random_u32() % n;

			base[r] = run(&impl[i], empty, n, calls, from);
			values[r] = run(&impl[i], call, n, calls, from);
			if (call == alloc)
				run(&impl[i], free, n, calls, from);
			cond_resched();
		}
		overhead = median(base);
		result[i] = median(values);
		result[i] -= min(result[i], overhead);
	}
	pr_info("bench: %s %lu %llu.%llu %llu.%llu\n", name, n, result[0] / 10, result[0] % 10, result[1] / 10,
		result[1] % 10);
}

/* free() of pairs that alloc() made. */
static void measure_free(unsigned long n)
{
	u64 result[2], values[ROUNDS], base[ROUNDS], overhead;
	int i, r;

	for (i = 0; i < 2; i++) {
		unsigned long calls = calls_for(n, i && n > 50000);

		for (r = 0; r < ROUNDS; r++) {
			unsigned long from = get_random_u32() % n;

			run(&impl[i], alloc, n, calls, from);
			base[r] = run(&impl[i], empty, n, calls, from);
			values[r] = run(&impl[i], free, n, calls, from);
			cond_resched();
		}
		overhead = median(base);
		result[i] = median(values);
		result[i] -= min(result[i], overhead);
	}
	pr_info("bench: free %lu %llu.%llu %llu.%llu\n", n, result[0] / 10, result[0] % 10, result[1] / 10,
		result[1] % 10);
}

static void fill(unsigned long from, unsigned long n)
{
	unsigned long i, j;

	for (i = from; i < n; i++) {
		impl[0].alloc(objects[i], ID, 16, GFP_KERNEL, NULL, NULL);
		/*
		 * The kernel's own alloc looks along the whole chain: a million would take minutes. Its
		 * get_or_alloc does, too, so this is bearable only because the chains are short at first.
		 */
		impl[1].alloc(objects[i], ID, 16, GFP_KERNEL, NULL, NULL);
		if (!(i % 256))
			cond_resched();
	}
	for (i = 0; i < n; i++)
		order[i] = i;
	for (i = n - 1; i; i--) {
		j = get_random_u32() % (i + 1);
		swap(order[i], order[j]);
	}
}

static int max = MAX;
module_param(max, int, 0444);

static int __init bench_init(void)
{
	static const unsigned long sizes[] = { 100, 10000, 100000, 1000000 };
	unsigned long i, from = 0;
	u64 start, t[2];
	int err = fake_enable();

	if (err)
		return err;
	objects = vmalloc(MAX * sizeof(*objects));
	order = vmalloc(MAX * sizeof(*order));
	if (!objects || !order)
		return -ENOMEM;
	/* As from a slab cache of objects of 256 bytes. */
	for (i = 0; i < MAX; i++)
		objects[i] = (void *)(0xffff888000000000ul + i * 256);
	for (i = 0; i < ARRAY_SIZE(sizes) && sizes[i] <= max; i++) {
		fill(from, sizes[i]);
		from = sizes[i];
		measure("get-hit", get_hit, sizes[i]);
		measure("get-miss", get_miss, sizes[i]);
		measure("get_or_alloc", get_or_alloc, sizes[i]);
		measure("alloc", alloc, sizes[i]);
		measure_free(sizes[i]);
	}
	for (i = 0; i < 2; i++) {
		start = ktime_get_ns();
		impl[i].free_all(ID, NULL);
		t[i] = ktime_get_ns() - start;
		cond_resched();
	}
	pr_info("bench: free_all(ms) %lu %llu %llu\n", from, t[0] / 1000000, t[1] / 1000000);
	vfree(objects);
	vfree(order);
	return 0;
}

static void __exit bench_exit(void)
{
	fake_disable();
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_LICENSE("GPL");
