// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pass read_types(): what the objects' debugging information says about the types of variables, if
 * there is any. Later passes ask whether two types agree: see agree.c.
 *
 * The input is not trusted, and it is a graph: see struct reader for what keeps it finite.
 */
#include <elfutils/libdw.h>
#include <stdlib.h>

#include "diag.h"
#include "types.h"

/* A type by the place of its description. */
struct known_type {
	uintptr_t key;
	struct type *type;	/* NULL: being read */
	UT_hash_handle hh;
};

/* Nothing that a compiler writes is nested any deeper. */
#define MAX_DEPTH 200

/* Nor is each byte of it below that many entries; measured: two or three. */
#define MAX_PASSES 64

struct reader {
	struct elf_file *file;
	const struct section *info;
	struct known_type *known;
	struct type *void_type, *unknown_type;
	unsigned int depth;
	/*
	 * How many entries may still be looked at. Each has a byte at least, and most have ten; if so many are
	 * met, they overlap, and following them could take forever.
	 */
	uint64_t left;
	/* How many bytes libdw may still pass over on its way from one entry to the next one beside it. */
	uint64_t passes_left;
	size_t found;
	bool lines;		/* wanted */
	struct named_types *named;
	const char *function;	/* that the entries belong to; NULL: none */
};

static int damaged(const struct reader *r, const char *reason)
{
	return diag_error("%s: debugging information: %s; is the file damaged?", r->file->path, reason);
}

static int libdw_error(const struct reader *r)
{
	return damaged(r, dwarf_errmsg(-1));
}

/*
 * Addresses, as relocation would make them if the linker had placed each section 4 GiB behind the one
 * before: from such an address follow the section and the offset in it. Addresses of sections that are not
 * loaded, which are those of debugging information, stay plain offsets.
 */
void relocate_debug(struct section *info)
{
	for_each_reloc(info, r) {
		uint64_t value = r->sym->sym.st_value + (uint64_t)r->addend;
		unsigned int width = arch_reloc_width(r->type);

		if ((width != 4 && width != 8) || arch_reloc_is_pcrel(r->type) ||
		    info->size - r->offset < width)
			continue;
		if (width == 8 && r->sym->sec && is_alloc(r->sym->sec))
			value = (uint64_t)r->sym->sec->index << 32 | (value & UINT32_MAX);
		else if (!r->sym->sec)
			value = 0;
		for (unsigned int i = 0; i < width; i++)
			info->data[r->offset + i] = value >> 8 * i;
	}
}

/* The variable that starts at an address of these. */
static struct atom *variable_at(const struct reader *r, uint64_t addr)
{
	const struct section *sec;
	struct atom *a;

	if (addr >> 32 == 0 || addr >> 32 >= r->file->nsections)
		return NULL;
	sec = &r->file->sections[addr >> 32];
	a = atom_at(sec, addr & UINT32_MAX);
	return a && a->kind == ATOM_DATA && is_named(a) && a->off == (addr & UINT32_MAX) ? a : NULL;
}

/* ---- attributes ---- */

static const char *string_of(const struct reader *r, Dwarf_Die *die)
{
	Dwarf_Attribute attr;

	if (!dwarf_attr(die, DW_AT_name, &attr))
		return NULL;
	/* The one form for which libdw leaves it to others to see that the string ends. */
	if (attr.form == DW_FORM_string) {
		const unsigned char *end = r->info->data + r->info->size;

		if (attr.valp < r->info->data || attr.valp >= end ||
		    !memchr(attr.valp, '\0', end - attr.valp))
			return NULL;
	}
	return dwarf_formstring(&attr);
}

static bool number_of(Dwarf_Die *die, unsigned int name, uint64_t *value)
{
	Dwarf_Attribute attr;
	Dwarf_Word word;

	if (!dwarf_attr(die, name, &attr) || dwarf_formudata(&attr, &word))
		return false;
	*value = word;
	return true;
}

/*
 * Where a member is, in bits. Of bit-fields DWARF 4 and before tell the distance from the most significant
 * bit of the unit that holds it.
 */
