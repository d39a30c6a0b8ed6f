// SPDX-License-Identifier: GPL-2.0-only
/*
 * Put the instructions of two versions of a function beside each other: what is common to both, in order, is the
 * longest sequence of instructions that are the same.
 */
#include <stdlib.h>

#include "diag.h"
#include "explain.h"

/* So many pairs are looked at; of greater differences, each version is one piece. */
#define MAX_PAIRS (48u << 20)

struct aligner {
	const struct insn *a, *b;
	size_t n, m;
	unsigned char *step;	/* for each pair: how the longest sequence behind it begins */
	struct rows *rows;
	size_t room;
};

enum step { STEP_BOTH, STEP_A, STEP_B };

static void add_row(struct aligner *al, const struct insn *a, const struct insn *b, bool same)
{
	struct rows *r = al->rows;

	if (r->n == al->room) {
		al->room = al->room ? al->room * 2 : 64;
		r->list = xrealloc(r->list, al->room, sizeof(*r->list));
	}
	r->list[r->n++] = (struct row){ { a, b }, same };
}

/* Instructions of one version, beside those of the other one that stand at their place. */
static void add_difference(struct aligner *al, size_t a, size_t a_end, size_t b, size_t b_end)
{
	while (a < a_end || b < b_end) {
		add_row(al, a < a_end ? &al->a[a] : NULL, b < b_end ? &al->b[b] : NULL, false);
		a += a < a_end;
		b += b < b_end;
	}
}

static bool same_insn(const struct insn *a, const struct insn *b)
{
	return !strcmp(a->norm, b->norm);
}

static void find_steps(struct aligner *al, size_t from, size_t n, size_t m)
{
	unsigned int *row = xcalloc(m + 1, sizeof(*row)), *below = xcalloc(m + 1, sizeof(*below)), *swap;

	for (size_t i = n; i--;) {
		for (size_t j = m; j--;) {
			unsigned char *step = &al->step[i * m + j];

			if (same_insn(&al->a[from + i], &al->b[from + j])) {
				row[j] = below[j + 1] + 1;
				*step = STEP_BOTH;
			} else {
				*step = below[j] >= row[j + 1] ? STEP_A : STEP_B;
				row[j] = *step == STEP_A ? below[j] : row[j + 1];
			}
		}
		swap = row;
		row = below;
		below = swap;
		row[m] = 0;
	}
	free(row);
	free(below);
}

static void align_middle(struct aligner *al, size_t from, size_t n, size_t m)
{
	size_t i = 0, j = 0, a = 0, b = 0;

	if (n && m && n <= MAX_PAIRS / m) {
		al->step = xcalloc(n, m);
		find_steps(al, from, n, m);
		while (i < n && j < m) {
			enum step step = al->step[i * m + j];

			if (step == STEP_BOTH) {
				add_difference(al, from + a, from + i, from + b, from + j);
				add_row(al, &al->a[from + i], &al->b[from + j], true);
				a = i + 1;
				b = j + 1;
			}
			i += step != STEP_B;
			j += step != STEP_A;
		}
		free(al->step);
	}
	add_difference(al, from + a, from + n, from + b, from + m);
}

static const struct insn *insn_at(const struct insn *list, size_t n, uint64_t off)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		/* From the entry; what is in front of it is negative. */
		if ((int64_t)list[mid].off < (int64_t)off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && list[lo].off == off ? &list[lo] : NULL;
}

/* Branches inside of the function are the same if they lead to what stands beside each other. */
static void check_branches(struct aligner *al)
{
	const struct insn **partner = xcalloc(al->n + 1, sizeof(*partner));

	for (size_t i = 0; i < al->rows->n; i++)
		if (al->rows->list[i].insn[ORIG])
			partner[al->rows->list[i].insn[ORIG] - al->a] = al->rows->list[i].insn[PATCHED];
	for (size_t i = 0; i < al->rows->n; i++) {
		struct row *r = &al->rows->list[i];
		const struct insn *x, *y;

		if (!r->same || !r->insn[ORIG]->inside)
			continue;
		x = insn_at(al->a, al->n, r->insn[ORIG]->target);
		y = insn_at(al->b, al->m, r->insn[PATCHED]->target);
		if (x && y ? partner[x - al->a] != y : x || y || r->insn[ORIG]->target != r->insn[PATCHED]->target)
			r->same = false;
	}
	free(partner);
}

void align_code(struct rows *rows, const struct code *orig, const struct code *patched)
{
	struct aligner al = { .a = orig->insns, .b = patched->insns, .n = orig->n, .m = patched->n, .rows = rows };
	size_t head = 0, tail = 0, least = al.n < al.m ? al.n : al.m;

	*rows = (struct rows){ 0 };
	while (head < least && same_insn(&al.a[head], &al.b[head])) {
		add_row(&al, &al.a[head], &al.b[head], true);
		head++;
	}
	while (tail < least - head && same_insn(&al.a[al.n - 1 - tail], &al.b[al.m - 1 - tail]))
		tail++;
	align_middle(&al, head, al.n - head - tail, al.m - head - tail);
	while (tail) {
		add_row(&al, &al.a[al.n - tail], &al.b[al.m - tail], true);
		tail--;
	}
	check_branches(&al);
}
