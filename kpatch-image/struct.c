// SPDX-License-Identifier: GPL-2.0-only
/* kpatch-image struct: sizes of structures in a kernel. */
#include "btf.h"
#include "command.h"
#include "diag.h"
#include "image.h"

static int write_sizes(const struct btf *btf, const struct command_line *line)
{
	struct output out;
	int ret = 0;

	/* All of them or none: the output may be a file that others read. */
	for (char **name = line->names; *name; name++)
		if (btf_size(btf, *name) < 0)
			ret = diag_error("%s: struct %s: not in this kernel's BTF; check the name",
					 line->file, *name);
	if (ret || output_open(&out, line->output))
		return -1;
	for (char **name = line->names; *name; name++)
		fprintf(out.stream, "struct\t%s\t%ld\n", *name, btf_size(btf, *name));
	return output_close(&out, 0);
}

static int run(const struct command_line *line)
{
	struct btf *btf = NULL;
	struct image img;
	int ret = -1;

	if (image_open(&img, line->file))
		return -1;
	btf = btf_open(&img);
	if (btf)
		ret = write_sizes(btf, line);
	btf_close(btf);
	image_close(&img);
	return ret;
}

const struct command command_struct = {
	.name = "struct",
	.usage = "FILE NAME...",
	.doc = "Print the size in bytes of each structure, union or typedef NAME.",
	.run = run,
	.wants = WANTS_OUTPUT | WANTS_NAMES,
};
