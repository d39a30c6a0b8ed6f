// SPDX-License-Identifier: GPL-2.0-only
/* Symbol tables and exports of the running kernel; see symtab.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "release.h"
#include "symtab.h"

#define MAX_FIELDS 10

/* Split line in place at the characters of sep; runs of blanks count as one when sep is " ". */
static unsigned int split(char *line, char sep, char *field[MAX_FIELDS])
{
	unsigned int n = 0;

	while (n < MAX_FIELDS) {
		if (sep == ' ')
			line += strspn(line, " \t");
		if (sep == ' ' && !*line)
			break;
		field[n++] = line;
		line += sep == ' ' ? strcspn(line, " \t") : strcspn(line, "\t");
		if (!*line)
			break;
		*line++ = '\0';
	}
	return n;
}

struct ksym *symtab_add(struct symtab *tab, const char *name, uint64_t addr, char type)
{
	if (tab->nsyms == tab->room) {
		tab->room = tab->room ? tab->room * 2 : 4096;
		tab->syms = xrealloc(tab->syms, tab->room, sizeof(*tab->syms));
	}
	tab->syms[tab->nsyms] = (struct ksym){ .name = xstrdup(name), .addr = addr, .type = type };
	return &tab->syms[tab->nsyms++];
}

static int add_struct(struct symtab *tab, const char *name, const char *size)
{
	struct kstruct *s;
	char *end;
	unsigned long n = strtoul(size, &end, 10);

	if (!n || n > 65536 || *end)
		return -1;
	s = xcalloc(1, sizeof(*s));
	s->name = xstrdup(name);
	s->size = n;
	HASH_ADD_KEYPTR(hh, tab->structs, s->name, strlen(s->name), s);
	return 0;
}

static int add_seal(struct symtab *tab, const char *addr, const char *section)
{
	struct seal *s;
	char *end;

	if (tab->nseals == tab->seals_room) {
		tab->seals_room = tab->seals_room ? tab->seals_room * 2 : 1024;
		tab->seals = xrealloc(tab->seals, tab->seals_room, sizeof(*tab->seals));
	}
	s = &tab->seals[tab->nseals++];
	s->addr = strtoull(addr, &end, 16);
	s->section = section ? xstrdup(section) : NULL;
	return *end || end == addr ? -1 : 0;
}

static int by_seal(const void *a, const void *b)
{
	const struct seal *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return strcmp(x->section ? x->section : "", y->section ? y->section : "");
}

/* All names at a sealed place are. */
static void mark_sealed(struct symtab *tab)
{
	if (!tab->nseals)
		return;
	qsort(tab->seals, tab->nseals, sizeof(*tab->seals), by_seal);
	for (size_t i = 0; i < tab->nsyms; i++) {
		struct ksym *k = &tab->syms[i];
		struct seal like = { .addr = k->addr, .section = k->section };

		k->sealed = bsearch(&like, tab->seals, tab->nseals, sizeof(like), by_seal);
	}
}

/* kpatch-symtab: fields separated by tabs, the first one says what the line is. */
static int own_line(struct symtab *tab, char *line)
{
	char *f[MAX_FIELDS], *end;
	unsigned int n = split(line, '\t', f);
	struct ksym *k;
	uint64_t addr;

	if (!strcmp(f[0], "sym")) {
		if (n < 4 || strlen(f[2]) != 1)
			return -1;
		addr = strtoull(f[1], &end, 16);
		if (*end || end == f[1])
			return -1;
		k = symtab_add(tab, f[3], addr, f[2][0]);
		if (n > 4)
			k->section = xstrdup(f[4]);
		if (n > 5)
			k->loading_pos = strtoul(f[5], NULL, 10);
	} else if (!strcmp(f[0], "struct")) {
		return n < 3 ? -1 : add_struct(tab, f[1], f[2]);
	} else if (!strcmp(f[0], "release")) {
		struct release release;

		if (n < 2 || !release_parse(&release, f[1]))
			return -1;
		tab->name_max = release_symbol_name_max(&release);
	} else if (!strcmp(f[0], "seal")) {
		return n < 2 ? -1 : add_seal(tab, f[1], n > 2 ? f[2] : NULL);
	}
	return 0;
}

/* nm's letter for a line of readelf; 0: not one that kallsyms lists. */
static char readelf_letter(const char *type, const char *bind, const char *ndx)
{
	bool weak = !strcmp(bind, "WEAK"), local = !strcmp(bind, "LOCAL");
	char letter;

	if (!strcmp(ndx, "UND") || !strcmp(type, "SECTION") || !strcmp(type, "FILE"))
		return 0;
	if (!strcmp(type, "FUNC"))
		letter = weak ? 'W' : 'T';
	else if (!strcmp(type, "OBJECT"))
		letter = weak ? 'V' : 'D';
	else if (!strcmp(ndx, "ABS"))
		letter = 'A';
	else
		letter = weak ? 'W' : 'T';
	return local ? letter + ('a' - 'A') : letter;
}

