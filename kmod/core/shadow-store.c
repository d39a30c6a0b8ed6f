// SPDX-License-Identifier: GPL-2.0-only
/*
 * The store that all modules share: how they meet in it, which fields there are, and who uses them.
 *
 * A user of a field is an enabled patch that declares it, not a loaded module: a disabled or replaced
 * one may stay loaded, but nobody follows its objects any more, so that its variables would stick to
 * whatever is allocated at their addresses next. The kernel tells us by callbacks of the patch's vmlinux
 * object: pre_patch when it begins to enable a patch, post_patch when that is complete,
 * post_unpatch when it is disabled again, has failed, or was reversed on its way. On an atomic replace
 * only the new patch's post_patch runs; the old ones are still loaded then, so that their
 * destructors can be called.
 */
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/wait_bit.h>

#include "shadow-store.h"

struct shadow_root *shadow_root;
struct shadow_member *shadow_self;

/* How long join() waits for a store to go that its last user is taking down. */
#define DYING_LIMIT_MS 10000

static void store_lock(struct shadow_root *root)
{
	/* Waits in the kernel proper; no lock class, no name. */
	wait_on_bit_lock(&root->mutex, 0, TASK_UNINTERRUPTIBLE);
}

static void store_unlock(struct shadow_root *root)
{
	clear_bit_unlock(0, &root->mutex);
	smp_mb__after_atomic();
	wake_up_bit(&root->mutex, 0);
}

/* ---- fields ---- */

/* Which module that is not over declares the field? For messages. */
static const char *field_owner(struct shadow_root *root, struct shadow_field *field)
{
	struct shadow_member *m;
	unsigned int i;

	list_for_each_entry(m, &root->members, list)
		for (i = 0; m->state != SHADOW_OVER && i < m->user->nfields; i++)
			if (m->fields[i] == field)
				return m->name;
	return NULL;
}

/* undeclared_end() looks at these last. */
static void field_last(struct shadow_root *root, struct shadow_field *f)
{
	unsigned long flags = shadow_bit_lock(&root->fields_lock);

	list_move_tail(&f->var.list, &root->fields);
	shadow_bit_unlock(&root->fields_lock, flags);
}

/* May this module use the field as it declares it? If so, it does. */
static int field_declare(struct shadow_root *root, struct shadow_field *f,
			 const struct kpatch_shadow_user *user, const struct kpatch_shadow_field *d)
{
	const char *owner = field_owner(root, f), *other = owner ? owner : "undeclared variables";
	unsigned long flags = shadow_bit_lock(&f->lock);
	bool used = f->declared || f->variables, named = f->declared && strcmp(f->name, d->name);
	bool sized = f->size != d->size || (f->declared && f->align != d->align) || (f->variables && f->align < d->align);
	bool versioned = f->declared && f->version != d->version;

	if (!used || !(named || sized || versioned)) {
		/* Readers of a view that is open may see this happen; nobody else uses the field. */
		f->declared++;
		f->size = d->size;
		f->align = d->align;
		f->version = d->version;
		shadow_bit_unlock(&f->lock, flags);
		if (f->view && strcmp(f->name, d->name))
			shadow_view_remove(f);
		strscpy(f->name, d->name, sizeof(f->name));
		f->joined++;
		field_last(root, f);
		shadow_view_add(root, f);
		return 0;
	}
	shadow_bit_unlock(&f->lock, flags);
	if (named)
		pr_err("%s: the fields %s and %s (of %s) have the same id %lx; rename the field or give it an id of its own\n",
		       user->name, d->name, f->name, other, d->id);
	else if (sized)
		pr_err("%s: field %s has %u bytes (aligned to %u), but %u (aligned to %u) in %s; give the changed field a new name\n",
		       user->name, d->name, d->size, d->align, f->size, f->align, other);
	else
		pr_err("%s: field %s has version %u, but %u in %s; give the changed field a new name\n",
		       user->name, d->name, d->version, f->version, other);
	return -EINVAL;
}

