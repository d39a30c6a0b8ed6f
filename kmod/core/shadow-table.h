/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hash table of the shadow variables: look-ups without locks, writers that may run with
 * interrupts off, growth that never moves anything.
 *
 * The kernel's rhashtable cannot be used: before 6.2 its bucket locks switch only bottom halves off, so
 * that inserting from a hard interrupt can deadlock; and its resizing is a work item, which would be
 * a pointer into the module that happened to need it.
 *
 * This is a split-ordered list (Shalev and Shavit, 2006). All nodes stand in one list that is sorted
 * by key. A bucket is a node in that list, too: a place to begin a search. Bucket b has the bits of b
 * in reverse as its key, so that doubling the number of buckets only puts new ones between those
 * that are there: bucket b + size halves what bucket b covers. Nothing is ever moved, a reader needs
 * no notion of resizing, and no section with interrupts off handles more than one node.
 *
 * A new bucket is linked when a writer first needs it. Until then (or for ever, if there is no
 * memory for it) its parent, the bucket without the topmost bit, serves in its place.
 *
 * A bucket is a cache line: with many variables each line that is read costs a load from memory, and most searches
 * should read one. So two of its variables stand in it, in front: their pairs, and where their data are. A variable
 * is put there when it is put into the table, if there is room, or when a new bucket takes it over from its parent, and
 * never again: the data pointer of one variable is in its place without a break, as its memory cannot be another
 * one's while somebody looks. Who reads the pointer, the pair and the same pointer again has read a pair that is the
 * pointer's, without a lock or a sequence count.
 *
 * A bucket has a mark, one of 32 bits, for each variable that a search from it has to find, so that most
 * searches for what is not there read the bucket and nothing else: with many variables each node that is
 * read costs a load from memory. Marks are set when a variable is put in, and when a bucket takes over
 * some of its parent's; they are never cleared, as a mark too many costs one node, no more.
 *
 * Writers lock one of 64 stripes. A stripe is a range of keys, the one of a bucket below 64, so it
 * never splits. The locks are single bits: they have no lock class, which would be a pointer into the
 * module that made the table, and they spin on every kernel, PREEMPT_RT included.
 */
#ifndef KPATCH_SHADOW_TABLE_H
#define KPATCH_SHADOW_TABLE_H

#include <linux/bit_spinlock.h>
#include <linux/irqflags.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct shadow_node {
	struct shadow_node *next;	/* of the next higher key; written under the stripe's lock */
	u32 key;			/* odd: a variable; even: a bucket */
	u32 aux;		/* bucket: its marks, 0: not linked; variable: where its data begin */
};

#define SHADOW_FRONT		2u		/* variables that stand in a bucket */

struct shadow_front {
	const void *obj;
	unsigned long id;
	void *data;			/* NULL: nothing; written last, and first when it goes */
};

struct shadow_bucket {
	struct shadow_node node;
	struct shadow_front front[SHADOW_FRONT];
};

#define SHADOW_STRIPES		64u
#define SHADOW_CHUNK		64u		/* buckets that are allocated together */
#define SHADOW_MIDDLE		512u		/* chunks that a middle table points to */
#define SHADOW_TOP		512u		/* middle tables: 16 million buckets */
#define SHADOW_MAX_BUCKETS	(SHADOW_TOP * SHADOW_MIDDLE * SHADOW_CHUNK)

struct shadow_table {
	u32 mask;				/* number of buckets, a power of two, less one */
	atomic_long_t count;			/* variables; whoever puts them in and takes them out counts */
	unsigned long stripes[SHADOW_STRIPES];	/* bit 0: locked */
	struct shadow_bucket **top[SHADOW_TOP];	/* [bucket / 32768][bucket / 64][bucket] */
};

/* The bits of a word in reverse order. */
static inline u32 shadow_reverse(u32 x)
{
	x = (x & 0x55555555) << 1 | (x >> 1 & 0x55555555);
	x = (x & 0x33333333) << 2 | (x >> 2 & 0x33333333);
	x = (x & 0x0f0f0f0f) << 4 | (x >> 4 & 0x0f0f0f0f);
	return __builtin_bswap32(x);
}

/* The best bits of a product are its highest: they decide about the bucket. */
static inline u32 shadow_key(const void *obj, unsigned long id)
{
	u64 h = ((u64)(unsigned long)obj ^ (u64)id * 0xff51afd7ed558ccdULL) * 0x9e3779b97f4a7c15ULL;

	return (u32)(h >> 32) | 1;
}

