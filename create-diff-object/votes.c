// SPDX-License-Identifier: GPL-2.0-only
/*
 * Part of pair_objects(): who is who among things that the compiler has numbered? Those that refer to
 * them decide: what the two versions of a function (with its clones and its cold part) or of a
 * variable refer to is the same thing, if there is no doubt which one.
 *
 * Each such pair of users is a voter, and has a ballot for each group of which it mentions members. The
 * only member that it mentions is surer than one of several, for inlining changes their order: so
 * sure votes are counted first, in all groups, and what they pair is out of the running. Two voters that
 * disagree leave a thing without a counterpart.
 *
 * A ballot knows how many of those that it mentions have no counterpart yet, and so when it becomes sure:
 * all sure votes together look at each mention once. The unsure ones of a group are counted all at once,
 * and again if something of the group has been paired since, but not forever: see MAX_COUNTS.
 */
#include <stdlib.h>

#include "diag.h"
#include "pair.h"

/* What a voter says of one member. */
struct mention {
	struct atom *a;
	uint64_t usage;		/* a sum over all places: which instruction, which part of it */
	size_t nth;		/* mentioned as the first, second, ... */
	size_t rank;		/* by number among those that are mentioned */
	bool lost;		/* and without a counterpart */
	bool certain;		/* by its line: the others can be none of it */
};

struct mentions {
	struct mention *m;
	size_t n, room;
	size_t open;		/* without a counterpart */
};

/* What one voter says of one group. */
struct ballot {
	struct pairing *group;
	const void *voter;
	struct mentions orig, patched;
	struct ballot *next;
	bool queued;
	struct ballot *next_queued;
	struct ballot *next_voted;
};

/* That a ballot mentions an atom, for the atom's list. */
struct voice {
	struct ballot *ballot;
	struct voice *next;
};

/* One half of a ballot, without those that have their counterpart, in several orders. */
struct running {
	struct mention **in_order, **by_size, **by_usage;
	size_t n;
	size_t doubtful;	/* of the original: used in another way than what stands at its place */
};

struct election {
	struct ballot *sure, **sure_end;	/* may have become sure */
	struct pairing *unsure, **unsure_end;	/* groups of which something was paired since they were counted */
};

/*
 * How often the unsure votes of one group are counted. Each time finds all that follows from what is known; for
 * the next time to find more, pairs must depend on each other through votes that are not sure. Nothing that
 * a compiler writes does that often, and what is not found is refused.
 */
#define MAX_COUNTS 100

static bool is_sure(const struct ballot *b)
{
	return b->orig.open == 1 && b->patched.open == 1;
}

static void enqueue_ballot(struct election *e, struct ballot *b)
{
	if (b->queued)
		return;
	b->queued = true;
	b->next_queued = NULL;
	*e->sure_end = b;
	e->sure_end = &b->next_queued;
}

static void enqueue_group(struct election *e, struct pairing *g)
{
	if (g->queued)
		return;
	g->queued = true;
	g->next_queued = NULL;
	*e->unsure_end = g;
	e->unsure_end = &g->next_queued;
}

static struct pairing *next_group(struct election *e)
{
	struct pairing *g = e->unsure;

	if (g) {
		e->unsure = g->next_queued;
		e->unsure_end = e->unsure ? e->unsure_end : &e->unsure;
		g->queued = false;
	}
	return g;
}

static struct ballot *open_ballot(struct election *e, struct pairing *g, const void *voter)
{
	if (!g->open || g->open->voter != voter) {
		g->open = xcalloc(1, sizeof(*g->open));
		g->open->group = g;
		g->open->voter = voter;
		g->open->next = g->ballots;
		g->ballots = g->open;
		enqueue_ballot(e, g->open);
		enqueue_group(e, g);
	}
	return g->open;
}

static struct mention *mention(struct ballot *b, struct mentions *l, struct atom *a)
{
	struct voice *v;

	/* The atom knows where it stands, if that was on this list. */
	if (a->mention < l->n && l->m[a->mention].a == a)
		return &l->m[a->mention];
	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 1;
		l->m = xrealloc(l->m, l->room, sizeof(*l->m));
	}
	v = xcalloc(1, sizeof(*v));
	*v = (struct voice){ .ballot = b, .next = a->voices };
	a->voices = v;
	a->mention = l->n;
	l->m[l->n] = (struct mention){ .a = a, .usage = a->size };
	l->open++;
	return &l->m[l->n++];
}