/* "  12: ffffffff81000000    34 FUNC    GLOBAL DEFAULT    1 name" */
static int readelf_line(struct symtab *tab, char *line)
{
	char *f[MAX_FIELDS], *end, letter;
	unsigned int n = split(line, ' ', f);
	uint64_t addr;

	/* Headings, and symbols without a name. */
	if (n < 8 || f[0][strlen(f[0]) - 1] != ':' || !strcmp(f[0], "Num:"))
		return 0;
	addr = strtoull(f[1], &end, 16);
	if (*end || end == f[1])
		return -1;
	letter = readelf_letter(f[3], f[4], f[6]);
	if (letter)
		symtab_add(tab, f[7], addr, letter);
	return 0;
}

static int by_address_order(const void *a, const void *b)
{
	const struct ksym *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return (int)x->pos - (int)y->pos;
}

void symtab_index(struct symtab *tab)
{
	for (size_t i = 0; i < tab->nsyms; i++) {
		struct ksym *k = &tab->syms[i];
		struct kname *kn;

		HASH_FIND_STR(tab->names, k->name, kn);
		if (!kn) {
			kn = xcalloc(1, sizeof(*kn));
			kn->name = k->name;
			kn->first = k;
			HASH_ADD_KEYPTR(hh, tab->names, kn->name, strlen(kn->name), kn);
		} else {
			kn->last->next = k;
		}
		kn->last = k;
		k->pos = ++kn->count;
	}
}

int symtab_read(struct symtab *tab, const char *path, bool by_address)
{
	FILE *in = fopen(path, "re");
	char *line = NULL;
	size_t len = 0, lineno = 0;
	bool own = false;
	ssize_t n;
	int err = 0;

	memset(tab, 0, sizeof(*tab));
	tab->of_module = !by_address;
	/* Where the release is not known: what is too long for it is noticed at the link, or by the kernel. */
	tab->name_max = release_symbol_name_max(&(struct release){ .major = 6, .minor = 1 });
	if (!in)
		return diag_error("%s: %s; is the path right?", path, strerror(errno));
	while (!err && (n = getline(&line, &len, in)) >= 0) {
		if (n && line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (!lineno++ && !strncmp(line, "kpatch-symtab\t", 14)) {
			own = true;
			continue;
		}
		err = own ? own_line(tab, line) : readelf_line(tab, line);
	}
	if (err)
		diag_error("%s: line %zu is damaged; make the file again", path, lineno);
	else if (ferror(in))
		err = diag_error("%s: %s", path, strerror(errno));
	else if (!tab->nsyms)
		err = diag_error("%s: no symbols; is it the output of kpatch-image symtab or readelf -sW?",
				 path);
	free(line);
	fclose(in);
	if (err)
		return -1;
	if (!own && by_address) {
		for (size_t i = 0; i < tab->nsyms; i++)
			tab->syms[i].pos = i;
		qsort(tab->syms, tab->nsyms, sizeof(*tab->syms), by_address_order);
	}
	mark_sealed(tab);
	symtab_index(tab);
	return 0;
}

const struct kname *symtab_find(const struct symtab *tab, const char *name)
{
	struct kname *kn;

	HASH_FIND_STR(tab->names, name, kn);
	return kn;
}

unsigned int symtab_struct_size(const struct symtab *tab, const char *name)
{
	struct kstruct *s;

	HASH_FIND_STR(tab->structs, name, s);
	return s ? s->size : 0;
}

/* "foo-bar" and "drivers/net/foo-bar" are the module foo_bar. */
static char *module_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = xstrdup(slash ? slash + 1 : path);

	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

int exports_read(struct exports *ex, const char *path)
{
	FILE *in = fopen(path, "re");
	char *line = NULL, *f[MAX_FIELDS];
	size_t len = 0, lineno = 0;
	ssize_t n;
	int err = 0;

	memset(ex, 0, sizeof(*ex));
	if (!in)
		return diag_error("%s: %s; is the path right?", path, strerror(errno));
	while (!err && (n = getline(&line, &len, in)) >= 0) {
		struct export *e, *old;
		unsigned int fields;

		lineno++;
		if (n && line[n - 1] == '\n')
			line[n - 1] = '\0';
		fields = split(line, '\t', f);
		if (fields < 4) {
			err = diag_error("%s: line %zu is damaged; is it a Module.symvers?", path, lineno);
			break;
		}
		HASH_FIND_STR(ex->names, f[1], old);
		if (old)
			continue;
		e = xcalloc(1, sizeof(*e));
		e->name = xstrdup(f[1]);
		e->owner = module_name(f[2]);
		e->ns = xstrdup(fields > 4 ? f[4] : "");
		HASH_ADD_KEYPTR(hh, ex->names, e->name, strlen(e->name), e);
	}
	if (!err && ferror(in))
		err = diag_error("%s: %s", path, strerror(errno));
	free(line);
	fclose(in);
	return err;
}

const struct export *exports_find(const struct exports *ex, const char *name)
{
	struct export *e;

	HASH_FIND_STR(ex->names, name, e);
	return e;
}