static uint64_t place_of(Dwarf_Die *die, const struct type *type, uint64_t width)
{
	uint64_t at = 0, unit, from_top;

	if (number_of(die, DW_AT_data_bit_offset, &at))
		return at;
	if (!number_of(die, DW_AT_data_member_location, &at))
		at = 0;
	at *= 8;
	if (number_of(die, DW_AT_bit_offset, &from_top)) {
		if (!number_of(die, DW_AT_byte_size, &unit))
			unit = type->size;
		at += unit * 8 - from_top - width;
	}
	return at;
}

/* The number of elements; the greatest number if it is not told, as for a flexible array. */
static uint64_t length_of(Dwarf_Die *die)
{
	uint64_t n;

	if (number_of(die, DW_AT_count, &n))
		return n;
	return number_of(die, DW_AT_upper_bound, &n) ? n + 1 : UINT64_MAX;
}

/* ---- types ---- */

static struct type *read_type(struct reader *r, Dwarf_Die *die, bool behind);

/* The type that die is of; NULL after a message. */
static struct type *type_of(struct reader *r, Dwarf_Die *die, bool behind)
{
	Dwarf_Attribute attr;
	Dwarf_Die type;

	if (!dwarf_attr_integrate(die, DW_AT_type, &attr))
		return r->void_type;
	switch (attr.form) {
	case DW_FORM_ref_sig8:		/* in a type unit, each of which is a section of its own */
	case DW_FORM_ref_sup4:		/* in another file */
	case DW_FORM_ref_sup8:
	case DW_FORM_GNU_ref_alt:
		return r->unknown_type;
	default:
		break;
	}
	if (!dwarf_formref_die(&attr, &type)) {
		libdw_error(r);
		return NULL;
	}
	return read_type(r, &type, behind);
}

static int count_entry(struct reader *r)
{
	return r->left-- ? 0 : damaged(r, "its entries overlap");
}

/*
 * Go on to the next entry of the same list. 0; 1 at its end; -1 after a message. Unless entries say where the
 * next one is, which clang's do not, libdw walks through all that is below them, each time anew.
 */
static int next_entry(struct reader *r, Dwarf_Die *die)
{
	Dwarf_Die next = { 0 };
	int end = dwarf_siblingof(die, &next);
	uintptr_t from = (uintptr_t)die->addr, to = (uintptr_t)next.addr;

	if (end < 0)
		return libdw_error(r);
	/* At the end of a list, it has put the place of that there. */
	if (to > from && to - from > r->passes_left)
		return damaged(r, "its entries are nested too deeply");
	r->passes_left -= to > from ? to - from : 0;
	*die = next;
	return end;
}

static struct part *new_part(struct type *t)
{
	if (t->nparts == t->room) {
		t->room = t->room ? t->room * 2 : 4;
		t->parts = xrealloc(t->parts, t->room, sizeof(*t->parts));
	}
	t->parts[t->nparts] = (struct part){ 0 };
	return &t->parts[t->nparts++];
}

static int read_part(struct reader *r, struct type *t, Dwarf_Die *die, bool behind)
{
	int tag = dwarf_tag(die);
	struct part *p;

	if (tag == DW_TAG_enumerator && t->tag == DW_TAG_enumeration_type) {
		p = new_part(t);
		p->name = string_of(r, die);
		if (!number_of(die, DW_AT_const_value, &p->value))
			p->value = 0;
	} else if (tag == DW_TAG_subrange_type && t->tag == DW_TAG_array_type) {
		p = new_part(t);
		p->value = length_of(die);
		t->size *= p->value == UINT64_MAX ? 0 : p->value;
	} else if (tag == DW_TAG_unspecified_parameters && t->tag == DW_TAG_subroutine_type) {
		p = new_part(t);
		p->name = "...";
	} else if ((tag == DW_TAG_formal_parameter && t->tag == DW_TAG_subroutine_type) ||
		   (tag == DW_TAG_member && (t->tag == DW_TAG_structure_type ||
					     t->tag == DW_TAG_union_type))) {
		struct type *type = type_of(r, die, behind);

		if (!type)
			return -1;
		p = new_part(t);
		p->type = type;
		if (tag == DW_TAG_formal_parameter)
			return 0;
		p->name = string_of(r, die);
		if (!number_of(die, DW_AT_bit_size, &p->width))
			p->width = 0;
		p->value = place_of(die, type, p->width);
	}
	return 0;
}

