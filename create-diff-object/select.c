// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pass select_atoms(): what goes into the output? The changed functions, new global things, which another
 * file of the patch may use, and whatever these need that the running kernel doesn't have.
 */
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

static bool same_family(const struct atom *a, const struct atom *b)
{
	return a == b || a->parent == b || b->parent == a;
}

bool binds_to_copy(const struct atom *a, const struct reloc *r)
{
	const struct atom *t = r->target;

	if (!t)
		return false;
	switch (t->kind) {
	case ATOM_STRING:
	case ATOM_CONST:
	case ATOM_POOL:
	case ATOM_ENTRY:
		return true;
	case ATOM_REGISTRY:
		return false;
	case ATOM_DATA:
		return t->own_copy || !t->twin;
	case ATOM_CODE:
		break;
	}
	if (!t->twin)
		return true;
	/* Places inside of a function: of this version of it. */
	if (t->parent || r->target_off != (int64_t)t->entry)
		return true;
	if (a->kind == ATOM_ENTRY)
		return true;
	/* The kernel may run another object's function by this name. If it does not, it finds the new version itself. */
	if (symbol_bind(r->sym) == STB_WEAK)
		return false;
	/*
	 * A call may go to the new version directly. The address of a function must stay the
	 * original's: it is compared, and stored in data that outlives the patch.
	 */
	return t->state == STATE_CHANGED && (arch_is_branch(a->sec, r) ||
					     (same_family(a, t) && r->target_off != (int64_t)t->entry));
}

static void take(struct diff *d, struct atom *a)
{
	if (a->taken)
		return;
	if (a->left_out && a->state == STATE_NEW) {
		diag_refuse(REASON_TABLE_ENTRY, "%s: %s: %s leaves it out, but changed code refers to it; leave that out as well",
			    d->opt.source, atom_title(a), note_title(a->ignored));
		a->left_out = false;
		return;
	}
	a->taken = true;
	*d->taken_end = a;
	d->taken_end = &a->next_taken;
}

/* A tracepoint has a key and a static call, and may be in a function several times: told once. */
static void warn_of_tracepoint(struct diff *d, const struct atom *code, const char *name)
{
	char *key = xasprintf("%s %s", atom_title(code), name);
	struct name_set *s;

	HASH_FIND_STR(d->untraced, key, s);
	if (s) {
		free(key);
		return;
	}
	s = xcalloc(1, sizeof(*s));
	s->name = key;
	HASH_ADD_KEYPTR(hh, d->untraced, s->name, strlen(s->name), s);
	diag_warn("%s: %s: the tracepoint %s belongs to a module, so the patched function does not trace it",
		  d->opt.source, atom_title(code), name);
}

