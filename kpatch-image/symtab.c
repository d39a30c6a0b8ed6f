// SPDX-License-Identifier: GPL-2.0-only
/* kpatch-image symtab: what create-diff-object must know about a kernel or module. */
#include <inttypes.h>

#include "btf.h"
#include "command.h"
#include "image.h"
#include "kallsyms.h"

/* Entries of the special sections whose size differs between kernels. */
static const char *const structs[] = {
	"alt_instr", "bug_entry", "exception_table_entry", "jump_entry", "orc_entry",
	"paravirt_patch_site", "static_call_site",
};

static int write_structs(FILE *out, const struct image *img)
{
	struct btf *btf;

	/* Without BTF the sizes come from a probe that is compiled against the prepared source. */
	if (img->module || !image_section(img, ".BTF"))
		return 0;
	btf = btf_open(img);
	if (!btf)
		return -1;
	for (size_t i = 0; i < sizeof(structs) / sizeof(structs[0]); i++) {
		long size = btf_size(btf, structs[i]);

		if (size > 0)
			fprintf(out, "struct\t%s\t%ld\n", structs[i], size);
	}
	btf_close(btf);
	return 0;
}

static void write_syms(FILE *out, const struct kallsyms *ks)
{
	for (size_t i = 0; i < ks->nr; i++) {
		const struct kallsym *sym = &ks->syms[i];

		fprintf(out, "sym\t%016" PRIx64 "\t%c\t%s", sym->addr, sym->type, sym->name);
		if (sym->section)
			fprintf(out, "\t%s", sym->section);
		if (sym->loading_pos)
			fprintf(out, "\t%u", sym->loading_pos);
		putc('\n', out);
	}
}

static int run(const struct command_line *line)
{
	struct kallsyms ks = { 0 };
	struct output out;
	struct image img;
	int ret;

	if (image_open(&img, line->file))
		return -1;
	ret = kallsyms_read(&ks, &img);
	if (!ret)
		ret = output_open(&out, line->output);
	if (!ret) {
		fprintf(out.stream, "kpatch-symtab\t1\nobject\t%s\n", img.name);
		if (img.release)
			fprintf(out.stream, "release\t%s\n", img.release);
		ret = write_structs(out.stream, &img);
		if (!ret)
			write_syms(out.stream, &ks);
		ret = output_close(&out, ret);
	}
	kallsyms_free(&ks);
	image_close(&img);
	return ret;
}

const struct command command_symtab = {
	.name = "symtab",
	.usage = "FILE",
	.doc = "Write the symbols that the running kernel knows of FILE, in its order.",
	.run = run,
	.wants = WANTS_OUTPUT,
};
