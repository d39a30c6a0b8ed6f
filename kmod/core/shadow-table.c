// SPDX-License-Identifier: GPL-2.0-only
/* The hash table of the shadow variables, its writers' side; see shadow-table.h. */
#include <linux/slab.h>

#include "shadow-table.h"

/* More variables per bucket than this: twice as many buckets. */
#define LOAD 1

/* The last node in front of the place of key. Under the lock of its stripe. */
static struct shadow_node *node_before(struct shadow_node *from, u32 key)
{
	while (from->next && from->next->key < key)
		from = from->next;
	return from;
}

static void link_after(struct shadow_node *before, struct shadow_node *node)
{
	node->next = before->next;
	/* A reader that finds the node finds it complete. */
	smp_store_release(&before->next, node);
}

static void *data_of(struct shadow_node *node)
{
	return (char *)node + node->aux;
}

/* In front of the bucket, if there is room. Under the lock of its stripe. */
static void front_put(struct shadow_bucket *bucket, const void *obj, unsigned long id, void *data)
{
	struct shadow_front *f;

	for (f = bucket->front; f < bucket->front + SHADOW_FRONT; f++) {
		if (f->data)
			continue;
		/* Who reads the new pair finds that the old pointer is gone. */
		smp_wmb();
		WRITE_ONCE(f->obj, obj);
		WRITE_ONCE(f->id, id);
		smp_store_release(&f->data, data);
		return;
	}
}

static void front_remove(struct shadow_bucket *bucket, const void *data)
{
	struct shadow_front *f;

	for (f = bucket->front; f < bucket->front + SHADOW_FRONT; f++)
		if (f->data == data)
			WRITE_ONCE(f->data, NULL);
}

/* The new bucket, which nobody sees yet, takes over what is behind it. */
static void front_take(struct shadow_bucket *bucket, struct shadow_bucket *parent)
{
	struct shadow_front *f;

	for (f = parent->front; f < parent->front + SHADOW_FRONT; f++)
		if (f->data && shadow_key(f->obj, f->id) > bucket->node.key) {
			front_put(bucket, f->obj, f->id, f->data);
			WRITE_ONCE(f->data, NULL);
		}
}

int shadow_table_init(struct shadow_table *t)
{
	struct shadow_bucket **middle = kcalloc(SHADOW_MIDDLE, sizeof(*middle), GFP_KERNEL);
	struct shadow_bucket *chunk = kcalloc(SHADOW_CHUNK, sizeof(*chunk), GFP_KERNEL);
	u32 b;

	if (!middle || !chunk) {
		kfree(middle);
		kfree(chunk);
		return -ENOMEM;
	}
	memset(t, 0, sizeof(*t));
	middle[0] = chunk;
	t->top[0] = middle;
	t->mask = SHADOW_CHUNK - 1;
	for (b = 0; b < SHADOW_CHUNK; b++) {
		chunk[b].node.key = shadow_reverse(b);
		if (b)
			link_after(node_before(&chunk->node, chunk[b].node.key), &chunk[b].node);
		chunk[b].node.aux = 1;
	}
	return 0;
}

void shadow_table_destroy(struct shadow_table *t)
{
	u32 i, j;

	for (i = 0; i < SHADOW_TOP; i++) {
		if (!t->top[i])
			continue;
		for (j = 0; j < SHADOW_MIDDLE; j++)
			kfree(t->top[i][j]);
		kfree(t->top[i]);
	}
}

/* Two writers may do this at once: the second one finds that it is done. */
static bool install(void *place, size_t n, size_t size, gfp_t gfp)
{
	void **slot = place, *new;

	if (READ_ONCE(*slot))
		return true;
	new = kcalloc(n, size, gfp);
	if (new && cmpxchg(slot, NULL, new))
		kfree(new);
	return new != NULL;
}

static bool bucket_allocate(struct shadow_table *t, u32 b, gfp_t gfp)
{
	u32 i = b / (SHADOW_MIDDLE * SHADOW_CHUNK), j = b / SHADOW_CHUNK % SHADOW_MIDDLE;

	/* The caller's wishes are for its variable; a bucket is an extra. */
	gfp &= __GFP_HIGH | __GFP_IO | __GFP_FS | __GFP_RECLAIM;
	gfp |= __GFP_NOWARN | __GFP_NORETRY;
	return install(&t->top[i], SHADOW_MIDDLE, sizeof(struct shadow_bucket *), gfp) &&
	       install(&t->top[i][j], SHADOW_CHUNK, sizeof(struct shadow_bucket), gfp);
}

/* The parent of bucket b is ready, its memory is there. */
static void bucket_link(struct shadow_table *t, u32 b)
{
	struct shadow_bucket *bucket = shadow_bucket_slot(t, b), *parent = shadow_bucket_slot(t, shadow_bucket_parent(b));
	struct shadow_node *node = &bucket->node, *n;
	u32 key = shadow_reverse(b), marks;
	unsigned long flags;

	flags = shadow_table_lock(t, key);
	if (!node->aux) {
		node->key = key;
		link_after(node_before(&parent->node, key), node);
		front_take(bucket, parent);
		/* What is behind it, up to the next bucket, was found from its parent. */
		for (n = node->next, marks = 1; n && n->key & 1; n = n->next)
			marks |= shadow_mark(n->key);
		smp_store_release(&node->aux, marks);
	}
	shadow_table_unlock(t, key, flags);
}

void shadow_table_prepare(struct shadow_table *t, u32 key, gfp_t gfp)
{
	u32 mask = READ_ONCE(t->mask), wanted, b, first;

	if (unlikely(atomic_long_read(&t->count) / LOAD > mask && mask < SHADOW_MAX_BUCKETS - 1)) {
		cmpxchg(&t->mask, mask, mask * 2 + 1);
		mask = READ_ONCE(t->mask);
	}
	wanted = shadow_reverse(key) & mask;
	while (unlikely(!shadow_bucket_ready(t, wanted))) {
		/* The one next to an ancestor that is ready comes first. */
		for (b = first = wanted; !shadow_bucket_ready(t, b); b = shadow_bucket_parent(b))
			first = b;
		if (!bucket_allocate(t, first, gfp))
			return;
		bucket_link(t, first);
	}
}

void shadow_table_insert(struct shadow_table *t, struct shadow_node *node, const void *obj, unsigned long id)
{
	struct shadow_bucket *bucket = shadow_bucket(t, node->key);

	WRITE_ONCE(bucket->node.aux, bucket->node.aux | shadow_mark(node->key));
	link_after(node_before(&bucket->node, node->key), node);
	front_put(bucket, obj, id, data_of(node));
}

void shadow_table_remove(struct shadow_table *t, struct shadow_node *node)
{
	struct shadow_bucket *bucket = shadow_bucket(t, node->key);
	struct shadow_node *before = node_before(&bucket->node, node->key);

	front_remove(bucket, data_of(node));
	while (before->next != node)
		before = before->next;
	/* node->next stays: a reader that stands there finds its way on. */
	WRITE_ONCE(before->next, node->next);
}
