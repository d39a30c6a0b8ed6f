// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pass behind compare.c: what becomes changed because something else did? Each rule looks at one
 * changed atom and the places that refer to it; what they make changed waits in a queue for the rules to
 * look at it in its turn.
 */
#include "diag.h"
#include "diff.h"

struct queue {
	struct diff *d;
	struct atom *first, **end;
	bool heeded;		/* a caller is not one that the author ignores */
};

static void push(struct queue *q, struct atom *a)
{
	if (a->spread)
		return;
	a->spread = true;
	*q->end = a;
	q->end = &a->next_spread;
}

/* Things that only one of the objects has are new, whatever happens. */
static void change(struct queue *q, struct atom *a, const struct atom *cause)
{
	if (!a->twin || a->state != STATE_SAME)
		return;
	if (a->ignored && a->kind == ATOM_CODE) {
		leave_out(a);
		return;
	}
	a->state = STATE_CHANGED;
	a->cause = cause;
	push(q, a);
}

static struct atom *top_of(struct atom *a)
{
	return a->parent ? a->parent : a;
}

/*
 * A changed constant object: the running kernel keeps the old one, so that every function of the
 * object that refers to it must become changed and get the new one, and so must the constants that
 * refer to it. That is complete only if nothing else can reach it.
 */
static bool adopt_constant(struct queue *q, struct atom *constant)
{
	bool complete = !is_global_atom(constant);

	for (size_t i = 0; i < constant->nuses; i++) {
		struct atom *user = constant->uses[i].by;

		if (user->kind == ATOM_ENTRY && user->describes)
			change(q, user->describes, constant);
		else if ((user->kind == ATOM_CODE || is_constant(user)) && user->twin)
			change(q, user, constant);
		else if (user->kind != ATOM_CODE && user->state != STATE_NEW)
			complete = false;
	}
	/* What nothing here uses is found by its section: the kernel has such lists. */
	return complete && constant->nuses;
}

static void spread_constant(struct queue *q, struct atom *a)
{
	if (a->state != STATE_CHANGED || a->own_copy || !is_constant(a) || !is_constant(a->twin))
		return;
	if (adopt_constant(q, a))
		check_escapes(q->d, a);
	else
		diag_refuse(REASON_CONSTANT_DATA, "%s: %s: a constant object changed, and other files or data can refer to it; change the functions that use it instead, or use a pre-patch callback",
			    q->d->opt.source, atom_title(a));
	a->own_copy = true;
}

/* A function and its cold part are replaced together. */
static void spread_part(struct queue *q, struct atom *a)
{
	if (a->parent)
		change(q, a->parent, a);
}

/*
 * The code that refers to something by a call in user: user itself, or what an alternative in it belongs
 * to. Calls fn for each; returns false where nobody is known.
 */
static bool for_each_caller(struct atom *user, void (*fn)(struct queue *q, struct atom *a, const struct atom *f),
			    struct queue *q, const struct atom *f)
{
	bool known = false;

	if (user->kind == ATOM_CODE) {
		fn(q, user, f);
		return true;
	}
	for (size_t i = 0; user->kind == ATOM_POOL && i < user->nuses; i++) {
		struct atom *by = user->uses[i].by;
		struct atom *code = by->kind == ATOM_ENTRY ? by->describes : by->kind == ATOM_CODE ? by : NULL;

		if (!code)
			continue;
		fn(q, code, f);
		known = true;
	}
	return known;
}

static void change_top(struct queue *q, struct atom *a, const struct atom *f)
{
	change(q, top_of(a), f);
}

static void heed_caller(struct queue *q, struct atom *a, const struct atom *f)
{
	const struct atom *top = top_of(a);

	if (top->ignored)
		top->ignored->needed = true;
	else
		q->heeded = true;
}

static void nothing(struct queue *q, struct atom *a, const struct atom *f)
{
}

