// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pass find_refusals(): changes that no livepatch can make. All of them are reported in one run, each with
 * the reason and a way out.
 */
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

static bool is_init(const struct section *sec)
{
	return has_prefix(sec->name, ".init.") || has_prefix(sec->name, ".meminit.");
}

static bool is_exit(const struct section *sec)
{
	return has_prefix(sec->name, ".exit.");
}

static const char *verb(const struct atom *a, bool removed)
{
	return removed ? "removed" : a->state == STATE_NEW ? "new" : "changed";
}

/* Something of one version that the other one does not have. */
struct unpaired {
	const char *name;
	const struct atom *a;
	bool told;
	UT_hash_handle hh;
};

/* Functions and variables that are there for longer than the start. */
static struct unpaired *list_unpaired(struct elf_file *file)
{
	struct unpaired *list = NULL, *u;

	for_each_atom(file, a) {
		if (a->twin || !is_named(a) || (a->kind != ATOM_CODE && a->kind != ATOM_DATA))
			continue;
		HASH_FIND_STR(list, atom_name(a), u);
		if (u)
			continue;
		u = xcalloc(1, sizeof(*u));
		u->name = atom_name(a);
		u->a = a;
		HASH_ADD_KEYPTR(hh, list, u->name, strlen(u->name), u);
	}
	return list;
}

static bool is_told(struct unpaired *list, const struct atom *a)
{
	struct unpaired *u;

	HASH_FIND_STR(list, atom_name(a), u);
	return u && u->told;
}

static void free_unpaired(struct unpaired *list)
{
	struct unpaired *u, *tmp;

	HASH_ITER(hh, list, u, tmp) {
		HASH_DEL(list, u);
		free(u);
	}
}

/*
 * __init, or the like, was put on something or taken off it: one version has it here, and the other one, of which
 * this is the list, elsewhere. Returns whether that was told.
 */
static bool refuse_init_attribute(const struct diff *d, const struct atom *a, bool removed, struct unpaired *list)
{
	bool code = is_code(a->sec);
	enum reason reason = code ? REASON_INIT_CODE : REASON_INIT_DATA;
	const char *what = code ? "code" : "data";
	struct unpaired *other;

	if (!is_init(a->sec) || !is_named(a) || (!removed && a->state != STATE_NEW))
		return false;
	HASH_FIND_STR(list, atom_name(a), other);
	if (!other || is_code(other->a->sec) != code)
		return false;
	other->told = true;
	if (removed)
		diag_refuse(reason, "%s: %s: is initialisation %s no more, and the running kernel has freed what it had; leave it as it is, and give the new one another name",
			    d->opt.source, atom_title(a), what);
	else
		diag_refuse(reason, "%s: %s: becomes initialisation %s, and the running kernel goes on using it where it is; leave out the attribute",
			    d->opt.source, atom_title(a), what);
	return true;
}

static void refuse_registry(const struct diff *d, const struct atom *a, bool removed, struct unpaired *others)
{
	const char *what = verb(a, removed);

	if (refuse_init_attribute(d, a, removed, others))
		return;
	if (!removed && a->state == STATE_NEW && is_init(a->sec) && is_code(a->sec))
		diag_refuse(REASON_INIT_CODE, "%s: %s: new initialisation code, which would never run, as the kernel, or the module, has started without it; do what it does in a pre-patch callback, or leave this part out",
			    d->opt.source, atom_title(a));
	else if (!removed && a->state == STATE_NEW && strstr(a->sec->name, "initcall"))
		diag_refuse(REASON_INIT_CODE, "%s: %s: new initcall (section %s), which nobody would ever call; do what it does in a pre-patch callback, or leave this part out",
			    d->opt.source, atom_title(a), a->sec->name);
	else if (is_init(a->sec) && is_code(a->sec))
		diag_refuse(REASON_INIT_CODE, "%s: %s: %s initialisation code, which the running kernel has run and freed; do what it does in a pre-patch callback, or leave this part out",
			    d->opt.source, atom_title(a), what);
	else if (is_init(a->sec))
		diag_refuse(REASON_INIT_DATA, "%s: %s: %s initialisation data, which the running kernel has used and freed; set what it sets in a pre-patch callback, or leave this part out",
			    d->opt.source, atom_title(a), what);
	else if (is_exit(a->sec))
		diag_refuse(REASON_EXIT_CODE, "%s: %s: %s exit code, which cannot be patched; leave this part out",
			    d->opt.source, atom_title(a), what);
	else if (strstr(a->sec->name, "ksymtab"))
		diag_refuse(REASON_EXPORT, "%s: %s: %s EXPORT_SYMBOL; a livepatch cannot export or hide a symbol of the kernel: leave this part out",
			    d->opt.source, atom_title(a), what);
	else
		diag_refuse(REASON_TABLE_ENTRY, "%s: %s: %s entry of %s (section %s), which the kernel has read already; leave this part out",
			    d->opt.source, atom_title(a), what, a->sec->table->what, a->sec->name);
}

