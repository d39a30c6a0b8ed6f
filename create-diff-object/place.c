// SPDX-License-Identifier: GPL-2.0-only
/*
 * Part of the proof: where in the shipped image does each section of the proof object lie?
 *
 * Where its names stand, and its bytes agree. If several places do, or the section has no names, then where
 * others that are placed refer to it, or where its own references hold. The linker places each
 * section of an object as one piece, so that the place of one symbol is that of all.
 */
#include <stdlib.h>

#include "diag.h"
#include "place.h"

struct placer {
	struct proof *p;
	struct section **queue;		/* placed, and its references were not looked at yet */
	size_t first, last;
};

/* Sections that the link or the boot sorts, patches, merges or drops: not to be found as bytes. */
static bool is_searchable(const struct proof *p, const struct section *s)
{
	const struct arch_table *t = arch_table(s->name);

	if (!is_alloc(s) || !s->size || is_string_section(s) || is_constant_section(s))
		return false;
	/* The link of vmlinux drops exit code, that of a module does not. */
	return !t || (t->kind == TABLE_REGISTRY && is_code(s) &&
		      (p->run.image.module || !has_prefix(s->name, ".exit")));
}

bool is_unlisted(const struct symbol *s)
{
	unsigned int type = symbol_type(s);

	return type == STT_SECTION || type == STT_FILE || !*s->name || has_prefix(s->name, ".L") ||
	       s->name[0] == '$';
}