static int read_parts(struct reader *r, struct type *t, Dwarf_Die *die, bool behind)
{
	Dwarf_Die child;
	int end = dwarf_child(die, &child);

	if (end < 0)
		return libdw_error(r);
	while (!end) {
		if (count_entry(r) || read_part(r, t, &child, behind))
			return -1;
		end = next_entry(r, &child);
	}
	return end < 0 ? -1 : 0;
}

/* Is what a pointer points to const? */
static bool points_to_const(Dwarf_Die *pointer)
{
	Dwarf_Die die = *pointer;
	Dwarf_Attribute attr;

	for (unsigned int i = 0; i < MAX_DEPTH; i++) {
		if (!dwarf_attr(&die, DW_AT_type, &attr) || !dwarf_formref_die(&attr, &die))
			return false;
		switch (dwarf_tag(&die)) {
		case DW_TAG_const_type:
			return true;
		case DW_TAG_typedef:
		case DW_TAG_volatile_type:
		case DW_TAG_restrict_type:
		case DW_TAG_atomic_type:
			break;
		default:
			return false;
		}
	}
	return false;
}

/* behind: what this says is reached through a pointer. */
static struct type *read_new_type(struct reader *r, Dwarf_Die *die, bool behind)
{
	int tag = dwarf_tag(die);
	struct type *t;
	uint64_t encoding;

	switch (tag) {
	case DW_TAG_invalid:
		libdw_error(r);
		return NULL;
	case DW_TAG_typedef:
		t = type_of(r, die, behind);
		if (t && t->tag && !t->name && !t->typedef_name)
			t->typedef_name = string_of(r, die);
		return t;
	case DW_TAG_const_type:
	case DW_TAG_volatile_type:
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
		return type_of(r, die, behind);
	default:
		break;
	}
	/* What stands for a type that is in a type unit. */
	if (dwarf_hasattr(die, DW_AT_signature))
		return r->unknown_type;
	t = xcalloc(1, sizeof(*t));
	t->tag = tag;
	t->name = string_of(r, die);
	if (!number_of(die, DW_AT_byte_size, &t->size))
		t->size = 0;
	switch (tag) {
	case DW_TAG_base_type:
		t->encoding = number_of(die, DW_AT_encoding, &encoding) ? encoding : 0;
		return t;
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
		t->by_tag = t->name && behind;
		if (t->by_tag) {
			t->size = 0;
			return t;
		}
		break;
	case DW_TAG_pointer_type:
	case DW_TAG_subroutine_type:
		behind = true;
		t->to_const = tag == DW_TAG_pointer_type && points_to_const(die);
		t->to = type_of(r, die, behind);
		break;
	case DW_TAG_array_type:
		t->to = type_of(r, die, behind);
		t->size = t->to ? t->to->size : 0;
		if (t->to == r->unknown_type) {
			free(t);
			return r->unknown_type;
		}
		break;
	case DW_TAG_enumeration_type:
		break;
	default:
		return t;
	}
	if (((tag == DW_TAG_pointer_type || tag == DW_TAG_subroutine_type || tag == DW_TAG_array_type) &&
	     !t->to) || read_parts(r, t, die, behind)) {
		free(t->parts);
		free(t);
		return NULL;
	}
	return t;
}

/* Each is read once for what is a variable or a part of one, and once for what is behind a pointer. */
static struct type *read_type(struct reader *r, Dwarf_Die *die, bool behind)
{
	uintptr_t key = (uintptr_t)die->addr * 2 + behind;
	struct known_type *k;

	HASH_FIND(hh, r->known, &key, sizeof(key), k);
	if (k) {
		if (!k->type)
			damaged(r, "a type contains itself");
		return k->type;
	}
	if (count_entry(r))
		return NULL;
	if (r->depth == MAX_DEPTH) {
		damaged(r, "its types are nested too deeply");
		return NULL;
	}
	k = xcalloc(1, sizeof(*k));
	k->key = key;
	HASH_ADD(hh, r->known, key, sizeof(k->key), k);
	r->depth++;
	k->type = read_new_type(r, die, behind);
	r->depth--;
	return k->type;
}

/* ---- variables ---- */