/* How is a thing used by this relocation? */
static uint64_t usage_hash(const struct atom *user, const struct reloc *r)
{
	uint64_t h = r->type * 1099511628211u + (uint64_t)r->target_off;

	/* Opcode and ModRM byte. */
	if (is_code(user->sec) && r->offset >= user->off + 2)
		h = h * 1099511628211u + user->sec->data[r->offset - 2] * 256u +
		    user->sec->data[r->offset - 1];
	return h * 1099511628211u;
}

static void ask_one(struct election *e, const struct atom *user, const void *voter, bool patched)
{
	for (size_t i = 0; i < user->nrelocs; i++) {
		const struct reloc *r = &user->relocs[i];
		struct atom *t = r->target;
		struct ballot *b;

		if (!t || t->twin || !t->group || !t->group->numbered || t->parent)
			continue;
		b = open_ballot(e, t->group, voter);
		mention(b, patched ? &b->patched : &b->orig, t)->usage += usage_hash(user, r);
	}
}

static void ask(struct election *e, const void *voter, const struct atom_list *orig,
		const struct atom_list *patched)
{
	for (size_t i = 0; i < orig->n; i++)
		ask_one(e, orig->a[i], voter, false);
	for (size_t i = 0; i < patched->n; i++)
		ask_one(e, patched->a[i], voter, true);
}

/* The two versions of a variable that has a counterpart say what is who among what it refers to. */
static void ask_data(struct election *e, struct atom *orig)
{
	struct atom_list o = { .a = &orig, .n = 1 }, p = { .a = &orig->twin, .n = 1 };

	if (orig->nrelocs && orig->twin && !is_code(orig->sec))
		ask(e, orig, &o, &p);
}

static int by_size(const void *x, const void *y)
{
	const struct mention *a = *(struct mention *const *)x, *b = *(struct mention *const *)y;

	return (a->a->size > b->a->size) - (a->a->size < b->a->size);
}

static int by_usage(const void *x, const void *y)
{
	const struct mention *a = *(struct mention *const *)x, *b = *(struct mention *const *)y;

	return (a->usage > b->usage) - (a->usage < b->usage);
}

static int by_number(const void *x, const void *y)
{
	const struct mention *a = *(struct mention *const *)x, *b = *(struct mention *const *)y;

	return strverscmp(atom_name(a->a), atom_name(b->a));
}

/* The only one of a sorted list that compares equal, or NULL. */
static struct mention *only_one(struct mention **sorted, size_t n, struct mention *like,
				int (*compare)(const void *, const void *))
{
	struct mention **found = bsearch(&like, sorted, n, sizeof(*sorted), compare);

	if (!found || (found > sorted && !compare(&like, found - 1)) ||
	    (found + 1 < sorted + n && !compare(&like, found + 1)))
		return NULL;
	return *found;
}

static void start_running(struct running *run, struct mentions *all)
{
	run->n = 0;
	run->in_order = xcalloc(3 * all->n, sizeof(*run->in_order));
	for (size_t i = 0; i < all->n; i++) {
		if (all->m[i].a->twin || all->m[i].certain)
			continue;
		all->m[i].nth = run->n;
		all->m[i].lost = false;
		run->in_order[run->n++] = &all->m[i];
	}
	run->by_size = run->in_order + all->n;
	run->by_usage = run->by_size + all->n;
	if (run->n < 2) {
		if (run->n) {
			run->by_size[0] = run->by_usage[0] = run->in_order[0];
			run->in_order[0]->rank = 0;
		}
		return;
	}
	memcpy(run->by_size, run->in_order, run->n * sizeof(*run->by_size));
	memcpy(run->by_usage, run->in_order, run->n * sizeof(*run->by_usage));
	/* The compiler numbers them in the order of the source, or against it. */
	qsort(run->by_size, run->n, sizeof(*run->by_size), by_number);
	for (size_t i = 0; i < run->n; i++)
		run->by_size[i]->rank = i && !by_number(&run->by_size[i - 1], &run->by_size[i]) ?
						run->by_size[i - 1]->rank : i;
	qsort(run->by_size, run->n, sizeof(*run->by_size), by_size);
	qsort(run->by_usage, run->n, sizeof(*run->by_usage), by_usage);
}

