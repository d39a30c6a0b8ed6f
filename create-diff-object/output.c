// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pass build_output(): build the output object from the taken atoms. Each function gets a section of its
 * own; data keeps its section's name, which says how the module loader treats it.
 */
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

#define SHF_KEPT (SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR | SHF_MERGE | SHF_STRINGS)

/* Sections of one name and of one kind are one in the output. */
struct section_by_name {
	char *key;
	struct out_section *sec;
	UT_hash_handle hh;
};

struct string_by_content {
	char *key;
	struct atom *first;
	UT_hash_handle hh;
};

struct builder {
	struct diff *d;
	struct section_by_name *sections;
	struct string_by_content *strings;
};

/* The name that the atom has in the output: that of the running kernel, if it has one. */
static const char *output_name(const struct atom *a)
{
	return atom_name(a->twin && !a->own_copy ? a->twin : a);
}

static char *output_section_name(const struct atom *a)
{
	/* New code that must not be traced or probed stays so: the module loader knows these sections. */
	if (a->kind == ATOM_CODE && is_named(a) && (a->state != STATE_NEW || has_prefix(a->sec->name, ".text")))
		return xasprintf(".text.%s%s", a->parent ? "unlikely." : "", output_name(a));
	return xstrdup(a->sec->name);
}

static struct out_section *output_section(struct builder *b, const struct atom *a)
{
	const GElf_Shdr *sh = &a->sec->sh;
	char *name = output_section_name(a);
	char *key = xasprintf("%x %lx %s", sh->sh_type, (unsigned long)(sh->sh_flags & SHF_KEPT), name);
	struct section_by_name *s;

	HASH_FIND_STR(b->sections, key, s);
	if (!s) {
		s = xcalloc(1, sizeof(*s));
		s->sec = out_section_new(&b->d->out, name, sh->sh_type, sh->sh_flags & SHF_KEPT, 1,
					 sh->sh_entsize);
		s->key = key;
		HASH_ADD_KEYPTR(hh, b->sections, s->key, strlen(s->key), s);
	} else {
		free(key);
	}
	free(name);
	return s->sec;
}

/* The alignment that the atom has in its section. */
static uint64_t alignment(const struct atom *a)
{
	uint64_t align = a->sec->sh.sh_addralign ? a->sec->sh.sh_addralign : 1;

	while (align > 1 && a->off % align)
		align /= 2;
	return align;
}

/* A string that is there already is not written again. */
static bool share_string(struct builder *b, struct atom *a)
{
	const char *text = (const char *)a->sec->data + a->off;
	char *key = xasprintf("%s\n%s", a->sec->name, text);
	struct string_by_content *s;

	HASH_FIND_STR(b->strings, key, s);
	if (s) {
		a->osec = s->first->osec;
		a->ooff = s->first->ooff;
		free(key);
		return true;
	}
	s = xcalloc(1, sizeof(*s));
	s->key = key;
	s->first = a;
	HASH_ADD_KEYPTR(hh, b->strings, s->key, strlen(s->key), s);
	return false;
}

static void place_atom(struct builder *b, struct atom *a)
{
	const void *bytes = a->sec->data ? a->sec->data + a->off : NULL;

	if (a->kind == ATOM_STRING && share_string(b, a))
		return;
	a->osec = output_section(b, a);
	a->ooff = out_section_append(a->osec, bytes, a->size, alignment(a));
	/* The last paravirt entry of an object may lack the padding that the next one needs. */
	if (a->kind == ATOM_ENTRY && a->sec->natoms && a->size < a->sec->atoms[0]->size)
		out_section_append(a->osec, NULL, a->sec->atoms[0]->size - a->size, 1);
}

static unsigned char symbol_kind(const struct atom *a)
{
	return is_code(a->sec) ? STT_FUNC : STT_OBJECT;
}

