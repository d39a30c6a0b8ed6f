// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pass find_risks(): what helps to decide whether to load the livepatch, and when. Nothing is refused for it: each note is
 * something that was seen in the objects, of a function that the livepatch replaces, and a plain fix has none.
 *
 * That a task is in the original while the patch takes effect is told by the original's code; what the patch changes about
 * locks, references and tracepoints by both.
 */
#include <ctype.h>
#include <stdlib.h>

#include "diag.h"
#include "risk.h"

void add_risk(struct atom *a, const char *kind, char *text)
{
	struct risk **end = &a->risks;

	while (*end)
		end = &(*end)->next;
	*end = xcalloc(1, sizeof(**end));
	**end = (struct risk){ .kind = kind, .text = text };
}

void for_each_call(const struct atom *a, void (*fn)(void *arg, const char *name, const struct atom *callee), void *arg)
{
	const struct atom *parts[] = { a, a->child };

	for (unsigned int p = 0; p < 2 && parts[p]; p++)
		for (size_t i = 0; i < parts[p]->nrelocs; i++) {
			const struct reloc *r = &parts[p]->relocs[i];
			const struct atom *t = r->target;

			if (!arch_is_branch(parts[p]->sec, r) || t == a || (t && t->parent == a) || (t && !is_function(t)))
				continue;
			fn(arg, t ? atom_name(t) : r->sym->name, t);
		}
}

/* ---- the transition ---- */

