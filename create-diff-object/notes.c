// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the author says with include/kpatch-macros.h. Pass read_notes(): read it from its section of the patched
 * object, and find what it is about; the passes behind it heed it. Pass check_notes(): did it make a difference?
 */
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

#define NOTES_SECTION ".discard.kpatch_macros"

/* struct kpatch_note of the header. */
enum {
	NOTE_AT_KIND = 0,
	NOTE_AT_LINE = 8,
	NOTE_AT_FILE = 16,
	NOTE_AT_NAME = 24,
	NOTE_AT_CALLBACK = 32,
	NOTE_SIZE = 40,
};

static const char *const macros[] = {
	[NOTE_PRE_PATCH] = "KPATCH_PRE_PATCH_CALLBACK",
	[NOTE_POST_PATCH] = "KPATCH_POST_PATCH_CALLBACK",
	[NOTE_PRE_UNPATCH] = "KPATCH_PRE_UNPATCH_CALLBACK",
	[NOTE_POST_UNPATCH] = "KPATCH_POST_UNPATCH_CALLBACK",
	[NOTE_IGNORE_FUNCTION] = "KPATCH_IGNORE_FUNCTION",
	[NOTE_IGNORE_SECTION] = "KPATCH_IGNORE_SECTION",
	[NOTE_FORCE_UNSAFE] = "KPATCH_FORCE_UNSAFE",
	[NOTE_ALLOW_LAYOUT] = "KPATCH_ALLOW_LAYOUT",
};

static const char *const callbacks[] = {
	[NOTE_PRE_PATCH] = "pre_patch",
	[NOTE_POST_PATCH] = "post_patch",
	[NOTE_PRE_UNPATCH] = "pre_unpatch",
	[NOTE_POST_UNPATCH] = "post_unpatch",
};

bool note_is_callback(const struct note *n)
{
	return n->kind >= NOTE_PRE_PATCH && n->kind <= NOTE_POST_UNPATCH;
}

const char *note_callback_kind(const struct note *n)
{
	return callbacks[n->kind];
}

char *note_title(const struct note *n)
{
	return xasprintf("%s: %s(%s)", n->place, macros[n->kind], n->name);
}

static uint64_t number_at(const struct section *sec, uint64_t off)
{
	uint64_t value = 0;

	for (unsigned int i = 8; i--;)
		value = value << 8 | sec->data[off + i];
	return value;
}

static const struct reloc *reloc_at(const struct section *sec, uint64_t off)
{
	for_each_reloc(sec, r)
		if (r->offset == off)
			return r;
	return NULL;
}

/* The string that a pointer at off leads to, or NULL. */
static const char *string_at(const struct section *sec, uint64_t off)
{
	const struct reloc *r = reloc_at(sec, off);
	const struct section *in = r ? r->sym->sec : NULL;
	uint64_t at = r ? r->sym->sym.st_value + r->addend : 0;

	if (!in || !in->data || at >= in->size || !memchr(in->data + at, '\0', in->size - at))
		return NULL;
	return (const char *)in->data + at;
}

static int read_callback(struct diff *d, struct note *n, const struct section *sec)
{
	const struct reloc *r = reloc_at(sec, n->at + NOTE_AT_CALLBACK);
	struct atom *f = NULL;
	char *c;

	if (r && r->sym->sec)
		f = r->sym->atom ? r->sym->atom : atom_at(r->sym->sec, r->sym->sym.st_value + r->addend);
	if (!f)
		return diag_error("%s: it is not defined in this file; put the macro next to the function",
				  note_title(n));
	if (f->kind == ATOM_REGISTRY)
		return diag_error("%s: it is in section %s, which is gone when it is to be called; define it without __init",
				  note_title(n), f->sec->name);
	if (f->twin)
		return diag_error("%s: the kernel has this function already; give the callback a function of its own, which may call it",
				  note_title(n));
	n->callback = f;
	n->link_name = xasprintf("__kpatch_new.%s.%s.%s", d->opt.objname, n->name, callbacks[n->kind]);
	for (c = n->link_name; *c; c++)
		if (*c == '-')
			*c = '_';
	return 0;
}

/* Does the atom's name say that it was made of function fn: fn, fn.cold, fn.isra.3? */
static bool is_made_of(const struct atom *a, const char *fn)
{
	size_t n = strlen(fn);

	for (const struct symbol *s = a->syms; s; s = s->next)
		if (!strncmp(s->name, fn, n) && (!s->name[n] || s->name[n] == '.'))
			return true;
	return false;
}

static int ignore_function(struct diff *d, struct note *n)
{
	bool found = false;

	for_each_atom(&d->patched, a) {
		if (a->kind != ATOM_CODE || !is_made_of(a, n->name))
			continue;
		if (!a->twin)
			return diag_error("%s: the kernel has no %s, which could be used instead; leave the macro or the change of the function out",
					  note_title(n), atom_title(a));
		found = true;
		a->ignored = n;
	}
	if (!found)
		return diag_error("%s: the object has no such function: it is not defined in this file, or the compiler made it part of its callers; ignore these",
				  note_title(n));
	return 0;
}