static void name_atom(struct builder *b, struct atom *a)
{
	struct diff *d = b->d;
	uint64_t at = a->ooff + a->entry, size = a->size - a->entry;

	if (!is_named(a) || a->kind == ATOM_ENTRY || a->kind == ATOM_STRING || a->kind == ATOM_CONST)
		return;
	/*
	 * New global things are for other files of the patch. Everything else is local, so that
	 * only the registration binds to it.
	 */
	if (a->state == STATE_NEW) {
		for (const struct symbol *s = a->syms; s; s = s->next) {
			struct out_symbol *sym;

			if (is_local_symbol(s) && s != a->syms)
				continue;
			sym = out_symbol_new(&d->out, s->name, a->osec, at, size, symbol_bind(s),
					     symbol_kind(a));
			if (s == a->syms)
				a->osym = sym;
		}
		return;
	}
	a->osym = out_symbol_new(&d->out, output_name(a), a->osec, at, size, STB_LOCAL,
				 symbol_kind(a));
}

static struct out_symbol *reach_to_symbol(struct diff *d, struct reach *r)
{
	char *name;

	if (r->osym)
		return r->osym;
	if (r->kind == REACH_KLP) {
		name = xasprintf(".kpatch.sym.%s.%s.%s,%u", r->patched, r->owner, r->name, r->pos);
		r->osym = out_symbol_new(&d->out, name, NULL, 0, 0, STB_WEAK, STT_NOTYPE);
		free(name);
	} else {
		r->osym = out_symbol_new(&d->out, r->name, NULL, 0, 0, STB_GLOBAL, STT_NOTYPE);
	}
	return r->osym;
}

/*
 * The kernel processes these sections when the livepatch module is loaded, but relocations for a
 * patched module only when that is there.
 */
static bool is_processed_at_load(const struct section *sec)
{
	return sec->table && (sec->table->kind == TABLE_ENTRIES || sec->table->kind == TABLE_POOL);
}

/* A number instead of a symbol: symbol 0, which has no name, or one that is absolute. */
static bool is_absolute(const struct symbol *s)
{
	return !s->index || s->sym.st_shndx == SHN_ABS;
}

/*
 * With IBT a function whose address the kernel does not take has no ENDBR: the compiler has left it out, or
 * the kernel has made it a trap. Tables name places in code, but nothing jumps there through them.
 */
static bool is_address_of_sealed(const struct atom *a, const struct reloc *r, const struct reach *reach)
{
	return reach->sealed && reach->sealed_user != a && a->kind != ATOM_ENTRY && !arch_is_branch(a->sec, r);
}

static void emit_outside(struct diff *d, struct atom *a, const struct reloc *r)
{
	struct out_reloc out = { .offset = r->offset - a->off + a->ooff, .type = r->type };
	struct reach *reach;

	if (!r->target && is_absolute(r->sym)) {
		diag_refuse(REASON_FIXED_ADDRESS, "%s: %s: refers to a fixed address and not to a symbol; reach it through a pointer",
			    d->opt.source, atom_title(a));
		return;
	}
	if (r->target) {
		reach = reach_atom(d, a, r);
		out.addend = (int64_t)r->sym->sym.st_value + r->addend -
			     (int64_t)(r->target->off + r->target->entry);
	} else {
		reach = reach_undefined_symbol(d, r->sym, a);
		out.addend = r->addend;
	}
	if (!reach || reach->kind == REACH_FAILED)
		return;
	if (is_address_of_sealed(a, r, reach)) {
		reach->sealed_user = a;
		diag_refuse(REASON_IBT, "%s: %s: takes the address of %s(), which nothing in the kernel does: a call through a pointer would end in a trap (IBT); take the address of a new function that calls it",
			    d->opt.source, atom_title(a), reach->name);
	}
	if (reach->kind == REACH_KLP && strcmp(reach->patched, "vmlinux") &&
	    is_processed_at_load(a->sec)) {
		diag_refuse(REASON_MODULE_DEPENDENCY, "%s: %s: %s refers to %s of the module %s, and would be used before that is loaded; leave this part out",
			    d->opt.source, atom_title(a->describes ? a->describes : a),
			    a->sec->table->what, reach->name, reach->owner);
		return;
	}
	out.sym = reach_to_symbol(d, reach);
	out_reloc_add(&d->out, a->osec, out);
}

