// SPDX-License-Identifier: GPL-2.0-only
/*
 * Part of find_risks(): which functions of a file lead to where tasks wait, for something that may take any time? A task
 * goes over to the new code when none of the functions that it is in is a patched one, so that each function on the way there
 * counts, and not only the last one.
 */
#include <stdlib.h>

#include "diag.h"
#include "risk.h"

/* Whoever is further away mostly waits in some rare case only. */
#define MAX_CALLS	2

/* System calls are functions that do little more than call others. */
#define MAX_CALLERS	4
#define MAX_SHOWN	3

struct route {
	const struct atom *a;
	const struct route *via;	/* of what it calls on the way; NULL: the wait itself */
	unsigned int calls;		/* to the wait */
	const char *wait;
	struct route *next;		/* in the queue */
	UT_hash_handle hh;
};

struct routes {
	struct route *by_atom;		/* hash */
	struct route *first, **last;	/* the queue: shortest first */
};

/* What waits for disks, memory, some seconds or locks is not in here: that ends by itself. */
static bool is_long_wait(const char *name)
{
	static const char *const waits[] = {
		"schedule", "schedule_timeout", "schedule_hrtimeout", "schedule_hrtimeout_range",
		"schedule_hrtimeout_range_clock", "wait_woken", "wait_for_completion_interruptible",
		"wait_for_completion_killable", "sk_wait_data", "sk_stream_wait_memory", "kthread_worker_fn",
	};

	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++)
		if (!strcmp(name, waits[i]))
			return true;
	return false;
}

static void find_wait(void *arg, const char *name, const struct atom *callee)
{
	const char **wait = arg;

	if (!*wait && is_long_wait(name))
		*wait = name;
}

static void add_route(struct routes *routes, const struct atom *a, const struct route *via, const char *wait)
{
	struct route *r;

	HASH_FIND_PTR(routes->by_atom, &a, r);
	if (r)
		return;
	r = xcalloc(1, sizeof(*r));
	*r = (struct route){ .a = a, .via = via, .wait = wait, .calls = via ? via->calls + 1 : 1 };
	HASH_ADD_PTR(routes->by_atom, a, r);
	*routes->last = r;
	routes->last = &r->next;
}

static void add_callers(struct routes *routes, const struct route *r)
{
	for (size_t i = 0; i < r->a->nuses; i++) {
		const struct atom *by = r->a->uses[i].by;

		if (!is_code(by->sec) || !arch_is_branch(by->sec, r->a->uses[i].reloc))
			continue;
		by = by->parent ? by->parent : by;
		if (is_function(by))
			add_route(routes, by, r, r->wait);
	}
}

static struct routes *new_routes(void)
{
	struct routes *routes = xcalloc(1, sizeof(*routes));

	routes->last = &routes->first;
	return routes;
}

static void follow_callers(struct routes *routes, unsigned int max)
{
	for (struct route *r = routes->first; r; r = r->next)
		if (r->calls < max)
			add_callers(routes, r);
}

struct routes *find_routes(const struct elf_file *file)
{
	struct routes *routes = new_routes();

	for_each_atom(file, a) {
		const char *wait = NULL;

		if (!is_function(a) || a->parent)
			continue;
		for_each_call(a, find_wait, &wait);
		if (wait)
			add_route(routes, a, NULL, wait);
	}
	follow_callers(routes, MAX_CALLS);
	return routes;
}

void free_routes(struct routes *routes)
{
	struct route *r, *tmp;

	HASH_ITER(hh, routes->by_atom, r, tmp) {
		HASH_DEL(routes->by_atom, r);
		free(r);
	}
	free(routes);
}

char *route_of(const struct routes *routes, const struct atom *a)
{
	char *text, *more;
	struct route *found;

	HASH_FIND_PTR(routes->by_atom, &a, found);
	/* A task that waits in something else that is replaced is told of there. */
	if (!found || (found->via && found->via->a->twin && found->via->a->twin->state == STATE_CHANGED))
		return NULL;
	text = xstrdup("it calls");
	for (const struct route *r = found->via; r; r = r->via) {
		more = xasprintf("%s %s(), which calls", text, atom_name(r->a));
		free(text);
		text = more;
	}
	more = xasprintf("%s %s()", text, found->wait);
	free(text);
	return more;
}

char *system_calls_of(const struct atom *a)
{
	static const char prefix[] = "__x64_sys_";
	struct routes *up = new_routes();
	char *text = NULL, *more;
	unsigned int n = 0;

	add_route(up, a, NULL, NULL);
	follow_callers(up, MAX_CALLERS + 1);
	for (const struct route *r = up->first; r; r = r->next) {
		const char *name = atom_name(r->a);

		if (!has_prefix(name, prefix) || n++ >= MAX_SHOWN)
			continue;
		more = xasprintf("%s%s%s()", text ? text : "", text ? ", " : "", name + sizeof(prefix) - 1);
		free(text);
		text = more;
	}
	if (n > MAX_SHOWN) {
		more = xasprintf("%s and %u more", text, n - MAX_SHOWN);
		free(text);
		text = more;
	}
	free_routes(up);
	return text;
}
