// SPDX-License-Identifier: GPL-2.0-only
/* Writing relocatable objects; see elf-out.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch.h"
#include "diag.h"
#include "elf-out.h"

#define GROW(array, n, room)                                                                       \
	do {                                                                                       \
		if ((n) == (room)) {                                                               \
			(room) = (room) ? (room) * 2 : 16;                                         \
			(array) = xrealloc(array, room, sizeof(*(array)));                         \
		}                                                                                  \
	} while (0)

struct out_section *out_section_new(struct elf_out *out, const char *name, uint32_t type,
				    uint64_t flags, uint64_t align, uint64_t entsize)
{
	struct out_section *sec = xcalloc(1, sizeof(*sec));

	sec->name = xstrdup(name);
	sec->type = type;
	sec->flags = flags;
	sec->align = align ? align : 1;
	sec->entsize = entsize;
	GROW(out->sections, out->nsections, out->sections_room);
	out->sections[out->nsections++] = sec;
	return sec;
}

uint64_t out_section_append(struct out_section *sec, const void *data, size_t size, uint64_t align)
{
	unsigned char fill = sec->flags & SHF_EXECINSTR ? 0x90 : 0;
	uint64_t offset;

	if (!align)
		align = 1;
	if (align > sec->align)
		sec->align = align;
	offset = (sec->size + align - 1) & -align;
	if (sec->type != SHT_NOBITS && (!sec->data || offset + size > sec->room)) {
		sec->room = (offset + size) * 2;
		sec->data = xrealloc(sec->data, sec->room, 1);
	}
	if (sec->type != SHT_NOBITS) {
		memset(sec->data + sec->size, fill, offset - sec->size);
		if (data && size)
			memcpy(sec->data + offset, data, size);
		else
			memset(sec->data + offset, 0, size);
	}
	sec->size = offset + size;
	return offset;
}

struct out_symbol *out_symbol_new(struct elf_out *out, const char *name, struct out_section *sec,
				  uint64_t value, uint64_t size, unsigned char bind,
				  unsigned char type)
{
	struct out_symbol *sym = xcalloc(1, sizeof(*sym));

	sym->name = xstrdup(name);
	sym->sec = sec;
	sym->value = value;
	sym->size = size;
	sym->bind = bind;
	sym->type = type;
	GROW(out->symbols, out->nsymbols, out->symbols_room);
	out->symbols[out->nsymbols++] = sym;
	return sym;
}

struct out_symbol *out_section_symbol(struct elf_out *out, struct out_section *sec)
{
	if (!sec->secsym)
		sec->secsym = out_symbol_new(out, "", sec, 0, 0, STB_LOCAL, STT_SECTION);
	return sec->secsym;
}

struct out_section *out_rela_new(struct elf_out *out, struct out_section *sec, const char *name,
				 uint64_t flags)
{
	struct out_section *rela = out_section_new(out, name, SHT_RELA, flags, 8, sizeof(Elf64_Rela));

	rela->relocates = sec;
	return rela;
}

void out_rela_add(struct out_section *rela, struct out_reloc reloc)
{
	GROW(rela->relocs, rela->nrelocs, rela->relocs_room);
	rela->relocs[rela->nrelocs++] = reloc;
}

void out_reloc_add(struct elf_out *out, struct out_section *sec, struct out_reloc reloc)
{
	if (!sec->rela) {
		char *name = xasprintf(".rela%s", sec->name);

		sec->rela = out_rela_new(out, sec, name, SHF_INFO_LINK);
		free(name);
	}
	out_rela_add(sec->rela, reloc);
}

/* A string table under construction. Offset 0 is the empty string. */
struct strings {
	char *data;
	size_t size, room;
};

static uint32_t strings_add(struct strings *t, const char *s)
{
	size_t n = strlen(s) + 1, at = t->size;

	if (t->size && n == 1)
		return 0;
	if (t->size + n > t->room) {
		t->room = (t->size + n) * 2;
		t->data = xrealloc(t->data, t->room, 1);
	}
	memcpy(t->data + at, s, n);
	t->size += n;
	return at;
}

struct writer {
	struct elf_out *out;
	Elf *elf;
	struct strings names, strtab;
	Elf64_Sym *syms;
	Elf32_Word *xndx;		/* section indices that do not fit; NULL: all fit */
	Elf64_Rela **relas;
	unsigned int nlocal, symtab_index;
};

