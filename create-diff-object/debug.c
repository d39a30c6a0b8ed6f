// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pass keep_debug(), with --keep-debug only: the debugging sections of the patched object as they are, bound to
 * what of it is in the output.
 */
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

/* The address of what is not there: no processor has it, and nothing that is added to it makes one that it has. */
#define NOWHERE UINT64_MAX

static bool is_debug(const struct section *s)
{
	return has_prefix(s->name, ".debug_") && s->sh.sh_type == SHT_PROGBITS && s->data && !is_alloc(s);
}

/* Until DWARF 4 great addresses in these have a meaning of their own, and ranges from 1 to 1 are empty. */
static bool is_old_list(const struct section *s)
{
	return !strcmp(s->name, ".debug_ranges") || !strcmp(s->name, ".debug_loc");
}

struct keeper {
	struct elf_out *out;
	struct out_section **copies;	/* by the index of the patched object's section */
};

/* Where is the place that r means? False: nowhere in the output. */
static bool find_place(struct keeper *k, const struct reloc *r, struct out_reloc *place)
{
	const struct section *sec = r->sym->sec;
	uint64_t at = r->sym->sym.st_value + (uint64_t)r->addend;
	const struct atom *a;

	if (!sec)
		return false;
	if (k->copies[sec->index]) {
		place->sym = out_section_symbol(k->out, k->copies[sec->index]);
		place->addend = (int64_t)at;
		return at <= sec->size;
	}
	a = atom_at(sec, at);
	/*
	 * Of several functions in a section, one may be in the output, but what is told of it (lines, the end) is
	 * told of the section.
	 */
	if (!a || !a->osec || (is_code(sec) && sec->natoms > 1) || at < a->off || at - a->off > a->size)
		return false;
	place->sym = out_section_symbol(k->out, a->osec);
	place->addend = (int64_t)(a->ooff + at - a->off);
	return true;
}

static void bind_section(struct keeper *k, const struct section *s)
{
	struct out_section *copy = k->copies[s->index];

	for_each_reloc(s, r) {
		struct out_reloc out = { .offset = r->offset, .type = r->type };
		unsigned int width = arch_reloc_width(r->type);
		uint64_t value = 0;

		if (!width || s->size - r->offset < width)
			continue;
		if (find_place(k, r, &out))
			out_reloc_add(k->out, copy, out);
		else if (width == 8)
			value = is_old_list(s) ? 1 : NOWHERE;
		/* Relocated already where types were read. */
		for (unsigned int i = 0; i < width; i++)
			copy->data[r->offset + i] = value >> 8 * i;
	}
}

int keep_debug(struct diff *d)
{
	struct keeper k = { .out = &d->out };

	if (!d->opt.keep_debug)
		return 0;
	k.copies = xcalloc(d->patched.nsections, sizeof(*k.copies));
	for_each_section(&d->patched, s) {
		if (!is_debug(s))
			continue;
		if (s->sh.sh_flags & SHF_COMPRESSED)
			return diag_error("%s: section %s: compressed; compile with -gz=none to keep it",
					  d->patched.path, s->name);
		k.copies[s->index] = out_section_new(k.out, s->name, SHT_PROGBITS,
						     s->sh.sh_flags & (SHF_MERGE | SHF_STRINGS),
						     s->sh.sh_addralign, s->sh.sh_entsize);
		out_section_append(k.copies[s->index], s->data, s->size, 1);
	}
	for_each_section(&d->patched, s)
		if (k.copies[s->index])
			bind_section(&k, s);
	free(k.copies);
	return 0;
}
