// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pass cut_into_atoms(): cut the sections of an object into atoms. Which atom each relocation means, targets.c finds
 * out.
 */
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

/* Names that stand for a place in a section but for nothing of their own. */
static bool is_label(const char *name)
{
	return has_prefix(name, ".L") || !*name || name[0] == '$';
}

static bool names_something(const struct symbol *s)
{
	unsigned int type = symbol_type(s);

	return s->sec && type != STT_SECTION && type != STT_FILE && !is_label(s->name);
}

bool is_named(const struct atom *a)
{
	return a->syms;
}

const char *atom_name(const struct atom *a)
{
	return a->syms ? a->syms->name : a->sec->name;
}

const char *atom_title(const struct atom *a)
{
	if (a->kind == ATOM_STRING)
		return xasprintf("\"%.40s\"", (const char *)a->sec->data + a->off);
	if (!is_named(a))
		return xasprintf("%s+0x%lx", a->sec->name, (unsigned long)a->off);
	return is_code(a->sec) ? xasprintf("%s()", a->syms->name) : a->syms->name;
}

bool is_global_atom(const struct atom *a)
{
	for (const struct symbol *s = a->syms; s; s = s->next)
		if (!is_local_symbol(s))
			return true;
	return false;
}

/* There are many of them, and all stay until the end. */
static struct atom *allocate_atom(void)
{
	static struct atom *pool;
	static size_t left;

	if (!left) {
		left = 256;
		pool = xcalloc(left, sizeof(*pool));
	}
	left--;
	return pool++;
}

static struct atom *new_atom(struct section *sec, size_t *room, uint64_t off, uint64_t size,
			     enum atom_kind kind)
{
	struct atom *a = allocate_atom();

	a->sec = sec;
	a->off = off;
	a->size = size;
	a->kind = kind;
	a->entries_end = &a->entries;
	if (sec->natoms == *room) {
		*room = *room ? *room * 2 : 1;
		sec->atoms = xrealloc(sec->atoms, *room, sizeof(*sec->atoms));
		sec->starts = xrealloc(sec->starts, *room, sizeof(*sec->starts));
	}
	sec->starts[sec->natoms] = off;
	sec->atoms[sec->natoms++] = a;
	return a;
}

