// SPDX-License-Identifier: GPL-2.0-only
/* The shadow core's look-ups, measured on the processor itself; see ../table. */
#include "user-kernel.h"

#include <time.h>

#include "shadow-table.c"
#include "shadow-field.c"
#include "shadow-var.c"

#define ID	1ul
#define ROUNDS	7
#define CALLS	1000000ul

struct shadow_root *shadow_root;
static struct shadow_member member = { .state = SHADOW_ENABLED };
struct shadow_member *shadow_self = &member;

/* In the order in which they are looked up. */
static void **objects;
static struct shadow_var **vars;
static struct shadow_bucket **buckets;

static unsigned long random_below(unsigned long n)
{
	static u64 state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Zero that is known only when x is: no processor takes this "and" for one. */
static inline unsigned long after(unsigned long x)
{
	__asm__ volatile("andq $0, %0" : "+r"(x));
	return x;
}

enum what { LOOP, GET_HIT, GET_MISS, GET_OR_ALLOC, ONE_LOAD, TWO_LOADS, KINDS };
static const char *const names[] = {
	[GET_HIT] = "get-hit", [GET_MISS] = "get-miss", [GET_OR_ALLOC] = "get_or_alloc",
	[ONE_LOAD] = "floor, 1 load", [TWO_LOADS] = "floor, 2 loads",
};

static inline __attribute__((always_inline)) unsigned long step(enum what what, unsigned long i)
{
	switch (what) {
	case GET_HIT:
		return (unsigned long)kpatch_shadow_get(objects[i], ID);
	case GET_MISS:
		return (unsigned long)kpatch_shadow_get(objects[i], ID + 1);
	case GET_OR_ALLOC:
		return (unsigned long)kpatch_shadow_get_or_alloc(objects[i], ID, 8, GFP_KERNEL, NULL, NULL);
	case ONE_LOAD:
		return (unsigned long)READ_ONCE(vars[i]->obj);
	case TWO_LOADS:
		return (unsigned long)READ_ONCE(vars[i + after(READ_ONCE(buckets[i]->node.key))]->obj);
	default:
		return (unsigned long)objects[i];
	}
}

static __attribute__((always_inline)) inline double run(enum what what, unsigned long n)
{
	unsigned long zero = 0, i, k;
	double start = now();

	for (k = i = 0; k < CALLS; k++) {
		zero = after(step(what, i + zero));
		i = i + 1 == n ? 0 : i + 1;
	}
	return (now() - start) / CALLS;
}

static double run_kind(enum what what, unsigned long n)
{
	switch (what) {
	case GET_HIT: return run(GET_HIT, n);
	case GET_MISS: return run(GET_MISS, n);
	case GET_OR_ALLOC: return run(GET_OR_ALLOC, n);
	case ONE_LOAD: return run(ONE_LOAD, n);
	case TWO_LOADS: return run(TWO_LOADS, n);
	default: return run(LOOP, n);
	}
}

static void fill(unsigned long from, unsigned long n)
{
	unsigned long i;

	for (i = from; i < n; i++) {
		objects[i] = (void *)(0xffff888000000000ul + i * 256);
		if (!kpatch_shadow_alloc(objects[i], ID, 8, GFP_KERNEL, NULL, NULL))
			abort();
	}
	for (i = n - 1; i; i--) {
		unsigned long j = random_below(i + 1);
		void *other = objects[j];

		objects[j] = objects[i];
		objects[i] = other;
	}
	for (i = 0; i < n; i++) {
		u32 key = shadow_key(objects[i], ID);

		vars[i] = shadow_var_find(shadow_root, key, objects[i], ID);
		buckets[i] = shadow_bucket(&shadow_root->table, key);
		if (!vars[i] || kpatch_shadow_get(objects[i], ID + 1))
			abort();
	}
}

static void measure(unsigned long n, double *least)
{
	enum what what;
	double t;
	int round;

	for (what = LOOP; what < KINDS; what++)
		least[what] = 1e9;
	for (round = 0; round < ROUNDS; round++)
		for (what = LOOP; what < KINDS; what++) {
			t = run_kind(what, n);
			if (t < least[what])
				least[what] = t;
		}
	for (what = LOOP + 1; what < KINDS; what++)
		least[what] -= least[LOOP];
}

int main(int argc, char **argv)
{
	unsigned long max = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000, n, before = 0;
	double base = 0, least[KINDS];
	enum what what;

	if (max < 100) {
		fprintf(stderr, "table: at least 100 variables\n");
		return 1;
	}
	objects = calloc(max, sizeof(*objects));
	vars = calloc(max, sizeof(*vars));
	buckets = calloc(max, sizeof(*buckets));
	shadow_root = calloc(1, sizeof(*shadow_root));
	if (!objects || !vars || !buckets || !shadow_root || shadow_table_init(&shadow_root->table))
		return 1;
	INIT_LIST_HEAD(&shadow_root->fields);

	printf("%-16s %10s %8s  %s\n", "call", "variables", "ns", "times get-hit at 100");
	for (n = 100; n <= max; n *= n == 100 ? 100 : 10) {
		fill(before, n);
		before = n;
		measure(n, least);
		if (n == 100)
			base = least[GET_HIT];
		for (what = LOOP + 1; what < KINDS; what++)
			printf("%-16s %10lu %8.1f  %.1f\n", names[what], n, least[what], least[what] / base);
	}
	return 0;
}
