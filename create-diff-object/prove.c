// SPDX-License-Identifier: GPL-2.0-only
/*
 * The proof: is the original what the running kernel was built from, and where does it lie?
 *
 * The untouched source, compiled with the distribution's flags and nothing else (the proof object), is
 * found in the shipped image (place.c), and then every byte and every relocated field is compared. So
 * each symbol's address is known, and with it its position among those of its name, however many there
 * are. The original that is diffed is compiled in another way (padded lines, a section per function),
 * but has the same things under the same names.
 */
#include <stdio.h>
#include <stdlib.h>

#include "diag.h"
#include "place.h"

static const char usual_causes[] =
	"usual causes: another compiler version, another configuration, source of another version";

/* A difference is an error, or with --skip-image-check a warning. */
static void complain(struct diff *d, char *text)
{
	if (d->opt.skip_image_check)
		diag_warn("%s: %s; %s", d->opt.source, text, usual_causes);
	else
		diag_fault(REASON_PROOF, "%s: %s; %s", d->opt.source, text, usual_causes);
	free(text);
}

/* The function or variable at an offset, and where it starts. */
static const char *thing_at(const struct elf_file *obj, const struct section *s, uint64_t off,
			    uint64_t *start)
{
	const struct symbol *best = NULL;

	for_each_symbol(obj, sym)
		if (sym->sec == s && !is_unlisted(sym) && sym->sym.st_value <= off &&
		    (!best || sym->sym.st_value > best->sym.st_value))
			best = sym;
	*start = best ? best->sym.st_value : 0;
	return best ? best->name : s->name;
}

static char *hex(const unsigned char *bytes, size_t n)
{
	char *s = xcalloc(3 * n + 1, 1);

	if (!bytes || !n) {
		free(s);
		return xstrdup("nothing");
	}
	for (size_t i = 0; i < n; i++)
		sprintf(s + 3 * i, "%02x%s", bytes[i], i + 1 < n ? " " : "");
	return s;
}

/* Say which bytes differ. The first difference is enough: what follows is often shifted. */
static char *describe_bytes(const struct proof *p, const struct section *s, uint64_t base, uint64_t off)
{
	size_t n = s->size - off < 8 ? s->size - off : 8;
	char *theirs, *ours, *text;
	const char *name;
	uint64_t start;

	/* What the image has no room for is another thing there. */
	while (n && !running_bytes(&p->run, base + off, n))
		n--;
	theirs = hex(running_bytes(&p->run, base + off, n), n);
	n = s->size - off < 8 ? s->size - off : 8;
	ours = hex(s->data ? s->data + off : NULL, n);
	name = thing_at(&p->obj, s, off, &start);
	if (running_next_reloc(&p->run, base + off, 1) == base + off)
		text = xasprintf("%s+0x%lx: the kernel has a reference here, the compiled source %s", name,
				 (unsigned long)(off - start), ours);
	else
		text = xasprintf("%s+0x%lx: the kernel has %s here, the compiled source %s", name,
				 (unsigned long)(off - start), theirs, ours);
	free(theirs);
	free(ours);
	return text;
}

/* A name that the image doesn't have, or not at the distance from the others that it has here. */
static char *describe_names(const struct proof *p, const struct section *s)
{
	const struct placed *pl = &p->placed[s->index];

	for (size_t i = 0; i < pl->nsyms; i++)
		if (!symtab_find(p->run.names, pl->syms[i]->name))
			return xasprintf("%s%s: in the compiled source, but the kernel has nothing of this name",
					 pl->syms[i]->name, is_code(s) ? "()" : "");
	return NULL;
}

