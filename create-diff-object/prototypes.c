// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pass beside refuse.c: did the patch change how a function is called? If it is global, its callers in other
 * files go on calling it in the old way, and so does what has its address, and nothing in the symbols tells: names have
 * no types. The debugging information does; what agrees is passed in the same way.
 */
#include <stdlib.h>

#include "diag.h"
#include "explain.h"
#include "types.h"

/* So many of what has the address of a function are named. */
#define MAX_HOLDERS	8

static struct type *type_of_function(const struct named_types *all, const char *name)
{
	struct function_type *f;

	HASH_FIND_STR(all->functions, name, f);
	return f ? f->type : NULL;
}

static bool takes_address(const struct use *u, const struct atom *f)
{
	return u->by->kind != ATOM_ENTRY && u->reloc->target_off == (int64_t)f->entry &&
	       !arch_is_branch(u->by->sec, u->reloc);
}

bool address_is_taken(const struct atom *f)
{
	for (size_t i = 0; i < f->nuses; i++)
		if (takes_address(&f->uses[i], f))
			return true;
	return false;
}

/* What the types contain is layout.c's matter, and their author's. */
static bool is_passed_differently(struct type *was, struct type *is)
{
	char *old, *new;
	bool differs;

	if (!was || !is || types_agree(was, is))
		return !was != !is;
	old = type_title(was);
	new = type_title(is);
	differs = strcmp(old, new);
	free(old);
	free(new);
	return differs;
}

static bool is_called_differently(const struct type *was, const struct type *is)
{
	if (was->nparts != is->nparts || is_passed_differently(was->to, is->to))
		return true;
	for (size_t i = 0; i < was->nparts; i++)
		if (is_passed_differently(was->parts[i].type, is->parts[i].type))
			return true;
	return false;
}

/* Has the callee of a call a parameter for functions like f? */
static bool takes_function(const struct named_types *all, const struct reloc *call, const struct type *f)
{
	const struct atom *callee = call->target;
	char *name = xstrdup(atom_name(callee));
	const struct type *t;
	bool takes = false;

	name[strcspn(name, ".")] = '\0';
	t = type_of_function(all, name);
	free(name);
	for (size_t i = 0; t && i < t->nparts && !takes; i++) {
		const struct type *p = t->parts[i].type;

		takes = p && p->tag == DW_TAG_pointer_type && p->to && p->to->tag == DW_TAG_subroutine_type &&
			!is_called_differently(p->to, f);
	}
	return takes;
}

/*
 * for_each_dir(foo): f is only ever given to functions that are replaced together with it, and
 * these take what they are given with the old type before and with the new one now. If one kept it, the type of where it is
 * kept would have changed as well, and be refused for that. A task is in the old functions or in the new ones.
 */
static bool is_only_passed_on(struct diff *d, const struct atom *f, const struct type *was, const struct type *is)
{
	for (size_t i = 0; i < f->twin->nuses; i++) {
		const struct use *u = &f->twin->uses[i];
		const struct atom *callee;
		const struct reloc *call;

		if (u->by->kind == ATOM_ENTRY || arch_is_branch(u->by->sec, u->reloc))
			continue;
		call = is_code(u->by->sec) ? call_behind(u) : NULL;
		callee = call ? call->target : NULL;
		if (!callee || !is_function(callee) || !callee->twin || callee->twin->state != STATE_CHANGED ||
		    !takes_function(&d->orig_types, call, was) || !takes_function(&d->patched_types, call, is))
			return false;
	}
	return true;
}

/* A pointer that one may now write through, although it may point to constants, or a pointer to such a pointer. */
static bool loses_const(const struct type *was, const struct type *is)
{
	for (; was && is && was->tag == DW_TAG_pointer_type && is->tag == DW_TAG_pointer_type; was = was->to, is = is->to)
		if (was->to_const && !is->to_const)
			return true;
	return false;
}

/* const is in no register: who calls the function goes on to work, unless a constant is written to. */
static void warn_of_const(struct diff *d, const struct atom *f, const struct type *was, const struct type *is)
{
	const char *callers = is_global_atom(f->twin) ? "callers in other files" : "what has its address";
	char *title;

	for (size_t i = 0; i < was->nparts; i++) {
		if (!loses_const(was->parts[i].type, is->parts[i].type))
			continue;
		title = type_title(is->parts[i].type);
		diag_warn("%s: %s: its parameter %zu, \"%s\", points to const no more, and %s may still pass constants; see that it writes to none",
			  d->opt.source, atom_title(f), i + 1, title, callers);
		free(title);
	}
	if (!loses_const(is->to, was->to))
		return;
	title = type_title(is->to);
	diag_warn("%s: %s: what it returns, \"%s\", points to const now, and %s may still write there; see that it is nothing they cannot write to",
		  d->opt.source, atom_title(f), title, callers);
	free(title);
}

/* "table, foo()": what had its address. */
static void show_holders(const struct atom *f)
{
	const struct atom *last = NULL;
	char *list = NULL, *more;
	size_t n = 0;

	for (size_t i = 0; i < f->twin->nuses && n < MAX_HOLDERS; i++) {
		const struct use *u = &f->twin->uses[i];

		if (u->by == last || !takes_address(u, f->twin))
			continue;
		last = u->by;
		more = xasprintf("%s%s%s", list ? list : "", list ? ", " : "", atom_title(u->by));
		free(list);
		list = more;
		n++;
	}
	if (list)
		diag_detail("its address is in %s%s", list, n == MAX_HOLDERS ? ", and perhaps others" : "");
	free(list);
}

static void refuse(struct diff *d, const struct atom *f, const struct type *was, const struct type *is)
{
	char *old = type_title(was), *new = type_title(is);
	bool told;

	if (is_global_atom(f->twin))
		told = diag_refuse(REASON_PROTOTYPE, "%s: %s: its type changed from \"%s\" to \"%s\", and callers in other files still use the old one; give the new function another name",
				   d->opt.source, atom_title(f), old, new);
	else
		told = diag_refuse(REASON_PROTOTYPE, "%s: %s: its type changed from \"%s\" to \"%s\", and what has its address already calls it in the old way; give the new function another name",
				   d->opt.source, atom_title(f), old, new);
	free(old);
	free(new);
	if (!told)
		return;
	show_places(d, atom_title(f), place_of_function(d, ORIG, f->twin), place_of_function(d, PATCHED, f));
	if (!is_global_atom(f->twin))
		show_holders(f);
}

int check_prototypes(struct diff *d)
{
	for_each_atom(&d->patched, f) {
		struct type *was, *is;

		if (f->kind != ATOM_CODE || f->state != STATE_CHANGED ||
		    (!is_global_atom(f->twin) && !address_is_taken(f->twin)))
			continue;
		was = type_of_function(&d->orig_types, atom_name(f));
		is = type_of_function(&d->patched_types, atom_name(f));
		if (!was || !is)
			continue;
		if (!is_called_differently(was, is)) {
			warn_of_const(d, f, was, is);
			continue;
		}
		if (!is_global_atom(f->twin) && is_only_passed_on(d, f, was, is))
			continue;
		refuse(d, f, was, is);
	}
	return 0;
}
