// SPDX-License-Identifier: GPL-2.0-only
/*
 * mutate - copy an object and change one constant in one of its functions: an immediate operand that
 * is neither relocated nor a branch's displacement, in a function that ftrace can redirect. What the
 * diff engine must say about the two is then known: this function, and no other.
 *
 * Usage: mutate SEED IN.o OUT.o
 *
 * Prints all names of the function on one line, and on the next one what was changed. Exit status: 0
 * done, 1 error, 3 no function has such a constant. The seed decides; nothing else does.
 */
#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "arch.h"
#include "diag.h"
#include "elf-file.h"

struct constant {
	uint64_t offset;	/* in the function's section */
	unsigned int width;	/* bytes */
	uint64_t insn;		/* where the instruction starts */
};

struct function {
	const struct symbol *sym;
	struct constant *constants;
	size_t nconstants;
};

struct candidates {
	struct function *functions;
	size_t n;
};

/* splitmix64: every seed, 0 too, gives another row of numbers. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static bool is_relocated(const struct section *sec, uint64_t from, uint64_t to)
{
	for_each_reloc(sec, r)
		if (r->offset < to && r->offset + arch_reloc_width(r->type) > from)
			return true;
	return false;
}

/* Code that is freed after boot, or is in the image only when built in, is not patched. */
static bool stays(const struct section *sec)
{
	return is_code(sec) && sec->data && !has_prefix(sec->name, ".init") &&
	       !has_prefix(sec->name, ".exit") && !has_prefix(sec->name, ".meminit");
}

static void find_constants(const ZydisDecoder *decoder, struct function *f)
{
	const struct section *sec = f->sym->sec;
	uint64_t at = f->sym->sym.st_value, end = at + f->sym->sym.st_size;

	while (at < end) {
		ZydisDecodedInstruction insn;
		struct constant c = { .insn = at };

		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(decoder, NULL, sec->data + at,
								end - at, &insn)))
			return;
		c.offset = at + insn.raw.imm[0].offset;
		c.width = insn.raw.imm[0].size / 8;
		at += insn.length;
		if (!c.width || insn.raw.imm[0].is_relative ||
		    is_relocated(sec, c.offset, c.offset + c.width))
			continue;
		f->constants = xrealloc(f->constants, f->nconstants + 1, sizeof(c));
		f->constants[f->nconstants++] = c;
	}
}

/* The function that the place of a call to ftrace belongs to. */
static const struct symbol *function_at(const struct elf_file *file, const struct section *sec,
					uint64_t at)
{
	for_each_symbol(file, s)
		if (s->sec == sec && symbol_type(s) == STT_FUNC && at >= s->sym.st_value &&
		    at < s->sym.st_value + s->sym.st_size)
			return s;
	return NULL;
}

static void find_functions(const struct elf_file *file, struct candidates *all)
{
	const struct section *mcount = elf_file_section(file, ARCH_MCOUNT_SECTION);
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (!mcount)
		return;
	all->functions = xcalloc(mcount->nrelocs, sizeof(*all->functions));
	for_each_reloc(mcount, r) {
		struct function f = { 0 };

		if (!r->sym->sec || !stays(r->sym->sec))
			continue;
		f.sym = function_at(file, r->sym->sec, r->sym->sym.st_value + r->addend);
		if (f.sym)
			find_constants(&decoder, &f);
		if (f.nconstants)
			all->functions[all->n++] = f;
	}
}

static void print_choice(const struct elf_file *file, const struct function *f,
			 const struct constant *c)
{
	const char *blank = "";

	for_each_symbol(file, s) {
		if (s->sec != f->sym->sec || s->sym.st_value != f->sym->sym.st_value ||
		    symbol_type(s) != STT_FUNC)
			continue;
		printf("%s%s", blank, s->name);
		blank = " ";
	}
	printf("\n%u bytes at %s+0x%lx, of the instruction at +0x%lx\n", c->width, f->sym->sec->name,
	       (unsigned long)c->offset, (unsigned long)c->insn);
}

static int copy_changed(const char *from, const char *to, uint64_t at, unsigned char flip)
{
	FILE *in = fopen(from, "re"), *out = fopen(to, "we");
	uint64_t pos = 0;
	int c, err = 0;

	if (!in || !out)
		return diag_error("%s: %s; is the path right?", in ? to : from, strerror(errno));
	while ((c = getc(in)) != EOF)
		putc(pos++ == at ? c ^ flip : c, out);
	if (ferror(in) || ferror(out))
		err = diag_error("%s: cannot copy to %s; is the disk full?", from, to);
	fclose(in);
	if (fclose(out))
		err = diag_error("%s: cannot write; is the disk full?", to);
	return err;
}

int main(int argc, char **argv)
{
	struct candidates all = { 0 };
	const struct function *f;
	const struct constant *c;
	struct elf_file file;
	uint64_t random;

	diag_init(argv[0]);
	if (argc != 4) {
		diag_error("usage: mutate SEED IN.o OUT.o");
		return EXIT_ERROR;
	}
	random = strtoull(argv[1], NULL, 0);
	if (elf_file_open(&file, argv[2]))
		return EXIT_ERROR;
	find_functions(&file, &all);
	if (!all.n)
		return EXIT_UNCHANGED;
	f = &all.functions[next_random(&random) % all.n];
	c = &f->constants[next_random(&random) % f->nconstants];
	if (copy_changed(argv[2], argv[3], f->sym->sec->sh.sh_offset + c->offset,
			 1 << next_random(&random) % 7))
		return EXIT_ERROR;
	print_choice(&file, f, c);
	return EXIT_DONE;
}