static unsigned int section_count(const struct writer *w)
{
	/* null, the sections, .symtab, .strtab, .shstrtab, perhaps .symtab_shndx */
	return w->out->nsections + 4 + !!w->xndx;
}

static void number(struct writer *w)
{
	struct elf_out *out = w->out;
	unsigned int n = 1;

	for (size_t i = 0; i < out->nsections; i++)
		out->sections[i]->index = i + 1;
	if (out->nsections >= SHN_LORESERVE)
		w->xndx = xcalloc(out->nsymbols + 1, sizeof(*w->xndx));
	w->symtab_index = out->nsections + 1;
	for (size_t i = 0; i < out->nsymbols; i++)
		if (out->symbols[i]->bind == STB_LOCAL)
			out->symbols[i]->index = n++;
	w->nlocal = n;
	for (size_t i = 0; i < out->nsymbols; i++)
		if (out->symbols[i]->bind != STB_LOCAL)
			out->symbols[i]->index = n++;
}

static void fill_symbols(struct writer *w)
{
	struct elf_out *out = w->out;

	w->syms = xcalloc(out->nsymbols + 1, sizeof(*w->syms));
	for (size_t i = 0; i < out->nsymbols; i++) {
		struct out_symbol *s = out->symbols[i];
		Elf64_Sym *e = &w->syms[s->index];

		e->st_name = strings_add(&w->strtab, s->name);
		e->st_info = ELF64_ST_INFO(s->bind, s->type);
		e->st_other = s->other;
		e->st_value = s->value;
		e->st_size = s->size;
		if (!s->sec) {
			e->st_shndx = s->shndx;
		} else if (s->sec->index < SHN_LORESERVE) {
			e->st_shndx = s->sec->index;
		} else {
			e->st_shndx = SHN_XINDEX;
			w->xndx[s->index] = s->sec->index;
		}
	}
}

static Elf64_Rela *rela_data(const struct out_section *sec)
{
	Elf64_Rela *r = xcalloc(sec->nrelocs, sizeof(*r));

	for (size_t i = 0; i < sec->nrelocs; i++) {
		r[i].r_offset = sec->relocs[i].offset;
		r[i].r_info = ELF64_R_INFO((Elf64_Xword)sec->relocs[i].sym->index, sec->relocs[i].type);
		r[i].r_addend = sec->relocs[i].addend;
	}
	return r;
}

static int put_section(struct writer *w, const char *name, Elf64_Shdr sh, void *data,
		       Elf_Type type)
{
	Elf_Scn *scn = elf_newscn(w->elf);
	Elf64_Shdr *e = scn ? elf64_getshdr(scn) : NULL;
	Elf_Data *d = scn ? elf_newdata(scn) : NULL;

	if (!e || !d)
		return -1;
	d->d_buf = data;
	d->d_size = sh.sh_size;
	d->d_type = type;
	d->d_align = sh.sh_addralign;
	d->d_version = EV_CURRENT;
	sh.sh_name = strings_add(&w->names, name);
	*e = sh;
	return 0;
}

static int put_sections(struct writer *w)
{
	struct elf_out *out = w->out;
	unsigned int strtab = w->symtab_index + 1;
	Elf64_Shdr sh;

	for (size_t i = 0; i < out->nsections; i++) {
		struct out_section *s = out->sections[i];
		void *data = s->data;

		sh = (Elf64_Shdr){ .sh_type = s->type, .sh_flags = s->flags, .sh_size = s->size,
				   .sh_addralign = s->align, .sh_entsize = s->entsize,
				   .sh_link = s->link ? s->link->index : 0 };
		if (s->type == SHT_RELA) {
			data = w->relas[i] = rela_data(s);
			sh.sh_size = s->nrelocs * sizeof(Elf64_Rela);
			sh.sh_link = w->symtab_index;
			sh.sh_info = s->relocates->index;
		}
		if (put_section(w, s->name, sh, data, s->type == SHT_RELA ? ELF_T_RELA : ELF_T_BYTE))
			return -1;
	}

	sh = (Elf64_Shdr){ .sh_type = SHT_SYMTAB, .sh_link = strtab, .sh_info = w->nlocal,
			   .sh_size = (out->nsymbols + 1) * sizeof(Elf64_Sym), .sh_addralign = 8,
			   .sh_entsize = sizeof(Elf64_Sym) };
	if (put_section(w, ".symtab", sh, w->syms, ELF_T_SYM))
		return -1;
	sh = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_size = w->strtab.size, .sh_addralign = 1 };
	if (put_section(w, ".strtab", sh, w->strtab.data, ELF_T_BYTE))
		return -1;
	if (w->xndx) {
		sh = (Elf64_Shdr){ .sh_type = SHT_SYMTAB_SHNDX, .sh_link = w->symtab_index,
				   .sh_size = (out->nsymbols + 1) * sizeof(Elf32_Word),
				   .sh_addralign = 4, .sh_entsize = sizeof(Elf32_Word) };
		if (put_section(w, ".symtab_shndx", sh, w->xndx, ELF_T_WORD))
			return -1;
	}
	/* Last: its size must include its own name, and put_section() must not move it. */
	sh = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_addralign = 1,
			   .sh_size = w->names.size + sizeof(".shstrtab") };
	w->names.data = xrealloc(w->names.data, sh.sh_size, 1);
	w->names.room = sh.sh_size;
	return put_section(w, ".shstrtab", sh, w->names.data, ELF_T_BYTE);
}

