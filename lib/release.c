// SPDX-License-Identifier: GPL-2.0-only
/* Versions of the kernel; see release.h. */
#include <stdio.h>

#include "release.h"

bool release_parse(struct release *release, const char *text)
{
	return sscanf(text, "%u.%u", &release->major, &release->minor) == 2;
}

size_t release_symbol_name_max(const struct release *release)
{
	bool old = release->major < 6 || (release->major == 6 && release->minor < 1);

	return old ? 127 : 511;
}