/* Functions in which nearly all tasks, or all of one kind, are at any time. */
static const char *who_is_in(const char *name)
{
	static const struct {
		const char *name, *who;
	} known[] = {
		{ "do_syscall_64", "each task in a system call" },
		{ "schedule", "each task that sleeps" },
		{ "schedule_timeout", "most tasks that wait with a timeout" },
		{ "schedule_hrtimeout_range_clock", "most tasks in poll(), select() and epoll_wait()" },
		{ "kthread", "each kernel thread" },
		{ "worker_thread", "each worker of a workqueue" },
		{ "rescuer_thread", "each rescuer of a workqueue" },
		{ "smpboot_thread_fn", "each kernel thread that a processor has" },
		{ "kthread_worker_fn", "each worker thread of kthread_create_worker()" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(name, known[i].name))
			return known[i].who;
	return NULL;
}

static void find_thread_call(void *arg, const char *name, const struct atom *callee)
{
	const char **found = arg;

	if (!*found && (!strcmp(name, "kthread_should_stop") || !strcmp(name, "kthread_should_park") ||
			!strcmp(name, "kthread_parkme") || !strcmp(name, "kthread_freezable_should_stop")))
		*found = name;
}

/* A kernel thread runs it for as long as it lives: the call by which that is seen; NULL: it does not. */
static const char *thread_call(const struct atom *f)
{
	const char *found = NULL;

	for_each_call(f, find_thread_call, &found);
	for (size_t i = 0; i < f->nuses && !found; i++) {
		const struct use *u = &f->uses[i];

		if (is_code(u->by->sec) && !arch_is_branch(u->by->sec, u->reloc)) {
			const struct reloc *call = call_behind(u);
			const char *name = !call ? "" : call->target ? atom_name(call->target) : call->sym->name;

			if (has_prefix(name, "kthread_create") || !strcmp(name, "kthread_run") || !strcmp(name, "kernel_thread"))
				found = name;
		}
	}
	return found;
}

static void tell_wait(struct atom *a, const char *route)
{
	char *calls = system_calls_of(a->twin);

	add_risk(a, "sleeps",
		 xasprintf("tasks may wait in it for long%s%s (%s): the patch takes effect when the last one has left it",
			   calls ? ", in the system calls " : "", calls ? calls : "", route));
	free(calls);
}

static void check_transition(struct atom *a, const struct routes *routes)
{
	const char *who = who_is_in(atom_name(a->twin)), *thread = thread_call(a->twin);
	char *route;

	if (who) {
		add_risk(a, "stacks", xasprintf("%s is in it: the patch takes effect for none of them before it has left it once", who));
		return;
	}
	if (thread) {
		add_risk(a, "thread",
			 xasprintf("a kernel thread runs it (%s()): the patch takes effect when the thread leaves it, which may be never; see whether it can be stopped", thread));
		return;
	}
	route = route_of(routes, a->twin);
	if (route)
		tell_wait(a, route);
	free(route);
}

/* ---- probes ---- */

static bool has_entry_in(const struct atom *f, const char *section)
{
	for (const struct atom *e = f->entries; e; e = e->next_entry)
		if (!strcmp(e->sec->name, section))
			return true;
	for (size_t i = 0; i < f->nuses; i++)
		if (!strcmp(f->uses[i].by->sec->name, section))
			return true;
	return false;
}

/* The functions that the file lists by BTF_ID(): "__BTF_ID__func__NAME__7". */
static struct name_set *list_for_bpf(const struct elf_file *file)
{
	static const char prefix[] = "__BTF_ID__func__";
	struct name_set *list = NULL, *s;

	for_each_symbol(file, sym) {
		char *name;
		size_t n;

		if (!sym->sec || strcmp(sym->sec->name, ".BTF_ids") || !has_prefix(sym->name, prefix))
			continue;
		name = xstrdup(sym->name + sizeof(prefix) - 1);
		for (n = strlen(name); n && isdigit((unsigned char)name[n - 1]); n--)
			;
		while (n && name[n - 1] == '_')
			n--;
		name[n] = '\0';
		HASH_FIND_STR(list, name, s);
		if (s) {
			free(name);
			continue;
		}
		s = xcalloc(1, sizeof(*s));
		s->name = name;
		HASH_ADD_KEYPTR(hh, list, s->name, strlen(s->name), s);
	}
	return list;
}

static void check_probes(struct atom *a, struct name_set *for_bpf)
{
	const struct atom *f = a->twin;
	struct name_set *s;

	if (has_entry_in(f, "_kprobe_blacklist"))
		add_risk(a, "kprobes", xstrdup("it must not be probed (NOKPROBE_SYMBOL), as handling a probe may call it; so may what redirects it"));
	if (has_entry_in(f, "_error_injection_whitelist"))
		add_risk(a, "errors", xstrdup("errors can be injected into it (ALLOW_ERROR_INJECTION), and it depends on what came first whether that works; remove such probes before the patch is loaded"));
	HASH_FIND_STR(for_bpf, atom_name(f), s);
	if (s)
		add_risk(a, "bpf", xstrdup("BPF programs may call it, or be attached to it (BTF_ID); see that what they rely on stays as it is"));
}

/* ---- tracepoints ---- */

struct tracepoint {
	const char *name;
	struct atom *was_in;	/* the patched version of the first function that had it */
	bool is_there;
	UT_hash_handle hh;
};

/* A tracepoint's key is in a jump label of the function that has it. */
static void note_tracepoints(struct tracepoint **list, const struct atom *f, struct atom *was_in)
{
	const struct atom *parts[] = { f, f->child };
	struct tracepoint *t;

	for (unsigned int p = 0; p < 2 && parts[p]; p++)
		for (const struct atom *e = parts[p]->entries; e; e = e->next_entry)
			for (size_t i = 0; i < e->nrelocs; i++) {
				const struct reloc *r = &e->relocs[i];
				const char *name = r->target ? (is_named(r->target) ? atom_name(r->target) : "") : r->sym->name;

				if (!has_prefix(name, "__tracepoint_"))
					continue;
				HASH_FIND_STR(*list, name, t);
				if (!t) {
					t = xcalloc(1, sizeof(*t));
					*t = (struct tracepoint){ .name = name, .was_in = was_in };
					HASH_ADD_KEYPTR(hh, *list, t->name, strlen(t->name), t);
				}
				t->is_there |= !was_in;
			}
}

/* One that only goes to another function, or is inlined elsewhere, is still there. */
static void check_tracepoints(struct diff *d)
{
	struct tracepoint *list = NULL, *t, *tmp;

	for (struct atom *a = d->taken; a; a = a->next_taken)
		if (is_function(a) && !a->parent && a->twin)
			note_tracepoints(&list, a->twin, a);
	for (struct atom *a = d->taken; a; a = a->next_taken)
		if (is_function(a) && !a->parent)
			note_tracepoints(&list, a, NULL);
	HASH_ITER(hh, list, t, tmp) {
		if (t->was_in && !t->is_there)
			add_risk(t->was_in, "trace", xasprintf("it no longer has the tracepoint %s: who traces that misses its events", t->name + strlen("__tracepoint_")));
		HASH_DEL(list, t);
		free(t);
	}
}

int find_risks(struct diff *d)
{
	struct name_set *for_bpf = list_for_bpf(&d->orig), *s, *tmp;
	struct routes *routes = find_routes(&d->orig);

	for (struct atom *a = d->taken; a; a = a->next_taken) {
		if (!is_function(a) || a->parent || !a->twin || a->state != STATE_CHANGED)
			continue;
		check_transition(a, routes);
		check_probes(a, for_bpf);
		check_balance(d, a);
		check_lock_order(d, a);
	}
	check_tracepoints(d);
	free_routes(routes);
	HASH_ITER(hh, for_bpf, s, tmp) {
		HASH_DEL(for_bpf, s);
		free(s->name);
		free(s);
	}
	return 0;
}