static int put_header(struct writer *w)
{
	Elf64_Ehdr *eh = elf64_newehdr(w->elf);

	if (!eh)
		return -1;
	eh->e_ident[EI_DATA] = ELFDATA2LSB;
	eh->e_ident[EI_CLASS] = ELFCLASS64;
	eh->e_machine = arch_machine();
	eh->e_type = ET_REL;
	eh->e_version = EV_CURRENT;
	return 0;
}

static int put_shstrndx(struct writer *w)
{
	unsigned int index = section_count(w) - 1;
	Elf64_Ehdr *eh = elf64_getehdr(w->elf);
	Elf64_Shdr *null;

	if (!eh)
		return -1;
	if (index < SHN_LORESERVE) {
		eh->e_shstrndx = index;
		return 0;
	}
	null = elf64_getshdr(elf_getscn(w->elf, 0));
	if (!null)
		return -1;
	eh->e_shstrndx = SHN_XINDEX;
	null->sh_link = index;
	return 0;
}

/* Renaming over a device would replace it, and the machine could lose its /dev/null. */
static int check_target(const char *path)
{
	struct stat st;

	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return diag_error("%s: not a regular file; name another output", path);
	return 0;
}

int elf_out_write(struct elf_out *out, const char *path)
{
	struct writer w = { .out = out };
	char *tmp;
	int fd, err = -1;

	if (check_target(path))
		return -1;
	tmp = xasprintf("%s.tmp%d", path, (int)getpid());

	strings_add(&w.names, "");
	strings_add(&w.strtab, "");
	w.relas = xcalloc(out->nsections, sizeof(*w.relas));

	elf_version(EV_CURRENT);
	fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0) {
		diag_error("%s: %s; can the directory be written?", tmp, strerror(errno));
		goto out;
	}
	w.elf = elf_begin(fd, ELF_C_WRITE, NULL);
	if (w.elf && !put_header(&w)) {
		number(&w);
		fill_symbols(&w);
		if (!put_sections(&w) && !put_shstrndx(&w) && elf_update(w.elf, ELF_C_WRITE) >= 0)
			err = 0;
	}
	if (err)
		diag_error("%s: cannot write: %s; is the disk full?", path, elf_errmsg(-1));
	if (w.elf)
		elf_end(w.elf);
	if (close(fd) && !err)
		err = diag_error("%s: cannot write: %s; is the disk full?", path, strerror(errno));
	if (!err && rename(tmp, path))
		err = diag_error("%s: %s; can the directory be written?", path, strerror(errno));
	if (err)
		unlink(tmp);
out:
	for (size_t i = 0; i < out->nsections; i++)
		free(w.relas[i]);
	free(w.relas);
	free(w.syms);
	free(w.xndx);
	free(w.names.data);
	free(w.strtab.data);
	free(tmp);
	return err;
}

void elf_out_free(struct elf_out *out)
{
	for (size_t i = 0; i < out->nsections; i++) {
		free(out->sections[i]->name);
		free(out->sections[i]->data);
		free(out->sections[i]->relocs);
		free(out->sections[i]);
	}
	for (size_t i = 0; i < out->nsymbols; i++) {
		free(out->symbols[i]->name);
		free(out->symbols[i]);
	}
	free(out->sections);
	free(out->symbols);
	memset(out, 0, sizeof(*out));
}