/* The only one on the other side that is used in the way of m, which no other is on this side. */
static struct mention *used_alike(const struct running *from, const struct running *to, struct mention *m)
{
	return only_one(from->by_usage, from->n, m, by_usage) ?
		       only_one(to->by_usage, to->n, m, by_usage) : NULL;
}

static size_t count_doubtful(const struct running *from, const struct running *to)
{
	size_t n = 0;

	for (size_t i = 0; from->n == to->n && i < from->n; i++)
		n += from->in_order[i]->usage != to->in_order[i]->usage;
	return n;
}

/*
 * Which one is m? The compiler moves references about, so that their order alone proves nothing: the
 * order of the numbers must say the same, and the way in which they are used must not say otherwise. One that
 * is used in another way than before is what is left when the others are known. If order and numbers
 * disagree, or if there are more on one side, the way of use decides.
 */
static struct mention *counterpart(const struct running *from, const struct running *to,
				   struct mention *m)
{
	struct mention *n, *alike = used_alike(from, to, m);

	if (from->n == to->n) {
		n = to->in_order[m->nth];
		if (n->rank == m->rank)
			return m->usage == n->usage || (!alike && from->doubtful < 2) ? n : NULL;
	} else if (only_one(from->by_size, from->n, m, by_size)) {
		n = only_one(to->by_size, to->n, m, by_size);
		if (n)
			return n;
	}
	return alike;
}

/*
 * Declared at the same line, if lines can be compared? A voter that mentions one on each side needs no such
 * proof: the declaration was edited. Among several, another line may be that of another variable.
 */
static bool lines_agree(const struct ballot *b, const struct atom *orig, const struct atom *patched)
{
	return (b->orig.n == 1 && b->patched.n == 1) || !orig->line || !patched->line ||
	       orig->line == patched->line;
}

static void vote(struct atom *orig, struct atom *patched)
{
	if (orig->vote && orig->vote != patched)
		orig->vote_conflict = true;
	if (patched->vote && patched->vote != orig)
		patched->vote_conflict = true;
	orig->vote = patched;
	patched->vote = orig;
}

/*
 * What has no counterpart is one of those of its size, or none: nobody knows.
 */
static void leave_open(const struct running *orig, const struct running *patched)
{
	const struct mention *before = NULL;	/* the last one that is lost */
	size_t j = 0;

	for (size_t i = 0; i < orig->n; i++) {
		struct mention *m = orig->by_size[i];

		if (!m->lost)
			continue;
		if (before && before->a->size == m->a->size)
			m->a->vote_conflict |= before->a->vote_conflict;
		before = m;
		while (j < patched->n && by_size(&patched->by_size[j], &m) < 0)
			j++;
		for (; j < patched->n && !by_size(&patched->by_size[j], &m); j++)
			m->a->vote_conflict = patched->by_size[j]->a->vote_conflict = true;
	}
}

static int by_line(const void *x, const void *y)
{
	const struct mention *a = *(struct mention *const *)x, *b = *(struct mention *const *)y;

	return (a->a->line > b->a->line) - (a->a->line < b->a->line);
}

/* Those that have no counterpart yet, by their lines; their number is l->open. NULL: not all lines are known. */
static struct mention **sort_by_line(struct mentions *l)
{
	struct mention **sorted = xcalloc(l->open, sizeof(*sorted));
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		l->m[i].certain = false;
		if (l->m[i].a->twin)
			continue;
		if (!l->m[i].a->line) {
			free(sorted);
			return NULL;
		}
		sorted[n++] = &l->m[i];
	}
	qsort(sorted, n, sizeof(*sorted), by_line);
	return sorted;
}

/* What is declared at a line where nothing else of its name is, in both sources, is the same. */
static void vote_by_lines(struct ballot *b)
{
	struct mention **orig = sort_by_line(&b->orig), **patched = sort_by_line(&b->patched);

	for (size_t i = 0; orig && patched && i < b->orig.open; i++) {
		struct mention *m = orig[i], *n = only_one(patched, b->patched.open, m, by_line);

		if (!n || only_one(orig, b->orig.open, m, by_line) != m || !types_agree(m->a->type, n->a->type))
			continue;
		vote(m->a, n->a);
		m->certain = n->certain = true;
	}
	free(orig);
	free(patched);
}