/* A loaded module less declares the field; over: its declaration does not count any more. */
static void field_undeclare(struct shadow_root *root, struct shadow_field *f, bool over)
{
	unsigned long flags;

	if (!over) {
		flags = shadow_bit_lock(&f->lock);
		f->declared--;
		shadow_bit_unlock(&f->lock, flags);
	}
	if (!--f->joined)
		shadow_view_remove(f);
	shadow_field_unkeep(root, f);
}

/* ---- the root ---- */

static void root_destroy(struct shadow_root *root)
{
	shadow_view_destroy(root);
	/* Nothing of a store that nobody uses can be in use, but for look-ups that interrupts began. */
	synchronize_rcu();
	shadow_table_destroy(&root->table);
	/* Last: until now, join() waits instead of making another store. */
	klp_shadow_free(NULL, SHADOW_ROOT_ID, NULL);
}

static void root_put(struct shadow_root *root)
{
	if (atomic_dec_and_test(&root->users))
		root_destroy(root);
}

struct root_template {
	struct shadow_table table;
	bool used;
};

/* Called by the kernel, atomically, if it has no root. */
static int root_construct(void *obj, void *data, void *template)
{
	struct shadow_root *root = data;
	struct root_template *t = template;

	t->used = true;
	root->table = t->table;
	root->magic = SHADOW_MAGIC;
	root->abi = SHADOW_ABI;
	root->root_size = sizeof(struct shadow_root);
	root->field_size = sizeof(struct shadow_field);
	root->var_size = sizeof(struct shadow_var);
	INIT_LIST_HEAD(&root->members);
	INIT_LIST_HEAD(&root->fields);
	atomic_set(&root->users, 1);
	/* Held by the one who makes it, until the view is there. */
	root->mutex = 1;
	return 0;
}

static int root_check(const struct shadow_root *root, const char *module)
{
	if (root->magic != SHADOW_MAGIC) {
		pr_err("%s: something else than a store of shadow variables is kept under id %lx\n", module,
		       SHADOW_ROOT_ID);
		return -EINVAL;
	}
	if (root->abi == SHADOW_ABI && root->root_size == sizeof(struct shadow_root) &&
	    root->field_size == sizeof(struct shadow_field) && root->var_size == sizeof(struct shadow_var))
		return 0;
	pr_err("%s: the livepatches that are loaded keep shadow variables of ABI %u (%u, %u, %u bytes), this one's is %u (%zu, %zu, %zu); build it with the same version of kpatch-build\n",
	       module, root->abi, root->root_size, root->field_size, root->var_size, SHADOW_ABI,
	       sizeof(struct shadow_root), sizeof(struct shadow_field), sizeof(struct shadow_var));
	return -EINVAL;
}

/*
 * Find the root, or make one, and count as its user: with the mutex held. The root that is found may be
 * dying: its last user counts it down to 0 and takes it out of the kernel's store afterwards. The
 * kernel frees it after a grace period only, so that it can be looked at under rcu_read_lock().
 */
static struct shadow_root *root_get(const char *module)
{
	struct root_template *template;
	struct shadow_root *root = NULL;
	unsigned int waited;
	int err;

	template = kzalloc(sizeof(*template), GFP_KERNEL);
	err = template ? shadow_table_init(&template->table) : -ENOMEM;
	if (err)
		goto out;
	for (waited = 0; waited < DYING_LIMIT_MS; waited++) {
		rcu_read_lock();
		root = klp_shadow_get_or_alloc(NULL, SHADOW_ROOT_ID, sizeof(*root), GFP_NOWAIT | __GFP_NOWARN,
					       root_construct, template);
		if (!root)
			err = -ENOMEM;
		else if (template->used)
			err = 0;
		else if (root->magic == SHADOW_MAGIC && !atomic_read(&root->users))
			err = -EBUSY;	/* of whatever ABI */
		else
			err = root_check(root, module);
		if (!err && !template->used && !atomic_inc_not_zero(&root->users))
			err = -EBUSY;
		rcu_read_unlock();
		if (err != -EBUSY)
			break;
		usleep_range(500, 1000);
	}
	if (err == -EBUSY)
		pr_err("%s: the store of shadow variables is being freed and does not go\n", module);
	if (!template->used)
		shadow_table_destroy(&template->table);
	if (!err && template->used)
		shadow_view_create(root);
	else if (!err)
		store_lock(root);
out:
	kfree(template);
	return err ? ERR_PTR(err) : root;
}

