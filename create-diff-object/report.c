// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pass write_report(): say what was done, to people on standard output, to the next stage in the report
 * (doc/architecture.md has its format).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diag.h"
#include "diff.h"

static const struct registration *registration_of(const struct diff *d, const struct atom *a)
{
	return a->registration ? &d->registrations[a->registration - 1] : NULL;
}

/* The reasons of a function, under the name that its own line has. */
static void print_reasons(const struct atom *a, const char *name, FILE *out)
{
	for (const struct why *w = a->why; w; w = w->next)
		fprintf(out, "why\t%s\t%s\t%s\t%s\t%s\n", name, why_names[w->kind], w->what ? w->what : "-",
			w->where ? w->where : "-", w->text);
}

static void print_risks(const struct atom *a, const char *name, FILE *out)
{
	for (const struct risk *k = a->risks; k; k = k->next)
		fprintf(out, "risk\t%s\t%s\t%s\n", name, k->kind, k->text);
}

/* Ordinary code is in .text, .text.unlikely, ... with the function's own name behind that, or not. */
static const char *kind_of_section(const struct atom *a)
{
	static const char *const kinds[] = { ".text.unlikely", ".text.hot", ".text.startup", ".text" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (has_prefix(a->sec->name, kinds[i]))
			return kinds[i];
	return a->sec->name;
}

/* What the livepatch leaves alone: functions that are the same at another place, and those that are gone. */
static void print_others(struct diff *d, FILE *out)
{
	for_each_atom(&d->patched, a) {
		if (!is_function(a) || a->parent || !a->twin || a->state != STATE_SAME ||
		    !strcmp(kind_of_section(a->twin), kind_of_section(a)))
			continue;
		fprintf(out, "moved\t%s\t%s\t%s\n", atom_name(a->twin), kind_of_section(a->twin), kind_of_section(a));
	}
	for_each_atom(&d->orig, a)
		if (is_function(a) && !a->parent && !a->twin)
			fprintf(out, "removed\t%s\n", atom_name(a));
}

static void print_atoms(struct diff *d, FILE *out)
{
	for (struct atom *a = d->taken; a; a = a->next_taken) {
		const struct registration *reg = registration_of(d, a);
		const char *what = a->kind == ATOM_CODE ? "function" : "data";
		unsigned long size = a->size - a->entry;
		const char *name;

		if (!is_named(a) || (a->kind != ATOM_CODE && a->kind != ATOM_DATA))
			continue;
		if (reg)
			fprintf(out, "function\t%s\t%u\t%s\t%lu\n", reg->old_name, reg->pos,
				reg->link_name, size);
		else if (a->kind == ATOM_CODE && a->parent && a->parent->twin)
			fprintf(out, "part\t%s\t%s\t%lu\n", atom_name(a->twin ? a->twin : a),
				atom_name(a->parent->twin), size);
		else if (a->carried)
			fprintf(out, "copy\tfunction\t%s\t%lu\n", atom_name(a->twin), size);
		else if (a->state == STATE_NEW)
			fprintf(out, "new\t%s\t%s\t%lu\n", what, atom_name(a), size);
		name = reg ? reg->old_name : atom_name(a->twin ? a->twin : a);
		print_reasons(a, name, out);
		print_risks(a, name, out);
	}
}

/* What the macros of kpatch-macros.h said. */
static void print_ignored(const struct elf_file *file, FILE *out)
{
	for_each_atom(file, a)
		if (a->left_out)
			fprintf(out, "ignored\t%s\t%s\t%s\n", is_code(a->sec) ? "function" : "data", atom_name(a),
				a->ignored->place);
}

static void print_notes(struct diff *d, FILE *out)
{
	for (const struct note *n = d->notes; n; n = n->next)
		if (note_is_callback(n))
			fprintf(out, "callback\t%s\t%s\t%s\t%s\n", note_callback_kind(n), n->name,
				n->link_name, n->place);
		else if (n->kind == NOTE_FORCE_UNSAFE)
			fprintf(out, "unsafe\t%s\t%s\n", n->name, n->place);
	print_ignored(&d->patched, out);
	print_ignored(&d->orig, out);
}

static int by_name(const void *a, const void *b)
{
	const struct reach *x = *(struct reach *const *)a, *y = *(struct reach *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : (int)x->pos - (int)y->pos;
}

static void print_reaches(struct diff *d, FILE *out)
{
	struct reach **list = xcalloc(HASH_COUNT(d->reaches), sizeof(*list)), *r, *tmp;
	struct name_set *seen = NULL, *s, *stmp;
	size_t n = 0;

	HASH_ITER(hh, d->reaches, r, tmp)
		list[n++] = r;
	qsort(list, n, sizeof(*list), by_name);
	for (size_t i = 0; i < n; i++) {
		const struct export *e;

		if (list[i]->kind != REACH_EXPORT)
			continue;
		e = exports_find(&d->exports, list[i]->name);
		if (!e || !*e->ns)
			continue;
		HASH_FIND_STR(seen, e->ns, s);
		if (s)
			continue;
		s = xcalloc(1, sizeof(*s));
		s->name = e->ns;
		HASH_ADD_KEYPTR(hh, seen, s->name, strlen(s->name), s);
		fprintf(out, "namespace\t%s\n", e->ns);
	}
	for (size_t i = 0; i < n; i++)
		if (list[i]->kind == REACH_KLP)
			fprintf(out, "klp\t%s\t%s\t%u\n", list[i]->owner, list[i]->name, list[i]->pos);
	HASH_ITER(hh, seen, s, stmp) {
		HASH_DEL(seen, s);
		free(s);
	}
	free(list);
}

/* ": fs/a.c:12 changed; helper() at ... is inlined into it"; that its code differs says nothing. */
static const char *all_reasons(const struct atom *a)
{
	char *text = xstrdup(""), *more;

	for (const struct why *w = a->why; w; w = w->next) {
		if (w->kind == WHY_CODE || (w->kind == WHY_NEW && !w->what))
			continue;
		more = xasprintf("%s%s %s", text, *text ? ";" : ":", w->text);
		free(text);
		text = more;
	}
	return text;
}

static void print_summary(struct diff *d)
{
	unsigned long size = 0, klp = 0;
	struct reach *r, *tmp;

	for (struct atom *a = d->taken; a; a = a->next_taken) {
		const struct registration *reg = registration_of(d, a);

		size += a->size;
		if (reg)
			diag_info("%s: changed function: %s%s", d->opt.source, reg->old_name, all_reasons(a));
		else if (a->carried)
			diag_info("%s: changed function, replaced with its callers: %s%s", d->opt.source,
				  atom_name(a->twin), all_reasons(a));
		else if (is_named(a) && a->state == STATE_NEW && a->kind == ATOM_CODE)
			diag_info("%s: new function: %s%s", d->opt.source, atom_name(a), all_reasons(a));
		else if (is_named(a) && a->state == STATE_NEW && a->kind == ATOM_DATA)
			diag_info("%s: new data: %s", d->opt.source, atom_name(a));
	}
	for (struct atom *a = d->taken; a; a = a->next_taken)
		for (const struct risk *k = a->risks; k; k = k->next)
			diag_info("%s: note: %s: %s", d->opt.source, atom_title(a), k->text);
	for (const struct note *n = d->notes; n; n = n->next)
		if (note_is_callback(n))
			diag_info("%s: %s callback: %s", d->opt.source, note_callback_kind(n), n->name);
	for_each_atom(&d->patched, a)
		if (a->left_out)
			diag_info("%s: left out: %s", d->opt.source, atom_title(a));
	for_each_atom(&d->orig, a)
		if (a->left_out)
			diag_info("%s: left out: %s", d->opt.source, atom_title(a));
	HASH_ITER(hh, d->reaches, r, tmp)
		klp += r->kind == REACH_KLP ? r->uses : 0;
	diag_info("%s: %lu bytes, %lu livepatch relocations", d->opt.source, size, klp);
}

int write_report(struct diff *d)
{
	const char *path = d->opt.report_path;
	struct stat st;
	FILE *out;
	int err;

	print_summary(d);
	if (!path)
		return 0;
	out = fopen(path, "we");
	if (!out)
		return diag_error("%s: %s; can the directory be written?", path, strerror(errno));
	fprintf(out, "kpatch-diff\t1\nobject\t%s\nsource\t%s\n", d->opt.objname, d->opt.source);
	print_atoms(d, out);
	print_others(d, out);
	print_reaches(d, out);
	print_notes(d, out);
	for (const struct name_set *s = d->opt.allowed_layouts; s; s = s->hh.next)
		if (s->used)
			fprintf(out, "layout\t%s\n", s->name);
	err = ferror(out);
	err |= fclose(out);
	if (err) {
		diag_error("%s: cannot write; is the disk full?", path);
		/* Not a device: the machine would lose it. */
		if (!stat(path, &st) && S_ISREG(st.st_mode))
			unlink(path);
		return -1;
	}
	return 0;
}
