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
#define SHADOW_ABI	2u

struct dentry;

/* One id: a declared field, or one that the code of some patch made up. Never freed before the root. */
struct shadow_field {
	struct shadow_field *next;	/* of the same hash; set once */
	unsigned long id;

	/* Under the lock, bit 0 of "lock", interrupts off; inside of a stripe's lock. */
	unsigned long lock;
	struct list_head vars;		/* in the order of their making */
	unsigned long variables, bytes;
	u32 users;			/* enabled patches that declare it, and forced ones */
	u32 size, align, version;	/* undeclared: of what is there */
	bool declared;

	/* Under the root's mutex. */
	char name[KPATCH_SHADOW_NAME_LEN];
	u32 joined;			/* loaded modules that declare it */
	struct dentry *view;
	u64 view_id;
};

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

enum shadow_state {
	SHADOW_JOINED,		/* not enabled yet */
	SHADOW_ENABLED,		/* or on its way to be */
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

#define SHADOW_FIELD_HASH 64

struct shadow_root {
	/* These six never change their place: what a module of another ABI reads. */
	u32 magic, abi;
	u32 root_size, field_size, var_size;
	atomic_t users;			/* loaded modules; 0: dying */

	unsigned long mutex;		/* bit 0: held; sleeps; no lock class, see shadow-table.h */
	struct list_head members;	/* all below: under the mutex */
	atomic_t enabled;		/* members in state SHADOW_ENABLED */
	struct dentry *view;

	struct shadow_field *fields[SHADOW_FIELD_HASH];
	unsigned long fields_lock;	/* bit 0, interrupts off: for adding one */
	struct shadow_table table;
};

extern struct shadow_root *shadow_root;	/* this module's way to it; NULL before join(), after leave() */

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

/* shadow-store.c */
/* The field with this id. Made with gfp if there is none; NULL: no memory. gfp 0: don't make it. */
struct shadow_field *shadow_field_get(struct shadow_root *root, unsigned long id, gfp_t gfp);

/* shadow-var.c */
/* Frees the variables that are there now, one at a time; how many there were. */
unsigned long shadow_field_purge(struct shadow_root *root, struct shadow_field *field,
				 klp_shadow_dtor_t dtor, bool may_sleep);

/* shadow-view.c: what administrators see; under the root's mutex. */
void shadow_view_create(struct shadow_root *root);
void shadow_view_destroy(struct shadow_root *root);
void shadow_view_add(struct shadow_root *root, struct shadow_field *field);
void shadow_view_remove(struct shadow_field *field);

#endif
