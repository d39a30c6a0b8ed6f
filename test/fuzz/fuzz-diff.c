// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz-diff - all of create-diff-object on damaged and crafted ORIG, PATCHED, SYMTAB, PROOF and IMAGE, in
 * this process.
 *
 * Built with clang -fsanitize=fuzzer it is a libFuzzer target (see run). Built with any compiler and
 * -DOWN_DRIVER it is a program of its own, which knows no coverage but needs nothing installed:
 *
 *	fuzz-diff ROUNDS SEED		that many inputs; the same seed gives the same ones
 *	fuzz-diff INPUT...		these inputs, such as were found before
 *
 * FUZZ_BASES names directories, with ':' between them, that hold good inputs: orig.o, patched.o, symtab,
 * symvers and changed-lines, perhaps proof.o and image, and objname. An input is a byte that chooses the base, a byte that
 * chooses which of the files is replaced (its highest bit: and that differences from the image are warnings; the
 * next one: and that a function is shown instead), and the contents of that file. The mutations know ELF: they put extreme values into single fields of headers,
 * symbols and relocations, so that they reach what lies behind the first checks.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_BASES 16
#define MAX_INPUT (4u << 20)
#define ROUNDS_PER_PROCESS 50	/* the passes leave their memory to the end of the process */
#define SECONDS_PER_ROUND 20	/* more is a hang */

enum { ORIG, PATCHED, SYMTAB, PROOF, IMAGE, SYMVERS, NFILES };

static const char *const file_names[NFILES] = { "orig.o", "patched.o", "symtab",
						       "proof.o", "image", "symvers" };

#define SKIP_IMAGE_CHECK 0x80
#define EXPLAIN 0x40

struct blob {
	unsigned char *data;
	size_t size;
};

struct base {
	struct blob file[NFILES];
	char *path[NFILES];
	char *changed_lines;
	char *objname;		/* first line of the file of this name; or vmlinux */
	bool has_proof;
};

static struct base bases[MAX_BASES];
static size_t nbases;

/* main() of create-diff-object, which is compiled under this name. */
int create_diff_object(int argc, char **argv);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room) __attribute__((weak));

static _Noreturn void die(const char *what)
{
	perror(what);
	_exit(1);
}

static struct blob read_blob(const char *path)
{
	struct blob b = { .data = malloc(MAX_INPUT) };
	FILE *in = fopen(path, "re");

	if (!in || !b.data) {
		die(path);
	} else {
		b.size = fread(b.data, 1, MAX_INPUT, in);
		fclose(in);
	}
	return b;
}

/* The word in a file of dir; "vmlinux" if there is none. */
static char *read_word(const char *dir, const char *name)
{
	char *path, *word = NULL;
	FILE *in;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		die("memory");
	in = fopen(path, "re");
	if (!in || fscanf(in, "%60ms", &word) != 1)
		word = strdup("vmlinux");
	if (in)
		fclose(in);
	free(path);
	return word;
}

static void read_bases(void)
{
	const char *env = getenv("FUZZ_BASES");
	char *dirs = strdup(env ? env : "."), *dir;

	while ((dir = strsep(&dirs, ":")) && nbases < MAX_BASES) {
		struct base *base = &bases[nbases++];

		for (int i = 0; i < NFILES; i++) {
			if (asprintf(&base->path[i], "%s/%s", dir, file_names[i]) < 0)
				die("memory");
			if (i == PROOF)
				base->has_proof = !access(base->path[i], R_OK);
			if ((i != PROOF && i != IMAGE) || base->has_proof)
				base->file[i] = read_blob(base->path[i]);
		}
		if (asprintf(&base->changed_lines, "%s/changed-lines", dir) < 0)
			die("memory");
		base->objname = read_word(dir, "objname");
	}
}

/* Which file an input replaces. */
static int which_file(const struct base *base, uint8_t byte)
{
	return (byte & ~(SKIP_IMAGE_CHECK | EXPLAIN)) % (base->has_proof ? SYMVERS : SYMTAB + 1);
}

/* ---- one input ---- */