/* ---- members ---- */

/* Nobody uses the field any more; dtor is of a module that is still loaded. */
static void field_end(struct shadow_root *root, struct shadow_field *f, klp_shadow_dtor_t dtor,
		      const char *module)
{
	unsigned long bytes = f->bytes, n = shadow_field_purge(root, f, dtor, true);

	if (n)
		pr_info("%s: %lu variable%s (%lu bytes) destroyed, %s was the last livepatch with this field\n",
			f->name, n, n == 1 ? "" : "s", bytes, module);
}

/*
 * A field that has variables and no user, kept; or NULL. With interrupts off it passes by those that modules declare, which
 * are few, and no others, as they have variables (or get one right now).
 */
static struct shadow_field *undeclared_next(struct shadow_root *root)
{
	unsigned long flags = shadow_bit_lock(&root->fields_lock);
	struct shadow_field *f, *found = NULL;

	list_for_each_entry(f, &root->fields, var.list) {
		bit_spin_lock(0, &f->lock);
		if (f->variables && !f->users) {
			f->keepers++;
			found = f;
		}
		bit_spin_unlock(0, &f->lock);
		if (found)
			break;
	}
	shadow_bit_unlock(&root->fields_lock, flags);
	return found;
}

static void undeclared_end(struct shadow_root *root, const char *module)
{
	struct shadow_field *f;
	unsigned long n = 0;

	while ((f = undeclared_next(root))) {
		n += shadow_field_purge(root, f, NULL, true);
		shadow_field_unkeep(root, f);
	}
	if (n)
		pr_info("%lu undeclared variable%s freed, %s was the last livepatch\n", n,
			n == 1 ? "" : "s", module);
}

/* The member's patch is not enabled any more, and no task is in its code. */
static void member_end(struct shadow_root *root, struct shadow_member *m)
{
	bool enabled = m->state == SHADOW_ENABLED, last;
	unsigned int i;

	if (!enabled && m->state != SHADOW_JOINED)
		return;
	if (enabled && m->user->patch && m->user->patch->forced) {
		/* It counts as a user for ever: what ends later must not destroy what tasks in its code use, either. */
		m->state = SHADOW_FORCED;
		pr_warn("%s: its transition was forced, so that tasks may still use its shadow variables: they are kept\n",
			m->name);
		return;
	}
	/* From here on it makes no variables, unless another patch declares the field. */
	WRITE_ONCE(m->state, SHADOW_OVER);
	last = enabled && atomic_dec_and_test(&root->enabled);
	for (i = 0; i < m->user->nfields; i++) {
		struct shadow_field *f = m->fields[i];
		unsigned long flags = shadow_bit_lock(&f->lock);
		bool unused = enabled && !--f->users;

		f->declared--;
		shadow_bit_unlock(&f->lock, flags);
		if (unused)
			field_end(root, f, m->user->fields[i].dtor, m->name);
	}
	if (last)
		undeclared_end(root, m->name);
}

/*
 * A patch of another builder that replaces ours tells them nothing: the kernel calls no callbacks of what is replaced.
 * But it takes them out of its list, behind the last call of theirs that there is (5.1: klp_free_patch_start()).
 */
static void replaced_end(struct shadow_root *root)
{
	struct shadow_member *m;

	list_for_each_entry(m, &root->members, list)
		if (m->state == SHADOW_ENABLED && m->user->patch &&
		    READ_ONCE(m->user->patch->list.next) == LIST_POISON1)
			member_end(root, m);
}

