// SPDX-License-Identifier: GPL-2.0-only
/*
 * How does the new code reach what the running kernel has? Exports of vmlinux by an ordinary
 * relocation, so that modpost and the module loader check them; everything else by a livepatch
 * relocation, which names object, symbol and position.
 */
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

/* The module loader's buffers for names; longer ones cannot be looked up. */
#define KSYM_NAME_LEN 512

enum found {
	FOUND,
	FOUND_NONE,
	FOUND_SEVERAL,
};

/*
 * Position of a symbol among those of its name, 0 for a unique name. All of one name count, but
 * those of the other linkage or kind cannot be meant: the link allows one global symbol of a name,
 * and of the local ones only those in this object's kind of section are candidates.
 */
static enum found find_position(const struct symtab *tab, const char *name, bool local, int code,
				unsigned int *pos, const struct ksym **sym)
{
	const struct kname *kn = symtab_find(tab, name);
	const struct ksym *match = NULL;

	if (!kn)
		return FOUND_NONE;
	for (const struct ksym *k = kn->first; k; k = k->next) {
		/* Per-CPU variables are all of type A, local ones too. */
		if (k->type == 'A' || k->type == 'a') {
			if (code > 0)
				continue;
		} else if (ksym_is_global(k) == local || (code >= 0 && ksym_is_code(k) != !!code)) {
			continue;
		}
		if (match)
			return FOUND_SEVERAL;
		match = k;
	}
	if (!match)
		return FOUND_NONE;
	*pos = kn->count == 1 ? 0 : match->pos;
	if (sym)
		*sym = match;
	return FOUND;
}

static bool in_vmlinux(const struct diff *d)
{
	return !strcmp(d->opt.objname, "vmlinux");
}

static const struct symtab *vmlinux_symtab(const struct diff *d)
{
	return in_vmlinux(d) ? &d->own_symtab : &d->vmlinux_symtab;
}

static const char *objname_of(const struct diff *d)
{
	return d->opt.objname;
}