/*
 * Data that stays where it is, but is another kind of thing to the new code, even if its bytes are the
 * same. Constants are compared by their contents, and static locals were not paired.
 */
static bool type_changed(const struct atom *a)
{
	return a->kind == ATOM_DATA && a->twin && is_writable(a->sec) &&
	       is_writable(a->twin->sec) && !types_agree(a->twin->type, a->type);
}

static void refuse_type(const struct diff *d, const struct atom *a)
{
	char *old = type_title(a->twin->type), *new = type_title(a->type);
	char *why = type_difference(a->twin->type, a->type);

	if (!why && strcmp(old, new))
		diag_refuse(REASON_DATA_TYPE, "%s: %s: the type of existing data changed from \"%s\" to \"%s\", and the running kernel's is of the old one; give the new variable another name, or keep what is new in a shadow variable",
			    d->opt.source, atom_title(a), old, new);
	else
		diag_refuse(REASON_DATA_TYPE, "%s: %s: the members of the type of existing data, \"%s\", changed (%s), and the running kernel's has the old ones; give the new variable another name, or keep what is new in a shadow variable",
			    d->opt.source, atom_title(a), old, why ? why : "somewhere inside");
	free(old);
	free(new);
	free(why);
}

static void refuse_data(const struct diff *d, const struct atom *a)
{
	if (a->inner_table)
		diag_refuse(REASON_DATA_REFERENCE, "%s: %s: writable data that refers to the inside of a changed function, and the running kernel's refers to the old code; make it const, or leave this part out",
			    d->opt.source, atom_title(a));
	else if (is_writable(a->sec) != is_writable(a->twin->sec) ||
		 (a->size == a->twin->size && strcmp(a->sec->name, a->twin->sec->name) &&
		  (has_prefix(a->sec->name, ".data..") || has_prefix(a->twin->sec->name, ".data.."))))
		diag_refuse(REASON_DATA_TYPE, "%s: %s: the kind of existing data changed (section %s, was %s), and the running kernel's stays what it is; give the new variable another name",
			    d->opt.source, atom_title(a), a->sec->name, a->twin->sec->name);
	else if (a->size != a->twin->size)
		diag_refuse(REASON_DATA_SIZE, "%s: %s: the size of existing data changed from %lu to %lu bytes; keep what is new in a shadow variable or in a new variable",
			    d->opt.source, atom_title(a), (unsigned long)a->twin->size,
			    (unsigned long)a->size);
	else if (type_changed(a))
		refuse_type(d, a);
	else
		diag_refuse(REASON_DATA_VALUE, "%s: %s: the initial value of existing data changed, which has no effect on the running kernel; set the new value in a pre-patch callback",
			    d->opt.source, atom_title(a));
}

/*
 * Things in sections of their own are found through the section's start and end, by the kernel or
 * by its build; the compiler and the usual attributes give names like these to the others.
 */
static bool is_list(const struct section *sec)
{
	static const char *const ordinary[] = { ".data", ".bss", ".rodata", ".ldata", ".lbss", ".lrodata",
						".ref.data", "__dyndbg" };

	for (size_t i = 0; i < sizeof(ordinary) / sizeof(*ordinary); i++)
		if (has_prefix(sec->name, ordinary[i]))
			return false;
	return true;
}

