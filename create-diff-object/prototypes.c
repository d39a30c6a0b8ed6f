// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pass beside refuse.c: did the patch change how a global function is called? Its callers in other
 * files go on calling it in the old way, and nothing in the object tells: names have no types.
 *
 * The compiler does tell, at no cost, in the file that gcc writes with -aux-info: a line for each
 * function that it has seen. Definitions have the letter F:
 *
 *	/+ fs/a.c:32:NF +/ extern int show (struct seq_file *m, void *v); /+ (m, v) struct seq_file ... +/
 *
 * (with asterisks for the plus signs). Names of parameters do not matter, their types do.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

struct prototype {
	char *name;
	char *text;		/* return type and types of the parameters */
	UT_hash_handle hh;
};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The last place in [s, end) where name stands as a word of its own, or NULL. */
static char *last_word(char *s, char *end, const char *name, size_t n)
{
	for (char *p = end - n; n && p >= s; p--)
		if (!strncmp(p, name, n) && (p == s || !is_word(p[-1])) &&
		    (p + n >= end || !is_word(p[n])))
			return p;
	return NULL;
}

/* The end of the parameter that starts at s: a comma or parenthesis outside of inner parentheses. */
static char *parameter_end(char *s)
{
	int depth = 0;

	for (; *s; s++) {
		if (*s == '(')
			depth++;
		else if (*s == ')' && depth-- == 0)
			break;
		else if (*s == ',' && !depth)
			break;
	}
	return s;
}

/* Blank out the parameters' names, which stand between parentheses and commas in names. */
static void drop_names(char *parameters, const char *names)
{
	while (*parameters && *names && *names != ')') {
		size_t n = strcspn(names, ",)");
		char *end = parameter_end(parameters), *at = last_word(parameters, end, names, n);

		if (at)
			memset(at, ' ', n);
		if (*end != ',')
			break;
		parameters = end + 1;
		names += n;
		names += strspn(names, ", ");
	}
}

/* Leave one blank between words and none elsewhere. */
static void squeeze(char *s)
{
	char *to = s, *start = s;

	while (*s) {
		char *word = s;

		s += strspn(s, " \t");
		if (s > word && to > start && is_word(to[-1]) && is_word(*s))
			*to++ = ' ';
		if (*s)
			*to++ = *s++;
	}
	*to = '\0';
}

/* Returns NULL for a line that defines no function. */
static struct prototype *parse(char *line)
{
	char *mark = strstr(line, "F */ "), *text, *open, *end, *names, *name;
	struct prototype *p;

	if (!mark)
		return NULL;
	text = mark + 5;
	end = strstr(text, "; /* (");
	if (!end)
		return NULL;
	names = end + 6;
	*end = '\0';
	if (has_prefix(text, "extern "))
		text += 7;
	else
		return NULL;	/* static: all callers are in this file */
	/* The name is the word in front of the first parenthesis that does not open "(*". */
	for (open = strchr(text, '('); open && open[1] == '*'; open = strchr(open + 1, '('))
		;
	if (!open || open == text)
		return NULL;
	end = open;
	while (end > text && end[-1] == ' ')
		end--;
	for (name = end; name > text && is_word(name[-1]);)
		name--;
	if (name == end)
		return NULL;

	p = xcalloc(1, sizeof(*p));
	drop_names(open + 1, names);
	p->name = xcalloc(end - name + 1, 1);
	memcpy(p->name, name, end - name);
	memset(name, ' ', end - name);
	squeeze(text);
	p->text = xstrdup(text);
	return p;
}

static void free_prototype(struct prototype *p)
{
	free(p->name);
	free(p->text);
	free(p);
}

static int read_prototypes(struct prototype **all, const char *path)
{
	FILE *in = fopen(path, "re");
	char *line = NULL;
	size_t len = 0;
	int err = 0;

	if (!in)
		return diag_error("%s: %s; is the path right?", path, strerror(errno));
	while (getline(&line, &len, in) > 0) {
		struct prototype *p = parse(line), *old;

		if (!p)
			continue;
		HASH_FIND_STR(*all, p->name, old);
		if (old)
			free_prototype(p);
		else
			HASH_ADD_KEYPTR(hh, *all, p->name, strlen(p->name), p);
	}
	if (ferror(in))
		err = diag_error("%s: %s", path, strerror(errno));
	free(line);
	fclose(in);
	return err;
}

static void free_prototypes(struct prototype *all)
{
	struct prototype *p, *tmp;

	HASH_ITER(hh, all, p, tmp) {
		HASH_DEL(all, p);
		free_prototype(p);
	}
}

int check_prototypes(struct diff *d)
{
	struct prototype *orig = NULL, *patched = NULL, *a, *b;
	int err = 0;

	if (!d->opt.orig_prototypes)
		return 0;
	if (read_prototypes(&orig, d->opt.orig_prototypes) ||
	    read_prototypes(&patched, d->opt.patched_prototypes))
		err = -1;
	for_each_atom(&d->patched, f) {
		if (err || f->kind != ATOM_CODE || f->state != STATE_CHANGED || !is_global_atom(f))
			continue;
		HASH_FIND_STR(orig, atom_name(f), a);
		HASH_FIND_STR(patched, atom_name(f), b);
		if (a && b && strcmp(a->text, b->text))
			diag_refuse("%s: %s: its type changed from \"%s\" to \"%s\", and callers in other files still use the old one; give the new function another name",
				    d->opt.source, atom_title(f), a->text, b->text);
	}
	free_prototypes(orig);
	free_prototypes(patched);
	return err;
}