/* What describes code, or is copied for it, is compared and taken with it. */
static bool belongs_to_code(const struct section *sec)
{
	if (sec->table)
		return sec->table->kind != TABLE_REGISTRY && sec->table->kind != TABLE_DROPPED;
	return is_string_section(sec) || is_constant_section(sec);
}

static int ignore_section(struct diff *d, struct note *n)
{
	const struct section *is = elf_file_section(&d->patched, n->name);
	const struct section *was = elf_file_section(&d->orig, n->name);

	if (!is && !was)
		return diag_error("%s: the object has no such section; \"readelf -SW\" shows those that it has",
				  note_title(n));
	if (belongs_to_code(is ? is : was))
		return diag_error("%s: what is in there belongs to the code that uses it, and cannot be left out; ignore the function",
				  note_title(n));
	for_each_atom(&d->patched, a)
		if (a->sec == is || (was && a->twin && a->twin->sec == was))
			a->ignored = n;
	for_each_atom(&d->orig, a)
		if (a->sec == was && !a->twin)
			a->ignored = n;
	return 0;
}

static int heed(struct diff *d, struct note *n, const struct section *sec)
{
	if (note_is_callback(n))
		return read_callback(d, n, sec);
	if (n->kind == NOTE_IGNORE_FUNCTION)
		return ignore_function(d, n);
	if (n->kind == NOTE_IGNORE_SECTION)
		return ignore_section(d, n);
	if (n->kind == NOTE_ALLOW_LAYOUT)
		n->type = find_or_add_name(&d->opt.allowed_layouts, n->name);
	return 0;
}

/* In the order of the source. */
static void insert(struct diff *d, struct note *n)
{
	struct note **at = &d->notes;

	while (*at && (strcmp((*at)->file, n->file) < 0 || (!strcmp((*at)->file, n->file) && (*at)->line < n->line)))
		at = &(*at)->next;
	n->next = *at;
	*at = n;
}

int read_notes(struct diff *d)
{
	struct section *sec = elf_file_section(&d->patched, NOTES_SECTION);
	int err = 0;

	if (!sec)
		return 0;
	/* Each is a variable, and the compiler may leave gaps between them. */
	for_each_symbol(&d->patched, s) {
		uint64_t off = s->sym.st_value, kind;
		const char *file, *name;
		struct note *n;

		if (s->sec != sec || symbol_type(s) != STT_OBJECT)
			continue;
		if (!sec->data || s->sym.st_size != NOTE_SIZE || off > sec->size || sec->size - off < NOTE_SIZE)
			return diag_error("%s: section %s: %s is none of kpatch-macros.h; does the header belong to this version?",
					  d->patched.path, sec->name, s->name);
		kind = number_at(sec, off + NOTE_AT_KIND);
		file = string_at(sec, off + NOTE_AT_FILE);
		name = string_at(sec, off + NOTE_AT_NAME);
		if (kind < NOTE_PRE_PATCH || kind > NOTE_ALLOW_LAYOUT || !file || !name)
			return diag_error("%s: section %s: %s is none of kpatch-macros.h; does the header belong to this version?",
					  d->patched.path, sec->name, s->name);
		n = xcalloc(1, sizeof(*n));
		n->kind = kind;
		n->name = name;
		n->file = file;
		n->line = number_at(sec, off + NOTE_AT_LINE);
		n->place = xasprintf("%s:%lu", n->file, n->line);
		n->at = off;
		insert(d, n);
	}
	for (struct note *n = d->notes; n; n = n->next)
		err |= heed(d, n, sec);
	return err;
}

void leave_out(struct atom *a)
{
	a->left_out = true;
	a->ignored->needed = true;
}

/* Of what is said in a header to every file that includes it, not all need all. */
static bool is_in_header(const struct note *n)
{
	size_t len = strlen(n->file);

	return len > 2 && !strcmp(n->file + len - 2, ".h");
}

static void warn_of(const struct note *n)
{
	switch (n->kind) {
	case NOTE_FORCE_UNSAFE:
		diag_warn("%s: has no effect: the kernel moves each task when it is safe, and one that never leaves the function keeps the patch from being complete",
			  note_title(n));
		break;
	case NOTE_ALLOW_LAYOUT:
		if (!n->type->used && !is_in_header(n))
			diag_warn("%s: no type of this name changes in what is replaced, so that there is nothing to allow",
				  note_title(n));
		break;
	case NOTE_IGNORE_FUNCTION:
	case NOTE_IGNORE_SECTION:
		if (!n->needed)
			diag_warn("%s: nothing of it changed, so that there is nothing to leave out", note_title(n));
		break;
	default:
		break;
	}
}

int check_notes(struct diff *d)
{
	for (const struct note *n = d->notes; n; n = n->next)
		warn_of(n);
	return 0;
}
