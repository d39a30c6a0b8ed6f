// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls. Their meaning is that of the kernel's functions of the same names, with three
 * differences: all variables of an id have one size; a patch that is not enabled, or not any more, makes none,
 * but of fields that an enabled one declares (the call fails like an allocation); and data are aligned
 * for their type.
 *
 * A writer takes the lock of the table's stripe, then that of the field, for one variable.
 * Constructors run under both, destructors under the first, with interrupts off, as in the kernel.
 */
#include <linux/align.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "shadow-store.h"

/* What an undeclared variable is aligned for. A size is a multiple of its type's alignment. */
static u32 alignment_for_size(size_t size)
{
	return size ? min_t(size_t, size & -size, SMP_CACHE_BYTES) : 1;
}

/* What a new variable is aligned for. */
static u32 alignment(struct shadow_root *root, unsigned long id, size_t size)
{
	struct shadow_field *field;
	u32 align;

	rcu_read_lock();
	field = shadow_field_find(root, id);
	align = field && (READ_ONCE(field->declared) || READ_ONCE(field->variables)) ? READ_ONCE(field->align) : alignment_for_size(size);
	rcu_read_unlock();
	return align;
}

static void *var_data(struct shadow_var *var)
{
	return (char *)var + var->node.aux;
}

/* The data of a variable that may not stand in the bucket itself. */
static void *var_behind(const struct shadow_bucket *bucket, u32 key, const void *obj, unsigned long id)
{
	struct shadow_var *var = shadow_var_in(bucket, key, obj, id);

	return var ? var_data(var) : NULL;
}

void *kpatch_shadow_get(void *obj, unsigned long id)
{
	const struct shadow_bucket *bucket;
	struct shadow_root *root;
	void *data = NULL;
	u32 key;

	/* Cheaper than rcu_read_lock(), and the same since all kinds of readers are waited for (4.20). */
	rcu_read_lock_sched();
	root = READ_ONCE(shadow_root);
	if (likely(root)) {
		key = shadow_key(obj, id);
		bucket = shadow_bucket(&root->table, key);
		if (shadow_bucket_marked(bucket, key))
			data = shadow_front_find(bucket, obj, id) ?: var_behind(bucket, key, obj, id);
	}
	rcu_read_unlock_sched();
	return data;
}

static struct shadow_var *var_alloc(void *obj, unsigned long id, size_t size, u32 align, gfp_t gfp)
{
	struct shadow_var *var;
	size_t extra = sizeof(*var) + max_t(u32, align, ARCH_KMALLOC_MINALIGN) - ARCH_KMALLOC_MINALIGN;

	if (size > U32_MAX - extra)
		return NULL;
	var = kzalloc(extra + size, gfp);
	if (!var)
		return NULL;
	var->node.key = shadow_key(obj, id);
	var->obj = obj;
	var->id = id;
	var->node.aux = (char *)PTR_ALIGN((char *)(var + 1), align) - (char *)var;
	return var;
}

/*
 * May this module make a new variable of <*, field>, with that size? Under the field's lock. Members change
 * their state before what is theirs is destroyed, so that nothing is made behind that.
 */
static int field_admits(struct shadow_field *field, size_t size)
{
	enum shadow_state state = READ_ONCE(shadow_self->state);

	if (!field->users && state != SHADOW_ENABLED && state != SHADOW_FORCED)
		return -ENOENT;
	if (!field->declared && !field->variables) {
		field->size = size;
		field->align = alignment_for_size(size);
	}
	return field->size == size ? 0 : -EINVAL;
}

static void *wrong_size(unsigned long id, size_t size, size_t expected)
{
	WARN(1, "Shadow variables of id %lx have %zu bytes, not %zu\n", id, expected, size);
	return NULL;
}

/*
 * What the caller gets of a pair that has a variable, which may be gone already. Without locks: a WARN takes its time, on a
 * serial console in particular.
 */
static void *var_existing(void *obj, unsigned long id, void *data, size_t existing, size_t size,
			  bool warn_on_exist)
{
	if (warn_on_exist) {
		WARN(1, "Duplicate shadow variable <%p, %lx>\n", obj, id);
		return NULL;
	}
	return likely(existing == size) ? data : wrong_size(id, size, existing);
}

