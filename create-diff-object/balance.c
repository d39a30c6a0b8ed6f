// SPDX-License-Identifier: GPL-2.0-only
/*
 * Part of find_risks(): does a function now keep a lock or a reference that it gave back before, or the other way round?
 * While a livepatch takes effect some tasks run the old code and some the new one, and whoever takes in one of them what
 * the other one gives back does it twice or never.
 *
 * What is called tells: mutex_lock() takes what mutex_unlock() gives back. Which names belong together follows from the
 * words in them, and is only believed if the kernel exports both: what is inlined is not seen. How often they are called says
 * nothing, a compiler puts them on each way out; but a function that had calls of both and has one kind now does differ.
 */
#include <stdlib.h>

#include "diag.h"
#include "risk.h"

/* A family: what takes, and what gives back, by the name that both have without that word. */
struct family {
	char *key;
	bool reference;			/* and no lock */
	char *takes[2], *gives[2];	/* what is called, in the original and the patched version; NULL: nothing */
	UT_hash_handle hh;
};

/* Names that follow no rule. */
static const struct {
	const char *takes, *gives;
	bool reference;
} pairs[] = {
	{ "lock_sock_nested", "release_sock", false },
	{ "__lock_sock_fast", "release_sock", false },
	{ "fget", "fput", true },
	{ "igrab", "iput", true },
	{ "ihold", "iput", true },
};

enum meaning { MEANS_NOTHING, TAKES, GIVES };

static const struct {
	const char *word, *counterpart;
	enum meaning meaning;
	bool reference;
} words[] = {
	{ "lock", "unlock", TAKES, false },   { "trylock", "unlock", TAKES, false }, { "unlock", "lock", GIVES, false },
	{ "down", "up", TAKES, false },	      { "up", "down", GIVES, false },	     { "get", "put", TAKES, true },
	{ "put", "get", GIVES, true },
};

/* Ways to take or give back the same thing. */
static bool is_variant(const char *word, bool semaphore)
{
	static const char *const variants[] = { "nested", "nest", "interruptible", "killable", "timeout", "io", "irq", "irqsave",
						"irqrestore", "bh", "try" };

	for (size_t i = 0; i < sizeof(variants) / sizeof(*variants); i++)
		if (!strcmp(word, variants[i]))
			return true;
	/* downgrade_write() makes one of the other. */
	return semaphore && (!strcmp(word, "read") || !strcmp(word, "write") || !strcmp(word, "trylock") || !strcmp(word, "non") ||
			     !strcmp(word, "owner"));
}

static char *append(char *text, const char *more)
{
	char *longer = xasprintf("%s%s%s", text, *text && text[strlen(text) - 1] != '_' ? "_" : "", more);

	free(text);
	return longer;
}

/*
 * "_raw_spin_lock_irqsave": takes, key "_raw_spin_*", counterpart "_raw_spin_unlock". *key and *counterpart are allocated
 * anew if it means something.
 */
static enum meaning meaning_of(const char *name, char **key, char **counterpart, bool *reference)
{
	char *copy = xstrdup(name), *rest = copy + strspn(copy, "_"), *word;
	enum meaning meaning = MEANS_NOTHING;
	bool semaphore = false;

	*key = xstrdup("");
	*counterpart = xasprintf("%.*s", (int)(rest - copy), name);
	while ((word = strsep(&rest, "_"))) {
		size_t i = 0;

		while (i < sizeof(words) / sizeof(*words) && strcmp(words[i].word, word))
			i++;
		if (meaning == MEANS_NOTHING && i < sizeof(words) / sizeof(*words)) {
			meaning = words[i].meaning;
			*reference = words[i].reference;
			semaphore = !strcmp(word, "down") || !strcmp(word, "up");
			*key = append(*key, "*");
			*counterpart = append(*counterpart, words[i].counterpart);
		} else if (!is_variant(word, semaphore)) {
			*key = append(*key, word);
			*counterpart = append(*counterpart, word);
		} else if (semaphore && (!strcmp(word, "read") || !strcmp(word, "write"))) {
			*counterpart = append(*counterpart, word);
		}
	}
	free(copy);
	if (meaning != MEANS_NOTHING)
		return meaning;
	free(*key);
	free(*counterpart);
	return MEANS_NOTHING;
}

static bool is_known(const struct diff *d, const char *name)
{
	return exports_find(&d->exports, name) || symtab_find(&d->own_symtab, name);
}

/* How far what is called is followed. */
#define MAX_DEPTH	3

/* A function of the file that is called. */
struct callee {
	const struct atom *a;
	unsigned int depth;	/* of those that call it */
	struct callee *next;	/* in the queue */
	UT_hash_handle hh;
};

struct count {
	struct diff *d;
	struct family **families;
	unsigned int side;		/* 0: the original */
	struct callee *common;		/* hash: what the other version of the function calls */
	struct callee *own;		/* hash: what only this version calls, and what that calls */
	struct callee *first, **last;	/* the queue of those */
	unsigned int depth;		/* of what is being looked at */
};

static void note_family(struct count *c, const char *key, bool takes, bool reference, const char *name)
{
	struct family *f;
	char **what;

	HASH_FIND_STR(*c->families, key, f);
	if (!f) {
		f = xcalloc(1, sizeof(*f));
		f->key = xstrdup(key);
		f->reference = reference;
		HASH_ADD_KEYPTR(hh, *c->families, f->key, strlen(f->key), f);
	}
	what = takes ? &f->takes[c->side] : &f->gives[c->side];
	if (!*what)
		*what = xstrdup(name);
}