static void count_ballot(struct ballot *b)
{
	struct running orig, patched;

	vote_by_lines(b);
	start_running(&orig, &b->orig);
	start_running(&patched, &b->patched);
	orig.doubtful = count_doubtful(&orig, &patched);
	for (size_t i = 0; patched.n && i < orig.n; i++) {
		struct mention *m = orig.in_order[i], *n = counterpart(&orig, &patched, m);

		m->lost = !n || !types_agree(m->a->type, n->a->type) || !lines_agree(b, m->a, n->a);
		if (!m->lost)
			vote(m->a, n->a);
	}
	leave_open(&orig, &patched);
	free(orig.in_order);
	free(patched.in_order);
}

static void forget_votes_on(const struct atom_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		l->a[i]->vote = NULL;
		l->a[i]->vote_conflict = false;
	}
}

static void leave_all_open(const struct atom_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		l->a[i]->vote_conflict = true;
}

/* Count a group's ballots anew, those that are sure or all; drop what has nothing more to say. */
static void count_group(struct pairing *g, bool sure)
{
	struct ballot **at = &g->ballots;

	forget_votes_on(&g->orig);
	forget_votes_on(&g->patched);
	while (*at) {
		struct ballot *b = *at;

		if (!b->orig.open || !b->patched.open) {
			*at = b->next;
			continue;
		}
		if (!sure || is_sure(b))
			count_ballot(b);
		at = &b->next;
	}
	g->counted_unsure = !sure;
}

/* a has its counterpart: the ballots that mention it say less now, and more clearly. */
static void settle(struct election *e, struct atom *a, bool is_patched)
{
	for (struct voice *v = a->voices; v; v = v->next) {
		(is_patched ? &v->ballot->patched : &v->ballot->orig)->open--;
		enqueue_group(e, v->ballot->group);
		if (is_sure(v->ballot))
			enqueue_ballot(e, v->ballot);
	}
}

/* Join a with what all votes on it say it is, if they do. */
static void elect(struct election *e, struct atom *a)
{
	struct atom *b = a->vote;

	if (a->twin || !b || b->twin || b->vote != a || a->vote_conflict || b->vote_conflict)
		return;
	join(a, b);
	settle(e, a, false);
	settle(e, b, true);
	ask_data(e, a);
}

/* All ballots that have become sure vote, and then what they pair is paired. */
static void hold_sure(struct election *e)
{
	struct ballot *voted = NULL;

	for (struct ballot *b = e->sure; b; b = b->next_queued) {
		b->queued = false;
		if (!is_sure(b))
			continue;
		if (b->group->counted_unsure)
			count_group(b->group, true);
		count_ballot(b);
		enqueue_group(e, b->group);
		b->next_voted = voted;
		voted = b;
	}
	e->sure = NULL;
	e->sure_end = &e->sure;
	for (struct ballot *b = voted; b; b = b->next_voted)
		for (size_t i = 0; is_sure(b) && i < b->orig.n; i++)
			elect(e, b->orig.m[i].a);
}

static void hold_unsure(struct election *e, struct pairing *g)
{
	if (g->counts++ >= MAX_COUNTS) {
		leave_all_open(&g->orig);
		leave_all_open(&g->patched);
		return;
	}
	count_group(g, false);
	for (size_t i = 0; i < g->orig.n; i++)
		elect(e, g->orig.a[i]);
}

void pair_by_votes(struct pairer *p)
{
	struct election e = { .sure_end = &e.sure, .unsure_end = &e.unsure };
	struct family *f, *tmp;
	struct pairing *g;

	HASH_ITER(hh, p->families, f, tmp)
		ask(&e, f, &f->orig, &f->patched);
	for_each_atom(&p->d->orig, a)
		ask_data(&e, a);
	do {
		while (e.sure)
			hold_sure(&e);
		g = next_group(&e);
		if (g)
			hold_unsure(&e, g);
	} while (g || e.sure);
}
