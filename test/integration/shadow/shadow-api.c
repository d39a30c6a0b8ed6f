// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls one by one. The module does not load when a check fails. With warn=1 it makes the three
 * mistakes that must be answered by a WARN.
 */
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "fake.h"
#include "shadow-store.h"

static bool warn;
module_param(warn, bool, 0444);

struct parent {
	int value;
};

struct wide {
	char c[96];
} __aligned(64);

static int ctor_calls, dtor_calls;
static void *dtor_obj, *dtor_data;

static int counting_ctor(void *obj, void *data, void *ctor_data)
{
	ctor_calls++;
	CHECK(irqs_disabled());
	if (!ctor_data)
		return -EINVAL;
	*(long *)data = *(long *)ctor_data;
	return 0;
}

static void counting_dtor(void *obj, void *data)
{
	dtor_calls++;
	dtor_obj = obj;
	dtor_data = data;
}

KPATCH_SHADOW_FIELD(parent, counter, unsigned int, .initial = 42);
KPATCH_SHADOW_FIELD(parent, wide, struct wide);
KPATCH_SHADOW_FIELD(parent, lock, spinlock_t);
KPATCH_SHADOW_FIELD(parent, owned, long, .ctor = counting_ctor, .dtor = counting_dtor);
KPATCH_SHADOW_FIELD(parent, text, char[16]);
KPATCH_SHADOW_FIELD(parent, missing, long);
KPATCH_SHADOW_FLAG(parent, is_new);
KPATCH_SHADOW_STATE(total, unsigned long, .initial = 7);

static const struct kpatch_shadow_field fields[] = {
	FAKE_FIELD(parent, counter, NULL), FAKE_FIELD(parent, wide, NULL),
	FAKE_FIELD(parent, lock, NULL), FAKE_FIELD(parent, owned, counting_dtor),
	FAKE_FIELD(parent, text, NULL), FAKE_FIELD(parent, is_new, NULL),
	FAKE_FIELD(kpatch_state, total, NULL),
};
FAKE_LIVEPATCH(fields);

static struct parent parents[20000];

static unsigned int records(void)
{
	struct shadow_field *f;
	unsigned int n = 0;

	list_for_each_entry(f, &shadow_root->fields, var.list)
		n++;
	return n;
}