/* A file without a place in the file system. */
static char *memory_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("input", 0);
	char *path;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || asprintf(&path, "/proc/self/fd/%d", fd) < 0)
		die("memfd");
	return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char output[64], report[64], mod[] = "livepatch_fuzz", name[] = "fuzz",
		report_option[] = "--report", proof_option[] = "--proof", image_option[] = "--image",
		skip_option[] = "--skip-image-check", debug_option[] = "--debug", lines_option[] = "--changed-lines",
		explain_option[] = "--explain=foo", same_lines_option[] = "--same-lines";
	char *file[NFILES], *fuzzed;
	struct base *base;
	int which;

	if (!nbases) {
		read_bases();
		snprintf(output, sizeof(output), "/tmp/fuzz-diff.%d.o", (int)getpid());
		snprintf(report, sizeof(report), "/tmp/fuzz-diff.%d", (int)getpid());
	}
	if (size < 2)
		return 0;
	base = &bases[data[0] % nbases];
	which = which_file(base, data[1]);
	memcpy(file, base->path, sizeof(file));
	file[which] = fuzzed = memory_file(data + 2, size - 2);

	char *argv[] = { name, report_option, report, lines_option, base->changed_lines,
			 data[1] & EXPLAIN ? explain_option : same_lines_option, file[ORIG], file[PATCHED], base->objname,
			 file[SYMTAB], file[SYMVERS], mod, output, proof_option, file[PROOF],
			 image_option, file[IMAGE],
			 data[1] & SKIP_IMAGE_CHECK ? skip_option : debug_option, NULL };
	int argc = sizeof(argv) / sizeof(*argv) - (base->has_proof ? 1 : 6);

	argv[argc] = NULL;
	int status = create_diff_object(argc, argv);

	if (status < 0 || status > 3 || (status && !access(output, F_OK)))
		abort();
	unlink(output);
	unlink(report);
	close(atoi(strrchr(fuzzed, '/') + 1));
	free(fuzzed);
	return 0;
}

/* ---- mutations ---- */

static uint64_t random_state;

static uint64_t next_random(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static size_t below(size_t n)
{
	return n ? next_random() % n : 0;
}

/* A value that some check may have forgotten. */
static uint64_t extreme(size_t size)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 4, 7, 8, 12, 16, 24, 64, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xfeff, 0xff00,
		0xfff1, 0xfff2, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
		0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffffff8, 0xffffffffffffffff
	};

	switch (below(4)) {
	case 0:
		return size - 4 + below(9);
	case 1:
		return below(size);
	case 2:
		return below(32);
	default:
		return values[below(sizeof(values) / sizeof(*values))];
	}
}

struct field {
	size_t at, width;
};

static void put(struct blob *b, size_t base, struct field f, uint64_t value)
{
	if (base <= b->size && f.at + f.width <= b->size - base)
		memcpy(b->data + base + f.at, &value, f.width);
}

#define FIELD(type, member) { offsetof(type, member), sizeof(((type *)0)->member) }

static const struct field header_fields[] = {
	FIELD(Elf64_Ehdr, e_type), FIELD(Elf64_Ehdr, e_shoff), FIELD(Elf64_Ehdr, e_shentsize),
	FIELD(Elf64_Ehdr, e_shnum), FIELD(Elf64_Ehdr, e_shstrndx), FIELD(Elf64_Ehdr, e_ehsize)
};

static const struct field section_fields[] = {
	FIELD(Elf64_Shdr, sh_name), FIELD(Elf64_Shdr, sh_type), FIELD(Elf64_Shdr, sh_flags),
	FIELD(Elf64_Shdr, sh_offset), FIELD(Elf64_Shdr, sh_size), FIELD(Elf64_Shdr, sh_link),
	FIELD(Elf64_Shdr, sh_info), FIELD(Elf64_Shdr, sh_addralign), FIELD(Elf64_Shdr, sh_entsize)
};

static const struct field symbol_fields[] = {
	FIELD(Elf64_Sym, st_name), FIELD(Elf64_Sym, st_info), FIELD(Elf64_Sym, st_shndx),
	FIELD(Elf64_Sym, st_value), FIELD(Elf64_Sym, st_size)
};

static const struct field reloc_fields[] = {
	FIELD(Elf64_Rela, r_offset), FIELD(Elf64_Rela, r_addend),
	{ offsetof(Elf64_Rela, r_info), 4 }, { offsetof(Elf64_Rela, r_info) + 4, 4 }
};

#define ONE_OF(fields) (fields)[below(sizeof(fields) / sizeof(*(fields)))]

/* Header of section i, or NULL. */
static Elf64_Shdr *section_header(const struct blob *b, size_t i)
{
	const Elf64_Ehdr *eh = (const void *)b->data;

	if (b->size < sizeof(*eh) || eh->e_shoff % 8 || eh->e_shoff > b->size ||
	    (i + 1) * sizeof(Elf64_Shdr) > b->size - eh->e_shoff)
		return NULL;
	return (Elf64_Shdr *)(b->data + eh->e_shoff) + i;
}

