// SPDX-License-Identifier: GPL-2.0-only
/*
 * Part of cut_into_atoms(): which atom does each relocation mean, whatever symbol it is spelled with? What leads
 * elsewhere within a section, and has none, gets one first.
 */
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

static void slice_relocs(struct section *sec)
{
	size_t i = 0;

	for (size_t n = 0; n < sec->natoms; n++) {
		struct atom *a = sec->atoms[n];

		while (i < sec->nrelocs && sec->relocs[i].offset < a->off)
			i++;
		a->relocs = sec->relocs + i;
		while (i < sec->nrelocs && sec->relocs[i].offset < a->off + a->size) {
			i++;
			a->nrelocs++;
		}
	}
}

/*
 * What leads from a function to another one of the same section, branches and addresses, has no relocation. Give it one, so that the
 * functions can be compared and moved apart.
 */
struct outward_search {
	struct section *sec;
	struct atom *atom;
	struct reloc *found;
	size_t n, room;
};

/* Assemblers drop section symbols that no relocation uses. */
static struct symbol *section_symbol(struct section *sec)
{
	if (!sec->secsym) {
		sec->secsym = xcalloc(1, sizeof(*sec->secsym));
		sec->secsym->name = sec->name;
		sec->secsym->sec = sec;
		sec->secsym->sym.st_info = GELF_ST_INFO(STB_LOCAL, STT_SECTION);
	}
	return sec->secsym;
}

static void found_outward(void *arg, const struct reloc *found, unsigned int width)
{
	struct outward_search *search = arg;
	struct section *sec = search->sec;

	if (has_reloc_between(sec, found->offset, found->offset + 1))
		return;
	if (width != arch_reloc_width(found->type)) {
		search->atom->stuck = true;
		return;
	}
	if (search->n == search->room) {
		search->room = search->room ? search->room * 2 : 16;
		search->found = xrealloc(search->found, search->room, sizeof(*search->found));
	}
	search->found[search->n] = *found;
	search->found[search->n++].sym = section_symbol(sec);
}

static int by_reloc_offset(const void *a, const void *b)
{
	const struct reloc *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void relocate_outward(struct section *sec)
{
	struct outward_search search = { .sec = sec };

	for (size_t i = 0; i < sec->natoms; i++) {
		struct atom *a = sec->atoms[i];

		search.atom = a;
		if (a->size)
			arch_find_outward(sec, a->off, a->off + a->size, found_outward, &search);
	}
	if (search.n) {
		sec->relocs = xrealloc(sec->relocs, sec->nrelocs + search.n, sizeof(*sec->relocs));
		memcpy(sec->relocs + sec->nrelocs, search.found, search.n * sizeof(*search.found));
		sec->nrelocs += search.n;
		qsort(sec->relocs, sec->nrelocs, sizeof(*sec->relocs), by_reloc_offset);
	}
	free(search.found);
}

/*
 * Offset in its section of what a relocation means, seen from section sec. insn, if not NULL, is where an
 * instruction at or before it starts: then an immediate operand behind the field is seen.
 */
static int64_t target_offset(const struct section *sec, const struct reloc *r, uint64_t *insn)
{
	int64_t at = (int64_t)r->sym->sym.st_value + r->addend;
	int end = arch_field_end(sec, r), exact = -1;

	if (insn && end && !arch_is_branch(sec, r))
		exact = arch_pcrel_end(sec, insn, r->offset);
	return at + (exact < 0 ? end : exact);
}

/*
 * A reference by section to where one variable ends and another starts: the compiler writes the end
 * of an array (for (p = a; p < a + N; p++)) and the next variable in the same way.
 */
static struct atom *ends_at(const struct section *sec, const struct reloc *r, const struct section *in,
			    const struct atom *target)
{
	struct atom *before;
	size_t i;

	if (target->kind != ATOM_DATA || !arch_takes_address(sec, r))
		return NULL;
	i = atom_index_at(in, target->off);
	if (!i)
		return NULL;
	before = in->atoms[i - 1];
	return before->off + before->size == target->off ? before : NULL;
}

static void resolve_reloc(const struct section *sec, struct reloc *r, uint64_t *insn)
{
	struct section *in = r->sym->sec;
	int64_t at, exact;

	if (!in || !in->natoms)
		return;
	at = exact = target_offset(sec, r, NULL);
	if (is_string_section(in) && !is_section_symbol(r->sym)) {
		/* A string's label, even if the addend points behind its end. */
		r->target = atom_at(in, r->sym->sym.st_value);
	} else if (r->sym->atom) {
		/* The symbol says what is meant, however far away the addend points. */
		r->target = r->sym->atom;
	} else if (in->natoms == 1) {
		r->target = in->atoms[0];
	} else {
		/*
		 * Several things in that section: an immediate operand of 1, 2 or 4 bytes behind the
		 * displacement can make the difference, so look at the instruction where it may.
		 */
		if (at < 0 || atom_at(in, at) != atom_at(in, at + 4))
			exact = target_offset(sec, r, insn);
		r->target = atom_at(in, exact < 0 ? 0 : exact);
		if (exact == (int64_t)r->target->off)
			r->before = ends_at(sec, r, in, r->target);
	}
	/* Not the exact one: whether that was needed may differ between the two objects. */
	r->target_off = at - (int64_t)r->target->off;
}

static void resolve_relocs(struct elf_file *file)
{
	for_each_section(file, sec)
		for (size_t i = 0; i < sec->natoms; i++) {
			struct atom *a = sec->atoms[i];
			uint64_t insn = a->off + a->entry;

			for (size_t j = 0; j < a->nrelocs; j++)
				resolve_reloc(sec, &a->relocs[j], &insn);
		}
}

void find_targets(struct elf_file *file)
{
	for_each_section(file, sec) {
		if (is_code(sec) && sec->data && sec->natoms > 1 &&
		    (!sec->table || sec->table->kind == TABLE_REGISTRY))
			relocate_outward(sec);
		slice_relocs(sec);
	}
	resolve_relocs(file);
}
