// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pass beside prototypes.c: does the patch change which locks a function wants to be held, takes or releases? What says so,
 * __must_hold(&p->lock), __acquires(), __releases(), is for sparse: the compiler sees nothing of it, and no object tells. So it is
 * read in the text of the definition (--trees); a declaration alone is not looked at.
 *
 * Callers that the patch changes as well know of it. The others go on as before, and that is a warning: whether they do right
 * is not to be seen from here.
 */
#include <ctype.h>
#include <stdlib.h>

#include "diag.h"
#include "explain.h"

/* No head of a function is longer. */
#define MAX_LINES	16

/* From the first word of the definition to its brace, in one line. NULL: the text is not known. */
static char *head_of(struct sources *s, enum side side, const struct body *b)
{
	struct place_of_source p = b->at;
	char *head = xstrdup(""), *more;
	const char *line;

	for (p.line = b->begin; p.line < b->begin + MAX_LINES && (line = source_line(s, side, p)); p.line++) {
		more = xasprintf("%s%.*s ", head, (int)strcspn(line, "{"), line);
		free(head);
		head = more;
		if (strchr(line, '{'))
			return head;
	}
	free(head);
	return NULL;
}

/* How long the annotation at the beginning of text is, with what stands in its parentheses; 0: it is none. */
static size_t annotation_length(const char *text)
{
	static const char *const words[] = { "__must_hold", "__acquires", "__cond_acquires", "__releases" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t n = strlen(words[i]);
		int depth = 0;

		if (!has_prefix(text, words[i]))
			continue;
		/* __must_hold_shared() */
		while (isalnum((unsigned char)text[n]) || text[n] == '_')
			n++;
		for (; text[n] == '(' || depth; n++) {
			if (!text[n])
				return 0;
			depth += (text[n] == '(') - (text[n] == ')');
		}
		return text[n - 1] == ')' ? n : 0;
	}
	return 0;
}

/* "__must_hold(&a->lock) __releases(b)", or "none". */
static char *annotations_in(const char *head)
{
	char *found = xstrdup(""), *more;
	size_t n;

	for (const char *c = head; *c; c += n) {
		n = annotation_length(c);
		if (n) {
			more = xasprintf("%s%s%.*s", found, *found ? " " : "", (int)n, c);
			free(found);
			found = more;
		} else {
			n = strspn(c, "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
			n += !n;
		}
	}
	if (!*found) {
		free(found);
		return xstrdup("none");
	}
	return printable(found);
}

/* NULL: not known. */
static char *annotations_of(struct diff *d, enum side side, const struct atom *a)
{
	const struct body *b = bodies_of(d, side, a);
	char *head = b && b->begin ? head_of(d->sources, side, b) : NULL, *found;

	if (!head)
		return NULL;
	found = annotations_in(head);
	free(head);
	return found;
}

/* Did its author change it, or what is inlined into it? That the compiler makes other code of it says nothing. */
static bool is_rewritten(struct diff *d, const struct atom *a)
{
	const struct hunks *h = &d->sources->hunks;

	for (const struct body *b = bodies_of(d, PATCHED, a); b; b = b->next) {
		size_t i = 0;

		if (b->at.file && b->end && next_hunk(h, b->at.file, b->begin, b->end, &i))
			return true;
	}
	return false;
}

/* Someone who calls the function and knows nothing of the patch; NULL: nobody. */
static const char *old_caller(struct diff *d, const struct atom *f)
{
	if (is_global_atom(f->twin))
		return "callers in other files";
	if (address_is_taken(f->twin))
		return "what has its address";
	for (size_t i = 0; i < f->nuses; i++) {
		const struct atom *by = f->uses[i].by;

		if (by->parent)
			by = by->parent;
		if (is_function(by) && by != f && arch_is_branch(f->uses[i].by->sec, f->uses[i].reloc) &&
		    !is_rewritten(d, by))
			return atom_title(by);
	}
	return NULL;
}

/* Most patches say nothing of locks, and need not be read any further. */
static bool is_annotated(const char *line)
{
	for (const char *c = line; c && (c = strstr(c, "__")); c++)
		if (annotation_length(c))
			return true;
	return false;
}

static bool patch_has_annotations(struct sources *s)
{
	for (size_t i = 0; i < s->hunks.n; i++) {
		const struct hunk *k = &s->hunks.list[i];

		for (struct place_of_source p = { k->file, k->first }; p.line <= k->last; p.line++) {
			const char *was = source_line(s, ORIG, p), *is = source_line(s, PATCHED, p);

			if (is_annotated(was) || is_annotated(is))
				return true;
			if (!was && !is)
				break;
		}
	}
	return false;
}

static void check_function(struct diff *d, const struct atom *a)
{
	char *was = annotations_of(d, ORIG, a->twin), *is = annotations_of(d, PATCHED, a);
	const char *caller = was && is && strcmp(was, is) ? old_caller(d, a) : NULL;

	if (caller)
		diag_warn("%s: %s: its locking annotations were %s, are %s, and %s may still go by the old ones; see that they agree about who holds the locks",
			  d->opt.source, atom_title(a), was, is, caller);
	free(was);
	free(is);
}

int check_annotations(struct diff *d)
{
	if (!patch_has_annotations(d->sources))
		return 0;
	for (const struct atom *a = d->taken; a; a = a->next_taken)
		if (is_function(a) && a->state == STATE_CHANGED && !a->parent)
			check_function(d, a);
	return 0;
}