static void refuse_nameless_code(const struct diff *d, const struct atom *a)
{
	diag_refuse(REASON_ASSEMBLER, "%s: %s: changed code that belongs to no function; assembler code cannot be patched",
		    d->opt.source, atom_title(a));
}

static void check_function(const struct diff *d, const struct atom *a)
{
	if (a->parent || a->carried)
		return;
	if (strstr(atom_name(a), ".cold") || strstr(atom_name(a), ".part")) {
		if (!a->has_fentry) {
			diag_refuse(REASON_NO_FTRACE, "%s: %s: changed, but it is a part of a function that is not in this file, and ftrace cannot redirect it alone; move the change to its caller",
				    d->opt.source, atom_title(a));
			return;
		}
	}
	if (!a->has_fentry || !a->twin->has_fentry)
		diag_refuse(REASON_NO_FTRACE, "%s: %s: changed, but it has no ftrace entry (notrace, noinstr, or assembler), so that it cannot be redirected; patch its callers instead",
			    d->opt.source, atom_title(a));
}

static bool is_init_or_exit_code(const struct section *sec)
{
	return is_init(sec) || is_exit(sec);
}

struct global {
	const char *name;
	const struct symbol *orig;
	UT_hash_handle hh;
};

/* With -fcommon, a variable without an initial value: the linker makes one of all files' variables of that name. */
static bool is_common(const struct symbol *s)
{
	return s->sym.st_shndx == SHN_COMMON;
}

static bool is_global_name(const struct symbol *s)
{
	return (is_common(s) || (s->sec && s->atom)) && !is_local_symbol(s) && *s->name;
}

/*
 * A new global name that the kernel has already: in another file the patch removes it, or the linker would have
 * chosen between a weak and a strong definition. All code that is not patched goes on using the old one.
 */
static void refuse_taken_name(const struct diff *d, const struct symbol *s)
{
	const struct kname *kn = symtab_find(&d->own_symtab, s->name);

	for (const struct ksym *k = kn ? kn->first : NULL; k; k = k->next) {
		if (!ksym_is_global(k))
			continue;
		diag_refuse(REASON_NAME_REUSED, "%s: %s%s: new, but %s has this name already, from another file, and whoever uses it goes on using that; patch it there, or give the new one another name",
			    d->opt.source, s->name, s->sec && is_code(s->sec) ? "()" : "", d->opt.objname);
		return;
	}
}

/*
 * Aliases: each name that both objects define must mean the same thing in both. One that moved to another
 * function, or to a function of its own, means the old one to all who bound to it.
 */
static void refuse_moved_names(struct diff *d)
{
	struct global *globals = NULL, *g, *tmp;

	for_each_symbol(&d->orig, o) {
		if (!is_global_name(o))
			continue;
		HASH_FIND_STR(globals, o->name, g);
		if (g)
			continue;
		g = xcalloc(1, sizeof(*g));
		g->name = o->name;
		g->orig = o;
		HASH_ADD_KEYPTR(hh, globals, g->name, strlen(g->name), g);
	}
	for_each_symbol(&d->patched, n) {
		if (!is_global_name(n))
			continue;
		HASH_FIND_STR(globals, n->name, g);
		if (!g && !is_common(n))
			refuse_taken_name(d, n);
		/* Strong from now on: the build would have had two of them. */
		if (g && symbol_bind(g->orig) == STB_WEAK && symbol_bind(n) != STB_WEAK && is_code(g->orig->sec) &&
		    is_overridden(d, g->orig))
			continue;
		if (g && is_common(g->orig)) {
			if (!is_common(n) || n->sym.st_size != g->orig->sym.st_size)
				diag_refuse(REASON_DATA_SIZE, "%s: %s: the size or the initial value of existing data changed, which the linker places (COMMON); keep what is new in a shadow variable or in a new variable",
					    d->opt.source, n->name);
			continue;
		}
		/* What has no counterpart at all is reported as removed or new. */
		if (!g || is_common(n) || g->orig->atom->twin == n->atom || (!g->orig->atom->twin && !n->atom->twin))
			continue;
		diag_refuse(REASON_NAME_REUSED, "%s: %s%s: the patch gives this name to another thing, and who has bound to it goes on using the old one; give the new one another name",
			    d->opt.source, n->name, is_code(n->sec) ? "()" : "");
	}
	HASH_ITER(hh, globals, g, tmp) {
		HASH_DEL(globals, g);
		free(g);
	}
}

