// SPDX-License-Identifier: GPL-2.0-only
/* kpatch-image symtab: what create-diff-object must know about a kernel or module. */
#include <inttypes.h>

#include <string.h>

#include "btf.h"
#include "command.h"
#include "diag.h"
#include "elf-file.h"
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

#define SEALS ".ibt_endbr_seal"

/*
 * Functions whose address the kernel does not take: it has made the ENDBR at their beginning a trap by
 * the time that a livepatch comes. The section is a list of distances from each entry to the function.
 */
static void write_kernel_seals(FILE *out, const struct image *img)
{
	const struct image_section *s = image_section(img, SEALS);
	int32_t distance;

	for (size_t at = 0; s && s->data && at + sizeof(distance) <= s->size; at += sizeof(distance)) {
		memcpy(&distance, s->data + at, sizeof(distance));
		fprintf(out, "seal\t%016" PRIx64 "\n", s->addr + at + (int64_t)distance);
	}
}

static int write_module_seals(FILE *out, const struct image *img)
{
	struct elf_file file;
	struct section *s;
	int ret = 0;

	if (!image_section(img, SEALS))
		return 0;
	ret = elf_file_open_memory(&file, img->path, img->elf.data, img->elf.size);
	s = ret ? NULL : elf_file_section(&file, SEALS);
	if (s)
		for_each_reloc(s, r)
			if (r->sym->sec && image_is_word(r->sym->sec->name))
				fprintf(out, "seal\t%016" PRIx64 "\t%s\n",
					r->sym->sym.st_value + r->addend, r->sym->sec->name);
	elf_file_close(&file);
	return ret;
}

static int write_seals(FILE *out, const struct image *img)
{
	if (img->module)
		return write_module_seals(out, img);
	write_kernel_seals(out, img);
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
		ret = write_structs(out.stream, &img) || write_seals(out.stream, &img) ? -1 : 0;
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
