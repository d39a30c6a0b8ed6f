// SPDX-License-Identifier: GPL-2.0-only
/*
 * Behind the refusal of a structure with a new member: how to keep that in a shadow field instead (include/kpatch-shadow.h),
 * and what of the patch has to be written in another way then.
 */
#include <stdlib.h>

#include "diag.h"
#include "explain.h"
#include "types.h"

/* Members that are told of, and accesses to each. */
#define MAX_MEMBERS	3
#define MAX_SHOWN	12
#define MAX_PARTS	4000

/* Lines of a patch that are looked through. */
#define MAX_LINES	200000

struct accesses {
	struct diff *d;
	const char *member;
	struct place_of_source at;
	const char *line;
	bool here;		/* on this line */
	unsigned int shown, more;
};

/* p->member, s.member, or .member = in an initialiser. */
static void match_access(void *arg, const char *word, size_t n)
{
	struct accesses *acc = arg;
	const char *before = word;

	while (before > acc->line && (before[-1] == ' ' || before[-1] == '\t'))
		before--;
	if (strlen(acc->member) == n && !memcmp(acc->member, word, n) && before > acc->line &&
	    (before[-1] == '.' || (before - acc->line > 1 && before[-1] == '>' && before[-2] == '-')))
		acc->here = true;
}

static void show_access(struct accesses *acc)
{
	const char *text = acc->line + strspn(acc->line, " \t");
	char *place, *function, *line;

	if (acc->shown == MAX_SHOWN) {
		acc->more++;
		return;
	}
	place = place_title(&acc->d->sources->hunks, PATCHED, acc->at);
	function = enclosing_function(acc->d->sources, PATCHED, acc->at);
	if (!acc->shown++)
		diag_detail("accesses to %s on the lines of the patch:", acc->member);
	line = printable(xasprintf("%s%s%s%s: %.100s", place, function ? " in " : "", function ? function : "",
				   function ? "()" : "", text));
	diag_detail("    %s", line);
	free(line);
	free(place);
	free(function);
}

static void show_accesses(struct diff *d, const char *member)
{
	const struct hunks *h = &d->sources->hunks;
	struct accesses acc = { .d = d, .member = member };
	unsigned int left = MAX_LINES;

	for (const struct hunk *k = h->list; k < h->list + h->n; k++)
		for (unsigned int i = 0; i < k->lines[PATCHED] && left; i++, left--) {
			acc.at = (struct place_of_source){ k->file, k->first + i };
			acc.line = source_line(d->sources, PATCHED, acc.at);
			acc.here = false;
			if (acc.line)
				for_each_word(acc.line, match_access, &acc);
			if (acc.here)
				show_access(&acc);
		}
	if (acc.more)
		diag_detail("    and %u more", acc.more);
	else if (!acc.shown && d->sources->tree[PATCHED] && h->n)
		diag_detail("no line of the patch accesses %s", member);
}

/* The type as a macro takes it: commas only within parentheses. NULL: it has no name, or no size. */
static char *type_of_field(struct diff *d, const struct named_type *in, const struct part *p)
{
	char *spelled = spell_member_type(d, PATCHED, in->entry, p->name), *title;

	if (spelled)
		return spelled;
	title = type_title(p->type);
	if (!strstr(title, "{...}") && !strstr(title, "... ") && !strstr(title, "[]"))
		spelled = strchr(title, ',') ? xasprintf("typeof(%s)", title) : xstrdup(title);
	free(title);
	return spelled;
}

static void show_member(struct diff *d, const struct named_type *in, const struct part *p)
{
	const char *name = in->type->name;
	char *type = type_of_field(d, in, p), *text;

	if (type) {
		text = printable(xasprintf("KPATCH_SHADOW_FIELD(%s, %s, %s);", name, p->name, type));
		diag_detail("as a shadow field, behind the includes (#include <kpatch-shadow.h>):");
		diag_detail("    %s", text);
		free(text);
		text = printable(xasprintf("kpatch_field_read(%s, %s, OBJECT), *kpatch_field_get_or_alloc(%s, %s, OBJECT, GFP_ATOMIC)",
					   name, p->name, name, p->name));
		diag_detail("to be read as, and written through (NULL: no memory):");
		diag_detail("    %s", text);
		free(text);
	} else {
		diag_detail("%s cannot be a shadow field as it is: give its type a name, or its array a length", p->name);
	}
	free(type);
	show_accesses(d, p->name);
}

static bool has_part(const struct type *t, const char *name)
{
	for (size_t i = 0; i < t->nparts; i++)
		if (t->parts[i].name && !strcmp(t->parts[i].name, name))
			return true;
	return false;
}

void show_shadow_fields(struct diff *d, const struct named_type *was, const struct named_type *is)
{
	unsigned int n = 0;

	/* An accessor takes a pointer to "struct NAME", at file level. */
	if (is->type->tag != DW_TAG_structure_type || !is->type->name || is->function ||
	    was->type->nparts > MAX_PARTS || is->type->nparts > MAX_PARTS)
		return;
	for (size_t i = 0; i < is->type->nparts && n < MAX_MEMBERS; i++) {
		const struct part *p = &is->type->parts[i];

		if (!p->name || !p->type || has_part(was->type, p->name))
			continue;
		show_member(d, is, p);
		n++;
	}
}