static void test_calls(void)
{
	struct parent *a = &parents[0], *b = &parents[1];
	long value = 5, *p, *q;
	unsigned long flags;
	char *bytes;
	int i;

	/* Today's form. */
	CHECK(!klp_shadow_get(a, 1));
	p = klp_shadow_alloc(a, 1, sizeof(*p), GFP_KERNEL, NULL, NULL);
	CHECK(p && !*p);
	CHECK(klp_shadow_get(a, 1) == p);
	CHECK(!klp_shadow_get(b, 1));
	CHECK(!klp_shadow_get(a, 2));
	CHECK(klp_shadow_get_or_alloc(a, 1, sizeof(*p), GFP_KERNEL, NULL, NULL) == p);
	q = klp_shadow_get_or_alloc(b, 1, sizeof(*p), GFP_KERNEL, counting_ctor, &value);
	CHECK(q && q != p && *q == 5 && ctor_calls == 1);
	CHECK(klp_shadow_get_or_alloc(b, 1, sizeof(*p), GFP_KERNEL, counting_ctor, &value) == q);
	CHECK(ctor_calls == 1);
	klp_shadow_free(a, 1, counting_dtor);
	CHECK(dtor_calls == 1 && dtor_obj == a && dtor_data == p);
	CHECK(!klp_shadow_get(a, 1) && klp_shadow_get(b, 1) == q);
	klp_shadow_free(a, 1, counting_dtor);
	CHECK(dtor_calls == 1);
	klp_shadow_free(b, 1, NULL);

	/* A constructor that fails leaves nothing. */
	ctor_calls = 0;
	CHECK(!klp_shadow_alloc(a, 1, sizeof(*p), GFP_KERNEL, counting_ctor, NULL));
	CHECK(ctor_calls == 1 && !klp_shadow_get(a, 1));
	CHECK(!klp_shadow_get_or_alloc(a, 1, sizeof(*p), GFP_KERNEL, counting_ctor, NULL));
	CHECK(ctor_calls == 2 && !klp_shadow_get(a, 1));

	/* The first form: a copy of the data. */
	p = klp_shadow_alloc(a, 1, &value, sizeof(value), GFP_KERNEL);
	CHECK(p && p != &value && *p == 5);
	value = 6;
	CHECK(*p == 5 && klp_shadow_get_or_alloc(a, 1, &value, sizeof(value), GFP_KERNEL) == p && *p == 5);
	q = klp_shadow_get_or_alloc(b, 1, NULL, sizeof(value), GFP_KERNEL);
	CHECK(q && !*q);
	klp_shadow_free(a, 1);
	CHECK(!klp_shadow_get(a, 1) && klp_shadow_get(b, 1) == q);
	klp_shadow_free_all(1);
	CHECK(!klp_shadow_get(b, 1));

	/* Memory is what the caller asks for. */
	p = klp_shadow_alloc(a, 8, sizeof(*p), GFP_KERNEL | GFP_DMA, NULL, NULL);
	CHECK(p && (!IS_ENABLED(CONFIG_ZONE_DMA) || virt_to_phys(p) < 16 << 20));
	CHECK(!klp_shadow_alloc(b, 8, 64ul << 20, GFP_KERNEL | __GFP_NOWARN, NULL, NULL));
	klp_shadow_free(a, 8);

	/* Memory that was used before is zeroed; what is freed stays for a grace period. */
	for (i = 0; i < 64; i++) {
		bytes = klp_shadow_alloc(a, 3, 100, GFP_KERNEL, NULL, NULL);
		CHECK(bytes && !memchr_inv(bytes, 0, 100));
		if (!bytes)
			break;
		memset(bytes, 0x5a, 100);
		rcu_read_lock();
		klp_shadow_free(a, 3);
		CHECK(!memchr_inv(bytes, 0x5a, 100));
		rcu_read_unlock();
	}

	/* free_all frees its id, every object of it, and nothing else. */
	dtor_calls = 0;
	for (i = 0; i < 100; i++) {
		CHECK(klp_shadow_alloc(&parents[i], 4, 8, GFP_KERNEL, NULL, NULL));
		CHECK(klp_shadow_alloc(&parents[i], 5, 8, GFP_KERNEL, NULL, NULL));
	}
	CHECK(klp_shadow_alloc(NULL, 4, 8, GFP_KERNEL, NULL, NULL));
	klp_shadow_free_all(4, counting_dtor);
	CHECK(dtor_calls == 101);
	for (i = 0; i < 100; i++)
		CHECK(!klp_shadow_get(&parents[i], 4) && klp_shadow_get(&parents[i], 5));
	klp_shadow_free_all(5, NULL);

	/* Enough to make the table grow; from the contexts that the kernel allows. */
	for (i = 0; i < ARRAY_SIZE(parents); i++) {
		local_irq_save(flags);
		p = klp_shadow_alloc(&parents[i], 6, sizeof(*p), GFP_ATOMIC, NULL, NULL);
		CHECK(irqs_disabled());
		local_irq_restore(flags);
		CHECK(p);
		if (p)
			*p = i;
	}
	for (i = 0; i < ARRAY_SIZE(parents); i++) {
		p = klp_shadow_get(&parents[i], 6);
		CHECK(p && *p == i);
		CHECK(!klp_shadow_get(&parents[i], 7));
	}
	for (i = 0; i < ARRAY_SIZE(parents); i += 2)
		klp_shadow_free(&parents[i], 6);
	for (i = 0; i < ARRAY_SIZE(parents); i++)
		CHECK(!klp_shadow_get(&parents[i], 6) == !(i & 1));
	klp_shadow_free_all(6);
	for (i = 0; i < ARRAY_SIZE(parents); i++)
		CHECK(!klp_shadow_get(&parents[i], 6));

	/* An id that has no variable any more leaves nothing; one whose constructor fails neither. */
	for (i = 0; i < 1000; i++)
		CHECK(klp_shadow_alloc(a, 1000 + i, 8, GFP_KERNEL, NULL, NULL));
	CHECK(records() == ARRAY_SIZE(fields) + 1000);
	for (i = 0; i < 1000; i += 2) {
		klp_shadow_free(a, 1000 + i);
		klp_shadow_free_all(1001 + i);
	}
	CHECK(!klp_shadow_alloc(a, 7, sizeof(*p), GFP_KERNEL, counting_ctor, NULL));
	CHECK(records() == ARRAY_SIZE(fields));
}

