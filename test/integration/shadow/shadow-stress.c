// SPDX-License-Identifier: GPL-2.0-only
/*
 * All calls at once: from threads, under their spin_lock_irqsave, and from a timer's interrupt, on the same
 * pairs and on pairs of their own. Each variable says in its data what it belongs to. What is wrong is
 * counted and makes unloading complain with "not true".
 *
 * Where PREEMPT_RT allows no allocation (under a raw lock, in a timer that must run in the hard
 * interrupt), there are only look-ups and frees: on all kernels, as lockdep knows these rules, too.
 *
 * With -DSTRESS_REPLACED the module may be replaced by real livepatches at any time. It enables itself again every
 * second, and any variable may be gone, with its destructor called.
 */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/prandom.h>

#include "fake.h"
#include "shadow-store.h"

#define THREADS		4
#define SHARED		32	/* objects that all use, with two ids */
#define INTERVAL	(300 * NSEC_PER_USEC)
#define OWN		512	/* objects of each thread */

struct data {
	void *obj;
	unsigned long id, pad[4];
};

static struct task_struct *threads[THREADS];
static struct hrtimer timer, hard_timer;
/* get_random_u32() may sleep with PREEMPT_RT. */
static struct rnd_state timer_random, hard_random, thread_random[THREADS];
static DEFINE_SPINLOCK(lock);
static DEFINE_RAW_SPINLOCK(raw_lock);
static atomic_long_t calls, interrupts, hard_interrupts, constructed, destroyed;

struct label {
	unsigned long id;
};

/* How many variables a shared pair has: 0 or 1. */
static atomic_t there[SHARED + 1][2];

static atomic_t *shared_pair(void *obj, unsigned long id)
{
	unsigned long i = (unsigned long)obj / 64;

	return i <= SHARED ? &there[i][id - 100] : NULL;
}

static int label_ctor(void *obj, void *data, void *label)
{
	struct data *d = data;

	CHECK(!d->obj && !d->id);
	d->obj = obj;
	d->id = ((struct label *)label)->id;
	atomic_long_inc(&constructed);
	if (shared_pair(obj, d->id))
		CHECK(atomic_inc_return(shared_pair(obj, d->id)) == 1);
	return 0;
}

static void label_dtor(void *obj, void *data)
{
	struct data *d = data;

	CHECK(d->obj == obj);
	if (shared_pair(obj, d->id))
		atomic_dec(shared_pair(obj, d->id));
	atomic_long_inc(&destroyed);
}

#ifdef STRESS_REPLACED
static const bool replaced = true;
#else
static const bool replaced;
#endif

static const struct kpatch_shadow_field fields[] = {
	{ .name = "stress.declared", .id = 100, .size = sizeof(struct data), .align = 8, .dtor = label_dtor },
#ifdef STRESS_REPLACED
	/* Else it would be freed without destructor. */
	{ .name = "stress.other", .id = 101, .size = sizeof(struct data), .align = 8, .dtor = label_dtor },
#endif
};
FAKE_LIVEPATCH(fields);

static void look(void *obj, unsigned long id)
{
	struct data *d;

	rcu_read_lock();
	d = klp_shadow_get(obj, id);
	CHECK(!d || (d->obj == obj && d->id == id));
	rcu_read_unlock();
}

/* The id has few variables, so that its record comes and goes all the time. */
static void brief_call(u32 random, gfp_t gfp)
{
	void *obj = (void *)((random >> 8 & 1) * 64ul + 64);

	if (random >> 16 & 1)
		klp_shadow_free(obj, 102, NULL);
	else if (random >> 17 & 7)
		klp_shadow_get_or_alloc(obj, 102, sizeof(struct data), gfp, NULL, NULL);
	else
		klp_shadow_free_all(102, NULL);
}

/* One call on a pair that everybody uses. Without gfp: none that allocates. */
static void shared_call(u32 random, gfp_t gfp)
{
	void *obj = (void *)(((random >> 8) % SHARED + 1) * 64ul);
	struct label label = { 100 + (random >> 16 & 1) };

	switch (random % 8) {
	case 0:
	case 1:
		if (gfp)
			klp_shadow_get_or_alloc(obj, label.id, sizeof(struct data), gfp, label_ctor,
						&label);
		break;
	case 2:
	case 3:
		klp_shadow_free(obj, label.id, label_dtor);
		break;
	case 4:
		if (gfp)
			brief_call(random, gfp);
		break;
	default:
		look(obj, label.id);
	}
	atomic_long_inc(&calls);
}