/* Not simply some bits of the key: those of objects in a row are alike. Bit 0 is set in each linked bucket. */
static inline u32 shadow_mark(u32 key)
{
	return 1u << (key * 0x9e3779b1u >> 27);
}

static inline struct shadow_bucket *shadow_bucket_slot(const struct shadow_table *t, u32 b)
{
	struct shadow_bucket **middle, *chunk;

	middle = READ_ONCE(t->top[b / (SHADOW_MIDDLE * SHADOW_CHUNK)]);
	if (unlikely(!middle))
		return NULL;
	chunk = READ_ONCE(middle[b / SHADOW_CHUNK % SHADOW_MIDDLE]);
	return likely(chunk) ? chunk + b % SHADOW_CHUNK : NULL;
}

static inline bool shadow_bucket_ready(const struct shadow_table *t, u32 b)
{
	const struct shadow_bucket *bucket = shadow_bucket_slot(t, b);

	return bucket && smp_load_acquire(&bucket->node.aux);
}

static inline u32 shadow_bucket_parent(u32 b)
{
	return b & ~(1u << (fls(b) - 1));
}

/* Where a search for key begins. Bucket 0 is always ready. */
static inline struct shadow_bucket *shadow_bucket(const struct shadow_table *t, u32 key)
{
	u32 b = shadow_reverse(key) & READ_ONCE(t->mask);
	struct shadow_bucket *bucket;

	for (;;) {
		bucket = shadow_bucket_slot(t, b);
		if (likely(bucket && smp_load_acquire(&bucket->node.aux)))
			return bucket;
		b = shadow_bucket_parent(b);
	}
}

/* May there be a node with this key? */
static inline bool shadow_bucket_marked(const struct shadow_bucket *bucket, u32 key)
{
	return READ_ONCE(bucket->node.aux) & shadow_mark(key);
}

/* The data of the variable <obj, id>, if it stands in the bucket of its key; else NULL. Under rcu_read_lock(). */
static inline void *shadow_front_find(const struct shadow_bucket *bucket, const void *obj, unsigned long id)
{
	const struct shadow_front *f;

	for (f = bucket->front; f < bucket->front + SHADOW_FRONT; f++) {
		void *data = smp_load_acquire(&f->data);

		if (READ_ONCE(f->obj) != obj || READ_ONCE(f->id) != id || !data)
			continue;
		smp_rmb();
		if (likely(READ_ONCE(f->data) == data))
			return data;
	}
	return NULL;
}

/*
 * The first node with this key, or NULL, from its bucket. Further ones follow it. Under rcu_read_lock() or the
 * lock of the key's stripe.
 */
static inline struct shadow_node *shadow_table_first(const struct shadow_bucket *bucket, u32 key)
{
	const struct shadow_node *n = &bucket->node;

	if (!shadow_bucket_marked(bucket, key))
		return NULL;

	do {
		n = READ_ONCE(n->next);
	} while (n && n->key < key);
	return n && n->key == key ? (struct shadow_node *)n : NULL;
}

static inline struct shadow_node *shadow_table_next(const struct shadow_node *n)
{
	struct shadow_node *next = READ_ONCE(n->next);

	return next && next->key == n->key ? next : NULL;
}

static inline unsigned long shadow_table_lock(struct shadow_table *t, u32 key)
{
	unsigned long flags;

	local_irq_save(flags);
	bit_spin_lock(0, &t->stripes[key / (1u << 26)]);
	return flags;
}

static inline void shadow_table_unlock(struct shadow_table *t, u32 key, unsigned long flags)
{
	bit_spin_unlock(0, &t->stripes[key / (1u << 26)]);
	local_irq_restore(flags);
}

/* With GFP_KERNEL: sleeps. Returns 0 or -ENOMEM. */
int shadow_table_init(struct shadow_table *t);
/* Frees the buckets. No reader and no variable may be left. */
void shadow_table_destroy(struct shadow_table *t);
/* To be called before the lock is taken for an insertion: allocates with gfp, and may do nothing. */
void shadow_table_prepare(struct shadow_table *t, u32 key, gfp_t gfp);
/* Under the lock. The caller knows that what it inserts, a variable <obj, id>, is not there. */
void shadow_table_insert(struct shadow_table *t, struct shadow_node *node, const void *obj, unsigned long id);
/* Under the lock. Readers may still see the node until a grace period has passed. */
void shadow_table_remove(struct shadow_table *t, struct shadow_node *node);

#endif
