// SPDX-License-Identifier: GPL-2.0-only
/*
 * Part of find_risks(): are two locks taken the other way round now? Old and new code run beside each other for a while, and each
 * can wait for the lock that the other one holds.
 *
 * Only locks with a name are seen, "mutex_lock(&pcpu_alloc_mutex)": that of an object is in a register, whichever it is. Their order
 * is that of the code, which mostly is that of the source.
 */
#include <stdlib.h>

#include "diag.h"
#include "risk.h"

/* A lock is loaded right before the call that takes it. */
#define MAX_DISTANCE	16
#define MAX_LOCKS	32

struct locks {
	const char *names[MAX_LOCKS];
	size_t n;
};

static const char *name_of_target(const struct reloc *r)
{
	if (r->target)
		return is_named(r->target) && r->target->kind == ATOM_DATA ? atom_name(r->target) : NULL;
	return *r->sym->name ? r->sym->name : NULL;
}

static size_t place_of_lock(const struct locks *l, const char *name)
{
	size_t i = 0;

	while (i < l->n && strcmp(l->names[i], name))
		i++;
	return i;
}

/* The named locks that a function takes, each where it is taken first. */
static void list_locks(const struct diff *d, const struct atom *a, struct locks *l)
{
	for (size_t i = 1; i < a->nrelocs && l->n < MAX_LOCKS; i++) {
		const struct reloc *r = &a->relocs[i], *before = r - 1;
		const char *name;

		if (!arch_is_branch(a->sec, r) || r->target || arch_is_branch(a->sec, before) ||
		    r->offset - before->offset > MAX_DISTANCE || !takes_lock(d, r->sym->name))
			continue;
		name = name_of_target(before);
		if (name && place_of_lock(l, name) == l->n)
			l->names[l->n++] = name;
	}
}

void check_lock_order(struct diff *d, struct atom *a)
{
	struct locks was = { 0 }, is = { 0 };

	list_locks(d, a->twin, &was);
	list_locks(d, a, &is);
	for (size_t i = 0; i < was.n; i++)
		for (size_t j = i + 1; j < was.n; j++) {
			size_t first = place_of_lock(&is, was.names[i]), second = place_of_lock(&is, was.names[j]);

			if (first == is.n || second == is.n || first < second)
				continue;
			add_risk(a, "order",
				 xasprintf("it took %s before %s, and takes %s first now: while the patch takes effect, both run, and can wait for each other for ever", was.names[i], was.names[j], was.names[j]));
			return;
		}
}
