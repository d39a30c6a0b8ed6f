/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is in the store that all modules share. Whoever changes a structure here changes
 * SHADOW_ABI: modules of different builds meet in it.
 */
#ifndef KPATCH_SHADOW_STORE_H
#define KPATCH_SHADOW_STORE_H

#include <linux/list.h>
#include <linux/module.h>

#include "shadow-core.h"
#include "shadow-table.h"

/*
 * Where the modules meet: the kernel's own shadow variable <NULL, SHADOW_ROOT_ID>. The number never
 * changes, whatever the ABI, so that there is never a second store.
 */
#define SHADOW_ROOT_ID	0x6b7061746368ul	/* "kpatch" */
#define SHADOW_MAGIC	0x6b707368u	/* "kpsh" */
#define SHADOW_ABI	3u

struct dentry;

/*
 * One shadow variable; its data follow at node.aux, which suits their type. As small as can be: look-ups
 * of many variables cost what reading them costs.
 */
struct shadow_var {
	struct shadow_node node;	/* first: the table's nodes are variables */
	void *obj;
	unsigned long id;
	struct shadow_field *field;
	union {
		struct list_head list;	/* in the field's vars, which all have its size */
		struct rcu_head rcu;	/* when it is freed */
	};
};

/* One id: a declared field, or one that the code of some patch made up; see shadow-field.c. */
struct shadow_field {
	struct shadow_var var;		/* first: <root, id>, without data; its list is root->fields */

	/* Under the lock, bit 0 of "lock", interrupts off; inside of all other locks. */
	unsigned long lock;
	struct list_head vars;		/* in the order of their making */
	unsigned long variables, bytes;
	u32 users;			/* enabled patches that declare it, and forced ones */
	u32 declared;			/* those, and loaded modules that declare it and wait for being enabled */
	u32 keepers;			/* loaded modules that declare it, and whoever goes through vars */
	u32 size, align, version;	/* undeclared: of what is there */
	bool dropped;			/* not in the table any more */

	/* Under the root's mutex. */
	char name[KPATCH_SHADOW_NAME_LEN];
	u32 joined;			/* loaded modules that declare it */
	struct dentry *view;
	u64 view_id;
};

enum shadow_state {
	SHADOW_JOINED,		/* not enabled yet */
	SHADOW_ENABLED,		/* or on its way to be */
	SHADOW_FORCED,		/* disabled or replaced, but tasks may be in its code for ever */
	SHADOW_OVER,		/* disabled, replaced or failed; the kernel never enables it again */
};
/* A loaded module. */
struct shadow_member {
	struct list_head list;		/* in the order of enabling */
	enum shadow_state state;
	const struct kpatch_shadow_user *user;	/* in the module */
	char name[MODULE_NAME_LEN];
	struct shadow_field *fields[];	/* of user->fields */
};

/* What modules read of each other, and no size in the root tells of. */
static_assert(sizeof(struct kpatch_shadow_field) == 40 && offsetof(struct kpatch_shadow_field, dtor) == 32 &&
	      sizeof(struct kpatch_shadow_user) == 32 && offsetof(struct shadow_member, fields) == 32 + MODULE_NAME_LEN,
	      "a change that modules of other builds see: count SHADOW_ABI");

struct shadow_root {
	/* These six never change their place: what a module of another ABI reads. */
	u32 magic, abi;
	u32 root_size, field_size, var_size;
	atomic_t users;			/* loaded modules; 0: dying */

	unsigned long mutex;		/* bit 0: held; sleeps; no lock class, see shadow-table.h */
	struct list_head members;	/* this and the next two: under the mutex */
	atomic_t enabled;		/* members in state SHADOW_ENABLED, and forced ones */
	struct dentry *view;

	unsigned long fields_lock;	/* bit 0, interrupts off; inside of a stripe's lock */
	struct list_head fields;	/* all; those that modules declare are at its end */
	struct shadow_table table;
};

/* This module's way to the store, and its place there; NULL before join(), after leave(). */
extern struct shadow_root *shadow_root;
extern struct shadow_member *shadow_self;

static inline unsigned long shadow_bit_lock(unsigned long *lock)
{
	unsigned long flags;

	local_irq_save(flags);
	bit_spin_lock(0, lock);
	return flags;
}

static inline void shadow_bit_unlock(unsigned long *lock, unsigned long flags)
{
	bit_spin_unlock(0, lock);
	local_irq_restore(flags);
}

/* Under rcu_read_lock() or the lock of the key's stripe. */
static __always_inline struct shadow_var *shadow_var_in(const struct shadow_bucket *bucket, u32 key,
						       const void *obj, unsigned long id)
{
	struct shadow_node *n;

	for (n = shadow_table_first(bucket, key); n; n = shadow_table_next(n)) {
		struct shadow_var *var = container_of(n, struct shadow_var, node);

		if (var->obj == obj && var->id == id)
			return var;
	}
	return NULL;
}

static __always_inline struct shadow_var *shadow_var_find(struct shadow_root *root, u32 key, const void *obj,
							 unsigned long id)
{
	return shadow_var_in(shadow_bucket(&root->table, key), key, obj, id);
}

/* Nobody needs its record any more. Under its lock. */
static inline bool shadow_field_unused(const struct shadow_field *field)
{
	return !field->variables && !field->keepers;
}

/* shadow-field.c */
/* The record of an id, or NULL. Under rcu_read_lock(). */
struct shadow_field *shadow_field_find(struct shadow_root *root, unsigned long id);
/* Makes one with gfp if there is none. False: no memory. Without locks. */
bool shadow_field_make(struct shadow_root *root, unsigned long id, gfp_t gfp);
/* The same as find, with its lock held: it is not dropped until that is given back. Under a stripe's lock. */
struct shadow_field *shadow_field_lock(struct shadow_root *root, unsigned long id);
/* Drops a record that is unused. Under rcu_read_lock(), without locks. */
void shadow_field_drop(struct shadow_root *root, struct shadow_field *field);
/* Counts the caller as a keeper of the record, or NULL: there is none; and one keeper less. Without locks. */
struct shadow_field *shadow_field_keep(struct shadow_root *root, unsigned long id);
void shadow_field_unkeep(struct shadow_root *root, struct shadow_field *field);

/* shadow-var.c */
/* Frees the variables of a field that is kept, those that are there now, one at a time; how many there were. */
unsigned long shadow_field_purge(struct shadow_root *root, struct shadow_field *field,
				 klp_shadow_dtor_t dtor, bool may_sleep);

/* shadow-view.c: what administrators see; under the root's mutex. */
void shadow_view_create(struct shadow_root *root);
void shadow_view_destroy(struct shadow_root *root);
void shadow_view_add(struct shadow_root *root, struct shadow_field *field);
void shadow_view_remove(struct shadow_field *field);

#endif
