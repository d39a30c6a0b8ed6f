// SPDX-License-Identifier: GPL-2.0-only
/*
 * How does the new code reach what the running kernel has? Exports of vmlinux by an ordinary
 * relocation, so that modpost and the module loader check them; everything else by a livepatch
 * relocation, which names object, symbol and position.
 */
#include <stdlib.h>
#include <unistd.h>

#include "diag.h"
#include "resolve.h"

/*
 * The position to name to the kernel. 0 says that the name is unique; in a module it may be unique
 * only once initialisation is over, so that positions are always given there.
 */
static unsigned int position(const struct symtab *tab, const struct ksym *k)
{
	return symtab_find(tab, k->name)->count == 1 && !tab->of_module ? 0 : k->pos;
}

enum found find_by_name(const struct symtab *tab, const char *name, bool local, int code, unsigned int *pos,
			const struct ksym **sym)
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
	if (match->loading_pos)
		return FOUND_MOVING;
	*pos = position(tab, match);
	if (sym)
		*sym = match;
	return FOUND;
}

enum found find_defined(const struct diff *d, const struct symbol *s, bool replaced, unsigned int *pos,
			const struct ksym **sym)
{
	const struct kname *kn = symtab_find(&d->own_symtab, s->name);
	const struct ksym *k;

	if (!d->proof)
		return find_by_name(&d->own_symtab, s->name, is_local_symbol(s), is_code(s->sec), pos,
				    sym);
	switch (proven_symbol(d, s, &k)) {
	case PROVEN:
		break;
	case PROVEN_OTHER:
		return FOUND_NONE;
	case PROVEN_NOT:
		if (kn && (kn->count > 1 || (replaced && !d->opt.skip_image_check)))
			return FOUND_UNPLACED;
		return find_by_name(&d->own_symtab, s->name, is_local_symbol(s), is_code(s->sec), pos,
				    sym);
	}
	if (k->loading_pos)
		return FOUND_MOVING;
	*pos = position(&d->own_symtab, k);
	if (sym)
		*sym = k;
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

static void add_dependency(struct diff *d, const char *name, size_t n)
{
	struct name_set *s;

	HASH_FIND(hh, d->depends, name, n, s);
	if (s || !n)
		return;
	s = xcalloc(1, sizeof(*s));
	s->name = xcalloc(n + 1, 1);
	memcpy(s->name, name, n);
	HASH_ADD_KEYPTR(hh, d->depends, s->name, n, s);
}

/* Is owner a module that the patched one depends on already? */
static bool depends_on(struct diff *d, const char *owner)
{
	struct name_set *s;

	if (!d->depends) {
		add_dependency(d, d->opt.objname, strlen(d->opt.objname));
		for (const char *p = d->opt.depends; p && *p; p += strcspn(p, ","), p += *p == ',')
			add_dependency(d, p, strcspn(p, ","));
		for_each_symbol(&d->orig, sym) {
			const struct export *e = NULL;

			if (is_undefined(sym) && *sym->name)
				e = exports_find(&d->exports, sym->name);
			if (e)
				add_dependency(d, e->owner, strlen(e->owner));
		}
	}
	HASH_FIND_STR(d->depends, owner, s);
	return s;
}

static void reach_klp(struct diff *d, struct reach *r, const char *patched, const char *owner,
		      unsigned int pos)
{
	if (strlen(r->name) > d->own_symtab.name_max) {
		diag_refuse(REASON_NAME_LENGTH, "%s: %.60s...: the name has %zu characters, and the kernel cannot look up more than %zu; shorten it",
			    d->opt.source, r->name, strlen(r->name), d->own_symtab.name_max);
		r->kind = REACH_FAILED;
		return;
	}
	r->kind = REACH_KLP;
	r->patched = patched;
	r->owner = owner;
	r->pos = pos;
}

/* The symbol table of another module, read when the first symbol of it is needed. */
static const struct symtab *module_symtab(struct diff *d, const char *owner)
{
	struct module_symtab *m;
	char *path;

	if (!strcmp(owner, objname_of(d)))
		return &d->own_symtab;
	HASH_FIND_STR(d->module_symtabs, owner, m);
	if (!m) {
		m = xcalloc(1, sizeof(*m));
		m->name = owner;
		path = xasprintf("%s/%s", d->opt.module_symtabs ? d->opt.module_symtabs : ".", owner);
		m->missing = !d->opt.module_symtabs || access(path, R_OK) ||
			     symtab_read(&m->tab, path, false);
		HASH_ADD_KEYPTR(hh, d->module_symtabs, m->name, strlen(m->name), m);
		free(path);
	}
	return m->missing ? NULL : &m->tab;
}

/* An exported symbol. */
static void reach_export(struct diff *d, struct reach *r, const struct export *e,
			 const struct atom *user)
{
	const struct symtab *tab;
	const struct ksym *k;
	unsigned int pos;

	if (!strcmp(e->owner, "vmlinux")) {
		r->kind = REACH_EXPORT;
		r->sealed = find_by_name(vmlinux_symtab(d), r->name, false, -1, &pos, &k) == FOUND && k->sealed;
		return;
	}
	if (in_vmlinux(d)) {
		diag_refuse(REASON_MODULE_DEPENDENCY, "%s: %s: refers to %s, which the module %s exports; code of the kernel itself cannot depend on a module",
			    d->opt.source, atom_title(user), r->name, e->owner);
		r->kind = REACH_FAILED;
		return;
	}
	if (!depends_on(d, e->owner)) {
		diag_refuse(REASON_MODULE_DEPENDENCY, "%s: %s: a new reference to %s of the module %s, on which %s does not depend: it may be missing when %s is loaded; use symbol_get() or leave this part out",
			    d->opt.source, atom_title(user), r->name, e->owner, objname_of(d),
			    objname_of(d));
		r->kind = REACH_FAILED;
		return;
	}
	tab = module_symtab(d, e->owner);
	if (!tab || find_by_name(tab, r->name, false, -1, &pos, &k) != FOUND) {
		diag_refuse(REASON_MODULE_DEPENDENCY, "%s: %s: refers to %s of the module %s, whose symbol table %s; give the directory with it as --module-symtabs",
			    d->opt.source, atom_title(user), r->name, e->owner,
			    tab ? "does not have it once" : "is not known");
		r->kind = REACH_FAILED;
		return;
	}
	r->sealed = k->sealed;
	reach_klp(d, r, objname_of(d), e->owner, pos);
}

static void refuse_lookup(struct diff *d, struct reach *r, enum found found, const struct symbol *sym,
			  const struct atom *user, const struct symtab *tab)
{
	const struct kname *kn = symtab_find(tab, r->name);
	const char *title = atom_title(user);
	unsigned int count = kn ? kn->count : 0;

	switch (found) {
	case FOUND_SEVERAL:
		diag_refuse(REASON_AMBIGUOUS_SYMBOL, "%s: %s: refers to %s, and the kernel has %u symbols of this name; give the image and the proof object, so that it can be found by its place",
			    d->opt.source, title, r->name, count);
		break;
	case FOUND_UNPLACED:
		diag_refuse(REASON_AMBIGUOUS_SYMBOL, "%s: %s: refers to %s, and which of the kernel's %u symbols of this name it is cannot be told with certainty; avoid the reference, or give the code what it needs as a copy",
			    d->opt.source, title, r->name, count);
		break;
	case FOUND_MOVING:
		diag_refuse(REASON_AMBIGUOUS_SYMBOL, "%s: %s: refers to %s, whose position among those of its name changes while the module %s is loaded; avoid the reference, or give the code what it needs as a copy",
			    d->opt.source, title, r->name, d->opt.objname);
		break;
	default:
		if (sym->sym.st_shndx == SHN_COMMON) {
			diag_refuse(REASON_DATA_VALUE, "%s: %s: a new variable without an initial value, which this compiler leaves to the linker (COMMON); give it an initial value, or declare it static",
				    d->opt.source, r->name);
			break;
		}
		diag_refuse(REASON_UNKNOWN_SYMBOL, "%s: %s: refers to %s, which is neither exported nor in the kernel's symbol table; is it from another configuration?",
			    d->opt.source, title, r->name);
		break;
	}
	r->kind = REACH_FAILED;
}

/*
 * The export of that name, if whoever has it may bind to it. What the patched kernel object has of that name itself comes
 * first, as in its link. The namespace "module:a,b" of vmlinux is a list of modules: others can neither import it nor
 * load with a reference to such a symbol.
 */
static const struct export *find_export(const struct diff *d, const char *name)
{
	const struct export *e = exports_find(&d->exports, name);
	unsigned int pos;

	if (!e || (!strcmp(e->owner, "vmlinux") && has_prefix(e->ns, "module:")))
		return NULL;
	return !strcmp(e->owner, objname_of(d)) ||
	       find_by_name(&d->own_symtab, name, false, -1, &pos, NULL) == FOUND_NONE ? e : NULL;
}

/*
 * What another object of the patch makes global, and what the running kernel knows as that file's static symbol. Only the
 * comparison of that object knows where it is; here the name must say it. With IBT, the compiler marks static
 * functions only if that file takes their address, which is not known here either.
 */
static void reach_made_global(struct diff *d, struct reach *r, const struct name_set *peer, const struct atom *user)
{
	const struct symtab *tab = &d->own_symtab;
	const struct kname *kn = symtab_find(tab, r->name);
	const struct ksym *k = NULL;
	unsigned int pos;

	if (find_by_name(tab, r->name, true, -1, &pos, &k) != FOUND) {
		diag_refuse(REASON_AMBIGUOUS_SYMBOL, "%s: %s: refers to %s, which the patch makes global in %s, and which of the kernel's %u symbols of this name that is cannot be told here; add a new global function to %s that uses it, and call that",
			    d->opt.source, atom_title(user), r->name, peer->source, kn ? kn->count : 0, peer->source);
		r->kind = REACH_FAILED;
		return;
	}
	r->freed = is_freed(tab, k);
	r->sealed = k->sealed || (ksym_is_code(k) && vmlinux_symtab(d)->nseals);
	reach_klp(d, r, objname_of(d), objname_of(d), pos);
}

static void reach_undefined(struct diff *d, struct reach *r, const struct symbol *s,
			    const struct atom *user)
{
	const struct export *e;
	struct name_set *peer;
	unsigned int pos;
	const struct ksym *k = NULL;
	enum found found;

	HASH_FIND_STR(d->elsewhere, r->name, peer);
	if (peer && peer->source) {
		reach_made_global(d, r, peer, user);
		return;
	}
	if (peer) {
		r->kind = REACH_PEER;
		return;
	}
	e = find_export(d, r->name);
	if (e) {
		reach_export(d, r, e, user);
		return;
	}
	/* Another object of the same vmlinux or module. */
	found = find_by_name(&d->own_symtab, r->name, false, -1, &pos, &k);
	if (found == FOUND) {
		r->freed = is_freed(&d->own_symtab, k);
		r->sealed = k->sealed;
		reach_klp(d, r, objname_of(d), objname_of(d), pos);
		return;
	}
	if (found == FOUND_NONE && !in_vmlinux(d)) {
		found = find_by_name(vmlinux_symtab(d), r->name, false, -1, &pos, &k);
		if (found == FOUND) {
			r->freed = is_freed(vmlinux_symtab(d), k);
			r->sealed = k->sealed;
			reach_klp(d, r, "vmlinux", "vmlinux", pos);
			return;
		}
	}
	refuse_lookup(d, r, found, s, user, &d->own_symtab);
}

static void reach_defined(struct diff *d, struct reach *r, const struct symbol *s,
			  const struct atom *user)
{
	const struct export *e = is_local_symbol(s) ? NULL : find_export(d, r->name);
	unsigned int pos;
	const struct ksym *k = NULL;
	enum found found;

	if (e && !strcmp(e->owner, d->opt.objname)) {
		reach_export(d, r, e, user);
		return;
	}
	/* Of a weak definition the kernel may run another object's: the name says which. */
	if (symbol_bind(s) == STB_WEAK)
		found = find_by_name(&d->own_symtab, s->name, false, -1, &pos, &k);
	else
		found = find_defined(d, s, false, &pos, &k);
	if (found != FOUND) {
		refuse_lookup(d, r, found, s, user, &d->own_symtab);
		return;
	}
	r->sealed = k->sealed;
	reach_klp(d, r, objname_of(d), objname_of(d), pos);
}

/* The cache entry of key, which becomes its property; *is_new says that it must be filled. */
static struct reach *find_reach(struct diff *d, char *key, const char *name, bool *is_new)
{
	struct reach *r;

	HASH_FIND_STR(d->reaches, key, r);
	*is_new = !r;
	if (!r) {
		r = xcalloc(1, sizeof(*r));
		r->name = xstrdup(name);
		HASH_ADD_KEYPTR(hh, d->reaches, key, strlen(key), r);
	} else {
		free(key);
	}
	r->uses++;
	return r;
}

struct reach *reach_undefined_symbol(struct diff *d, const struct symbol *s, const struct atom *user)
{
	bool is_new;
	struct reach *r = find_reach(d, xasprintf("undefined %s", s->name), s->name, &is_new);

	if (is_new)
		reach_undefined(d, r, s, user);
	return check_freed(d, r, user);
}

/*
 * With IBT the compiler marks static functions only if their address is taken. Where the patch is the first to
 * do this, its version has the mark, and the one at the address that is taken, the running kernel's, has none.
 */
static bool is_unmarked(const struct atom *target)
{
	const struct atom *orig = target->twin;

	return orig && is_function(target) &&
	       arch_has_landing_mark(target->sec, target->off + target->entry) &&
	       !arch_has_landing_mark(orig->sec, orig->off + orig->entry);
}

const struct symbol *surest_name(struct atom *a)
{
	const struct symbol *best = a->surest;

	if (best)
		return best;
	for (const struct symbol *s = a->syms; s; s = s->next)
		if (!best || symbol_bind(best) == STB_WEAK ||
		    (is_local_symbol(best) && !is_local_symbol(s) && symbol_bind(s) != STB_WEAK))
			best = s;
	return a->surest = best;
}

/* The name of a that a reference by sym means: a weak one means what the kernel has by that name, all others a itself. */
static const struct symbol *meant_name(struct atom *a, const struct symbol *sym)
{
	if (symbol_bind(sym) == STB_WEAK)
		for (const struct symbol *s = a->syms; s; s = s->next)
			if (!strcmp(s->name, sym->name))
				return s;
	return surest_name(a);
}

struct reach *reach_atom(struct diff *d, const struct atom *user, const struct reloc *by)
{
	/* The running kernel knows it by the name that it has in the original. */
	struct atom *target = by->target, *known = target->twin ? target->twin : target;
	const struct symbol *s = meant_name(known, by->sym);
	bool is_init = has_prefix(target->sec->name, ".init") || has_prefix(target->sec->name, ".exit") ||
		       has_prefix(target->sec->name, ".meminit");
	struct reach *r;
	bool is_new;

	if (!s) {
		diag_refuse(REASON_UNKNOWN_SYMBOL, "%s: %s: refers to %s, which has no name and cannot be found in the running kernel; give it a name",
			    d->opt.source, atom_title(user), atom_title(target));
		return NULL;
	}
	if (is_init && (!in_vmlinux(d) || has_prefix(target->sec->name, ".exit"))) {
		diag_refuse(REASON_FREED, "%s: %s: refers to %s, which the running kernel has freed after initialisation; leave this reference out",
			    d->opt.source, atom_title(user), s->name);
		return NULL;
	}
	r = find_reach(d, xasprintf("%u %s", s->index, s->name), s->name, &is_new);
	if (is_new) {
		reach_defined(d, r, s, user);
		r->freed = is_init;
		r->sealed |= is_unmarked(target);
	}
	return check_freed(d, r, user);
}
