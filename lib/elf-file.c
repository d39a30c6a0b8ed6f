// SPDX-License-Identifier: GPL-2.0-only
/* Reading and checking relocatable objects; see elf-file.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch.h"
#include "diag.h"
#include "elf-file.h"

static int libelf_error(const struct elf_file *file, const char *what)
{
	return diag_error("%s: %s: %s; is the file damaged?", file->path, what, elf_errmsg(-1));
}

/* FNV-1a. */
static uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash;
}

/* The slot of the first section of that name, or the free one where it belongs. */
static struct section_slot *find_slot(const struct elf_file *file, const char *name, uint32_t hash)
{
	for (size_t i = hash;; i++) {
		struct section_slot *slot = &file->by_name[i & file->by_name_mask];

		if (!slot->index || (slot->hash == hash && !strcmp(file->sections[slot->index].name, name)))
			return slot;
	}
}

static void make_index(struct elf_file *file)
{
	size_t slots = 2;

	while (slots < file->nsections * 2)
		slots *= 2;
	file->by_name = xcalloc(slots, sizeof(*file->by_name));
	file->by_name_mask = slots - 1;
	for_each_section(file, s) {
		uint32_t hash = hash_name(s->name);
		struct section_slot *slot;

		if (s->sh.sh_type == SHT_RELA)
			continue;
		slot = find_slot(file, s->name, hash);
		if (!slot->index)
			*slot = (struct section_slot){ .hash = hash, .index = s->index };
	}
}

static int read_sections(struct elf_file *file)
{
	size_t n, shstrndx;
	uint64_t nobits = 0;

	if (elf_getshdrnum(file->elf, &n) || elf_getshdrstrndx(file->elf, &shstrndx))
		return libelf_error(file, "section headers");
	if (n == 0)
		return diag_error("%s: no sections; is this an object file?", file->path);

	file->sections = xcalloc(n, sizeof(*file->sections));
	file->nsections = n;
	file->sections[0].name = "";

	for (size_t i = 1; i < n; i++) {
		struct section *s = &file->sections[i];
		Elf_Scn *scn = elf_getscn(file->elf, i);
		Elf_Data *data;

		s->index = i;
		if (!scn || !gelf_getshdr(scn, &s->sh))
			return libelf_error(file, "section header");
		s->name = elf_strptr(file->elf, shstrndx, s->sh.sh_name);
		if (!s->name)
			return libelf_error(file, "section name");
		s->size = s->sh.sh_size;
		if (s->sh.sh_addralign & (s->sh.sh_addralign - 1) || s->sh.sh_addralign > 1UL << 24)
			return diag_error("%s: section %s: impossible alignment; is the file damaged?",
					  file->path, s->name);
		if (s->sh.sh_type == SHT_NOBITS) {
			/* Nothing in the file limits it, and offsets must not overflow. */
			nobits += s->size < INT32_MAX ? s->size : INT32_MAX;
			if (nobits >= INT32_MAX)
				return diag_error("%s: section %s: impossible size; is the file damaged?",
						  file->path, s->name);
			continue;
		}
		if (!s->size)
			continue;
		data = elf_getdata(scn, NULL);
		if (!data)
			return libelf_error(file, s->name);
		if (!data->d_buf || data->d_size != s->size)
			return diag_error("%s: section %s: truncated; is the file damaged?", file->path,
					  s->name);
		s->data = data->d_buf;
	}
	make_index(file);
	return 0;
}

