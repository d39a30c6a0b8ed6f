/* SPDX-License-Identifier: GPL-2.0-only */
/* What depends on the kernel's version and cannot be read off the kernel itself. */
#ifndef KPATCH_RELEASE_H
#define KPATCH_RELEASE_H

#include <stdbool.h>
#include <stddef.h>

struct release {
	unsigned int major, minor;
};

/* "6.1.0-56-cloud-amd64": returns whether text begins like a release. */
bool release_parse(struct release *release, const char *text);

/*
 * The longest name of a symbol that livepatch can look up, in characters: KSYM_NAME_LEN less 1. That was
 * 128 and is 512 since Linux 6.1.
 */
size_t release_symbol_name_max(const struct release *release);

#endif
