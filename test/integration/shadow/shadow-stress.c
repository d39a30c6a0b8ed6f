// SPDX-License-Identifier: GPL-2.0-only
/*
 * All calls at once: from threads, under their spin_lock_irqsave, and from a timer's hard interrupt, on
 * the same pairs and on pairs of their own. Each variable says in its data what it belongs to.
 * What is wrong is counted and makes unloading complain with "not true".
 */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/random.h>

#include "fake.h"

#define THREADS		4
#define SHARED		32	/* objects that all use, with two ids */
#define OWN		512	/* objects of each thread */

struct data {
	void *obj;
	unsigned long id, pad[4];
};

static const struct kpatch_shadow_field fields[] = {
	{ .name = "stress.declared", .id = 100, .size = sizeof(struct data), .align = 8 },
};
FAKE_LIVEPATCH(fields);

static struct task_struct *threads[THREADS];
static struct hrtimer timer;
static DEFINE_SPINLOCK(lock);
static atomic_long_t calls, interrupts, constructed, destroyed;

struct label {
	unsigned long id;
};

static int label_ctor(void *obj, void *data, void *label)
{
	struct data *d = data;

	CHECK(!d->obj && !d->id);
	d->obj = obj;
	d->id = ((struct label *)label)->id;
	atomic_long_inc(&constructed);
	return 0;
}

static void label_dtor(void *obj, void *data)
{
	struct data *d = data;

	CHECK(d->obj == obj);
	atomic_long_inc(&destroyed);
}

static void look(void *obj, unsigned long id)
{
	struct data *d;

	rcu_read_lock();
	d = klp_shadow_get(obj, id);
	CHECK(!d || (d->obj == obj && d->id == id));
	rcu_read_unlock();
}

/* One call on a pair that everybody uses. */
static void shared_call(u32 random, gfp_t gfp)
{
	void *obj = (void *)(((random >> 8) % SHARED + 1) * 64ul);
	struct label label = { 100 + (random >> 16 & 1) };

	switch (random % 8) {
	case 0:
	case 1:
		klp_shadow_get_or_alloc(obj, label.id, sizeof(struct data), gfp, label_ctor, &label);
		break;
	case 2:
	case 3:
		klp_shadow_free(obj, label.id, label_dtor);
		break;
	default:
		look(obj, label.id);
	}
	atomic_long_inc(&calls);
}

static enum hrtimer_restart timer_function(struct hrtimer *t)
{
	shared_call(get_random_u32(), GFP_ATOMIC);
	shared_call(get_random_u32(), GFP_ATOMIC);
	atomic_long_inc(&interrupts);
	hrtimer_forward_now(t, ns_to_ktime(300 * NSEC_PER_USEC));
	return HRTIMER_RESTART;
}

static int thread_function(void *arg)
{
	unsigned long own = (unsigned long)arg, n = 0, flags;
	bool there[OWN] = { };
	struct label label = { 100 };

	while (!kthread_should_stop()) {
		u32 random = get_random_u32(), i = (random >> 4) % OWN;
		void *obj = (void *)((own * OWN + i + 1000) * 64);

		shared_call(random, GFP_KERNEL);
		spin_lock_irqsave(&lock, flags);
		shared_call(random >> 3, GFP_ATOMIC);
		CHECK(irqs_disabled());
		spin_unlock_irqrestore(&lock, flags);

		CHECK(!klp_shadow_get(obj, 100) == !there[i]);
		if (there[i])
			klp_shadow_free(obj, 100, label_dtor);
		else
			CHECK(klp_shadow_alloc(obj, 100, sizeof(struct data), GFP_KERNEL, label_ctor, &label));
		there[i] = !there[i];
		if (!(++n % 4096))
			klp_shadow_free_all(101, label_dtor);
		if (!(n % 64))
			cond_resched();
	}
	return 0;
}

static int __init stress_init(void)
{
	unsigned long i;
	int err = fake_enable();

	if (err)
		return err;
	for (i = 0; i < THREADS; i++)
		threads[i] = kthread_run(thread_function, (void *)i, "shadow-stress");
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	timer.function = timer_function;
	hrtimer_start(&timer, ns_to_ktime(300 * NSEC_PER_USEC), HRTIMER_MODE_REL_HARD);
	return 0;
}

static void __exit stress_exit(void)
{
	unsigned long i;

	for (i = 0; i < THREADS; i++)
		kthread_stop(threads[i]);
	hrtimer_cancel(&timer);
	klp_shadow_free_all(100, label_dtor);
	klp_shadow_free_all(101, label_dtor);
	CHECK(atomic_long_read(&constructed) == atomic_long_read(&destroyed));
	CHECK(atomic_long_read(&interrupts) > 100);
	pr_info("shadow test: %ld calls, %ld in interrupts, %ld variables, %d failures\n",
		atomic_long_read(&calls), atomic_long_read(&interrupts) * 2,
		atomic_long_read(&constructed), failures);
	fake_disable();
}

module_init(stress_init);
module_exit(stress_exit);
MODULE_LICENSE("GPL");