static int by_base(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The place at which most of the section's names stand; each of them may stand at many. */
static uint64_t likely_base(const struct proof *p, const struct section *s)
{
	enum { MOST = 1000 };
	const struct placed *pl = &p->placed[s->index];
	uint64_t *bases = xcalloc(pl->nsyms + MOST, sizeof(*bases)), best = 0;
	size_t n = 0, most = 0;

	for (size_t i = 0; i < pl->nsyms; i++) {
		const struct kname *kn = symtab_find(p->run.names, pl->syms[i]->name);

		for (const struct ksym *k = kn ? kn->first : NULL; k && n < pl->nsyms + MOST; k = k->next)
			bases[n++] = k->addr - pl->syms[i]->sym.st_value;
	}
	if (n)
		qsort(bases, n, sizeof(*bases), by_base);
	for (size_t i = 0, j; i < n; i = j) {
		for (j = i; j < n && bases[j] == bases[i]; j++)
			;
		if (j - i > most) {
			most = j - i;
			best = bases[i];
		}
	}
	free(bases);
	return best;
}

/* The first place at or behind base where section and image differ, as far as the image goes. */
static uint64_t difference_near(const struct proof *p, const struct section *s, uint64_t base)
{
	for (uint64_t off = 0, i = 0; off < s->size; off++) {
		const unsigned char *byte = running_bytes(&p->run, base + off, 1);

		while (i < s->nrelocs && s->relocs[i].offset + arch_reloc_width(s->relocs[i].type) <= off)
			i++;
		if (i < s->nrelocs && s->relocs[i].offset <= off)
			continue;
		if (!byte || !s->data || *byte != s->data[off])
			return off;
	}
	return s->size;
}

/* Where a section is not, say what speaks against it. */
static void report_refuted(struct diff *d, const struct section *s)
{
	const struct proof *p = d->proof;
	const struct placed *pl = &p->placed[s->index];
	char *text = describe_names(p, s);
	uint64_t base = pl->base, off = 0;

	if (!text) {
		base = base ? base : likely_base(p, s);
		if (base)
			off = is_nobits(s) ? s->size :
			      running_covers(&p->run, base, s->size) ? first_difference(p, s, base) :
								       difference_near(p, s, base);
		if (base && off < s->size)
			text = describe_bytes(p, s, base, off);
		else
			text = xasprintf("section %s with %s%s: the kernel has its names at other distances from each other",
					 s->name, pl->nsyms ? pl->syms[0]->name : s->name,
					 is_code(s) ? "()" : "");
	}
	complain(d, text);
}

static void report_reloc(struct diff *d, const struct section *s, const struct reloc *r)
{
	const struct proof *p = d->proof;
	uint64_t base = p->placed[s->index].base, start;
	const char *name = thing_at(&p->obj, s, r->offset, &start);
	/* Displacements count from the end of the instruction, mostly right behind the field. */
	int64_t end = arch_field_end(s, r), addend = r->addend + end;
	struct field f;
	char *is;

	if (!running_field(&p->run, base + r->offset, r->type, &f))
		is = xstrdup("nothing");
	else if (f.name)
		is = xstrdup(f.name);
	else
		is = running_title(&p->run, f.value + end);
	complain(d, xasprintf("%s+0x%lx: the kernel refers to %s here, the compiled source to %s%s0x%lx",
					name, (unsigned long)(r->offset - start), is, r->sym->name,
					addend < 0 ? "-" : "+",
					(unsigned long)(addend < 0 ? -addend : addend)));
}

static void report_entry(struct diff *d, const struct section *s, const struct reloc *r)
{
	const struct section *code = r->sym->sec;
	uint64_t at = r->sym->sym.st_value + r->addend, start;
	const char *name = thing_at(&d->proof->obj, code, at, &start);

	complain(d, xasprintf("%s+0x%lx: the kernel has another entry of %s (section %s) for this place than the compiled source, or none",
			      name, (unsigned long)(at - start), s->table->what, s->name));
}

static const struct reloc *wrong_reloc(const struct proof *p, const struct section *s)
{
	if (p->placed[s->index].placing != PLACED)
		return NULL;
	for_each_reloc(s, r)
		if (!reloc_agrees(p, s, p->placed[s->index].base, r))
			return r;
	return NULL;
}

/* So many differences are shown; the source of another version has hundreds. */
#define MAX_SHOWN 20

/* Where pieces of code that entries of tables refer to lie is known only when those have been looked at. */
static size_t report_places(struct diff *d, bool pools, size_t n)
{
	const struct proof *p = d->proof;

	for_each_section(&p->obj, s) {
		const struct arch_table *t = arch_table(s->name);

		if (p->placed[s->index].placing == REFUTED && (t && t->kind == TABLE_POOL) == pools && n++ < MAX_SHOWN)
			report_refuted(d, s);
	}
	return n;
}

static int judge(struct diff *d)
{
	struct proof *p = d->proof;
	size_t n = report_places(d, false, 0);
	bool placed_wrong;

	/* One wrong place makes many wrong references. */
	placed_wrong = n && !d->opt.skip_image_check;
	for_each_section(&p->obj, table) {
		const struct reloc *e = placed_wrong ? NULL : wrong_entry(d, table);

		if (!e)
			continue;
		p->placed[e->sym->sec->index].placing = REFUTED;
		if (n++ < MAX_SHOWN)
			report_entry(d, table, e);
	}
	n = report_places(d, true, n);
	for_each_section(&p->obj, t) {
		const struct reloc *r = placed_wrong ? NULL : wrong_reloc(p, t);

		if (!r)
			continue;
		p->placed[t->index].placing = REFUTED;
		if (n++ < MAX_SHOWN)
			report_reloc(d, t, r);
	}
	if (n > MAX_SHOWN)
		diag_warn("%s: %zu more sections differ", d->opt.source, n - MAX_SHOWN);
	return n && !d->opt.skip_image_check ? -1 : 0;
}

static void print_debug(const struct diff *d)
{
	const struct proof *p = d->proof;

	for_each_section(&p->obj, s) {
		const struct placed *pl = &p->placed[s->index];

		if (pl->named)
			diag_debug("%s: section %s: %s %lx", d->opt.source, s->name,
				   pl->placing == PLACED ? "at" : "not placed", (unsigned long)pl->base);
	}
}

static struct proof_name *find_name(struct proof *p, const char *name)
{
	struct proof_name *n;

	HASH_FIND_STR(p->names, name, n);
	return n;
}

/* By name; the assembler resolves branches in the one and not in the other, so code may differ in size. */
static bool is_same_thing(const struct symbol *a, const struct symbol *b)
{
	return is_code(a->sec) == is_code(b->sec) &&
	       (is_code(a->sec) || a->sym.st_size == b->sym.st_size);
}

/* Which symbol of the proof object is which of the original? */
static void index_names(struct diff *d)
{
	struct proof *p = d->proof;
	struct proof_name *n;

	for_each_symbol(&p->obj, s) {
		if (!s->sec || is_unlisted(s))
			continue;
		n = find_name(p, s->name);
		if (!n) {
			n = xcalloc(1, sizeof(*n));
			n->name = s->name;
			HASH_ADD_KEYPTR(hh, p->names, n->name, strlen(n->name), n);
		}
		if (n->n == n->room) {
			n->room = n->room ? n->room * 2 : 1;
			n->syms = xrealloc(n->syms, n->room, sizeof(*n->syms));
		}
		n->syms[n->n++] = s;
	}
	for_each_symbol(&d->orig, o) {
		if (!o->sec || is_unlisted(o))
			continue;
		n = find_name(p, o->name);
		if (!n)
			continue;
		if (n->norig == n->orig_room) {
			n->orig_room = n->orig_room ? n->orig_room * 2 : 1;
			n->orig = xrealloc(n->orig, n->orig_room, sizeof(*n->orig));
		}
		n->orig[n->norig++] = o;
	}
	for (n = p->names; n; n = n->hh.next) {
		n->paired = n->n == n->norig;
		for (size_t i = 0; n->paired && i < n->n; i++)
			n->paired = is_same_thing(n->orig[i], n->syms[i]);
	}
}

int prove_original(struct diff *d)
{
	struct proof *p;

	if (!d->opt.proof_path)
		return 0;
	p = d->proof = xcalloc(1, sizeof(*p));
	if (elf_file_open(&p->obj, d->opt.proof_path) ||
	    running_open(&p->run, d->opt.image_path, d->opt.objname, &d->own_symtab))
		return -1;
	index_names(d);
	place_sections(p);
	if (judge(d))
		return -1;
	print_debug(d);
	return 0;
}

/*
 * The symbol of the proof object that is sym of the original: the one of the same name and, if there
 * are several, of the same rank among them. NULL: not certain.
 */
static const struct symbol *proof_symbol(const struct diff *d, const struct symbol *sym)
{
	const struct proof_name *n = find_name(d->proof, sym->name);
	size_t rank = 0, hi;

	if (!n || !n->paired)
		return NULL;
	/* Both lists are in the order of their symbol tables. */
	for (hi = n->norig; hi - rank > 1;) {
		size_t mid = rank + (hi - rank) / 2;

		if (n->orig[mid]->index <= sym->index)
			rank = mid;
		else
			hi = mid;
	}
	return n->syms[rank];
}

enum proven proven_symbol(const struct diff *d, const struct symbol *sym, const struct ksym **ksym)
{
	const struct symbol *s = proof_symbol(d, sym);
	const struct placed *pl = s ? &d->proof->placed[s->sec->index] : NULL;

	*ksym = NULL;
	/* What the untouched source does not have, or has in another form, is not what the kernel has by this name. */
	if (!s || (pl->placing == REFUTED && !name_fits(d->proof, s)))
		return PROVEN_OTHER;
	if (pl->placing != PLACED)
		return PROVEN_NOT;
	*ksym = running_ksym(&d->proof->run, s->name, pl->base + s->sym.st_value);
	return *ksym ? PROVEN : PROVEN_OTHER;
}