/* Any section of this type; 0: of any. */
static Elf64_Shdr *random_section(const struct blob *b, uint32_t type)
{
	const Elf64_Ehdr *eh = (const void *)b->data;

	for (int tries = 0; tries < 100; tries++) {
		Elf64_Shdr *sh = b->size < sizeof(*eh) ? NULL : section_header(b, below(eh->e_shnum));

		if (sh && (!type || sh->sh_type == type) && sh->sh_offset < b->size &&
		    sh->sh_size <= b->size - sh->sh_offset)
			return sh;
	}
	return NULL;
}

static void mutate_element(struct blob *b, uint32_t type, size_t size, struct field f)
{
	Elf64_Shdr *sh = random_section(b, type);

	if (sh)
		put(b, sh->sh_offset + below(sh->sh_size / size) * size, f, extreme(sh->sh_size));
}

static void mutate_strings(struct blob *b)
{
	Elf64_Shdr *sh = random_section(b, SHT_STRTAB);

	if (!sh || !sh->sh_size)
		return;
	if (below(2))	/* the last string does not end */
		b->data[sh->sh_offset + sh->sh_size - 1] = 'x';
	else		/* names become long */
		for (size_t i = below(sh->sh_size), n = below(sh->sh_size); i < sh->sh_size - 1 && n--; i++)
			b->data[sh->sh_offset + i] = 'x';
}

static void mutate_elf(struct blob *b)
{
	Elf64_Shdr *sh = random_section(b, 0), *other = random_section(b, 0), copy;

	switch (below(14)) {
	case 0:
		put(b, 0, ONE_OF(header_fields), extreme(b->size));
		break;
	case 1: case 2: case 3:
		if (sh)
			put(b, (unsigned char *)sh - b->data, ONE_OF(section_fields),
			    extreme(below(2) ? b->size : sh->sh_size));
		break;
	case 4: case 5:
		mutate_element(b, SHT_SYMTAB, sizeof(Elf64_Sym), ONE_OF(symbol_fields));
		break;
	case 6: case 7: case 8:
		mutate_element(b, SHT_RELA, sizeof(Elf64_Rela), ONE_OF(reloc_fields));
		break;
	case 9:
		mutate_strings(b);
		break;
	case 10:	/* sections that overlap, change places, or have each other's properties */
		if (!sh || !other)
			break;
		copy = *sh;
		if (below(2))
			sh->sh_offset = other->sh_offset + below(16);
		else if (below(2))
			sh->sh_flags = other->sh_flags, sh->sh_type = other->sh_type;
		else
			*sh = *other, *other = copy;
		break;
	default:	/* contents: code, tables, debugging information */
		if (sh && sh->sh_size)
			b->data[sh->sh_offset + below(sh->sh_size)] = next_random();
	}
}

static void mutate_text(struct blob *b)
{
	static const char *const pieces[] = { "\t", "\n", "\n\n", "sym\t", "struct\t", "seal\t", " ",
					      "ffffffffffffffff", "-1", ":", "\t\t\t\t\t\t\t\t\t\t\t\t", "T",
					      "99999999999999999999" };
	const char *piece = pieces[below(sizeof(pieces) / sizeof(*pieces))];
	size_t n = strlen(piece), at = below(b->size);

	switch (below(4)) {
	case 0:
		b->size = at;
		break;
	case 1:
		if (at < b->size)
			b->data[at] = next_random();
		break;
	case 2:
		if (b->size - at >= n)
			memcpy(b->data + at, piece, n);
		break;
	default:
		memset(b->data + at, 'x', below(b->size - at));
	}
}

/* The header of a bzImage, or what is packed in it. */
static void mutate_packed(struct blob *b)
{
	static const struct field fields[] = {
		{ 0x1f1, 1 }, { 0x206, 2 }, { 0x20e, 2 }, { 0x248, 4 }, { 0x24c, 4 }
	};

	if (below(2))
		put(b, 0, ONE_OF(fields), extreme(b->size));
	else if (b->size)
		b->data[below(b->size)] = next_random();
}

static void mutate(struct blob *b, int which)
{
	for (size_t n = 1 + below(3); n; n--) {
		if (which == SYMTAB)
			mutate_text(b);
		else if (b->size < SELFMAG || memcmp(b->data, ELFMAG, SELFMAG))
			mutate_packed(b);
		else
			mutate_elf(b);
	}
	if (!below(50))
		b->size = below(b->size + 1);
}