static struct shadow_member *member_new(const struct kpatch_shadow_user *user)
{
	struct shadow_member *m = kzalloc(struct_size(m, fields, user->nfields), GFP_KERNEL);

	if (m) {
		m->user = user;
		strscpy(m->name, user->name, sizeof(m->name));
	}
	return m;
}

static struct shadow_field *field_keep(struct shadow_root *root, unsigned long id)
{
	struct shadow_field *f = NULL;

	/* Others may drop what was made. */
	while (!f && shadow_field_make(root, id, GFP_KERNEL))
		f = shadow_field_keep(root, id);
	return f;
}

int kpatch_shadow_join(const struct kpatch_shadow_user *user)
{
	struct shadow_member *m = member_new(user);
	struct shadow_root *root;
	unsigned int i;
	int err = 0;

	if (!m)
		return -ENOMEM;
	root = root_get(user->name);
	if (IS_ERR(root)) {
		kfree(m);
		return PTR_ERR(root);
	}
	replaced_end(root);
	for (i = 0; i < user->nfields && !err; i++) {
		m->fields[i] = field_keep(root, user->fields[i].id);
		err = m->fields[i] ? field_declare(root, m->fields[i], user, &user->fields[i]) : -ENOMEM;
	}
	if (err) {
		if (m->fields[--i])
			shadow_field_unkeep(root, m->fields[i]);
		while (i--)
			field_undeclare(root, m->fields[i], false);
	} else {
		list_add_tail(&m->list, &root->members);
		shadow_self = m;
		WRITE_ONCE(shadow_root, root);
	}
	store_unlock(root);
	if (err) {
		root_put(root);
		kfree(m);
	}
	return err;
}

void kpatch_shadow_leave(void)
{
	struct shadow_root *root = shadow_root;
	unsigned int i;

	store_lock(root);
	/* If it never was enabled, or a livepatch of another builder has replaced it. */
	member_end(root, shadow_self);
	list_del(&shadow_self->list);
	for (i = 0; i < shadow_self->user->nfields; i++)
		field_undeclare(root, shadow_self->fields[i], true);
	WRITE_ONCE(shadow_root, NULL);
	store_unlock(root);
	kfree(shadow_self);
	shadow_self = NULL;
	root_put(root);
}

int kpatch_shadow_pre_patch(struct klp_object *obj)
{
	struct shadow_root *root = shadow_root;
	unsigned int i;
	int err = 0;

	store_lock(root);
	if (shadow_self->state != SHADOW_JOINED) {
		err = shadow_self->state == SHADOW_ENABLED ? 0 : -EINVAL;
		goto unlock;
	}
	replaced_end(root);
	shadow_self->state = SHADOW_ENABLED;
	list_move_tail(&shadow_self->list, &root->members);
	atomic_inc(&root->enabled);
	for (i = 0; i < shadow_self->user->nfields; i++) {
		struct shadow_field *f = shadow_self->fields[i];
		unsigned long flags = shadow_bit_lock(&f->lock);

		f->users++;
		shadow_bit_unlock(&f->lock, flags);
	}
unlock:
	store_unlock(root);
	return err;
}

void kpatch_shadow_post_patch(struct klp_object *obj)
{
	struct shadow_root *root = shadow_root;
	struct shadow_member *m;

	if (!shadow_self->user->replace)
		return;
	store_lock(root);
	/* As in the kernel: what was enabled before this one is replaced, what came later is not. */
	list_for_each_entry(m, &root->members, list) {
		if (m == shadow_self)
			break;
		if (m->state == SHADOW_ENABLED)
			member_end(root, m);
	}
	store_unlock(root);
}

void kpatch_shadow_post_unpatch(struct klp_object *obj)
{
	struct shadow_root *root = shadow_root;

	store_lock(root);
	member_end(root, shadow_self);
	store_unlock(root);
}