int find_refusals(struct diff *d)
{
	struct unpaired *gone = list_unpaired(&d->orig), *fresh = list_unpaired(&d->patched);

	refuse_moved_names(d);
	for_each_atom(&d->patched, a) {
		if (a->state == STATE_SAME) {
			if (type_changed(a))
				refuse_type(d, a);
			continue;
		}
		if (a->ignored && a->state == STATE_NEW &&
		    (a->kind == ATOM_REGISTRY || (a->kind == ATOM_DATA && is_list(a->sec)))) {
			leave_out(a);
			continue;
		}
		if (a->kind == ATOM_REGISTRY)
			refuse_registry(d, a, false, gone);
		else if (a->kind == ATOM_DATA && a->state == STATE_CHANGED &&
			 (!is_constant(a) || !is_constant(a->twin)))
			refuse_data(d, a);
		else if (a->kind == ATOM_DATA && a->state == STATE_NEW && is_list(a->sec))
			diag_refuse(REASON_TABLE_ENTRY, "%s: %s: new entry of section %s, which the kernel has read already; leave this part out",
				    d->opt.source, atom_title(a), a->sec->name);
		else if (a->kind == ATOM_CODE && !is_named(a))
			refuse_nameless_code(d, a);
		else if (a->kind == ATOM_CODE && a->state == STATE_CHANGED)
			check_function(d, a);
	}
	for_each_atom(&d->orig, a) {
		if (a->twin)
			continue;
		if (a->ignored) {
			if (a->kind == ATOM_REGISTRY || is_global_atom(a) || (a->kind == ATOM_CODE && !is_named(a)))
				leave_out(a);
			continue;
		}
		if (a->kind == ATOM_CODE && !is_named(a))
			refuse_nameless_code(d, a);
		else if (!is_named(a) || is_told(gone, a))
			continue;
		else if (a->kind == ATOM_REGISTRY)
			refuse_registry(d, a, true, fresh);
		else if (is_global_atom(a) && a->kind == ATOM_CODE)
			diag_refuse(REASON_REMOVED, "%s: %s: the patch removes this global function or changes its linkage, and other files may call it; keep it, perhaps with an empty body",
				    d->opt.source, atom_title(a));
		else if (is_global_atom(a) && a->kind == ATOM_DATA)
			diag_refuse(REASON_REMOVED, "%s: %s: the patch removes this global variable, and other files may use it; keep it",
				    d->opt.source, atom_title(a));
		/* What a function declares (TPS() of a trace event) describes its old code, which stays, too. */
		else if (a->kind == ATOM_DATA && !a->own_copy && is_list(a->sec) && !(a->scope && *a->scope))
			diag_refuse(REASON_TABLE_ENTRY, "%s: %s: removed entry of section %s, which the kernel has read already; leave this part out",
				    d->opt.source, atom_title(a), a->sec->name);
	}
	/* Nameless registrations, of which one side has more: there is no telling which is which. */
	for_each_section(&d->patched, sn) {
		struct section *so;

		if (!sn->table || sn->table->kind != TABLE_REGISTRY || is_init_or_exit_code(sn))
			continue;
		so = elf_file_section(&d->orig, sn->name);
		if (so && so->natoms == sn->natoms)
			continue;
		for (size_t i = 0; i < sn->natoms; i++)
			if (sn->atoms[i]->ignored) {
				leave_out(sn->atoms[i]);
				break;
			} else if (!is_named(sn->atoms[i])) {
				diag_refuse(REASON_TABLE_ENTRY, "%s: section %s: entries of %s were added or removed, which the kernel has read already; leave this part out",
					    d->opt.source, sn->name, sn->table->what);
				break;
			}
	}
	free_unpaired(gone);
	free_unpaired(fresh);
	return 0;
}