static int read_symbol(struct elf_file *file, struct symbol *s, Elf_Data *data, Elf_Data *xndx,
		       size_t strtab)
{
	Elf32_Word wide = 0;
	size_t shndx;

	if (!gelf_getsymshndx(data, xndx, s->index, &s->sym, &wide))
		return libelf_error(file, "symbol table");
	s->name = elf_strptr(file->elf, strtab, s->sym.st_name);
	if (!s->name)
		return libelf_error(file, "symbol name");

	shndx = s->sym.st_shndx;
	if (shndx == SHN_XINDEX)
		shndx = wide;
	else if (shndx == SHN_UNDEF || shndx >= SHN_LORESERVE)
		return 0;
	if (shndx == 0 || shndx >= file->nsections)
		return diag_error("%s: symbol %s: section %zu does not exist; is the file damaged?",
				  file->path, s->name, shndx);
	s->sec = &file->sections[shndx];
	if (is_section_symbol(s)) {
		s->sec->secsym = s;
		s->name = s->sec->name;
	}
	if (s->sym.st_value > s->sec->size || s->sym.st_size > s->sec->size - s->sym.st_value)
		return diag_error("%s: symbol %s: outside of section %s; is the file damaged?", file->path,
				  s->name, s->sec->name);
	return 0;
}

static int read_symbols(struct elf_file *file)
{
	Elf_Data *data = NULL, *xndx = NULL;
	struct section *symtab = NULL;

	for_each_section(file, s) {
		if (s->sh.sh_type == SHT_SYMTAB) {
			if (symtab)
				return diag_error("%s: two symbol tables; is the file damaged?", file->path);
			symtab = s;
		} else if (s->sh.sh_type == SHT_SYMTAB_SHNDX) {
			xndx = elf_getdata(elf_getscn(file->elf, s->index), NULL);
		}
	}
	if (!symtab || !symtab->size)
		return diag_error("%s: no symbol table; was it stripped?", file->path);

	data = elf_getdata(elf_getscn(file->elf, symtab->index), NULL);
	file->nsymbols = symtab->size / gelf_fsize(file->elf, ELF_T_SYM, 1, EV_CURRENT);
	if (!data || !file->nsymbols)
		return libelf_error(file, "symbol table");
	if (symtab->sh.sh_link == 0 || symtab->sh.sh_link >= file->nsections)
		return diag_error("%s: the symbol table has no strings; is the file damaged?", file->path);
	file->symbols = xcalloc(file->nsymbols, sizeof(*file->symbols));
	for (size_t i = 0; i < file->nsymbols; i++) {
		file->symbols[i].index = i;
		if (read_symbol(file, &file->symbols[i], data, xndx, symtab->sh.sh_link))
			return -1;
	}
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct reloc *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/*
 * The kernel's largest addends take an address of its direct mapping from that of a symbol: 47 bits. Up
 * to this limit sums of addend and offset cannot overflow.
 */
#define MAX_ADDEND (INT64_C(1) << 62)

static int read_relocs(struct elf_file *file, struct section *rela)
{
	Elf_Data *data = elf_getdata(elf_getscn(file->elf, rela->index), NULL);
	size_t entsize = gelf_fsize(file->elf, ELF_T_RELA, 1, EV_CURRENT);
	struct section *s;
	bool sorted = true;
	size_t n = 0;

	if (rela->sh.sh_info == 0 || rela->sh.sh_info >= file->nsections)
		return diag_error("%s: section %s: relocates nothing; is the file damaged?", file->path,
				  rela->name);
	s = &file->sections[rela->sh.sh_info];
	if (s->nrelocs)
		return diag_error("%s: section %s: relocated twice; is the file damaged?", file->path,
				  s->name);
	/* What relocates a compressed section is meant for what that unpacks to. */
	if (!rela->size || s->sh.sh_flags & SHF_COMPRESSED)
		return 0;
	if (!data)
		return libelf_error(file, rela->name);
	s->nrelocs = rela->size / entsize;
	s->relocs = xcalloc(s->nrelocs, sizeof(*s->relocs));
	for (size_t i = 0; i < rela->size / entsize; i++) {
		struct reloc *r = &s->relocs[n];
		GElf_Rela gr;

		if (!gelf_getrela(data, i, &gr))
			return libelf_error(file, rela->name);
		if (GELF_R_SYM(gr.r_info) >= file->nsymbols || gr.r_offset > s->size ||
		    gr.r_addend > MAX_ADDEND || gr.r_addend < -MAX_ADDEND)
			return diag_error("%s: section %s: relocation %zu is out of range; is the file damaged?",
					  file->path, rela->name, i);
		r->offset = gr.r_offset;
		r->type = GELF_R_TYPE(gr.r_info);
		r->sym = &file->symbols[GELF_R_SYM(gr.r_info)];
		r->addend = gr.r_addend;
		/*
		 * Type 0 relocates nothing on any architecture. objtool leaves such ones where it has
		 * replaced a call in code that must not be instrumented.
		 */
		if (!r->type)
			continue;
		if (n && r->offset < r[-1].offset)
			sorted = false;
		n++;
	}
	s->nrelocs = n;
	if (!sorted)
		qsort(s->relocs, s->nrelocs, sizeof(*s->relocs), by_offset);
	return 0;
}

static int read_all(struct elf_file *file)
{
	const char *path = file->path;

	if (!file->elf)
		return libelf_error(file, "cannot read");
	if (elf_kind(file->elf) != ELF_K_ELF || !gelf_getehdr(file->elf, &file->eh))
		return diag_error("%s: not an ELF file; give an object file", path);
	if (file->eh.e_type != ET_REL)
		return diag_error("%s: not a relocatable object; give a .o file", path);
	if (gelf_getclass(file->elf) != ELFCLASS64 || file->eh.e_ident[EI_DATA] != ELFDATA2LSB ||
	    file->eh.e_machine != arch_machine())
		return diag_error("%s: not an object of %s; other architectures are not supported yet",
				  path, arch_name());
	if (read_sections(file) || read_symbols(file))
		return -1;
	for_each_section(file, s) {
		if (s->sh.sh_type == SHT_RELA && read_relocs(file, s))
			return -1;
		if (s->sh.sh_type == SHT_REL)
			return diag_error("%s: section %s: relocations without addend; not a kernel object",
					  path, s->name);
	}
	return 0;
}

/* All of a file at once: section by section takes a system call and an allocation for each. */
static void *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *image = NULL;
	struct stat st;
	ssize_t n;

	*size = 0;
	if (fd < 0 || fstat(fd, &st)) {
		diag_error("%s: %s; is the path right?", path, strerror(errno));
		goto out;
	}
	/* Behind its end is a zero, so that every string in it ends, whatever libraries look at. */
	image = xcalloc(st.st_size + 1, 1);
	while (*size < (size_t)st.st_size) {
		n = read(fd, image + *size, st.st_size - *size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			diag_error("%s: %s; is the path right?", path, strerror(errno));
			free(image);
			image = NULL;
			break;
		}
		if (!n)
			break;
		*size += n;
	}
out:
	if (fd >= 0)
		close(fd);
	return image;
}