static void test_macros(void)
{
	struct parent *a = &parents[0], *b = &parents[1];
	unsigned int *counter;
	unsigned long *total;
	struct wide *wide;
	spinlock_t *lock;
	long value = 9, *owned;
	int i;

	CHECK(kpatch_field_read(parent, counter, a) == 42);
	counter = kpatch_field_alloc(parent, counter, a, GFP_KERNEL);
	CHECK(counter && *counter == 42);
	*counter = 1;
	CHECK(kpatch_field_get(parent, counter, a) == counter);
	CHECK(kpatch_field_get_or_alloc(parent, counter, a, GFP_ATOMIC) == counter);
	CHECK(kpatch_field_read(parent, counter, a) == 1 && kpatch_field_read(parent, counter, b) == 42);
	/* Another object at the same address. */
	counter = kpatch_field_create(parent, counter, a, GFP_KERNEL);
	CHECK(counter && *counter == 42);
	kpatch_field_free(parent, counter, a);
	CHECK(!kpatch_field_get(parent, counter, a));

	for (i = 0; i < 8; i++) {
		wide = kpatch_field_alloc(parent, wide, &parents[i], GFP_KERNEL);
		CHECK(wide && IS_ALIGNED((unsigned long)wide, 64));
	}
	lock = kpatch_field_get_or_alloc(parent, lock, a, GFP_KERNEL);
	CHECK(lock);
	spin_lock_init(lock);
	spin_lock(lock);
	spin_unlock(lock);

	ctor_calls = dtor_calls = 0;
	CHECK(!kpatch_field_alloc(parent, owned, a, GFP_KERNEL) && ctor_calls == 1);
	owned = kpatch_field_alloc(parent, owned, a, GFP_KERNEL, &value);
	CHECK(owned && *owned == 9 && ctor_calls == 2);
	owned = kpatch_field_create(parent, owned, a, GFP_KERNEL, &value);
	CHECK(owned && dtor_calls == 1 && ctor_calls == 3);
	kpatch_field_free(parent, owned, a);
	CHECK(dtor_calls == 2);
	/* These three are for the destructor when the patch goes. */
	for (i = 0; i < 3; i++)
		CHECK(kpatch_field_alloc(parent, owned, &parents[i], GFP_KERNEL, &value));
	dtor_calls = 0;

	CHECK(kpatch_field_get_or_alloc(parent, text, a, GFP_KERNEL));
	strscpy(*kpatch_field_get(parent, text, a), "fifteen letters", 16);
	CHECK(!strcmp(*kpatch_field_get(parent, text, a), "fifteen letters"));

	CHECK(!kpatch_flag_test(parent, is_new, a));
	CHECK(kpatch_flag_set(parent, is_new, a, GFP_KERNEL) && kpatch_flag_set(parent, is_new, a, GFP_KERNEL));
	CHECK(kpatch_flag_test(parent, is_new, a) && !kpatch_flag_test(parent, is_new, b));
	kpatch_flag_clear(parent, is_new, a);
	CHECK(!kpatch_flag_test(parent, is_new, a));

	CHECK(!kpatch_state_get(total));
	total = kpatch_state_get_or_alloc(total, GFP_KERNEL);
	CHECK(total && *total == 7 && kpatch_state_get(total) == total);

	/* No enabled patch declares it with its id, so it is an undeclared one. */
	CHECK(kpatch_field_alloc(parent, missing, a, GFP_KERNEL));
}

static void test_warnings(void)
{
	struct parent *a = &parents[0];

	pr_info("shadow test: duplicate\n");
	CHECK(klp_shadow_alloc(a, 1, 8, GFP_KERNEL, NULL, NULL));
	CHECK(!klp_shadow_alloc(a, 1, 8, GFP_KERNEL, NULL, NULL));
	pr_info("shadow test: other size, same object\n");
	CHECK(!klp_shadow_get_or_alloc(a, 1, 16, GFP_KERNEL, NULL, NULL));
	pr_info("shadow test: other size, other object\n");
	CHECK(!klp_shadow_alloc(a + 1, 1, 16, GFP_KERNEL, NULL, NULL));
	pr_info("shadow test: size of a declared field\n");
	CHECK(!klp_shadow_alloc(a, KPATCH_HASH("parent.counter"), 16, GFP_KERNEL, NULL, NULL));
	klp_shadow_free_all(1);
	/* Nothing has this id any more. */
	CHECK(klp_shadow_alloc(a + 1, 1, 16, GFP_KERNEL, NULL, NULL));
}

static int __init test_init(void)
{
	int err;

	/* No store, no variable. */
	CHECK(!klp_shadow_get(parents, 1) && !klp_shadow_alloc(parents, 1, 8, GFP_KERNEL, NULL, NULL));
	klp_shadow_free(parents, 1);
	err = fake_enable();
	if (err)
		return err;
	if (warn) {
		test_warnings();
	} else {
		test_calls();
		test_macros();
	}
	if (failures) {
		fake_disable();
		return -EINVAL;
	}
	return 0;
}

static void __exit test_exit(void)
{
	fake_disable();
	pr_info("shadow test: %d destructor calls at the end\n", dtor_calls);
}

module_init(test_init);
module_exit(test_exit);
MODULE_LICENSE("GPL");
