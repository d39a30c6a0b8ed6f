// SPDX-License-Identifier: GPL-2.0-only
/*
 * The records of ids: one for each declared field, and for each id that the code of some patch made up. A record
 * is made with the first variable or declaration, and goes with the last: patches may compute ids. It
 * is found in the table, as if it were the variable <root, id>, so that a look-up costs the same with many ids.
 *
 * Who has found a record without locks may use it under rcu_read_lock(), or keep it by counting itself as one
 * of its keepers. Whoever takes the last variable or keeper away drops the record.
 */
#include <linux/slab.h>

#include "shadow-store.h"

struct shadow_field *shadow_field_find(struct shadow_root *root, unsigned long id)
{
	struct shadow_var *var = shadow_var_find(root, shadow_key(root, id), root, id);

	return var ? container_of(var, struct shadow_field, var) : NULL;
}

bool shadow_field_make(struct shadow_root *root, unsigned long id, gfp_t gfp)
{
	u32 key = shadow_key(root, id);
	struct shadow_field *new;
	unsigned long flags;
	bool found;

	rcu_read_lock();
	found = shadow_field_find(root, id);
	rcu_read_unlock();
	if (found)
		return true;
	new = kzalloc(sizeof(*new), gfp);
	if (!new)
		return false;
	new->var.node.key = key;
	new->var.obj = root;
	new->var.id = id;
	INIT_LIST_HEAD(&new->vars);
	shadow_table_prepare(&root->table, key, gfp);

	flags = shadow_table_lock(&root->table, key);
	found = shadow_field_find(root, id);
	if (!found) {
		bit_spin_lock(0, &root->fields_lock);
		/* In front of those that modules declare: undeclared_end() finds it at once. */
		list_add(&new->var.list, &root->fields);
		bit_spin_unlock(0, &root->fields_lock);
		shadow_table_insert(&root->table, &new->var.node, root, id);
	}
	shadow_table_unlock(&root->table, key, flags);
	if (found)
		kfree(new);
	return true;
}

struct shadow_field *shadow_field_lock(struct shadow_root *root, unsigned long id)
{
	struct shadow_field *f = shadow_field_find(root, id);

	if (!f)
		return NULL;
	bit_spin_lock(0, &f->lock);
	if (likely(!f->dropped))
		return f;
	bit_spin_unlock(0, &f->lock);
	return NULL;
}

void shadow_field_drop(struct shadow_root *root, struct shadow_field *f)
{
	u32 key = f->var.node.key;
	unsigned long flags = shadow_table_lock(&root->table, key);
	bool drop;

	bit_spin_lock(0, &root->fields_lock);
	bit_spin_lock(0, &f->lock);
	drop = shadow_field_unused(f) && !f->dropped;
	if (drop) {
		f->dropped = true;
		list_del(&f->var.list);
		shadow_table_remove(&root->table, &f->var.node);
	}
	bit_spin_unlock(0, &f->lock);
	bit_spin_unlock(0, &root->fields_lock);
	shadow_table_unlock(&root->table, key, flags);
	if (drop)
		kfree_rcu(f, var.rcu);
}

struct shadow_field *shadow_field_keep(struct shadow_root *root, unsigned long id)
{
	struct shadow_field *f;
	unsigned long flags;
	bool dropped;

	rcu_read_lock();
	f = shadow_field_find(root, id);
	if (f) {
		flags = shadow_bit_lock(&f->lock);
		dropped = f->dropped;
		f->keepers += !dropped;
		shadow_bit_unlock(&f->lock, flags);
		if (dropped)
			f = NULL;
	}
	rcu_read_unlock();
	return f;
}

void shadow_field_unkeep(struct shadow_root *root, struct shadow_field *f)
{
	unsigned long flags;
	bool unused;

	rcu_read_lock();
	flags = shadow_bit_lock(&f->lock);
	f->keepers--;
	unused = shadow_field_unused(f);
	shadow_bit_unlock(&f->lock, flags);
	if (unused)
		shadow_field_drop(root, f);
	rcu_read_unlock();
}
