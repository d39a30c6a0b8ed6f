// SPDX-License-Identifier: GPL-2.0-only
/*
 * Part of pair_objects(): what a name says. Which parts of it has the compiler numbered, and is the
 * thing one that each version of a function has for itself?
 */
#include <ctype.h>
#include <stdlib.h>

#include "diag.h"
#include "pair.h"

static size_t digits(const char *s)
{
	return strspn(s, "0123456789");
}

/*
 * Names that hold __COUNTER__, which shifts when a use is added above them:
 * __UNIQUE_ID_name123, __initcall__kmod_file__123_45_fn6, ___ADDRESSABLE_name123.
 */
static bool strip_counter(char *key)
{
	static const char *const trailing[] = { "__UNIQUE_ID_", "___ADDRESSABLE_", "__BTF_ID__" };
	char *end = key + strlen(key), *from, *to;

	if (has_prefix(key, "__initcall__")) {
		for (from = strstr(key + 12, "__"); from; from = strstr(from + 1, "__")) {
			to = from + 2;
			if (!digits(to) || to[digits(to)] != '_')
				continue;
			to += digits(to) + 1;
			if (!digits(to) || to[digits(to)] != '_')
				continue;
			to += digits(to);
			memmove(from, to, strlen(to) + 1);
			return true;
		}
		return false;
	}
	for (size_t i = 0; i < sizeof(trailing) / sizeof(*trailing); i++) {
		if (!has_prefix(key, trailing[i]))
			continue;
		for (from = end; from > key && isdigit((unsigned char)from[-1]);)
			from--;
		*from = '\0';
		return from < end;
	}
	return false;
}

/* Drop the components that are numbers: "foo.isra.12.cold" becomes "foo.isra.cold". */
char *name_key(const char *name)
{
	char *key = xstrdup(name), *from = key, *to = key;

	while (*from) {
		size_t n;

		if (from > key && *from == '.' && (n = digits(from + 1)) &&
		    (from[n + 1] == '.' || !from[n + 1])) {
			from += n + 1;
			continue;
		}
		*to++ = *from++;
	}
	*to = '\0';
	strip_counter(key);
	return key;
}

static bool has_type(const struct atom *a, const char *wanted)
{
	char *title;
	bool same;

	if (!wanted || !a->type)
		return true;
	title = type_title(a->type);
	same = !strcmp(title, wanted);
	free(title);
	return same;
}

/*
 * Things that are made by macros or by the compiler for one function, whose identity nobody cares
 * about: each version of the function has its own. The macros' variables are static locals, so the
 * compiler has numbered them: a variable of the author's own called _rs keeps its name and is
 * none of these. Nor is one called once, whose section with -fdata-sections is .data.once, too.
 */
bool is_own_copy(const struct atom *a, const char *key, bool numbered)
{
	static const struct {
		const char *name;
		bool writable;
		const char *type;	/* if it is known, it must be this one; NULL: any */
	} known[] = { { "__key", true, "struct lock_class_key" },
		      { "__warned", true, "_Bool" },
		      { "__already_done", true, "_Bool" },
		      { "__print_once", true, "_Bool" },
		      { "_rs", true, "struct ratelimit_state" },
		      { "__func__", false, NULL },
		      { "__FUNCTION__", false, NULL },
		      { "__PRETTY_FUNCTION__", false, NULL },
		      { "CSWTCH", false, NULL },
		      { "_entry", false, NULL } };
	const char *sec = a->sec->name;

	if (!strcmp(sec, "__dyndbg") || !strcmp(sec, ".data..once"))
		return true;
	if (!strcmp(sec, ".data.once"))
		return strcmp(key, "once");
	if (!numbered || a->kind != ATOM_DATA)
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(key, known[i].name))
			return is_writable(a->sec) == known[i].writable && has_type(a, known[i].type);
	return false;
}

bool is_cold(const char *key)
{
	size_t n = strlen(key);

	return n > 5 && !strcmp(key + n - 5, ".cold");
}