/* The pair has no variable yet, as far as one can see without locks. All allocations come before the locks. */
static void *var_new(struct shadow_root *root, void *obj, unsigned long id, size_t size, gfp_t gfp_flags,
		     klp_shadow_ctor_t ctor, void *ctor_data, bool warn_on_exist)
{
	u32 key = shadow_key(obj, id), existing;
	struct shadow_var *var, *old;
	struct shadow_field *field;
	unsigned long flags;
	bool unused;
	void *data;
	int err, ctor_err = 0;
	u32 align;

start:
	align = alignment(root, id, size);
	var = var_alloc(obj, id, size, align, gfp_flags);
	if (!var)
		return NULL;
	/* Once the lock is given back others can free it: nothing of it is read then. */
	data = var_data(var);
	shadow_table_prepare(&root->table, key, gfp_flags);
again:
	if (!shadow_field_make(root, id, gfp_flags)) {
		kfree(var);
		return NULL;
	}
	rcu_read_lock();
	flags = shadow_table_lock(&root->table, key);
	old = shadow_var_find(root, key, obj, id);
	if (old) {
		/* The lock also keeps it: it can be freed at once when that is given back. */
		data = var_data(old);
		existing = old->field->size;
		shadow_table_unlock(&root->table, key, flags);
		rcu_read_unlock();
		kfree(var);
		return var_existing(obj, id, data, existing, size, warn_on_exist);
	}
	field = shadow_field_lock(root, id);
	if (!field) {
		/* It lost its last variable just now. */
		shadow_table_unlock(&root->table, key, flags);
		rcu_read_unlock();
		goto again;
	}
	existing = field->size;
	err = field_admits(field, size);
	/* Somebody has declared it, or nobody does any more, since its alignment was looked up. */
	if (!err && field->align > align)
		err = -EAGAIN;
	if (err)
		goto unlock;
	err = ctor ? ctor(obj, data, ctor_data) : 0;
	if (err) {
		ctor_err = err;
		err = -ECANCELED;
		goto unlock;
	}
	var->field = field;
	list_add_tail(&var->list, &field->vars);
	field->variables++;
	field->bytes += size;
	shadow_table_insert(&root->table, &var->node, obj, id);
	atomic_long_inc(&root->table.count);
unlock:
	unused = shadow_field_unused(field);
	bit_spin_unlock(0, &field->lock);
	shadow_table_unlock(&root->table, key, flags);
	if (unused)
		shadow_field_drop(root, field);
	rcu_read_unlock();
	if (!err)
		return data;
	kfree(var);
	if (err == -EAGAIN)
		goto start;
	if (err == -ECANCELED)
		pr_err("Failed to construct shadow variable <%p, %lx> (%d)\n", obj, id, ctor_err);
	return err == -EINVAL ? wrong_size(id, size, existing) : NULL;
}

static void *get_or_alloc(void *obj, unsigned long id, size_t size, gfp_t gfp_flags,
			  klp_shadow_ctor_t ctor, void *ctor_data, bool warn_on_exist)
{
	struct shadow_root *root = READ_ONCE(shadow_root);
	struct shadow_var *old;
	void *data = NULL;
	u32 existing = 0;

	if (!root)
		return NULL;
	rcu_read_lock();
	old = shadow_var_find(root, shadow_key(obj, id), obj, id);
	if (old) {
		data = var_data(old);
		existing = old->field->size;
	}
	rcu_read_unlock();
	if (old)
		return var_existing(obj, id, data, existing, size, warn_on_exist);
	return var_new(root, obj, id, size, gfp_flags, ctor, ctor_data, warn_on_exist);
}

void *kpatch_shadow_alloc(void *obj, unsigned long id, size_t size, gfp_t gfp_flags,
			  klp_shadow_ctor_t ctor, void *ctor_data)
{
	return get_or_alloc(obj, id, size, gfp_flags, ctor, ctor_data, true);
}

void *kpatch_shadow_get_or_alloc(void *obj, unsigned long id, size_t size, gfp_t gfp_flags,
				 klp_shadow_ctor_t ctor, void *ctor_data)
{
	return get_or_alloc(obj, id, size, gfp_flags, ctor, ctor_data, false);
}

/* Was there one? */
static bool var_free(struct shadow_root *root, void *obj, unsigned long id, klp_shadow_dtor_t dtor)
{
	u32 key = shadow_key(obj, id);
	struct shadow_field *field = NULL;
	struct shadow_var *var;
	unsigned long flags;
	bool unused = false;

	rcu_read_lock();
	flags = shadow_table_lock(&root->table, key);
	var = shadow_var_find(root, key, obj, id);
	if (var) {
		field = var->field;
		bit_spin_lock(0, &field->lock);
		list_del(&var->list);
		field->variables--;
		field->bytes -= field->size;
		unused = shadow_field_unused(field);
		bit_spin_unlock(0, &field->lock);
		shadow_table_remove(&root->table, &var->node);
		atomic_long_dec(&root->table.count);
		if (dtor)
			dtor(obj, var_data(var));
	}
	shadow_table_unlock(&root->table, key, flags);
	if (unused)
		shadow_field_drop(root, field);
	rcu_read_unlock();
	/* Frees by the offset of "rcu": no callback, and so no pointer to one of ours. */
	if (var)
		kfree_rcu(var, rcu);
	return var;
}

void kpatch_shadow_free(void *obj, unsigned long id, klp_shadow_dtor_t dtor)
{
	struct shadow_root *root = READ_ONCE(shadow_root);

	if (root)
		var_free(root, obj, id, dtor);
}

/* The oldest variable of a field. */
static bool field_oldest(struct shadow_field *field, void **obj)
{
	unsigned long flags = shadow_bit_lock(&field->lock);
	struct shadow_var *var = list_first_entry_or_null(&field->vars, struct shadow_var, list);

	if (var)
		*obj = var->obj;
	shadow_bit_unlock(&field->lock, flags);
	return var;
}

unsigned long shadow_field_purge(struct shadow_root *root, struct shadow_field *field,
				 klp_shadow_dtor_t dtor, bool may_sleep)
{
	unsigned long left = READ_ONCE(field->variables), n = 0;
	void *obj;

	/*
	 * New ones join the list's end, so this frees all that were there, and ends. Where others free some
	 * at the same time it may take as many that are made meanwhile.
	 */
	for (; left && field_oldest(field, &obj); left--) {
		n += var_free(root, obj, field->var.id, dtor);
		if (may_sleep)
			cond_resched();
	}
	return n;
}

void kpatch_shadow_free_all(unsigned long id, klp_shadow_dtor_t dtor)
{
	struct shadow_root *root = READ_ONCE(shadow_root);
	struct shadow_field *field;

	if (!root)
		return;
	field = shadow_field_keep(root, id);
	if (!field)
		return;
	shadow_field_purge(root, field, dtor, false);
	shadow_field_unkeep(root, field);
}
