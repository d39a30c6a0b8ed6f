/* SPDX-License-Identifier: GPL-2.0-only */
/* Sizes of structures, from the type information (BTF) that a kernel carries. */
#ifndef KPATCH_BTF_H
#define KPATCH_BTF_H

#include <stddef.h>

#include "image.h"

struct btf;

/* The types of IMG; NULL after a message. Release with btf_close(), which accepts NULL. */
struct btf *btf_open(const struct image *img);
void btf_close(struct btf *btf);

/* Size in bytes of `struct NAME`, or of the union or typedef of that name; -1 when there is none. */
long btf_size(const struct btf *btf, const char *name);

#endif
