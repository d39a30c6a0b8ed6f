// SPDX-License-Identifier: GPL-2.0-only
/*
 * Part of pair_objects(): things that only their place tells apart: entries of registries, of which the compiler
 * numbers the names or which have none, and nameless code.
 */
#include <stdlib.h>

#include "diag.h"
#include "pair.h"

/* An entry of a registry and its place among those of its name. */
struct placed_entry {
	const struct atom *a;
	size_t place;
};

static int by_bytes(const struct atom *a, const struct atom *b)
{
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	if (a->nrelocs != b->nrelocs)
		return a->nrelocs < b->nrelocs ? -1 : 1;
	return a->sec->data && b->sec->data ?
		       memcmp(a->sec->data + a->off, b->sec->data + b->off, a->size) : 0;
}

static int by_bytes_and_place(const void *x, const void *y)
{
	const struct placed_entry *a = x, *b = y;
	int order = by_bytes(a->a, b->a);

	return order ? order : (a->place > b->place) - (a->place < b->place);
}

/* The first one, from place on, that has the bytes of a; NULL: none. */
static const struct placed_entry *find_entry(const struct placed_entry *sorted, size_t n,
					     const struct atom *a, size_t place)
{
	const struct placed_entry wanted = { .a = a, .place = place };
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (by_bytes_and_place(&sorted[mid], &wanted) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && !by_bytes(sorted[lo].a, a) ? &sorted[lo] : NULL;
}

/*
 * Registrations with a counter in their name. If one was added or removed, both lists are walked in step:
 * each has the next one of the same bytes as its counterpart.
 */
void pair_registry(struct pairing *g)
{
	struct placed_entry *sorted;
	size_t next = 0;

	if (g->orig.n == g->patched.n) {
		for (size_t i = 0; i < g->orig.n; i++)
			join(g->orig.a[i], g->patched.a[i]);
		return;
	}
	sorted = xcalloc(g->patched.n, sizeof(*sorted));
	for (size_t i = 0; i < g->patched.n; i++)
		sorted[i] = (struct placed_entry){ .a = g->patched.a[i], .place = i };
	qsort(sorted, g->patched.n, sizeof(*sorted), by_bytes_and_place);
	for (size_t i = 0; i < g->orig.n; i++) {
		const struct placed_entry *e = find_entry(sorted, g->patched.n, g->orig.a[i], next);

		if (!e)
			continue;
		next = e->place + 1;
		join(g->orig.a[i], g->patched.a[e->place]);
	}
	free(sorted);
}

static size_t count_nameless(const struct section *sec)
{
	size_t n = 0;

	for (size_t i = 0; i < sec->natoms; i++)
		n += !is_named(sec->atoms[i]);
	return n;
}

/* Nameless code and parts of registries: section by section, in order. */
void pair_nameless(struct pairer *p)
{
	for_each_section(&p->d->orig, so) {
		struct section *sn;

		if (!(so->table ? so->table->kind == TABLE_REGISTRY : is_code(so)) ||
		    !count_nameless(so))
			continue;
		sn = elf_file_section(&p->d->patched, so->name);
		if (!sn || count_nameless(sn) != count_nameless(so))
			continue;
		for (size_t i = 0, j = 0; i < so->natoms; i++) {
			if (is_named(so->atoms[i]))
				continue;
			while (is_named(sn->atoms[j]))
				j++;
			join(so->atoms[i], sn->atoms[j++]);
		}
	}
}