/* Choose base and file, which the first two bytes of an input say; returns that file. */
static const struct blob *choose_good(uint8_t *input, int *which)
{
	static const uint8_t objects[] = { ORIG, PATCHED, PROOF, IMAGE };
	const struct base *base;

	input[0] = below(nbases);
	base = &bases[input[0]];
	*which = below(10) ? objects[below(base->has_proof ? 4 : 2)] : SYMTAB;
	input[1] = *which | (base->has_proof && below(2) ? SKIP_IMAGE_CHECK : 0) | (below(8) ? 0 : EXPLAIN);
	return &base->file[*which];
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed)
{
	static unsigned char copy[MAX_INPUT] __attribute__((aligned(16)));
	struct blob b = { copy, size - 2 };
	int which;

	random_state = seed;
	if (size < 2 || size > MAX_INPUT || (LLVMFuzzerMutate && !below(4)))
		return LLVMFuzzerMutate ? LLVMFuzzerMutate(data, size, room) : size;
	/* libFuzzer's workers prefer what was found last: no file is to be forgotten. */
	if (!below(4)) {
		uint8_t start[2];
		const struct blob *good = choose_good(start, &which);

		if (good->size + 2 <= room) {
			memcpy(data, start, sizeof(start));
			memcpy(data + 2, good->data, good->size);
			b.size = good->size;
		}
	}
	which = which_file(&bases[data[0] % nbases], data[1]);
	memcpy(copy, data + 2, b.size);
	mutate(&b, which);
	memcpy(data + 2, copy, b.size);
	if (!below(8))
		data[1] ^= SKIP_IMAGE_CHECK;
	return b.size + 2;
}

/* ---- without libFuzzer ---- */

#ifdef OWN_DRIVER

static FILE *results;

/* The input of a round depends on the seed and the round alone. */
static struct blob make_input(uint64_t seed, uint64_t round)
{
	static unsigned char buffer[MAX_INPUT + 16] __attribute__((aligned(16)));
	unsigned char *input = buffer + 14;
	struct blob b = { .data = buffer + 16 };
	const struct blob *good;
	int which;

	random_state = seed * 1000003 + round;
	next_random();
	good = choose_good(input, &which);
	memcpy(b.data, good->data, good->size);
	b.size = good->size;
	mutate(&b, which);
	return (struct blob){ input, b.size + 2 };
}

/* In a process of its own; returns what waitpid() says. */
static int run_rounds(uint64_t seed, uint64_t from, uint64_t to)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("fork");
	if (!pid) {
		for (uint64_t i = from; i < to; i++) {
			struct blob b = make_input(seed, i);

			alarm(SECONDS_PER_ROUND);
			LLVMFuzzerTestOneInput(b.data, b.size);
		}
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	return status;
}

static int keep_input(uint64_t seed, uint64_t round, int status)
{
	struct blob b = make_input(seed, round);
	char name[64];
	FILE *out;

	snprintf(name, sizeof(name), "finding-%lu-%lu", (unsigned long)seed, (unsigned long)round);
	out = fopen(name, "we");
	if (!out || fwrite(b.data, 1, b.size, out) != b.size || fclose(out))
		die(name);
	fprintf(results, "%s: %s %d\n", name, WIFSIGNALED(status) ? "signal" : "exit status",
	       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return 1;
}

static int fuzz(uint64_t rounds, uint64_t seed)
{
	int findings = 0;

	for (uint64_t from = 0; from < rounds; from += ROUNDS_PER_PROCESS) {
		uint64_t to = from + ROUNDS_PER_PROCESS < rounds ? from + ROUNDS_PER_PROCESS : rounds;

		if (!run_rounds(seed, from, to))
			continue;
		for (uint64_t i = from; i < to; i++) {
			int status = run_rounds(seed, i, i + 1);

			if (status)
				findings += keep_input(seed, i, status);
		}
	}
	fprintf(results, "%lu inputs, %d findings\n", (unsigned long)rounds, findings);
	return findings > 0;
}

int main(int argc, char **argv)
{
	unsigned char nothing[1] = { 0 };
	char *end;

	if (argc < 2)
		return 1;
	LLVMFuzzerTestOneInput(nothing, 0);
	/* The program's own messages are not wanted; sanitizers have a log_path. */
	results = fdopen(dup(STDOUT_FILENO), "w");
	if (!results || (!getenv("FUZZ_DEBUG") && (!freopen("/dev/null", "w", stderr) ||
						   !freopen("/dev/null", "w", stdout))))
		die("/dev/null");
	setlinebuf(results);
	strtoull(argv[1], &end, 10);
	if (argc == 3 && !*end)
		return fuzz(strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10));
	for (int i = 1; i < argc; i++) {
		struct blob b = read_blob(argv[i]);

		LLVMFuzzerTestOneInput(b.data, b.size);
	}
	return 0;
}

#endif