static enum hrtimer_restart timer_function(struct hrtimer *t)
{
	bool hard = t == &hard_timer;
	gfp_t gfp = hard ? 0 : GFP_ATOMIC;
	struct rnd_state *state = hard ? &hard_random : &timer_random;

	CHECK(in_hardirq() || (!hard && IS_ENABLED(CONFIG_PREEMPT_RT)));
	shared_call(prandom_u32_state(state), gfp);
	shared_call(prandom_u32_state(state), gfp);
	atomic_long_inc(hard ? &hard_interrupts : &interrupts);
	hrtimer_forward_now(t, ns_to_ktime(INTERVAL));
	return HRTIMER_RESTART;
}

static void timer_start(struct hrtimer *t, enum hrtimer_mode mode)
{
	hrtimer_init(t, CLOCK_MONOTONIC, mode);
	t->function = timer_function;
	hrtimer_start(t, ns_to_ktime(INTERVAL), mode);
}

/* The kernel enables no livepatch twice. */
static void enable_again(void)
{
	unsigned long flags;
	int i;

	kpatch_shadow_post_unpatch(NULL);
	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		flags = shadow_bit_lock(&shadow_self->fields[i]->lock);
		shadow_self->fields[i]->declared++;
		shadow_bit_unlock(&shadow_self->fields[i]->lock, flags);
	}
	WRITE_ONCE(shadow_self->state, SHADOW_JOINED);
	CHECK(!kpatch_shadow_pre_patch(NULL));
}

static int thread_function(void *arg)
{
	unsigned long own = (unsigned long)arg, n = 0, flags, again = jiffies + HZ;
	bool own_there[OWN] = { };
	struct label label = { 100 };

	while (!kthread_should_stop()) {
		u32 random = prandom_u32_state(&thread_random[own]), i = (random >> 4) % OWN;
		void *obj = (void *)((own * OWN + i + 1000) * 64);

		shared_call(random, GFP_KERNEL);
		spin_lock_irqsave(&lock, flags);
		shared_call(random >> 3, GFP_ATOMIC);
		CHECK(irqs_disabled() || IS_ENABLED(CONFIG_PREEMPT_RT));
		spin_unlock_irqrestore(&lock, flags);
		raw_spin_lock_irqsave(&raw_lock, flags);
		shared_call(random >> 6, 0);
		CHECK(irqs_disabled());
		raw_spin_unlock_irqrestore(&raw_lock, flags);

		CHECK(!klp_shadow_get(obj, 100) == !own_there[i] || (replaced && own_there[i]));
		if (own_there[i])
			klp_shadow_free(obj, 100, label_dtor);
		else
			CHECK(klp_shadow_alloc(obj, 100, sizeof(struct data), GFP_KERNEL, label_ctor, &label) || replaced);
		own_there[i] = !own_there[i];
		if (replaced && !own && time_after(jiffies, again)) {
			enable_again();
			again = jiffies + HZ;
		}
		if (!(++n % 4096))
			klp_shadow_free_all(101, label_dtor);
		/* What is freed needs the processors, too. */
		if (!(n % 512))
			usleep_range(100, 500);
	}
	return 0;
}

static int __init stress_init(void)
{
	unsigned long i;
	int err = fake_enable();

	if (err)
		return err;
	prandom_seed_state(&timer_random, 1);
	prandom_seed_state(&hard_random, 2);
	for (i = 0; i < THREADS; i++) {
		prandom_seed_state(&thread_random[i], i + 3);
		threads[i] = kthread_run(thread_function, (void *)i, "shadow-stress");
	}
	timer_start(&timer, HRTIMER_MODE_REL);
	timer_start(&hard_timer, HRTIMER_MODE_REL_HARD);
	return 0;
}

static void __exit stress_exit(void)
{
	unsigned long i;

	for (i = 0; i < THREADS; i++)
		kthread_stop(threads[i]);
	hrtimer_cancel(&timer);
	hrtimer_cancel(&hard_timer);
	klp_shadow_free_all(100, label_dtor);
	klp_shadow_free_all(101, label_dtor);
	klp_shadow_free_all(102, NULL);
	CHECK(atomic_long_read(&constructed) == atomic_long_read(&destroyed));
	CHECK(atomic_long_read(&interrupts) > 100 && atomic_long_read(&hard_interrupts) > 100);
	pr_info("shadow test: %ld calls, %ld in timers, %ld variables, %d failures\n",
		atomic_long_read(&calls),
		(atomic_long_read(&interrupts) + atomic_long_read(&hard_interrupts)) * 2,
		atomic_long_read(&constructed), failures);
	fake_disable();
}

module_init(stress_init);
module_exit(stress_exit);
MODULE_LICENSE("GPL");
