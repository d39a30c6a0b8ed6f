// SPDX-License-Identifier: GPL-2.0-only
/*
 * What debugging information says about the source of a function: where it is defined, what was inlined into it, by
 * way of what, and which line an instruction comes from. Read for functions that are explained only.
 *
 * types.c has been through these entries before, and has refused what does not end. What cannot be read here is not
 * known, and no error: it decides nothing.
 */
#include <stdlib.h>

#include "bodies.h"
#include "diag.h"
#include "types.h"

/* Nothing that a compiler writes is nested any deeper, or has more inlined into it. */
#define MAX_DEPTH	200
#define MAX_BODIES	20000

struct known_path {
	char *path;
	char *tidy;
	UT_hash_handle hh;
};

void renew_budget(struct debug *g)
{
	/* A compiler's are passed two or three times. */
	g->left = g->info ? g->info->size * 16 : 0;
}

/* Unless entries say where the next one is, libdw walks there through all that is below them. */
bool next_debug_entry(struct debug *g, Dwarf_Die *die)
{
	Dwarf_Die next = { 0 };
	uintptr_t from = (uintptr_t)die->addr, to;

	if (dwarf_siblingof(die, &next))
		return false;
	to = (uintptr_t)next.addr;
	if (to <= from || to - from > g->left)
		return false;
	g->left -= to - from;
	*die = next;
	return true;
}

/* The key of an address as read_types() has relocated them: see relocate_debug(). */
static uint64_t address_of(const struct atom *a, uint64_t off)
{
	return (uint64_t)a->sec->index << 32 | ((a->off + off) & UINT32_MAX);
}

/* Where a function begins; one with a cold part has ranges, of which the first is that of its entry. */
static bool start_of(Dwarf_Die *die, Dwarf_Addr *addr)
{
	Dwarf_Addr base, end;

	return !dwarf_lowpc(die, addr) || (dwarf_hasattr(die, DW_AT_ranges) && dwarf_ranges(die, 0, &base, addr, &end) > 0);
}

static void note_functions(struct debug *g, Dwarf_Die *unit)
{
	struct function_entry *f;
	Dwarf_Addr addr;
	Dwarf_Die die;

	if (dwarf_child(unit, &die))
		return;
	do {
		if (dwarf_tag(&die) != DW_TAG_subprogram || !start_of(&die, &addr))
			continue;
		HASH_FIND(hh, g->functions, &addr, sizeof(addr), f);
		if (f)
			continue;
		f = xcalloc(1, sizeof(*f));
		*f = (struct function_entry){ .addr = addr, .die = die, .unit = *unit };
		HASH_ADD(hh, g->functions, addr, sizeof(f->addr), f);
	} while (next_debug_entry(g, &die));
}

struct debug *open_debug(struct diff *d, enum side side)
{
	struct elf_file *file = side == ORIG ? &d->orig : &d->patched;
	struct debug *g = d->sources->debug[side];
	static const char *const with_addresses[] = { ".debug_line", ".debug_ranges", ".debug_rnglists" };
	struct section *sec;
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit;
	uint8_t type;

	if (g)
		return g;
	g = xcalloc(1, sizeof(*g));
	d->sources->debug[side] = g;
	g->file = file;
	g->info = info_section(file);
	if (!g->info)
		return g;
	renew_budget(g);
	for (size_t i = 0; i < sizeof(with_addresses) / sizeof(*with_addresses); i++) {
		sec = elf_file_section(file, with_addresses[i]);
		if (sec && sec->data)
			relocate_debug(sec);
	}
	g->dwarf = dwarf_begin_elf(file->elf, DWARF_C_READ, NULL);
	while (g->dwarf && !dwarf_get_units(g->dwarf, cu, &cu, NULL, &type, &unit, NULL))
		if (type == DW_UT_compile)
			note_functions(g, &unit);
	return g;
}

/* "./fs/../mm/a.c" is mm/a.c. Kept until the end. */
const char *tidy_path(struct debug *g, const char *path)
{
	struct known_path *k;
	char *out;

	if (!path)
		return NULL;
	HASH_FIND_STR(g->paths, path, k);
	if (k)
		return k->tidy;
	k = xcalloc(1, sizeof(*k));
	k->path = xstrdup(path);
	k->tidy = out = xcalloc(strlen(path) + 2, 1);
	if (*path == '/')
		*out++ = '/';
	for (const char *c = path; *c;) {
		size_t n = strcspn(c, "/");
		char *last;

		if (n == 2 && has_prefix(c, "..") && out > k->tidy && out[-1] != '/') {
			*out = '\0';
			last = strrchr(k->tidy, '/');
			if (strcmp(last ? last + 1 : k->tidy, "..")) {
				out = last ? last : k->tidy;
				if (last == k->tidy && *path == '/')
					out++;
				n = 0;
			}
		} else if (n == 1 && *c == '.') {
			n = 0;
		}
		if (n) {
			if (out > k->tidy && out[-1] != '/')
				*out++ = '/';
			memcpy(out, c, n);
			out += n;
		}
		c += strcspn(c, "/");
		c += *c == '/';
	}
	*out = '\0';
	printable(k->tidy);
	HASH_ADD_KEYPTR(hh, g->paths, k->path, strlen(k->path), k);
	return k->tidy;
}