/* Of vmlinux; the code of a module runs when that is loaded, and that may be later. */
static bool has_run(const struct diff *d, const struct atom *user)
{
	return user->kind == ATOM_REGISTRY && has_prefix(user->sec->name, ".init.") && !strcmp(d->opt.objname, "vmlinux");
}

/* Is f reached by direct calls only, so that whoever calls it can call another copy? */
static bool is_only_called(const struct diff *d, const struct atom *f)
{
	bool called = false;

	for (size_t i = 0; i < f->nuses; i++) {
		const struct use *u = &f->uses[i];

		/* Itself, and its own tables. (ORC's are made anew for what is taken.) */
		if (u->by == f || (u->by->kind == ATOM_ENTRY &&
				   (u->by->describes == f || u->by->sec->table->kind != TABLE_ENTRIES)))
			continue;
		if (!is_code(u->by->sec) || !arch_is_branch(u->by->sec, u->reloc) ||
		    (!for_each_caller(u->by, nothing, NULL, NULL) && !has_run(d, u->by)))
			return false;
		called = true;
	}
	return called;
}

/*
 * A changed function that ftrace cannot redirect, as "inline" functions that the compiler did not
 * inline are (the kernel makes them notrace): if it is local and only called, its callers are replaced
 * together with it and call the new copy. The body of a large system call is one. Code of the
 * sections that must not be traced or probed stays where it is.
 */
static void spread_to_callers(struct queue *q, struct atom *f)
{
	if (f->kind != ATOM_CODE || f->state != STATE_CHANGED || f->parent || !is_named(f) ||
	    (f->has_fentry && f->twin->has_fentry))
		return;
	if (is_global_atom(f) || is_global_atom(f->twin) || !has_prefix(f->sec->name, ".text") ||
	    !is_only_called(q->d, f) || !is_only_called(q->d, f->twin))
		return;
	q->heeded = false;
	for (size_t i = 0; i < f->nuses; i++)
		if (f->uses[i].by->kind != ATOM_ENTRY)
			for_each_caller(f->uses[i].by, heed_caller, q, f);
	/* With no caller that may change it would be lost. */
	if (!q->heeded)
		return;
	f->carried = true;
	for (size_t i = 0; i < f->nuses; i++)
		if (f->uses[i].by->kind != ATOM_ENTRY)
			for_each_caller(f->uses[i].by, change_top, q, f);
}

/*
 * A table of places inside of a function (switch statements, labels whose address is taken) belongs to
 * this version of it, even if its bytes are the same: the kernel's leads into the old code.
 */
static void spread_to_tables(struct queue *q, struct atom *f)
{
	if (f->kind != ATOM_CODE || f->state != STATE_CHANGED)
		return;
	for (const struct atom *part = f; part; part = part == f ? f->child : NULL)
		for (size_t i = 0; i < part->nuses; i++) {
			struct atom *a = part->uses[i].by;
			bool inside = part->parent ||
				      part->uses[i].reloc->target_off != (int64_t)part->entry;

			if (!inside || a->kind != ATOM_DATA || !a->twin || a->own_copy ||
			    a->state != STATE_SAME)
				continue;
			a->inner_table = true;
			change(q, a, f);
		}
}

static bool lost_part(const struct atom *a)
{
	const struct atom *now = a->child, *before = a->twin->child;

	return (now || before) && (!now || !before || now->twin != before);
}

int spread_changes(struct diff *d)
{
	struct queue q = { .d = d, .end = &q.first };

	for_each_atom(&d->patched, a) {
		/* A lost or new cold part comes with changed branches, but do not rely on it. */
		if (a->twin && lost_part(a))
			change(&q, a, NULL);
		if (a->state != STATE_SAME)
			push(&q, a);
	}
	for (struct atom *a = q.first; a; a = a->next_spread) {
		spread_constant(&q, a);
		spread_part(&q, a);
		spread_to_callers(&q, a);
		spread_to_tables(&q, a);
	}
	return 0;
}