size_t atom_index_at(const struct section *sec, uint64_t off)
{
	size_t lo = 0, hi = sec->natoms;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (sec->starts[mid] <= off)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* The last atom that starts at or before off; the first one if there is none. */
struct atom *atom_at(const struct section *sec, uint64_t off)
{
	return sec->natoms ? sec->atoms[atom_index_at(sec, off)] : NULL;
}

/* The symbols of one section, in the order in which they start. */
struct section_symbols {
	struct symbol **sym;
	size_t n, room;
};

static int binding_rank(const struct symbol *s)
{
	return symbol_bind(s) == STB_GLOBAL ? 0 : symbol_bind(s) == STB_WEAK ? 1 : 2;
}

/*
 * A name in front of others at the same place: functions and objects before labels, larger before
 * smaller, global before weak before local, then the order of the symbol table.
 */
static int by_place(const void *x, const void *y)
{
	const struct symbol *a = *(struct symbol *const *)x, *b = *(struct symbol *const *)y;

	if (a->sym.st_value != b->sym.st_value)
		return a->sym.st_value < b->sym.st_value ? -1 : 1;
	if (a->sym.st_size != b->sym.st_size)
		return a->sym.st_size > b->sym.st_size ? -1 : 1;
	if ((symbol_type(a) == STT_NOTYPE) != (symbol_type(b) == STT_NOTYPE))
		return symbol_type(a) == STT_NOTYPE ? 1 : -1;
	if (symbol_bind(a) != symbol_bind(b))
		return binding_rank(a) - binding_rank(b);
	return a->index < b->index ? -1 : 1;
}

bool has_reloc_between(const struct section *sec, uint64_t from, uint64_t to)
{
	size_t lo = section_first_reloc(sec, from);

	return lo < sec->nrelocs && sec->relocs[lo].offset < to;
}

static bool is_filler(const struct section *sec, uint64_t from, uint64_t to)
{
	if (is_code(sec))
		return !has_reloc_between(sec, from, to);
	for (uint64_t i = from; sec->data && i < to; i++)
		if (sec->data[i])
			return false;
	return !has_reloc_between(sec, from, to);
}

static void cut_at_symbols(struct section *sec, struct section_symbols *list, enum atom_kind kind)
{
	uint64_t end = 0, prefix = 0;
	struct atom *a = NULL;
	struct symbol **tail = NULL;
	bool have_prefix = false;
	size_t room = 0;

	if (list->n)
		qsort(list->sym, list->n, sizeof(*list->sym), by_place);
	for (size_t i = 0; i < list->n; i++) {
		struct symbol *s = list->sym[i];
		uint64_t start = s->sym.st_value, size = s->sym.st_size;

		if (a && (start < end || (start == a->off + a->entry && !have_prefix))) {
			/* Another name of the same thing, or a label inside of it. */
			s->atom = a;
			if (start == a->off + a->entry) {
				*tail = s;
				tail = &s->next;
			}
			if (start + size > end) {
				end = start + size;
				a->size = end - a->off;
			}
			continue;
		}
		if (is_code(sec) && arch_is_prefix_symbol(s->name)) {
			prefix = have_prefix ? prefix : start;
			have_prefix = true;
			continue;
		}
		if (!size) {
			uint64_t next = sec->size;

			for (size_t j = i + 1; j < list->n; j++)
				if (list->sym[j]->sym.st_value > start) {
					next = list->sym[j]->sym.st_value;
					break;
				}
			/* An object of size 0 (struct lock_class_key without lockdep) ends where it starts. */
			size = symbol_type(s) == STT_OBJECT && start < sec->size && list->n > 1 ?
				       0 : next - start;
		}
		/* What the compiler puts at the start of a section is padding that the kernel writes to. */
		if (!have_prefix)
			prefix = is_code(sec) && !end && is_filler(sec, 0, start) ? 0 : start;
		if (prefix > end && !is_filler(sec, end, prefix))
			new_atom(sec, &room, end, prefix - end, kind);
		a = new_atom(sec, &room, prefix, start + size - prefix, kind);
		a->entry = start - prefix;
		have_prefix = false;
		a->syms = s;
		tail = &s->next;
		s->atom = a;
		end = start + size;
	}
	if (end < sec->size && !is_filler(sec, end, sec->size))
		new_atom(sec, &room, end, sec->size - end, kind);
	else if (!sec->natoms && sec->size)
		new_atom(sec, &room, 0, sec->size, kind);
}

static int cut_strings(const struct elf_file *file, struct section *sec)
{
	size_t room = 0;

	if (sec->size && (!sec->data || sec->data[sec->size - 1]))
		return diag_error("%s: section %s: its last string does not end; is the file damaged?",
				  file->path, sec->name);
	for (uint64_t off = 0; off < sec->size;) {
		size_t n = strlen((const char *)sec->data + off) + 1;

		new_atom(sec, &room, off, n, ATOM_STRING);
		off += n;
	}
	return 0;
}

static int cut_evenly(const struct elf_file *file, struct section *sec, uint64_t size,
		      enum atom_kind kind, bool last_may_be_short)
{
	size_t room = 0;

	if (!size || (sec->size % size && !last_may_be_short))
		return diag_error("%s: section %s: its size 0x%lx is no multiple of the entry size %lu; does the symbol table belong to this kernel?",
				  file->path, sec->name, (unsigned long)sec->size, (unsigned long)size);
	for (uint64_t off = 0; off < sec->size; off += size)
		new_atom(sec, &room, off, sec->size - off < size ? sec->size - off : size, kind);
	return 0;
}

unsigned int entry_size(const struct diff *d, const struct section *sec)
{
	const struct arch_table *t = sec->table;
	const char *env;
	char *end;
	unsigned int size = t->fixed_size;

	if (size)
		return size;
	env = t->env ? getenv(t->env) : NULL;
	if (env && *env) {
		unsigned long n = strtoul(env, &end, 0);

		if (!n || n > 4096 || *end) {
			diag_error("%s=%s: not the size of a structure; give it in bytes", t->env, env);
			return 0;
		}
		size = n;
	}
	if (!size)
		size = symtab_struct_size(&d->own_symtab, t->struct_name);
	if (!size)
		size = symtab_struct_size(&d->vmlinux_symtab, t->struct_name);
	if (!size) {
		diag_error("section %s: the size of struct %s is not known; give a symbol table made by kpatch-image, or set %s",
			   sec->name, t->struct_name, t->env);
		return 0;
	}
	return size;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * What an entry refers to though it uses nothing of it would tie it to its neighbour's piece: let it
 * refer to the code that it describes instead.
 */
static void detach_empty_entries(struct section *sec)
{
	struct reloc *r = sec->relocs, *end = r + sec->nrelocs;

	for (size_t i = 0; i < sec->natoms; i++) {
		const struct atom *e = sec->atoms[i];

		while (r < end && r->offset < e->off)
			r++;
		if (r + 1 < end && r[1].offset < e->off + e->size &&
		    arch_entry_is_empty(sec, e->off, e->size)) {
			r[1].sym = r->sym;
			r[1].addend = r->addend;
		}
	}
}

/*
 * Pieces of a pool have no names; one starts wherever something points into the section. Fields in
 * code that point here are branches and never have an immediate operand behind them.
 */
static void cut_pool(struct elf_file *file, struct section *pool)
{
	uint64_t *starts = NULL, end;
	size_t n = 0, starts_room = 0, room = 0;

	for_each_section(file, s) {
		/* Line numbers are told of pieces of code as the compiler made them, which is all the same here. */
		if (!is_alloc(s))
			continue;
		for_each_reloc(s, r) {
			uint64_t at;

			if (r->sym->sec != pool)
				continue;
			/* What describes the pool itself (ORC, returns) does not start a piece. */
			if (s->table && s->table->kind != TABLE_POOL && !is_code(s) &&
			    !(s->table->flags & TABLE_HAS_PIECES))
				continue;
			at = r->sym->sym.st_value + r->addend + arch_field_end(s, r);
			if (at >= pool->size)
				continue;
			if (n == starts_room) {
				starts_room = starts_room ? starts_room * 2 : 64;
				starts = xrealloc(starts, starts_room, sizeof(*starts));
			}
			starts[n++] = at;
		}
	}
	if (n)
		qsort(starts, n, sizeof(*starts), compare_u64);
	for (size_t i = 0; i < n; i++) {
		if (i && starts[i] == starts[i - 1])
			continue;
		end = pool->size;
		for (size_t j = i + 1; j < n; j++)
			if (starts[j] > starts[i]) {
				end = starts[j];
				break;
			}
		new_atom(pool, &room, starts[i], end - starts[i], ATOM_POOL);
	}
	free(starts);
}

/*
 * Hang each entry of a table on the code that it describes. Each begins with the place of that code;
 * if one doesn't, they were cut to the wrong size.
 */
static int attach_entries_of(struct elf_file *file, struct section *sec)
{
	for (size_t i = 0; i < sec->natoms; i++) {
		struct atom *e = sec->atoms[i], *code;

		if (!e->nrelocs || e->relocs[0].offset != e->off)
			return diag_error("%s: section %s: entry %zu of 0x%lx bytes does not begin with a place in code; does the symbol table belong to this kernel?",
					  file->path, sec->name, i, (unsigned long)e->size);
		code = e->relocs[0].target;
		if (!code || !is_code(code->sec))
			continue;
		e->describes = code;
		*code->entries_end = e;
		code->entries_end = &e->next_entry;
		if (!strcmp(sec->name, ARCH_MCOUNT_SECTION))
			code->has_fentry = true;
	}
	return 0;
}

static int by_section_name(const void *a, const void *b)
{
	const struct section *x = *(struct section *const *)a, *y = *(struct section *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : (int)x->index - (int)y->index;
}

/*
 * Table by table in the order of their names: which table comes first in the file depends on which
 * was used first, and must not make a difference between two functions.
 */
static int attach_entries(struct elf_file *file)
{
	struct section **tables = xcalloc(file->nsections, sizeof(*tables));
	size_t n = 0;
	int err = 0;

	for_each_section(file, sec)
		if (sec->table && sec->table->kind == TABLE_ENTRIES)
			tables[n++] = sec;
	if (n)
		qsort(tables, n, sizeof(*tables), by_section_name);
	for (size_t i = 0; i < n && !err; i++)
		err = attach_entries_of(file, tables[i]);
	free(tables);
	return err;
}

static int cut_section(struct diff *d, struct elf_file *file, struct section *sec,
		       struct section_symbols *list)
{
	unsigned int size;

	sec->table = arch_table(sec->name);
	if (sec->table && sec->table->kind == TABLE_DROPPED)
		return 0;
	if (!is_alloc(sec))
		return 0;
	if (sec->sh.sh_type == SHT_RELA || sec->sh.sh_type == SHT_SYMTAB ||
	    sec->sh.sh_type == SHT_SYMTAB_SHNDX || sec->sh.sh_type == SHT_GROUP)
		return diag_error("%s: section %s: neither code nor data, but marked to be loaded; is the file damaged?",
				  file->path, sec->name);
	if (is_nobits(sec) && sec->size && (sec->table || is_code(sec)))
		return diag_error("%s: section %s: has no contents; is the file damaged?", file->path,
				  sec->name);
	if (sec->table) {
		switch (sec->table->kind) {
		case TABLE_REGISTRY:
			cut_at_symbols(sec, list, ATOM_REGISTRY);
			return 0;
		case TABLE_POOL:
			return 0;	/* once all relocations are known */
		default:
			size = entry_size(d, sec);
			return size ? cut_evenly(file, sec, size, ATOM_ENTRY,
						 sec->table->flags & TABLE_LAST_IS_SHORT) : -1;
		}
	}
	if (is_string_section(sec))
		return cut_strings(file, sec);
	if (is_constant_section(sec))
		return cut_evenly(file, sec, sec->sh.sh_entsize, ATOM_CONST, false);
	cut_at_symbols(sec, list, is_code(sec) ? ATOM_CODE : ATOM_DATA);
	return 0;
}

int cut_into_atoms(struct diff *d, struct elf_file *file)
{
	struct section_symbols *lists = xcalloc(file->nsections, sizeof(*lists));
	int err = 0;

	for_each_symbol(file, s) {
		struct section_symbols *list;

		if (!names_something(s))
			continue;
		list = &lists[s->sec->index];
		if (list->n == list->room) {
			list->room = list->room ? list->room * 2 : 2;
			list->sym = xrealloc(list->sym, list->room, sizeof(*list->sym));
		}
		list->sym[list->n++] = s;
	}
	for_each_section(file, sec) {
		err = cut_section(d, file, sec, &lists[sec->index]);
		if (err)
			break;
	}
	for (size_t i = 0; i < file->nsections; i++)
		free(lists[i].sym);
	free(lists);
	if (err)
		return -1;

	for_each_section(file, sec)
		if (sec->table && sec->table->kind == TABLE_ENTRIES)
			detach_empty_entries(sec);
	for_each_section(file, sec)
		if (sec->table && sec->table->kind == TABLE_POOL && is_alloc(sec))
			cut_pool(file, sec);
	find_targets(file);
	list_uses(file);
	return attach_entries(file);
}