/* A name that ends: see string_of() of types.c. An inlined function has that of what it is a copy of. */
const char *entry_name(const struct debug *g, Dwarf_Die *die)
{
	Dwarf_Attribute attr;

	if (!dwarf_attr_integrate(die, DW_AT_name, &attr))
		return NULL;
	if (attr.form == DW_FORM_string) {
		const unsigned char *end = g->info->data + g->info->size;

		if (attr.valp < g->info->data || attr.valp >= end || !memchr(attr.valp, '\0', end - attr.valp))
			return NULL;
	}
	return dwarf_formstring(&attr);
}

struct place_of_source entry_place(struct debug *g, Dwarf_Die *die)
{
	const char *file = dwarf_decl_file(die);
	int line;

	if (!file || dwarf_decl_line(die, &line) || line <= 0)
		return (struct place_of_source){ 0 };
	return (struct place_of_source){ tidy_path(g, file), line };
}

static struct place_of_source call_of(struct debug *g, Dwarf_Die *die, Dwarf_Die *unit)
{
	Dwarf_Attribute file_attr, line_attr;
	Dwarf_Word number, line;
	Dwarf_Files *files;
	const char *file;
	size_t n;

	if (!dwarf_attr(die, DW_AT_call_file, &file_attr) || dwarf_formudata(&file_attr, &number) ||
	    !dwarf_attr(die, DW_AT_call_line, &line_attr) || dwarf_formudata(&line_attr, &line) ||
	    !line || line > INT32_MAX || dwarf_getsrcfiles(unit, &files, &n) || number >= n)
		return (struct place_of_source){ 0 };
	file = dwarf_filesrc(files, number, NULL, NULL);
	return (struct place_of_source){ tidy_path(g, file), line };
}

/* What bodies_of() is at. */
struct walk {
	struct diff *d;
	enum side side;
	struct debug *g;
	Dwarf_Die *unit;
	struct body **end;
	unsigned int depth, n;
};

static struct body *add_body(struct walk *w, Dwarf_Die *die, const struct body *into)
{
	struct body *b = xcalloc(1, sizeof(*b));
	const char *name = entry_name(w->g, die);

	b->name = name ? printable(xstrdup(name)) : "a function";
	b->at = entry_place(w->g, die);
	b->begin = function_begin(w->d->sources, w->side, b->at);
	b->end = function_end(w->d->sources, w->side, b->at);
	b->into = into;
	if (into)
		b->call = call_of(w->g, die, w->unit);
	*w->end = b;
	w->end = &b->next;
	w->n++;
	return b;
}

static void walk_entries(struct walk *w, Dwarf_Die *parent, const struct body *body)
{
	Dwarf_Die die;

	if (w->depth == MAX_DEPTH || dwarf_child(parent, &die))
		return;
	w->depth++;
	do {
		int tag = dwarf_tag(&die);

		if (w->n >= MAX_BODIES || !w->g->left)
			break;
		w->g->left--;
		if (tag == DW_TAG_inlined_subroutine)
			walk_entries(w, &die, add_body(w, &die, body));
		else if (tag == DW_TAG_lexical_block)
			walk_entries(w, &die, body);
	} while (next_debug_entry(w->g, &die));
	w->depth--;
}

struct function_entry *function_entry_of(struct debug *g, const struct atom *a)
{
	uint64_t addr = address_of(a, a->entry);
	struct function_entry *f;

	HASH_FIND(hh, g->functions, &addr, sizeof(addr), f);
	if (f)
		return f;
	/* The compiler's debugging information counts the prefix to the function or does not. */
	addr = address_of(a, 0);
	HASH_FIND(hh, g->functions, &addr, sizeof(addr), f);
	return f;
}

/* The function itself comes first, and what is inlined into something behind that. NULL: nothing is known. */
struct body *bodies_of(struct diff *d, enum side side, const struct atom *a)
{
	struct walk w = { .d = d, .side = side, .g = open_debug(d, side) };
	struct function_entry *f = function_entry_of(w.g, a);
	struct body *first = NULL;

	if (!f)
		return NULL;
	w.unit = &f->unit;
	w.end = &first;
	renew_budget(w.g);
	walk_entries(&w, &f->die, add_body(&w, &f->die, NULL));
	return first;
}

struct place_of_source place_of_code(struct diff *d, enum side side, const struct atom *a, uint64_t off)
{
	struct debug *g = open_debug(d, side);
	const struct atom *top = a->parent ? a->parent : a;
	struct function_entry *f = function_entry_of(g, top);
	Dwarf_Line *line;
	Dwarf_Addr start;
	int number;

	line = f ? dwarf_getsrc_die(&f->unit, address_of(a, off)) : NULL;
	/* Of another section, if this one has none. */
	if (!line || dwarf_lineaddr(line, &start) || start >> 32 != a->sec->index || dwarf_lineno(line, &number) ||
	    number <= 0)
		return (struct place_of_source){ 0 };
	return (struct place_of_source){ tidy_path(g, dwarf_linesrc(line, NULL, NULL)), number };
}

struct place_of_source place_of_function(struct diff *d, enum side side, const struct atom *a)
{
	struct debug *g = open_debug(d, side);
	struct function_entry *f = function_entry_of(g, a);

	return f ? entry_place(g, &f->die) : (struct place_of_source){ 0 };
}
