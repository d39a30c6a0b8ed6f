// SPDX-License-Identifier: GPL-2.0-only
/* Sizes of structures; see btf.h. */
#include <errno.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "btf.h"
#include "diag.h"

struct btf *btf_open(const struct image *img)
{
	const struct image_section *sec = image_section(img, ".BTF");
	struct btf *btf;

	if (img->module) {
		diag_error("%s: a module's BTF is no use without its kernel's; give the kernel image",
			   img->path);
		return NULL;
	}
	if (!sec || !sec->data || !sec->size) {
		diag_error("%s: no .BTF section; the kernel must have CONFIG_DEBUG_INFO_BTF=y",
			   img->path);
		return NULL;
	}

	/* libbpf would say more on standard error than one line. */
	libbpf_set_print(NULL);
	errno = 0;
	btf = sec->size <= UINT32_MAX ? btf__new(sec->data, (uint32_t)sec->size) : NULL;
	if (libbpf_get_error(btf) || !btf) {
		diag_error("%s: damaged .BTF section (%s); get the file again", img->path,
			   strerror(errno));
		return NULL;
	}
	return btf;
}

void btf_close(struct btf *btf)
{
	btf__free(btf);
}

long btf_size(const struct btf *btf, const char *name)
{
	static const unsigned int kinds[] = { BTF_KIND_STRUCT, BTF_KIND_UNION, BTF_KIND_TYPEDEF };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int id = btf__find_by_name_kind(btf, name, kinds[i]);
		long long size = id > 0 ? btf__resolve_size(btf, (unsigned int)id) : -1;

		if (size >= 0)
			return (long)size;
	}
	return -1;
}