static void emit_inside(struct diff *d, struct atom *a, const struct reloc *r)
{
	const struct atom *t = r->target;
	struct out_reloc out = { .offset = r->offset - a->off + a->ooff, .type = r->type };
	int64_t in_section = (int64_t)r->sym->sym.st_value + r->addend - (int64_t)t->off;

	if (t->osym) {
		out.sym = t->osym;
		out.addend = in_section - (int64_t)t->entry;
	} else {
		out.sym = out_section_symbol(&d->out, t->osec);
		out.addend = in_section + (int64_t)t->ooff;
	}
	out_reloc_add(&d->out, a->osec, out);
}

static int emit_relocs(struct diff *d, struct atom *a)
{
	for (size_t i = 0; i < a->nrelocs; i++) {
		const struct reloc *r = &a->relocs[i];
		uint64_t at;

		if (!arch_reloc_width(r->type))
			return diag_error("%s: section %s: relocation type %u is not known; was the object compiled for the kernel?",
					  d->patched.path, a->sec->name, r->type);
		if (!r->target && r->sym->sec)
			return diag_fault(REASON_INTERNAL, "%s: section %s: refers to section %s, which is not part of the kernel; please report this",
					  d->patched.path, a->sec->name, r->sym->sec->name);
		/* Where the assembler resolved a branch by itself, its result is still there. */
		at = r->offset - a->off + a->ooff;
		if (a->osec->data && at + arch_reloc_width(r->type) <= a->osec->size)
			memset(a->osec->data + at, 0, arch_reloc_width(r->type));
		if (!binds_to_copy(a, r)) {
			emit_outside(d, a, r);
		} else if (r->target->osec) {
			emit_inside(d, a, r);
		} else if (!diag_refusals()) {
			return diag_fault(REASON_INTERNAL, "%s: %s: refers to %s, which was not taken; please report this",
					  d->opt.source, atom_title(a), atom_title(r->target));
		}
	}
	return 0;
}

/*
 * ORC: an entry says how to unwind from its address up to the next entry's. Within a section equal
 * neighbours are merged, so that a function may begin in the middle of a range: it then gets a copy
 * of the entry in front of it. And it ends with an entry that ends the range.
 */
struct orc_entry {
	uint64_t off;		/* in the code section */
	size_t index;		/* in the tables */
};

struct orc_list {
	struct orc_entry *e;
	size_t n, room;
};

