// SPDX-License-Identifier: GPL-2.0-only
/*
 * Third pass: which items can matter, and whether those of both units are the same.
 *
 * Roots matter. What declares a name that stands anywhere in an item that matters, matters too. All that is
 * left are declarations and inline functions whose names occur in nothing that is compiled: the compiler parses them, and
 * drops them before it looks at any code. So the object of a unit is that of its live items, and two
 * units whose live items are the same have the same object. Not only functions are followed but also tags, typedefs and
 * enumerators, since the code of a function depends on the types of what it uses.
 *
 * Names stand for all things that are called so: that a use of a member or a label counts as a use of a function of the
 * same name makes some items live that are not, and never the other way round.
 *
 * Names that the preprocessor numbered with __COUNTER__ (__UNIQUE_ID_x12) belong to things that no other unit can refer to. As
 * elsewhere in C, a unit means the same if such a name is replaced by another one everywhere.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "units.h"

/* ---- what is live ---- */

struct queue {
	uint32_t *items;
	uint32_t n;
};

static void item_reached(struct unit *unit, struct queue *queue, uint32_t item)
{
	if (unit->items[item].live)
		return;
	unit->items[item].live = true;
	queue->items[queue->n++] = item;
}

static void word_used(struct unit *unit, struct queue *queue, uint32_t word)
{
	if (word >= unit->ndeclared)
		return;
	for (uint32_t i = unit->declared[word]; i; i = unit->declares[i - 1].next)
		item_reached(unit, queue, unit->declares[i - 1].item);
	/* All of them are reached now. */
	unit->declared[word] = 0;
}

/* alias("foo") and the like: a name in a string. */
static void string_used(struct unit *unit, struct queue *queue, const struct word *string)
{
	if (string->length > 2)
		word_used(unit, queue, word_number(unit->words, string->text + 1, string->length - 2, WORD_NAME));
}

static void item_uses(struct unit *unit, struct queue *queue, const struct item *item)
{
	unsigned int depth = 0;		/* of parentheses within an attribute */

	for (uint32_t i = item->first; i < item->first + item->count; i++) {
		uint32_t word = unit->tokens[i];
		struct word what = unit->words->all[word];

		if (word == W_ATTRIBUTE || word == W_ATTRIBUTE2) {
			depth = 1;
		} else if (depth && word == W_PAREN) {
			depth++;
		} else if (depth && word == W_PAREN_END) {
			if (--depth == 1)
				depth = 0;
		} else if (what.kind == WORD_NAME) {
			word_used(unit, queue, word);
		} else if (depth && what.kind == WORD_STRING) {
			string_used(unit, queue, &what);
		}
	}
}

void live_find(struct unit *unit)
{
	struct queue queue = { .items = xcalloc(unit->nitems + 1, sizeof(*queue.items)) };

	for (uint32_t i = 0; i < unit->nitems; i++)
		if (unit->items[i].root)
			item_reached(unit, &queue, i);
	while (queue.n)
		item_uses(unit, &queue, &unit->items[queue.items[--queue.n]]);
	free(queue.items);
}

/* ---- are they the same ---- */

/* The length of a name in front of the number that the preprocessor gave it; 0 for other names. */
static uint32_t numbered(const struct word *word)
{
	static const char prefix[] = "__UNIQUE_ID_";
	uint32_t length = word->length;

	if (word->kind != WORD_NAME || length < sizeof(prefix) || memcmp(word->text, prefix, sizeof(prefix) - 1))
		return 0;
	while (length && isdigit((unsigned char)word->text[length - 1]))
		length--;
	return length == word->length ? 0 : length;
}

/* Which numbered name of one unit stands for which of the other: number + 1 of the word, 0 for none. */
struct renaming {
	uint32_t *forth, *back;
};