/*
 * Static variables have their address for their place, and nothing else: an address with an operation
 * behind it is a constant that the compiler made of a variable.
 */
static bool address_of(Dwarf_Die *die, uint64_t *addr)
{
	Dwarf_Attribute attr;
	Dwarf_Block block;

	*addr = 0;
	if (!dwarf_attr(die, DW_AT_location, &attr) || dwarf_formblock(&attr, &block) ||
	    block.length != 1 + sizeof(*addr) || block.data[0] != DW_OP_addr)
		return false;
	for (unsigned int i = 0; i < sizeof(*addr); i++)
		*addr |= (uint64_t)block.data[1 + i] << 8 * i;
	return true;
}

static int read_variable(struct reader *r, Dwarf_Die *die)
{
	struct atom *a;
	struct type *t;
	uint64_t addr;
	int line;

	if (!address_of(die, &addr))
		return 0;
	a = variable_at(r, addr);
	if (!a)
		return 0;
	t = type_of(r, die, false);
	if (!t)
		return -1;
	/* Described twice, or another one of size 0 stands at the same place: what fits is meant. */
	if (t != r->void_type && t != r->unknown_type &&
	    (!a->type || (a->type->size != a->size && t->size == a->size))) {
		r->found += !a->type;
		a->type = t;
		if (!r->lines || dwarf_decl_line(die, &line))
			line = 0;
		a->line = line;
		a->scope = r->function ? r->function : "";
	}
	return 0;
}

/* ---- types with a name ---- */

/* What a function is called with, and what it returns; NULL: a message was given. */
static struct type *read_function_type(struct reader *r, Dwarf_Die *die)
{
	struct type *t = xcalloc(1, sizeof(*t));

	t->tag = DW_TAG_subroutine_type;
	t->to = type_of(r, die, true);
	return t->to && !read_parts(r, t, die, true) ? t : NULL;
}

/* A function that the source defines: its name, and if that is complete here, its type. */
static int note_function(struct reader *r, Dwarf_Die *die, const char *name)
{
	struct function_type *f;

	HASH_FIND_STR(r->named->functions, name, f);
	if (!f) {
		f = xcalloc(1, sizeof(*f));
		f->name = xstrdup(name);
		HASH_ADD_KEYPTR(hh, r->named->functions, f->name, strlen(f->name), f);
	}
	if (f->type || dwarf_tag(die) != DW_TAG_subprogram || dwarf_hasattr(die, DW_AT_declaration) ||
	    dwarf_hasattr(die, DW_AT_abstract_origin))
		return 0;
	f->type = read_function_type(r, die);
	return f->type ? 0 : -1;
}

static const char *name_of_function(const struct reader *r, Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	Dwarf_Die origin;
	const char *name = string_of(r, die);

	if (!name && dwarf_attr(die, DW_AT_abstract_origin, &attr) && dwarf_formref_die(&attr, &origin))
		name = string_of(r, &origin);
	return name ? name : "a function";
}

/* A definition of a structure, union or enumeration. Typedefs are read for the names that they give. */
static int read_named_type(struct reader *r, Dwarf_Die *die)
{
	struct named_type *n;
	struct type *t;

	if (dwarf_hasattr(die, DW_AT_declaration))
		return 0;
	t = read_type(r, die, false);
	if (!t)
		return -1;
	if (t->unknown || dwarf_tag(die) == DW_TAG_typedef)
		return 0;
	n = xcalloc(1, sizeof(*n));
	n->type = t;
	n->function = r->function;
	n->entry = dwarf_dieoffset(die);
	*(r->named->last ? r->named->last : &r->named->list) = n;
	r->named->last = &n->next;
	return 0;
}

/* "struct foo", "struct foo of bar()", "enum { FIRST, ... }"; NULL: it has no name. */
static char *name_of_type(const struct named_type *n)
{
	const struct type *t = n->type;
	char *title, *name;

	if (t->name || t->typedef_name)
		title = type_title(t);
	else if (t->tag == DW_TAG_enumeration_type && t->nparts && t->parts[0].name)
		title = xasprintf("enum { %s, ... }", t->parts[0].name);
	else
		return NULL;
	if (!n->function)
		return title;
	name = xasprintf("%s of %s()", title, n->function);
	free(title);
	return name;
}