static int by_code_offset(const void *a, const void *b)
{
	const struct orc_entry *x = a, *y = b;

	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

struct orc {
	struct diff *d;
	struct section *ip, *data;
	size_t size;		/* of an entry in data */
	struct orc_list *lists;	/* per code section */
	struct out_section *oip, *odata;
};

static void orc_add(struct orc *o, const struct atom *a, uint64_t at, const void *entry)
{
	uint64_t off = out_section_append(o->oip, NULL, 4, 4);

	out_section_append(o->odata, entry, o->size, 1);
	out_reloc_add(&o->d->out, o->oip,
		      (struct out_reloc){ .offset = off,
					  .type = arch_table_reloc(),
					  .sym = out_section_symbol(&o->d->out, a->osec),
					  .addend = (int64_t)(a->ooff + at) });
}

static void orc_for_atom(struct orc *o, const struct atom *a)
{
	const struct orc_list *l = &o->lists[a->sec->index];
	size_t i = 0, hi = l->n;

	while (i < hi) {
		size_t mid = i + (hi - i) / 2;

		if (l->e[mid].off < a->off)
			i = mid + 1;
		else
			hi = mid;
	}
	if (i && (i == l->n || l->e[i].off > a->off))
		orc_add(o, a, 0, o->data->data + l->e[i - 1].index * o->size);
	for (; i < l->n && l->e[i].off < a->off + a->size; i++)
		orc_add(o, a, l->e[i].off - a->off, o->data->data + l->e[i].index * o->size);
	orc_add(o, a, a->size, NULL);
}

static int emit_orc(struct diff *d)
{
	struct orc o = { .d = d };
	int err = 0;

	o.ip = elf_file_section(&d->patched, ".orc_unwind_ip");
	o.data = elf_file_section(&d->patched, ".orc_unwind");
	if (!o.ip || !o.data || !o.data->natoms)
		return 0;
	o.size = o.data->atoms[0]->size;
	if (o.ip->natoms != o.data->natoms)
		return diag_error("%s: the two ORC tables have different lengths; does the symbol table belong to this kernel?",
				  d->patched.path);

	o.lists = xcalloc(d->patched.nsections, sizeof(*o.lists));
	for_each_reloc(o.ip, r) {
		struct orc_list *l;

		if (!r->sym->sec)
			continue;
		if (r->offset % 4 || r->offset / 4 >= o.data->natoms)
			return diag_error("%s: section .orc_unwind_ip: a relocation is out of range; is the file damaged?",
					  d->patched.path);
		l = &o.lists[r->sym->sec->index];
		if (l->n == l->room) {
			l->room = l->room ? l->room * 2 : 8;
			l->e = xrealloc(l->e, l->room, sizeof(*l->e));
		}
		l->e[l->n++] = (struct orc_entry){ .off = r->sym->sym.st_value + r->addend,
						   .index = r->offset / 4 };
	}
	for (size_t i = 0; i < d->patched.nsections; i++)
		if (o.lists[i].n)
			qsort(o.lists[i].e, o.lists[i].n, sizeof(*o.lists[i].e), by_code_offset);

	for (struct atom *a = d->taken; a; a = a->next_taken) {
		if (!is_code(a->sec) || !a->size)
			continue;
		if (!o.oip) {
			o.oip = out_section_new(&d->out, ".orc_unwind_ip", SHT_PROGBITS, SHF_ALLOC, 4, 0);
			o.odata = out_section_new(&d->out, ".orc_unwind", SHT_PROGBITS, SHF_ALLOC, 1, 0);
		}
		orc_for_atom(&o, a);
	}
	for (size_t i = 0; i < d->patched.nsections; i++)
		free(o.lists[i].e);
	free(o.lists);
	return err;
}

/* The order of the output is that of the patched object, not the order of taking. */
static void sort_taken(struct diff *d)
{
	struct atom **end = &d->taken;

	for_each_atom(&d->patched, a) {
		if (!a->taken)
			continue;
		*end = a;
		end = &a->next_taken;
	}
	*end = NULL;
}

int build_output(struct diff *d)
{
	struct builder b = { .d = d };
	struct section_by_name *s, *stmp;
	struct string_by_content *t, *ttmp;
	int err = 0;

	sort_taken(d);
	for (struct atom *a = d->taken; a; a = a->next_taken)
		place_atom(&b, a);
	for (struct atom *a = d->taken; a; a = a->next_taken)
		name_atom(&b, a);
	for (struct atom *a = d->taken; a && !err; a = a->next_taken)
		if (a->kind != ATOM_STRING)
			err = emit_relocs(d, a);
	if (!err)
		err = emit_orc(d);
	for (size_t i = 0; i < d->nregistrations; i++) {
		const struct registration *reg = &d->registrations[i];

		out_symbol_new(&d->out, reg->link_name, reg->atom->osec,
			       reg->atom->ooff + reg->atom->entry, reg->atom->size - reg->atom->entry,
			       STB_GLOBAL, STT_FUNC);
	}
	for (const struct note *n = d->notes; n; n = n->next)
		if (n->callback && n->callback->osec)
			out_symbol_new(&d->out, n->link_name, n->callback->osec,
				       n->callback->ooff + n->callback->entry,
				       n->callback->size - n->callback->entry, STB_GLOBAL, STT_FUNC);
	HASH_ITER(hh, b.sections, s, stmp) {
		HASH_DEL(b.sections, s);
		free(s->key);
		free(s);
	}
	HASH_ITER(hh, b.strings, t, ttmp) {
		HASH_DEL(b.strings, t);
		free(t->key);
		free(t);
	}
	return err;
}