int elf_file_open(struct elf_file *file, const char *path)
{
	size_t size;
	void *image = read_file(path, &size);
	int err;

	if (!image) {
		memset(file, 0, sizeof(*file));
		return -1;
	}
	err = elf_file_open_memory(file, path, image, size);
	file->image = image;
	return err;
}

int elf_file_open_memory(struct elf_file *file, const char *path, void *data, size_t size)
{
	memset(file, 0, sizeof(*file));
	file->path = path;
	elf_version(EV_CURRENT);
	file->elf = elf_memory(data, size);
	return read_all(file);
}

size_t section_first_reloc(const struct section *s, uint64_t off)
{
	size_t lo = 0, hi = s->nrelocs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->relocs[mid].offset < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void elf_file_close(struct elf_file *file)
{
	free(file->by_name);
	for (size_t i = 0; i < file->nsections; i++) {
		free(file->sections[i].relocs);
		free(file->sections[i].atoms);
		free(file->sections[i].starts);
	}
	free(file->sections);
	free(file->symbols);
	if (file->elf)
		elf_end(file->elf);
	free(file->image);
	memset(file, 0, sizeof(*file));
}

struct section *elf_file_section(const struct elf_file *file, const char *name)
{
	const struct section_slot *slot = find_slot(file, name, hash_name(name));

	return slot->index ? &file->sections[slot->index] : NULL;
}
