// SPDX-License-Identifier: GPL-2.0-only
/* The name of a livepatch symbol in its intermediate form; see doc/architecture.md. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "module.h"

bool is_vmlinux(const char *object)
{
	return !strcmp(object, "vmlinux");
}

void klp_name_free(struct klp_name *klp)
{
	free(klp->patched);
	free(klp->owner);
	free(klp->name);
	memset(klp, 0, sizeof(*klp));
}

/* Cut at the first stop, which must be there and not come first. NULL: it does not. */
static char *take_until(const char **at, char stop)
{
	const char *end = strchr(*at, stop);
	char *word;

	if (!end || end == *at)
		return NULL;
	word = xasprintf("%.*s", (int)(end - *at), *at);
	*at = end + 1;
	return word;
}

/*
 * The kernel compares object names with those of loaded modules, which have underscores where the
 * files have dashes: a dash would never match.
 */
static bool is_object_name(const char *s)
{
	return s && !strpbrk(s, "-,");
}

/* One spelling only, so that equal positions are equal strings. */
static bool is_position(const char *s)
{
	if (!*s || (s[0] == '0' && s[1]) || s[strspn(s, "0123456789")])
		return false;
	errno = 0;
	strtoul(s, NULL, 10);
	return !errno;
}

bool klp_name_parse(struct klp_name *klp, const char *symbol)
{
	const char *at = symbol + strlen(INTERMEDIATE_SYM_PREFIX);

	memset(klp, 0, sizeof(*klp));
	klp->patched = take_until(&at, '.');
	klp->owner = klp->patched ? take_until(&at, '.') : NULL;
	klp->name = klp->owner ? take_until(&at, ',') : NULL;
	if (!klp->name || !is_object_name(klp->patched) || !is_object_name(klp->owner) ||
	    !is_position(at)) {
		klp_name_free(klp);
		return false;
	}
	klp->pos = strtoul(at, NULL, 10);
	return true;
}