/* Is owner a module that the patched one depends on already? */
static bool depends_on(struct diff *d, const char *owner)
{
	size_t n = strlen(owner);

	if (!strcmp(owner, d->opt.objname))
		return true;
	for (const char *p = d->opt.depends; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (!strncmp(p, owner, n) && (p[n] == ',' || !p[n]))
			return true;
	for_each_symbol(&d->orig, s) {
		const struct export *e;

		if (!is_undefined(s) || !*s->name)
			continue;
		e = exports_find(&d->exports, s->name);
		if (e && !strcmp(e->owner, owner))
			return true;
	}
	return false;
}

static void reach_klp(struct diff *d, struct reach *r, const char *patched, const char *owner,
		      unsigned int pos)
{
	if (strlen(r->name) >= KSYM_NAME_LEN) {
		diag_refuse("%s: %.60s...: the name has %zu characters, and the kernel cannot look up more than %d; shorten it",
			    d->opt.source, r->name, strlen(r->name), KSYM_NAME_LEN - 1);
		r->kind = REACH_FAILED;
		return;
	}
	r->kind = REACH_KLP;
	r->patched = patched;
	r->owner = owner;
	r->pos = pos;
}

/* An exported symbol. */
static void reach_export(struct diff *d, struct reach *r, const struct export *e,
			 const struct atom *user)
{
	unsigned int pos = 0;

	if (!strcmp(e->owner, "vmlinux")) {
		r->kind = REACH_EXPORT;
		return;
	}
	if (in_vmlinux(d)) {
		diag_refuse("%s: %s: refers to %s, which the module %s exports; code of the kernel itself cannot depend on a module",
			    d->opt.source, atom_title(user), r->name, e->owner);
		r->kind = REACH_FAILED;
		return;
	}
	if (!depends_on(d, e->owner)) {
		diag_refuse("%s: %s: a new reference to %s of the module %s, on which %s does not depend: it may be missing when %s is loaded; use symbol_get() or leave this part out",
			    d->opt.source, atom_title(user), r->name, e->owner, objname_of(d),
			    objname_of(d));
		r->kind = REACH_FAILED;
		return;
	}
	if (!strcmp(e->owner, d->opt.objname))
		find_position(&d->own_symtab, r->name, false, -1, &pos, NULL);
	reach_klp(d, r, objname_of(d), e->owner, pos);
}

static void refuse_lookup(struct diff *d, struct reach *r, enum found found,
			  const struct atom *user, const struct symtab *tab)
{
	const struct kname *kn = symtab_find(tab, r->name);

	if (found == FOUND_SEVERAL)
		diag_refuse("%s: %s: refers to %s, and the kernel has %u symbols of this name; which one is meant is not known: avoid the reference, or give the code what it needs as a copy",
			    d->opt.source, atom_title(user), r->name, kn ? kn->count : 0);
	else
		diag_refuse("%s: %s: refers to %s, which is neither exported nor in the kernel's symbol table; is it from another configuration?",
			    d->opt.source, atom_title(user), r->name);
	r->kind = REACH_FAILED;
}

static void reach_undefined(struct diff *d, struct reach *r, const struct atom *user)
{
	const struct export *e;
	struct name_set *peer;
	unsigned int pos;
	enum found found;

	HASH_FIND_STR(d->elsewhere, r->name, peer);
	if (peer) {
		r->kind = REACH_PEER;
		return;
	}
	e = exports_find(&d->exports, r->name);
	if (e) {
		reach_export(d, r, e, user);
		return;
	}
	/* Another object of the same vmlinux or module. */
	found = find_position(&d->own_symtab, r->name, false, -1, &pos, NULL);
	if (found == FOUND) {
		reach_klp(d, r, objname_of(d), objname_of(d), pos);
		return;
	}
	if (found == FOUND_NONE && !in_vmlinux(d)) {
		found = find_position(vmlinux_symtab(d), r->name, false, -1, &pos, NULL);
		if (found == FOUND) {
			reach_klp(d, r, "vmlinux", "vmlinux", pos);
			return;
		}
	}
	refuse_lookup(d, r, found, user, &d->own_symtab);
}

static void reach_defined(struct diff *d, struct reach *r, bool local, bool code,
			  const struct atom *user)
{
	const struct export *e = local ? NULL : exports_find(&d->exports, r->name);
	unsigned int pos;
	enum found found;

	if (e && !strcmp(e->owner, d->opt.objname)) {
		reach_export(d, r, e, user);
		return;
	}
	found = find_position(&d->own_symtab, r->name, local, code, &pos, NULL);
	if (found == FOUND)
		reach_klp(d, r, objname_of(d), objname_of(d), pos);
	else
		refuse_lookup(d, r, found, user, &d->own_symtab);
}

struct reach *reach_symbol(struct diff *d, const char *name, bool local, bool code,
			   bool defined_here, const struct atom *user)
{
	char *key = xasprintf("%c%s", local ? 'l' : 'g', name);
	struct reach *r;

	HASH_FIND_STR(d->reaches, key, r);
	if (!r) {
		r = xcalloc(1, sizeof(*r));
		r->name = key + 1;
		HASH_ADD_KEYPTR(hh, d->reaches, key, strlen(key), r);
		if (defined_here)
			reach_defined(d, r, local, code, user);
		else
			reach_undefined(d, r, user);
	} else {
		free(key);
	}
	r->uses++;
	return r;
}

struct reach *reach_atom(struct diff *d, const struct atom *target, const struct atom *user)
{
	/* The running kernel knows it by the name that it has in the original. */
	const struct atom *known = target->twin ? target->twin : target;
	const struct symbol *s = known->syms;

	if (!s) {
		diag_refuse("%s: %s: refers to %s, which has no name and cannot be found in the running kernel; give it a name",
			    d->opt.source, atom_title(user), atom_title(target));
		return NULL;
	}
	if (has_prefix(target->sec->name, ".init") || has_prefix(target->sec->name, ".exit") ||
	    has_prefix(target->sec->name, ".meminit")) {
		diag_refuse("%s: %s: refers to %s, which the running kernel has freed after initialisation; leave this reference out",
			    d->opt.source, atom_title(user), atom_title(target));
		return NULL;
	}
	/* Of several names at one place, a global one is the surest. */
	for (const struct symbol *t = known->syms; t && is_local_symbol(s); t = t->next)
		if (!is_local_symbol(t))
			s = t;
	return reach_symbol(d, s->name, is_local_symbol(s), is_code(known->sec), true, user);
}

/*
 * A weak function that another object overrides: its name belongs to the other one in the running
 * kernel, and patching it by name would replace that.
 */
static bool is_overridden(struct diff *d, const struct symbol *s, const struct ksym *k)
{
	const struct symtab *tab = &d->own_symtab;
	const char *before = "the beginning", *after = "the end";

	if (symbol_bind(s) != STB_WEAK || ksym_is_weak(k))
		return false;
	if (k > tab->syms)
		before = k[-1].name;
	if (k + 1 < tab->syms + tab->nsyms)
		after = k[1].name;
	diag_refuse("%s: %s(): weak, and the kernel runs another object's definition of it instead, at %lx between %s and %s; patch that one",
		    d->opt.source, s->name, (unsigned long)k->addr, before, after);
	return true;
}

static void register_function(struct diff *d, struct atom *a)
{
	struct registration *reg;
	const struct symbol *s = a->twin->syms;
	const struct ksym *k = NULL;
	enum found found;
	unsigned int pos;
	char *c;

	for (const struct symbol *t = s; t && is_local_symbol(s); t = t->next)
		if (!is_local_symbol(t))
			s = t;
	if (strlen(s->name) >= KSYM_NAME_LEN) {
		diag_refuse("%s: %.60s...(): the name has %zu characters, and the kernel cannot look up more than %d; patch its callers instead",
			    d->opt.source, s->name, strlen(s->name), KSYM_NAME_LEN - 1);
		return;
	}
	found = find_position(&d->own_symtab, s->name, is_local_symbol(s), true, &pos, &k);
	if (found == FOUND_SEVERAL) {
		diag_refuse("%s: %s(): the kernel has %u symbols of this name, and which one this is is not known; patch its callers instead",
			    d->opt.source, s->name, symtab_find(&d->own_symtab, s->name)->count);
		return;
	}
	if (found == FOUND_NONE) {
		diag_refuse("%s: %s(): not in the symbol table of %s; is this file part of it, and is the source that of the running kernel?",
			    d->opt.source, s->name, d->opt.objname);
		return;
	}
	if (is_overridden(d, s, k))
		return;

	d->registrations =
		xrealloc(d->registrations, d->nregistrations + 1, sizeof(*d->registrations));
	reg = &d->registrations[d->nregistrations++];
	reg->atom = a;
	reg->old_name = s->name;
	reg->pos = pos;
	reg->link_name = xasprintf("__kpatch_new.%s.%s.%u", d->opt.objname, s->name, pos);
	for (c = reg->link_name; *c; c++)
		if (!strchr("_.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", *c))
			*c = '_';
}

int resolve_registrations(struct diff *d)
{
	for (struct atom *a = d->taken; a; a = a->next_taken)
		if (a->kind == ATOM_CODE && a->state == STATE_CHANGED && !a->parent && is_named(a) &&
		    a->has_fentry && a->twin->has_fentry)
			register_function(d, a);
	return 0;
}