static bool note_pair(struct count *c, const char *name)
{
	bool found = false;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		bool takes = !strcmp(name, pairs[i].takes);

		if (!takes && strcmp(name, pairs[i].gives))
			continue;
		note_family(c, pairs[i].gives, takes, pairs[i].reference, name);
		found = true;
	}
	return found;
}

static bool has_callee(struct callee *set, const struct atom *a)
{
	struct callee *found = NULL;

	if (a)
		HASH_FIND_PTR(set, &a, found);
	return found;
}

static struct callee *add_callee(struct callee **set, const struct atom *a)
{
	struct callee *c = xcalloc(1, sizeof(*c));

	c->a = a;
	HASH_ADD_PTR(*set, a, c);
	return c;
}

static void free_callees(struct callee *set)
{
	struct callee *c, *tmp;

	HASH_ITER(hh, set, c, tmp) {
		HASH_DEL(set, c);
		free(c);
	}
}

static void note_common(void *arg, const char *name, const struct atom *callee)
{
	struct callee **set = arg;

	if (callee && !has_callee(*set, callee))
		add_callee(set, callee);
}

/* If only one version calls it, the other one has it inlined perhaps, or does itself what it does. Each is looked at once. */
static void note_callee(struct count *c, const struct atom *callee)
{
	struct callee *own;

	if (c->depth == MAX_DEPTH || has_callee(c->common, callee) || has_callee(c->common, callee->twin) ||
	    has_callee(c->own, callee))
		return;
	own = add_callee(&c->own, callee);
	own->depth = c->depth + 1;
	*c->last = own;
	c->last = &own->next;
}

static void note_call(void *arg, const char *name, const struct atom *callee)
{
	struct count *c = arg;
	char *key, *counterpart;
	enum meaning meaning;
	bool reference;

	if (callee && !is_global_atom(callee)) {
		note_callee(c, callee);
		return;
	}
	if (note_pair(c, name))
		return;
	meaning = meaning_of(name, &key, &counterpart, &reference);
	if (meaning == MEANS_NOTHING)
		return;
	if (is_known(c->d, counterpart))
		note_family(c, key, meaning == TAKES, reference, name);
	free(key);
	free(counterpart);
}

static void count_calls(struct diff *d, struct family **families, unsigned int side, const struct atom *a, const struct atom *other)
{
	struct count c = { .d = d, .families = families, .side = side, .last = &c.first };

	for_each_call(other, note_common, &c.common);
	for_each_call(a, note_call, &c);
	for (const struct callee *f = c.first; f; f = f->next) {
		c.depth = f->depth;
		for_each_call(f->a, note_call, &c);
	}
	free_callees(c.common);
	free_callees(c.own);
}

/* What a version does: 1 takes, 2 gives back. */
static unsigned int flags(const struct family *f, unsigned int side)
{
	return (f->takes[side] ? 1 : 0) | (f->gives[side] ? 2 : 0);
}

static char *calls_text(const struct family *f, unsigned int side)
{
	if (f->takes[side] && f->gives[side])
		return xasprintf("%s() and %s()", f->takes[side], f->gives[side]);
	if (!f->takes[side] && !f->gives[side])
		return xstrdup("neither");
	return xasprintf("only %s()", f->takes[side] ? f->takes[side] : f->gives[side]);
}

/*
 * A reference that is given back now and was not before, or the other way round, is mostly what was forgotten on some way out:
 * that is for one call alone.
 */
static bool is_risk(const struct family *f)
{
	unsigned int was = flags(f, 0), is = flags(f, 1);

	if (was == is || (was != 1 && was != 2 && is != 1 && is != 2))
		return false;
	return !f->reference || is != 3;
}

static void tell(struct atom *a, const struct family *f)
{
	char *was = calls_text(f, 0), *is = calls_text(f, 1);

	if (f->reference)
		add_risk(a, "references",
			 xasprintf("the original calls %s, the new code %s: while the patch takes effect, both run; see that a reference that one takes is not dropped twice or never", was, is));
	else
		add_risk(a, "locks",
			 xasprintf("the original calls %s, the new code %s: while the patch takes effect, both run; see that callers agree about who holds the lock", was, is));
	free(was);
	free(is);
}

void check_balance(struct diff *d, struct atom *a)
{
	struct family *families = NULL, *f, *tmp;

	count_calls(d, &families, 0, a->twin, a);
	count_calls(d, &families, 1, a, a->twin);
	HASH_ITER(hh, families, f, tmp) {
		if (is_risk(f))
			tell(a, f);
		HASH_DEL(families, f);
		for (unsigned int side = 0; side < 2; side++) {
			free(f->takes[side]);
			free(f->gives[side]);
		}
		free(f->key);
		free(f);
	}
}

bool takes_lock(const struct diff *d, const char *name)
{
	bool reference = false, known;
	char *key, *counterpart;
	enum meaning meaning;

	meaning = meaning_of(name, &key, &counterpart, &reference);
	if (meaning == MEANS_NOTHING)
		return false;
	known = is_known(d, counterpart);
	free(key);
	free(counterpart);
	return meaning == TAKES && !reference && known;
}