static int by_value(const void *a, const void *b)
{
	const struct symbol *x = *(struct symbol *const *)a, *y = *(struct symbol *const *)b;

	if (x->sym.st_value != y->sym.st_value)
		return x->sym.st_value < y->sym.st_value ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static void list_symbols(struct proof *p)
{
	for_each_symbol(&p->obj, s) {
		struct placed *pl;

		/*
		 * Of several functions at one place one gives its name to the padding in front of them, and which one depends on the
		 * order of the symbols in what objtool looks at.
		 */
		if (!s->sec || is_unlisted(s) || arch_is_prefix_symbol(s->name) || !is_searchable(p, s->sec))
			continue;
		pl = &p->placed[s->sec->index];
		pl->named = true;
		/* Another object may override a weak definition: the name can be elsewhere. */
		if (symbol_bind(s) == STB_WEAK)
			continue;
		if (pl->nsyms == pl->room) {
			pl->room = pl->room ? pl->room * 2 : 8;
			pl->syms = xrealloc(pl->syms, pl->room, sizeof(*pl->syms));
		}
		pl->syms[pl->nsyms++] = s;
	}
	for (size_t i = 0; i < p->obj.nsections; i++)
		if (p->placed[i].nsyms)
			qsort(p->placed[i].syms, p->placed[i].nsyms, sizeof(*p->placed[i].syms),
			      by_value);
}

uint64_t first_difference(const struct proof *p, const struct section *s, uint64_t base)
{
	const unsigned char *image = running_bytes(&p->run, base, s->size);
	uint64_t pos = 0;

	if (is_nobits(s))
		return running_covers(&p->run, base, s->size) ? s->size : 0;
	if (!image || !s->data)
		return 0;
	for (size_t i = 0; i <= s->nrelocs; i++) {
		uint64_t end = i < s->nrelocs ? s->relocs[i].offset : s->size;
		/* A module's fields are zero until it is loaded: there must be no more of them than here. */
		uint64_t theirs = pos < end ? running_next_reloc(&p->run, base + pos, end - pos) - base : end;

		for (; pos < end; pos++)
			if (image[pos] != s->data[pos] || pos == theirs)
				return pos;
		if (i < s->nrelocs && pos < end + arch_reloc_width(s->relocs[i].type))
			pos = end + arch_reloc_width(s->relocs[i].type);
	}
	return s->size;
}

static bool is_possible_base(const struct proof *p, const struct section *s, uint64_t base)
{
	const struct placed *pl = &p->placed[s->index];
	uint64_t align = s->sh.sh_addralign ? s->sh.sh_addralign : 1;

	if (base % align || !running_covers(&p->run, base, s->size))
		return false;
	for (size_t i = 0; i < pl->nsyms; i++)
		if (!running_has(&p->run, pl->syms[i]->name, base + pl->syms[i]->sym.st_value))
			return false;
	return true;
}

bool name_fits(const struct proof *p, const struct symbol *sym)
{
	const struct kname *kn = symtab_find(p->run.names, sym->name);

	for (const struct ksym *k = kn ? kn->first : NULL; k; k = k->next)
		if (is_possible_base(p, sym->sec, k->addr - sym->sym.st_value))
			return true;
	return false;
}

/*
 * Sanitizers name source files as the compiler was given them, whatever -fmacro-prefix-map says: Debian's kernel has
 * "/build/.../linux-7.3.4/fs/pipe.c" where an object that is compiled in its source tree has "fs/pipe.c".
 */
static bool is_source_elsewhere(const struct proof *p, const char *ours, uint64_t value)
{
	const unsigned char *byte;
	const char *theirs;
	size_t n, theirs_n = 0;

	if (has_prefix(ours, "./"))
		ours += 2;
	n = strlen(ours);
	if (n < 3 || ours[n - 2] != '.' || (ours[n - 1] != 'c' && ours[n - 1] != 'h'))
		return false;
	while ((byte = running_bytes(&p->run, value + theirs_n, 1)) && *byte)
		theirs_n++;
	if (!byte || theirs_n <= n)
		return false;
	theirs = (const char *)running_bytes(&p->run, value, theirs_n + 1);
	return theirs && *theirs == '/' && theirs[theirs_n - n - 1] == '/' && !strcmp(theirs + theirs_n - n, ours);
}

static bool same_text(const struct proof *p, const struct section *s, const struct reloc *r,
		      uint64_t value)
{
	const struct section *in = r->sym->sec;
	int end = arch_field_end(s, r);
	uint64_t off = r->sym->sym.st_value + r->addend + end;
	const unsigned char *image;
	size_t n;

	/* A string's label says which one is meant, even where the field points behind its end. */
	if (!is_section_symbol(r->sym)) {
		off = r->sym->sym.st_value;
		value -= r->addend;
		end = 0;
	}
	if (off >= in->size)
		return true;	/* a pointer behind the last string: nothing to compare */
	if (!in->data)
		return false;	/* strings that take up no space in the file: none of a compiler */
	n = is_string_section(in) ? strnlen((char *)in->data + off, in->size - off) + 1 :
				    in->sh.sh_entsize;
	if (n > in->size - off)
		return true;
	image = running_bytes(&p->run, value + end, n);
	return (image && !memcmp(image, in->data + off, n)) ||
	       (p->sanitized && is_string_section(in) && is_source_elsewhere(p, (char *)in->data + off, value + end));
}

/*
 * kallsyms doesn't list everything that the linker defines. But it lists all functions of a kernel, and a module has
 * each name that it refers to; and what is called otherwise there is not it. What is weak may be nowhere.
 */
static bool can_be_unlisted(const struct proof *p, const struct section *s, const struct reloc *r, uint64_t at)
{
	if (!r->sym->sec && symbol_bind(r->sym) == STB_WEAK && !at)
		return true;
	return !p->run.image.module && !arch_is_branch(s, r) && !running_has_any(&p->run, at);
}

/* What another object defines, or may define instead of a weak definition here. */
static bool name_agrees(const struct proof *p, const struct section *s, const struct reloc *r, const struct field *f)
{
	uint64_t at = f->value - r->addend;

	if (f->name)
		return !strcmp(f->name, r->sym->name) && !at;
	if (!symtab_find(p->run.names, r->sym->name))
		return can_be_unlisted(p, s, r, at);
	return running_has(&p->run, r->sym->name, at);
}

bool section_fits(const struct proof *p, const struct section *s, uint64_t base)
{
	return is_possible_base(p, s, base) && first_difference(p, s, base) == s->size;
}

bool reloc_agrees(const struct proof *p, const struct section *s, uint64_t base, const struct reloc *r)
{
	const struct section *in = r->sym->sec;
	bool weak = symbol_bind(r->sym) == STB_WEAK;
	const struct placed *pl;
	struct field f;
	uint64_t in_base;

	if (!arch_reloc_width(r->type) || is_nobits(s))
		return true;
	if (!running_field(&p->run, base + r->offset, r->type, &f))
		return false;
	if (!in)
		return name_agrees(p, s, r, &f);
	if (is_string_section(in) || is_constant_section(in))
		return !f.name && same_text(p, s, r, f.value);
	pl = &p->placed[in->index];
	if (weak && name_agrees(p, s, r, &f))
		return true;
	/* Tables have no place: nothing to compare with. What is at no place has been told. */
	if (in != s && pl->placing != PLACED && (!is_searchable(p, in) || pl->placing == REFUTED))
		return !weak;
	in_base = f.value - r->addend - r->sym->sym.st_value;
	if (in != s && pl->placing == NOT_PLACED)
		return !f.name && !weak && section_fits(p, in, in_base);
	return !f.name && in_base == (in == s ? base : pl->base);
}

static void set_base(struct placer *pr, struct section *s, uint64_t base)
{
	struct placed *pl = &pr->p->placed[s->index];

	pl->placing = PLACED;
	pl->base = base;
	pr->queue[pr->last++] = s;
}

/* The symbol of the section of whose name the image has fewest; NULL: one is not there at all. */
static const struct symbol *rarest_symbol(const struct proof *p, const struct placed *pl)
{
	const struct symbol *rarest = NULL;
	unsigned int count = 0;

	for (size_t i = 0; i < pl->nsyms; i++) {
		const struct kname *kn = symtab_find(p->run.names, pl->syms[i]->name);

		if (!kn)
			return NULL;
		if (!rarest || kn->count < count) {
			rarest = pl->syms[i];
			count = kn->count;
		}
	}
	return rarest;
}

/* Look at all places where the section's rarest name stands. */
static void search_by_names(struct placer *pr, struct section *s)
{
	const struct proof *p = pr->p;
	struct placed *pl = &pr->p->placed[s->index];
	const struct symbol *rarest = rarest_symbol(p, pl);
	size_t names_agree = 0, all_agree = 0;
	uint64_t base, best = 0;

	if (rarest)
		for (const struct ksym *k = symtab_find(p->run.names, rarest->name)->first; k;
		     k = k->next) {
			base = k->addr - rarest->sym.st_value;
			if (!is_possible_base(p, s, base))
				continue;
			if (first_difference(p, s, base) == s->size) {
				best = base;
				all_agree++;
			} else if (!names_agree++ && !all_agree) {
				best = base;
			}
		}
	if (all_agree == 1) {
		set_base(pr, s, best);
	} else if (!all_agree) {
		pl->placing = REFUTED;
		pl->base = names_agree ? best : 0;
	}
}

/* Of several places with the same bytes, the one where the section's own references hold. */
static bool search_by_relocs(struct placer *pr, struct section *s)
{
	const struct proof *p = pr->p;
	const struct symbol *at = p->placed[s->index].syms[0];
	const struct kname *kn = symtab_find(p->run.names, at->name);
	uint64_t base, found = 0;
	unsigned int n = 0;

	for (const struct ksym *k = kn ? kn->first : NULL; k; k = k->next) {
		bool ok;

		base = k->addr - at->sym.st_value;
		ok = section_fits(p, s, base);
		for (size_t i = 0; ok && i < s->nrelocs; i++)
			ok = reloc_agrees(p, s, base, &s->relocs[i]);
		if (ok) {
			found = base;
			n++;
		}
	}
	if (n == 1)
		set_base(pr, s, found);
	return n == 1;
}

/* What a placed section refers to: the fields in the image say where that is. */
static void follow_references(struct placer *pr, const struct section *s)
{
	const struct proof *p = pr->p;

	if (is_nobits(s))
		return;
	for_each_reloc(s, r) {
		struct section *in = r->sym->sec;
		struct placed *pl = in ? &pr->p->placed[in->index] : NULL;
		struct field f;
		uint64_t base;

		/* An overridden weak definition: the field refers to the other one. */
		if (!in || pl->placing == PLACED || !is_searchable(p, in) ||
		    symbol_bind(r->sym) == STB_WEAK)
			continue;
		if (!running_field(&p->run, p->placed[s->index].base + r->offset, r->type, &f) || f.name)
			continue;
		base = f.value - r->addend - r->sym->sym.st_value;
		if (section_fits(p, in, base)) {
			set_base(pr, in, base);
		} else if (pl->placing == NOT_PLACED && !pl->nsyms) {
			/* Nothing but this says where it is, and there it is not. */
			pl->placing = REFUTED;
			pl->base = base;
		}
	}
}

void place_sections(struct proof *p)
{
	struct placer pr = { .p = p };
	bool progress;

	p->placed = xcalloc(p->obj.nsections, sizeof(*p->placed));
	pr.queue = xcalloc(p->obj.nsections, sizeof(*pr.queue));
	list_symbols(p);
	for_each_symbol(&p->obj, s)
		p->sanitized |= !s->sec && has_prefix(s->name, "__ubsan_handle_");
	for_each_section(&p->obj, named)
		if (p->placed[named->index].nsyms)
			search_by_names(&pr, named);
	do {
		while (pr.first < pr.last)
			follow_references(&pr, pr.queue[pr.first++]);
		progress = false;
		for_each_section(&p->obj, s)
			if (p->placed[s->index].placing == NOT_PLACED && p->placed[s->index].nsyms)
				progress |= search_by_relocs(&pr, s);
	} while (progress);
	free(pr.queue);
}