/* When all typedefs have been read. */
static void name_types(struct named_types *all)
{
	struct named_type *first;

	for (struct named_type *n = all->list; n; n = n->next) {
		n->name = name_of_type(n);
		if (!n->name)
			continue;
		HASH_FIND_STR(all->by_name, n->name, first);
		if (first) {
			first->last_same->next_same = n;
			first->last_same = n;
		} else {
			HASH_ADD_KEYPTR(hh, all->by_name, n->name, strlen(n->name), n);
			n->last_same = n;
		}
	}
}

/*
 * Functions that were inlined have their static locals in the description of what they were before; it
 * is one more child of the unit.
 */
static int read_entries(struct reader *r, Dwarf_Die *parent)
{
	const char *outer = r->function;
	Dwarf_Die die;
	int end = dwarf_child(parent, &die), err = 0;

	if (end < 0)
		return libdw_error(r);
	if (r->depth == MAX_DEPTH)
		return damaged(r, "its scopes are nested too deeply");
	r->depth++;
	while (!end && !err) {
		err = count_entry(r);
		if (err)
			break;
		switch (dwarf_tag(&die)) {
		case DW_TAG_variable:
			err = read_variable(r, &die);
			break;
		case DW_TAG_structure_type:
		case DW_TAG_union_type:
		case DW_TAG_enumeration_type:
		case DW_TAG_typedef:
			err = read_named_type(r, &die);
			break;
		case DW_TAG_subprogram:
		case DW_TAG_inlined_subroutine:
			r->function = name_of_function(r, &die);
			err = note_function(r, &die, r->function) || read_entries(r, &die) ? -1 : 0;
			r->function = outer;
			break;
		case DW_TAG_lexical_block:
			err = read_entries(r, &die);
			break;
		default:
			break;
		}
		if (!err)
			end = next_entry(r, &die);
	}
	r->depth--;
	return end < 0 ? -1 : err;
}

static int read_units(struct reader *r, Dwarf *dwarf)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;
	int end;

	while (!(end = dwarf_get_units(dwarf, cu, &cu, NULL, &type, &die, NULL)))
		if ((type == DW_UT_compile || type == DW_UT_partial) && read_entries(r, &die))
			return -1;
	return end < 0 ? libdw_error(r) : 0;
}

/*
 * The section that libdw reads. Sections of groups, which are those of type units, are left out there. Compressed
 * ones are as good as none: libdw's copies of them would not be relocated.
 */
struct section *info_section(const struct elf_file *file)
{
	struct section *info = NULL;

	for_each_section(file, s) {
		if (has_prefix(s->name, ".zdebug_") ||
		    (has_prefix(s->name, ".debug_") && s->sh.sh_flags & SHF_COMPRESSED))
			return NULL;
		if (!info && s->data && !(s->sh.sh_flags & SHF_GROUP) && !strcmp(s->name, ".debug_info"))
			info = s;
	}
	return info;
}

int read_types(struct diff *d, struct elf_file *file)
{
	struct section *info = info_section(file);
	struct reader r = { .file = file, .info = info, .lines = d->opt.same_lines,
			    .named = file == &d->orig ? &d->orig_types : &d->patched_types };
	struct known_type *k, *tmp;
	Dwarf *dwarf;
	int err;

	if (!info)
		return 0;
	r.left = info->size;
	r.passes_left = info->size * MAX_PASSES;
	relocate_debug(info);
	dwarf = dwarf_begin_elf(file->elf, DWARF_C_READ, NULL);
	if (!dwarf)
		return libdw_error(&r);
	r.void_type = xcalloc(1, sizeof(*r.void_type));
	r.unknown_type = xcalloc(1, sizeof(*r.unknown_type));
	r.unknown_type->unknown = true;
	r.unknown_type->name = "...";
	err = read_units(&r, dwarf);
	name_types(r.named);
	/* The names in the types are the file's own. */
	dwarf_end(dwarf);
	HASH_ITER(hh, r.known, k, tmp) {
		HASH_DEL(r.known, k);
		free(k);
	}
	diag_debug("%s: the types of %zu variables are known", file->path, r.found);
	return err;
}