/* The name of the tracepoint that has this key or static call; NULL: none. */
static const char *tracepoint_of(const char *name)
{
	static const char *const prefixes[] = { "__tracepoint_", "__SCK__tp_func_" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (has_prefix(name, prefixes[i]))
			return name + strlen(prefixes[i]);
	return NULL;
}

/*
 * The kernel reads these entries when the livepatch module is loaded. If the key belongs to the
 * patched module, it may not be there yet. A tracepoint can be done without.
 */
static bool key_is_early(struct diff *d, const struct atom *e)
{
	/* The key is what the last relocation points to. */
	const struct reloc *r = &e->relocs[e->nrelocs - 1];
	const struct export *ex;
	const char *name;

	if (!strcmp(d->opt.objname, "vmlinux") || !(e->sec->table->flags & TABLE_HAS_KEY))
		return true;
	if (r->target && binds_to_copy(e, r))
		return true;
	name = r->target && is_named(r->target) ? atom_name(r->target) : r->sym->name;
	ex = exports_find(&d->exports, name);
	if (!r->target && ex && !strcmp(ex->owner, "vmlinux"))
		return true;
	if (!r->target && !ex && !symtab_find(&d->own_symtab, name) &&
	    symtab_find(&d->vmlinux_symtab, name))
		return true;
	if (tracepoint_of(name)) {
		warn_of_tracepoint(d, e->describes, tracepoint_of(name));
		return false;
	}
	diag_refuse(REASON_STATIC_KEY, "%s: %s: uses the static key or static call %s of a module, which may be loaded after the livepatch; use KPATCH_STATIC_BRANCH() or KPATCH_STATIC_CALL() instead (man kpatch-macros.h)",
		    d->opt.source, atom_title(e->describes), name);
	return false;
}

static bool is_made_by_macro(const struct atom *t)
{
	return t->own_copy && !t->twin;
}

/* Does before end where t starts in the running kernel, too? */
static bool adjoin(const struct atom *before, const struct atom *t)
{
	const struct atom *x = before->twin, *y = t->twin;

	return x && y && x->sec == y->sec && x->off + x->size == y->off &&
	       !before->own_copy && !t->own_copy;
}

/* Pointers outside are made of arrays, and of structures by those who go through them as such, or through lists. */
static bool may_have_parts(const struct atom *a)
{
	return !a->type || !type_is_scalar(a->type);
}

/* Are both as far from each other in the running kernel as here? */
static bool move_together(const struct atom *a, const struct atom *b)
{
	const struct atom *x = a->twin, *y = b->twin;

	return x && y && x->sec == y->sec && x->off - a->off == y->off - b->off;
}

/*
 * An address inside of a variable, spelled by section and offset, may be meant to lie in front of one that
 * follows: table[i - 1], or &head - offsetof(...) at the end of a list. Unless they are as far from each other in the
 * running kernel, that is another place. Which is the first such one behind each?
 */
static void find_followers(struct section *sec)
{
	/* The next one that can be meant, and the next that does not move with that. */
	struct atom *next = NULL, *other = NULL;

	for (size_t i = sec->natoms; i--;) {
		struct atom *a = sec->atoms[i];

		if (a->kind != ATOM_DATA || !is_named(a) || a->own_copy)
			continue;
		a->follower = next && move_together(a, next) ? other : next;
		if (!may_have_parts(a))
			continue;
		if (next && !move_together(a, next))
			other = next;
		next = a;
	}
}

/* Entries of tables never go in front of what they name, but may add marks to its address. */
static const struct atom *follower(const struct atom *a, const struct reloc *r)
{
	return r->target && is_section_symbol(r->sym) && r->target_off > 0 && a->kind != ATOM_ENTRY &&
		       arch_takes_address(a->sec, r) ? r->target->follower : NULL;
}

/* Code that the running kernel goes on using: a second copy of it is never wanted. */
static bool is_unchanged_code(const struct atom *t)
{
	const struct atom *top = t->parent ? t->parent : t;

	return t->kind == ATOM_CODE && top->twin && top->state == STATE_SAME;
}

/*
 * What a sanitizer of undefined behaviour has to tell of a place in the code. The kernel writes nothing into it but that it has
 * been told: each version of the code has its own.
 */
static bool is_of_sanitizer(const struct atom *t)
{
	return has_prefix(t->sec->name, ".data..Lubsan_");
}

static void take_needs(struct diff *d, struct atom *a)
{
	for (size_t i = 0; i < a->nrelocs; i++) {
		struct reloc *r = &a->relocs[i];
		struct atom *t = r->target;
		const struct atom *behind = follower(a, r);

		if (r->before && may_have_parts(r->before) && !is_made_by_macro(t) && !adjoin(r->before, t))
			diag_refuse(REASON_AMBIGUOUS_REFERENCE, "%s: %s: refers either to the end of %s or to %s, which follows it in section %s, and which one cannot be told; put the new one into another section",
				    d->opt.source, atom_title(a), atom_title(r->before),
				    atom_title(t), t->sec->name);
		if (behind)
			diag_refuse(REASON_AMBIGUOUS_REFERENCE, "%s: %s: refers either to the inside of %s or to a place in front of %s, which follows it in section %s, and which one cannot be told; put new variables into another section, and keep the old ones",
				    d->opt.source, atom_title(a), atom_title(t), atom_title(behind), t->sec->name);
		if (!t || !binds_to_copy(a, r))
			continue;
		if (t->kind == ATOM_DATA && !is_named(t) && is_writable(t->sec) && !is_of_sanitizer(t)) {
			diag_refuse(REASON_UNKNOWN_SYMBOL, "%s: %s: refers to nameless data at %s that cannot be found in the running kernel; give it a name",
				    d->opt.source, atom_title(a), atom_title(t));
			continue;
		}
		if (is_unchanged_code(t)) {
			diag_refuse(REASON_INNER_REFERENCE, "%s: %s: refers to the inside of %s, which did not change; leave this part out",
				    d->opt.source, atom_title(a), atom_title(t));
			continue;
		}
		take(d, t);
	}
	for (struct atom *e = a->entries; e; e = e->next_entry)
		if (e->sec->table->flags & TABLE_AT_BOOT_ONLY)
			diag_refuse(REASON_BOOT_CODE, "%s: %s: uses %s (section %s), which the kernel puts into its own code at boot, and a livepatch would do without; patch the callers instead",
				    d->opt.source, atom_title(a), e->sec->table->what, e->sec->name);
		else if (key_is_early(d, e))
			take(d, e);
	if (a->child)
		take(d, a->child);
	if (a->parent)
		take(d, a->parent);
	if (a->stuck)
		diag_refuse(REASON_SHORT_JUMP, "%s: %s: has a short jump to another function of section %s; move one of them to another section",
			    d->opt.source, atom_title(a), a->sec->name);
}

/* A taken section that describes code, but of which nothing is known, would be lost. */
static void refuse_unknown_tables(struct diff *d)
{
	for_each_section(&d->patched, sec) {
		if (sec->table || !is_alloc(sec) || is_code(sec))
			continue;
		for (size_t i = 0; i < sec->natoms; i++) {
			struct atom *a = sec->atoms[i];

			if (a->taken || is_named(a) || a->kind != ATOM_DATA)
				continue;
			for (size_t j = 0; j < a->nrelocs; j++) {
				struct atom *t = a->relocs[j].target;

				if (!t || t->kind != ATOM_CODE || !t->taken)
					continue;
				diag_refuse(REASON_UNKNOWN_SECTION, "%s: %s: section %s refers to it, and its meaning is not known; please report this section",
					    d->opt.source, atom_title(t), sec->name);
				return;
			}
		}
	}
}

int select_atoms(struct diff *d)
{
	d->taken_end = &d->taken;
	for_each_section(&d->patched, sec)
		find_followers(sec);
	for_each_atom(&d->patched, a) {
		bool changed = a->kind == ATOM_CODE && a->state == STATE_CHANGED && !a->parent &&
			       !a->carried;
		bool new = (a->kind == ATOM_CODE || a->kind == ATOM_DATA) &&
			   a->state == STATE_NEW && is_global_atom(a) && !a->left_out;

		if (changed || new)
			take(d, a);
	}
	for (struct note *n = d->notes; n; n = n->next)
		if (n->callback)
			take(d, n->callback);
	for (struct atom *a = d->taken; a; a = a->next_taken)
		take_needs(d, a);
	refuse_unknown_tables(d);
	return 0;
}
