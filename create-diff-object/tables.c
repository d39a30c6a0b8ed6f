// SPDX-License-Identifier: GPL-2.0-only
/*
 * Part of the proof: do the tables that describe code (alternatives, jump labels, static calls, bugs, exceptions) say
 * the same of it in the shipped image?
 *
 * The link sorts some of them, and others are made there, so that they have no place as a whole. An entry is found
 * by the place of the code that it describes, which it begins with.
 */
#include <stdlib.h>

#include "diag.h"
#include "place.h"

/* An entry, and the address of the code that it describes. */
struct described {
	uint64_t code;
	uint64_t at;		/* the entry's own address, or its offset in the proof object's section */
};

struct description {
	struct described *e;
	size_t n;
};

static int by_code(const void *x, const void *y)
{
	const struct described *a = x, *b = y;

	if (a->code != b->code)
		return a->code < b->code ? -1 : 1;
	return (a->at > b->at) - (a->at < b->at);
}

static void sort(struct description *list)
{
	if (list->n)
		qsort(list->e, list->n, sizeof(*list->e), by_code);
}

/* The entries of the image's table. type: of the relocation of their first field. */
static struct description list_shipped(const struct proof *p, const char *table, uint64_t size, uint32_t type)
{
	struct description list = { 0 };
	uint64_t from, to;
	struct field f;

	if (!running_table(&p->run, table, &from, &to))
		return list;
	list.e = xcalloc((to - from) / size + 1, sizeof(*list.e));
	for (uint64_t at = from; at < to; at += size)
		if (running_field(&p->run, at, type, &f) && !f.name)
			list.e[list.n++] = (struct described){ .code = f.value, .at = at };
	sort(&list);
	return list;
}

/* Those of s that describe code that is at a certain place. */
static struct description list_compiled(const struct proof *p, const struct section *s, uint64_t size)
{
	struct description list = { .e = xcalloc(s->size / size + 1, sizeof(*list.e)) };

	for_each_reloc(s, r) {
		const struct section *code = r->sym->sec;

		if (r->offset % size || !code || p->placed[code->index].placing != PLACED)
			continue;
		/* Two relocations of one field: nothing that an assembler writes. */
		if (list.n && list.e[list.n - 1].at == r->offset)
			continue;
		list.e[list.n++] = (struct described){
			.code = p->placed[code->index].base + r->sym->sym.st_value + r->addend, .at = r->offset
		};
	}
	sort(&list);
	return list;
}

/* The replacements of an object's alternatives are one piece: the first reference to them says where it is. */
static void place_pool(struct proof *p, const struct reloc *r, uint64_t field)
{
	struct section *in = r->sym->sec;
	const struct arch_table *t = in ? arch_table(in->name) : NULL;
	struct placed *pl = in ? &p->placed[in->index] : NULL;
	struct field f;

	if (!t || t->kind != TABLE_POOL || !in->size || pl->placing != NOT_PLACED ||
	    !running_field(&p->run, field, r->type, &f) || f.name)
		return;
	pl->base = f.value - r->addend - r->sym->sym.st_value;
	pl->placing = section_fits(p, in, pl->base) ? PLACED : REFUTED;
}

/* Is the entry of s at off the same as that of the image at address at? */
static bool same_entry(struct proof *p, const struct section *s, uint64_t off, uint64_t size, uint64_t at)
{
	uint64_t end = s->size - off < size ? s->size : off + size, pos = off;
	const unsigned char *image = running_bytes(&p->run, at, end - off);
	size_t lo;

	if (!image || !s->data)
		return false;
	lo = section_first_reloc(s, off);
	for (; lo < s->nrelocs && s->relocs[lo].offset < end; lo++) {
		const struct reloc *r = &s->relocs[lo];

		place_pool(p, r, at + r->offset - off);
		if ((r->offset > pos && memcmp(image + pos - off, s->data + pos, r->offset - pos)) ||
		    !reloc_agrees(p, s, at - off, r))
			return false;
		pos = r->offset + arch_reloc_width(r->type);
	}
	return pos >= end || !memcmp(image + pos - off, s->data + pos, end - pos);
}

static size_t first_of(const struct description *list, uint64_t code)
{
	size_t lo = 0, hi = list->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (list->e[mid].code < code)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct reloc *wrong_entry(struct diff *d, struct section *s)
{
	struct proof *p = d->proof;
	struct description compiled, shipped;
	const struct reloc *wrong = NULL;
	uint64_t size;

	s->table = arch_table(s->name);
	if (!s->table || s->table->kind != TABLE_ENTRIES || !s->nrelocs || !is_alloc(s))
		return NULL;
	size = entry_size(d, s);
	if (!size)
		return NULL;
	shipped = list_shipped(p, s->name, size, s->relocs[0].type);
	compiled = shipped.n ? list_compiled(p, s, size) : shipped;
	for (size_t i = 0, rank = 0; shipped.n && i < compiled.n && !wrong; i++) {
		uint64_t code = compiled.e[i].code;
		size_t at;

		/* Of one place there may be several; they are in the same order on both sides. */
		rank = i && compiled.e[i - 1].code == code ? rank + 1 : 0;
		at = first_of(&shipped, code) + rank;
		if (at >= shipped.n || shipped.e[at].code != code ||
		    !same_entry(p, s, compiled.e[i].at, size, shipped.e[at].at))
			for_each_reloc(s, r)
				if (r->offset == compiled.e[i].at)
					wrong = r;
	}
	if (shipped.n)
		free(compiled.e);
	free(shipped.e);
	return wrong;
}
