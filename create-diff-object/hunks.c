// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which source lines does the patch change? kpatch-build knows, and says so in a file (--changed-lines, see
 * doc/architecture.md), as lines of FILE FIRST LAST ORIGINAL LINES PATCHED LINES.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "diag.h"
#include "explain.h"

static int by_place(const void *a, const void *b)
{
	const struct hunk *x = a, *y = b;
	int order = strcmp(x->file, y->file);

	return order ? order : x->first < y->first ? -1 : x->first > y->first;
}

static bool read_hunk(struct hunks *h, char *line)
{
	char *tab = strchr(line, '\t');
	struct hunk k = { 0 };
	int end = 0;

	if (!tab || tab == line ||
	    sscanf(tab, "%u%u%u%u%u%u %n", &k.first, &k.last, &k.at[ORIG], &k.lines[ORIG], &k.at[PATCHED],
		   &k.lines[PATCHED], &end) != 6 ||
	    tab[end] || !k.first || k.last < k.first)
		return false;
	*tab = '\0';
	k.file = xstrdup(line);
	if (h->n == h->room) {
		h->room = h->room ? h->room * 2 : 16;
		h->list = xrealloc(h->list, h->room, sizeof(*h->list));
	}
	h->list[h->n++] = k;
	return true;
}

int read_hunks(struct hunks *h, const char *path)
{
	FILE *in = fopen(path, "re");
	char *line = NULL;
	size_t len = 0;
	int err = 0;

	if (!in)
		return diag_error("%s: %s; is the path right?", path, strerror(errno));
	while (!err && getline(&line, &len, in) > 0)
		if (!read_hunk(h, line))
			err = diag_error("%s: not a list of changed lines; make it with kpatch-build", path);
	free(line);
	fclose(in);
	if (h->n)
		qsort(h->list, h->n, sizeof(*h->list), by_place);
	return err;
}

/* The last hunk that begins at or before p in its file; NULL: none. */
static const struct hunk *hunk_before(const struct hunks *h, struct place_of_source p)
{
	size_t lo = 0, hi = h->n;

	if (!p.file)
		return NULL;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int order = strcmp(h->list[mid].file, p.file);

		if (order < 0 || (!order && h->list[mid].first <= p.line))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && !strcmp(h->list[lo - 1].file, p.file) ? &h->list[lo - 1] : NULL;
}

const struct hunk *hunk_of(const struct hunks *h, struct place_of_source p)
{
	const struct hunk *k = hunk_before(h, p);

	return k && p.line <= k->last ? k : NULL;
}

unsigned int author_line(const struct hunks *h, enum side side, struct place_of_source p)
{
	const struct hunk *k = hunk_before(h, p);
	unsigned int into;

	if (!k)
		return p.line;
	if (p.line > k->last)
		return k->at[side] + k->lines[side] + (p.line - k->last - 1);
	/* What was added to make both equally long is at the hunk's end. */
	into = p.line - k->first;
	if (into >= k->lines[side])
		into = k->lines[side] ? k->lines[side] - 1 : 0;
	return k->at[side] + into;
}

char *place_title(const struct hunks *h, enum side side, struct place_of_source p)
{
	return xasprintf("%s:%u", p.file, author_line(h, side, p));
}

char *hunk_title(const struct hunk *k)
{
	enum side side = k->lines[PATCHED] ? PATCHED : ORIG;

	if (k->lines[side] < 2)
		return xasprintf("%s:%u", k->file, k->at[side]);
	return xasprintf("%s:%u-%u", k->file, k->at[side], k->at[side] + k->lines[side] - 1);
}

const struct hunk *next_hunk(const struct hunks *h, const char *file, unsigned int begin, unsigned int end, size_t *i)
{
	for (; *i < h->n; ++*i) {
		const struct hunk *k = &h->list[*i];

		if (!strcmp(k->file, file) && k->first <= end && k->last >= begin)
			return &h->list[(*i)++];
	}
	return NULL;
}