static bool same_word(const struct words *words, struct renaming *renaming, uint32_t a, uint32_t b)
{
	const struct word *x = &words->all[a], *y = &words->all[b];
	uint32_t length = numbered(x);

	if (!length)
		return a == b;
	if (numbered(y) != length || memcmp(x->text, y->text, length))
		return false;
	if (!renaming->forth[a] && !renaming->back[b]) {
		renaming->forth[a] = b + 1;
		renaming->back[b] = a + 1;
	}
	return renaming->forth[a] == b + 1;
}

static const struct item *next_live(const struct unit *unit, uint32_t *i)
{
	while (*i < unit->nitems)
		if (unit->items[(*i)++].live)
			return &unit->items[*i - 1];
	return NULL;
}

bool live_equal(struct unit *original, struct unit *patched)
{
	struct words *words = original->words;
	struct renaming renaming = {
		.forth = xcalloc(words->count, sizeof(*renaming.forth)),
		.back = xcalloc(words->count, sizeof(*renaming.back)),
	};
	const struct item *a, *b;
	uint32_t i = 0, j = 0;
	bool same;

	do {
		a = next_live(original, &i);
		b = next_live(patched, &j);
		same = a && b ? a->count == b->count : a == b;
		for (uint32_t k = 0; same && a && k < a->count; k++)
			same = same_word(words, &renaming, original->tokens[a->first + k], patched->tokens[b->first + k]);
	} while (same && a);
	free(renaming.forth);
	free(renaming.back);
	return same;
}

/* ---- what is not ---- */

static uint32_t item_hash(const struct unit *unit, const struct item *item)
{
	uint32_t h = 2166136261u;

	for (uint32_t i = item->first; i < item->first + item->count; i++) {
		const struct word *word = &unit->words->all[unit->tokens[i]];

		h = (h ^ (numbered(word) ? UINT32_MAX : unit->tokens[i])) * 16777619u;
	}
	return h;
}

static int compare_hashes(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t *live_hashes(const struct unit *unit, uint32_t *n)
{
	uint32_t *hashes = xcalloc(unit->nitems + 1, sizeof(*hashes));

	*n = 0;
	for (uint32_t i = 0; i < unit->nitems; i++)
		if (unit->items[i].live)
			hashes[(*n)++] = item_hash(unit, &unit->items[i]);
	qsort(hashes, *n, sizeof(*hashes), compare_hashes);
	return hashes;
}

/* The name in front of the first "(" or "=", or behind "struct", "union" or "enum", whatever comes first. */
static void print_title(const struct unit *unit, const struct item *item)
{
	for (uint32_t i = item->first; i + 1 < item->first + item->count; i++) {
		uint32_t word = unit->tokens[i], next = unit->tokens[i + 1];
		const struct word *what = &unit->words->all[word];

		if (what->kind != WORD_NAME || word == W_ATTRIBUTE || word == W_ATTRIBUTE2)
			continue;
		if (next == W_PAREN || next == W_ASSIGN || next == W_BRACKET || next == W_SEMICOLON) {
			printf("%.*s%s\n", (int)what->length, what->text, next == W_PAREN ? "()" : "");
			return;
		}
		if (next == W_BRACE && i > item->first) {
			const struct word *kind = &unit->words->all[unit->tokens[i - 1]];

			printf("%.*s %.*s\n", (int)kind->length, kind->text, (int)what->length, what->text);
			return;
		}
	}
	printf("%.*s\n", (int)unit->words->all[unit->tokens[item->first]].length,
	       unit->words->all[unit->tokens[item->first]].text);
}

static void report_missing(const struct unit *unit, const struct unit *other)
{
	uint32_t n, *hashes = live_hashes(other, &n);

	for (uint32_t i = 0; i < unit->nitems; i++) {
		uint32_t hash = item_hash(unit, &unit->items[i]);

		if (unit->items[i].live && !bsearch(&hash, hashes, n, sizeof(hash), compare_hashes))
			print_title(unit, &unit->items[i]);
	}
	free(hashes);
}

void live_report(struct unit *original, struct unit *patched)
{
	report_missing(original, patched);
	report_missing(patched, original);
}
