// SPDX-License-Identifier: GPL-2.0-only
/*
 * The proof: is the original what the running kernel was built from, and where does it lie?
 *
 * The untouched source, compiled with the distribution's flags and nothing else (the proof object),
 * is searched for in the shipped image: its sections are placed, one by one, where the names and the
 * bytes agree, and then every byte and every relocated field is compared. So each symbol's address
 * is known, and with it its position among those of its name, however many there are. The original
 * that is diffed is compiled in another way (padded lines, a section per function), but has the
 * same things under the same names.
 *
 * Addresses of a module, which has none before it is loaded, are made up: the section's number in
 * the upper half, so that the same code serves both.
 */
#include <stdio.h>
#include <stdlib.h>

#include "diag.h"
#include "diff.h"
#include "image.h"

#define MODULE_SECTION_SHIFT 40

/* One section of the proof object. */
struct placed {
	struct symbol **syms;	/* those that the kernel should know, by value */
	size_t nsyms, room;
	bool known;		/* base is certain */
	uint64_t base;
	bool wanted;		/* something in it has a name */
};

/* All symbols of one name in the proof object, in the order of its symbol table. */
struct proof_name {
	const char *name;
	struct symbol **syms;
	size_t n, room;
	UT_hash_handle hh;
};

struct proof {
	struct elf_file obj;
	struct image image;
	struct elf_file module;		/* the image again, with relocations, when it is a module */
	struct placed *placed;		/* per section of obj */
	struct proof_name *names;	/* hash */
};

static uint64_t module_address(size_t section, uint64_t value)
{
	return ((uint64_t)section << MODULE_SECTION_SHIFT) + value;
}

/* Where the kernel's symbol is; in a module the section is found by its name. */
static bool ksym_address(const struct proof *p, const struct ksym *k, uint64_t *addr)
{
	const struct image_section *s;

	if (!p->image.module) {
		*addr = k->addr;
		return true;
	}
	s = k->section ? image_section(&p->image, k->section) : NULL;
	if (!s)
		return false;
	*addr = module_address(s - p->image.sections, k->addr);
	return true;
}

static const struct ksym *ksym_at(const struct diff *d, const char *name, uint64_t addr)
{
	const struct kname *kn = symtab_find(&d->own_symtab, name);
	uint64_t at;

	for (const struct ksym *k = kn ? kn->first : NULL; k; k = k->next)
		if (ksym_address(d->proof, k, &at) && at == addr)
			return k;
	return NULL;
}

static const struct image_section *section_at(const struct proof *p, uint64_t addr, uint64_t size)
{
	const struct image_section *s;
	size_t n;

	if (p->image.module) {
		n = addr >> MODULE_SECTION_SHIFT;
		if (n >= p->image.nr_sections)
			return NULL;
		s = &p->image.sections[n];
		addr -= module_address(n, 0);
		return addr <= s->size && size <= s->size - addr ? s : NULL;
	}
	s = image_section_at(&p->image, addr);
	return s && size <= s->size - (addr - s->addr) ? s : NULL;
}

/* NULL: outside of the image, or not in the file (.bss). */
static const unsigned char *bytes_at(const struct proof *p, uint64_t addr, uint64_t size)
{
	const struct image_section *s = section_at(p, addr, size);

	if (!s || !s->data)
		return NULL;
	return s->data + (p->image.module ? addr - module_address(s - p->image.sections, 0) :
					    addr - s->addr);
}

/* What a relocated field of the image means: an address or, in a module, an undefined symbol. */
struct field {
	const char *name;	/* NULL: value is an address */
	uint64_t value;		/* symbol + addend; with a name: the addend */
};

static const struct reloc *module_reloc(const struct proof *p, uint64_t addr)
{
	const struct section *s = &p->module.sections[addr >> MODULE_SECTION_SHIFT];
	size_t lo = 0, hi = s->nrelocs;

	addr -= module_address(s->index, 0);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->relocs[mid].offset < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->nrelocs && s->relocs[lo].offset == addr ? &s->relocs[lo] : NULL;
}

static bool read_field(const struct proof *p, uint64_t addr, uint32_t type, struct field *f)
{
	unsigned int width = arch_reloc_width(type);
	const unsigned char *bytes = bytes_at(p, addr, width);
	const struct reloc *r;
	int32_t narrow;

	f->name = NULL;
	if (!bytes || !width)
		return false;
	if (p->image.module) {
		r = module_reloc(p, addr);
		if (!r || arch_reloc_width(r->type) != width ||
		    arch_reloc_is_pcrel(r->type) != arch_reloc_is_pcrel(type))
			return false;
		if (r->sym->sec) {
			f->value = module_address(r->sym->sec->index, r->sym->sym.st_value) + r->addend;
		} else {
			f->name = r->sym->name;
			f->value = r->addend;
		}
		return true;
	}
	if (width == 8) {
		memcpy(&f->value, bytes, 8);
	} else {
		memcpy(&narrow, bytes, 4);
		f->value = (int64_t)narrow;
	}
	if (arch_reloc_is_pcrel(type))
		f->value += addr;
	return true;
}

/* Sections that the link or the boot sorts, patches, merges or drops: not to be found as bytes. */
static bool is_searchable(const struct section *s)
{
	const struct arch_table *t = arch_table(s->name);

	if (!is_alloc(s) || !s->size || is_string_section(s) || is_constant_section(s))
		return false;
	return !t || (t->kind == TABLE_REGISTRY && is_code(s) && !has_prefix(s->name, ".exit"));
}

/* A name that kallsyms never lists. */
static bool is_unlisted(const struct symbol *s)
{
	unsigned int type = symbol_type(s);

	return type == STT_SECTION || type == STT_FILE || !*s->name || has_prefix(s->name, ".L") ||
	       s->name[0] == '$';
}

static int by_value(const void *a, const void *b)
{
	const struct symbol *x = *(struct symbol *const *)a, *y = *(struct symbol *const *)b;

	if (x->sym.st_value != y->sym.st_value)
		return x->sym.st_value < y->sym.st_value ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static void index_symbols(struct proof *p)
{
	p->placed = xcalloc(p->obj.nsections, sizeof(*p->placed));
	for_each_symbol(&p->obj, s) {
		struct proof_name *n;
		struct placed *pl;

		if (!s->sec || is_unlisted(s))
			continue;
		HASH_FIND_STR(p->names, s->name, n);
		if (!n) {
			n = xcalloc(1, sizeof(*n));
			n->name = s->name;
			HASH_ADD_KEYPTR(hh, p->names, n->name, strlen(n->name), n);
		}
		if (n->n == n->room) {
			n->room = n->room ? n->room * 2 : 1;
			n->syms = xrealloc(n->syms, n->room, sizeof(*n->syms));
		}
		n->syms[n->n++] = s;
		if (!is_searchable(s->sec))
			continue;
		pl = &p->placed[s->sec->index];
		pl->wanted = true;
		/* Another object may override a weak definition: the name can be elsewhere. */
		if (symbol_bind(s) == STB_WEAK)
			continue;
		if (pl->nsyms == pl->room) {
			pl->room = pl->room ? pl->room * 2 : 8;
			pl->syms = xrealloc(pl->syms, pl->room, sizeof(*pl->syms));
		}
		pl->syms[pl->nsyms++] = s;
	}
	for (size_t i = 0; i < p->obj.nsections; i++)
		qsort(p->placed[i].syms, p->placed[i].nsyms, sizeof(*p->placed[i].syms), by_value);
}

/* Where, at or behind from, do the section's bytes differ from the image? size: nowhere. */
static uint64_t first_difference(const struct proof *p, const struct section *s, uint64_t base)
{
	const unsigned char *image = bytes_at(p, base, s->size);
	uint64_t pos = 0;

	if (is_nobits(s))
		return section_at(p, base, s->size) ? s->size : 0;
	if (!image || !s->data)
		return 0;
	for (size_t i = 0; i <= s->nrelocs; i++) {
		uint64_t end = i < s->nrelocs ? s->relocs[i].offset : s->size;

		for (; pos < end; pos++)
			if (image[pos] != s->data[pos])
				return pos;
		if (i < s->nrelocs && pos < end + arch_reloc_width(s->relocs[i].type))
			pos = end + arch_reloc_width(s->relocs[i].type);
	}
	return s->size;
}

static bool is_possible_base(const struct diff *d, const struct section *s, uint64_t base)
{
	const struct proof *p = d->proof;
	const struct placed *pl = &p->placed[s->index];
	uint64_t align = s->sh.sh_addralign ? s->sh.sh_addralign : 1;

	if (base % align || !section_at(p, base, s->size))
		return false;
	for (size_t i = 0; i < pl->nsyms; i++)
		if (!ksym_at(d, pl->syms[i]->name, base + pl->syms[i]->sym.st_value))
			return false;
	return true;
}

/*
 * Look at all places where the section's rarest name stands. Returns how many places agree in all
 * names and bytes; *best is one of them, or one that agrees in the names only.
 */
static unsigned int search_section(const struct diff *d, const struct section *s, uint64_t *best,
				   unsigned int *same_names)
{
	const struct proof *p = d->proof;
	const struct placed *pl = &p->placed[s->index];
	const struct kname *rarest = NULL;
	const struct symbol *at = NULL;
	unsigned int found = 0;
	uint64_t addr;

	*same_names = 0;
	for (size_t i = 0; i < pl->nsyms; i++) {
		const struct kname *kn = symtab_find(&d->own_symtab, pl->syms[i]->name);

		if (!kn)
			return 0;
		if (!rarest || kn->count < rarest->count) {
			rarest = kn;
			at = pl->syms[i];
		}
	}
	for (const struct ksym *k = rarest ? rarest->first : NULL; k; k = k->next) {
		uint64_t base;

		if (!ksym_address(p, k, &addr))
			continue;
		base = addr - at->sym.st_value;
		if (!is_possible_base(d, s, base))
			continue;
		++*same_names;
		if (first_difference(p, s, base) != s->size) {
			if (!found)
				*best = base;
			continue;
		}
		*best = base;
		found++;
	}
	return found;
}

/* The address that a relocation of the proof object should refer to, if it is known by now. */
static bool expected_target(const struct proof *p, const struct reloc *r, uint64_t *value)
{
	const struct section *in = r->sym->sec;

	if (!in || !p->placed[in->index].known)
		return false;
	*value = p->placed[in->index].base + r->sym->sym.st_value + r->addend;
	return true;
}

static bool agrees(const struct diff *d, const struct section *s, uint64_t base,
		   const struct reloc *r);

/* Of several places with the same bytes, the one whose relocated fields agree. */
static bool choose_by_relocs(struct diff *d, const struct section *s, uint64_t *base)
{
	struct proof *p = d->proof;
	const struct placed *pl = &p->placed[s->index];
	const struct kname *kn = pl->nsyms ? symtab_find(&d->own_symtab, pl->syms[0]->name) : NULL;
	unsigned int found = 0;

	for (const struct ksym *k = kn ? kn->first : NULL; k; k = k->next) {
		uint64_t addr;
		bool ok = true;

		if (!ksym_address(p, k, &addr))
			continue;
		addr -= pl->syms[0]->sym.st_value;
		if (!is_possible_base(d, s, addr) || first_difference(p, s, addr) != s->size)
			continue;
		for (size_t i = 0; i < s->nrelocs && ok; i++)
			ok = agrees(d, s, addr, &s->relocs[i]);
		if (!ok)
			continue;
		*base = addr;
		found++;
	}
	return found == 1;
}

/* A placed section that refers to one that is not: the field in the image says where that is. */
static bool solve_by_references(struct diff *d)
{
	struct proof *p = d->proof;
	bool progress = false;

	for_each_section(&p->obj, s) {
		if (!p->placed[s->index].known || is_nobits(s))
			continue;
		for_each_reloc(s, r) {
			struct section *in = r->sym->sec;
			struct field f;
			uint64_t base;

			/* An overridden weak definition: the field refers to the other one. */
			if (!in || p->placed[in->index].known || !is_searchable(in) ||
			    symbol_bind(r->sym) == STB_WEAK)
				continue;
			if (!read_field(p, p->placed[s->index].base + r->offset, r->type, &f) || f.name)
				continue;
			base = f.value - r->addend - r->sym->sym.st_value;
			if (!is_possible_base(d, in, base) ||
			    first_difference(p, in, base) != in->size)
				continue;
			p->placed[in->index].known = true;
			p->placed[in->index].base = base;
			progress = true;
		}
	}
	return progress;
}

static bool same_text(const struct proof *p, const struct section *s, const struct reloc *r,
		      uint64_t value)
{
	const struct section *in = r->sym->sec;
	int end = is_code(s) && arch_reloc_is_pcrel(r->type) ? 4 : 0;
	uint64_t off = r->sym->sym.st_value + r->addend + end;
	const unsigned char *image;
	size_t n;

	/* A string's label says which one is meant, even where the field points behind its end. */
	if (!is_section_symbol(r->sym)) {
		off = r->sym->sym.st_value;
		value -= r->addend;
		end = 0;
	}
	if (off >= in->size)
		return true;	/* a pointer behind the last string: nothing to compare */
	n = is_string_section(in) ? strnlen((char *)in->data + off, in->size - off) + 1 :
				    in->sh.sh_entsize;
	if (n > in->size - off)
		return true;
	image = bytes_at(p, value + end, n);
	return image && !memcmp(image, in->data + off, n);
}

/* Does the field of the image at relocation r hold what the placement predicts? */
static bool agrees(const struct diff *d, const struct section *s, uint64_t base,
		   const struct reloc *r)
{
	const struct proof *p = d->proof;
	const struct section *in = r->sym->sec;
	const struct kname *kn;
	struct field f;
	uint64_t value;

	if (!arch_reloc_width(r->type) || is_nobits(s))
		return true;
	if (!read_field(p, base + r->offset, r->type, &f))
		return false;
	if (in && (is_string_section(in) || is_constant_section(in)))
		return !f.name && same_text(p, s, r, f.value);
	if (in == s && !f.name && f.value == base + r->sym->sym.st_value + r->addend)
		return true;
	if (in && expected_target(p, r, &value) && !f.name && f.value == value)
		return true;
	if (in == s && symbol_bind(r->sym) != STB_WEAK)
		return false;
	if (in && symbol_bind(r->sym) != STB_WEAK)
		/* Not placed yet or never (tables): nothing to compare with. */
		return !p->placed[in->index].known;
	/* A name that others define. */
	if (f.name)
		return !strcmp(f.name, r->sym->name) && f.value == (uint64_t)r->addend;
	kn = symtab_find(&d->own_symtab, r->sym->name);
	if (!kn)
		return true;	/* kallsyms doesn't list everything that the linker defines */
	return ksym_at(d, r->sym->name, f.value - r->addend);
}

/* The function or variable at an offset, and where it starts. */
static const char *function_at(const struct elf_file *obj, const struct section *s, uint64_t off,
			       uint64_t *start)
{
	const struct symbol *best = NULL;

	for_each_symbol(obj, sym)
		if (sym->sec == s && !is_unlisted(sym) && sym->sym.st_value <= off &&
		    (!best || sym->sym.st_value > best->sym.st_value))
			best = sym;
	if (start)
		*start = best ? best->sym.st_value : 0;
	return best ? best->name : s->name;
}

static const char *hex(const unsigned char *bytes, size_t n)
{
	char *s = xcalloc(3 * n + 1, 1);

	for (size_t i = 0; bytes && i < n; i++)
		sprintf(s + 3 * i, "%02x ", bytes[i]);
	if (n)
		s[3 * n - 1] = '\0';
	return bytes ? s : "nothing";
}

static const char usual_causes[] =
	"usual causes: another compiler version, another configuration, source of another version";

/* What a relocated field of the image refers to, for people. */
static char *describe_field(const struct diff *d, const struct section *s, uint64_t base,
			    const struct reloc *r)
{
	const struct proof *p = d->proof;
	const struct ksym *best = NULL;
	uint64_t value, at, best_at = 0;
	struct field f;

	if (!read_field(p, base + r->offset, r->type, &f))
		return xstrdup("nothing");
	if (f.name)
		return xstrdup(f.name);
	value = f.value - (is_code(s) && arch_reloc_is_pcrel(r->type) ? -4 : 0);
	for (size_t i = 0; i < d->own_symtab.nsyms; i++) {
		const struct ksym *k = &d->own_symtab.syms[i];

		if (ksym_address(p, k, &at) && at <= value && (!best || at > best_at)) {
			best = k;
			best_at = at;
		}
	}
	if (!best)
		return xasprintf("%lx", (unsigned long)value);
	return xasprintf("%s+0x%lx", best->name, (unsigned long)(value - best_at));
}

/* Say which bytes differ. The first difference is enough: what follows is often shifted. */
static void report_difference(const struct diff *d, const struct section *s, uint64_t base,
			      uint64_t off, bool is_error)
{
	const struct proof *p = d->proof;
	uint64_t start;
	const char *name = function_at(&p->obj, s, off, &start);
	size_t n = s->size - off < 8 ? s->size - off : 8;
	char *text;

	text = xasprintf("%s: %s+0x%lx: the kernel has %s here, the compiled source %s; %s",
			 d->opt.source, name, (unsigned long)(off - start),
			 hex(bytes_at(p, base + off, n), n), hex(s->data ? s->data + off : NULL, n),
			 usual_causes);
	if (is_error)
		diag_error("%s", text);
	else
		diag_warn("%s", text);
	free(text);
}

static int complain(struct diff *d, const struct section *s, uint64_t base, uint64_t off)
{
	report_difference(d, s, base, off, !d->opt.skip_image_check);
	return d->opt.skip_image_check ? 0 : -1;
}

static int complain_reloc(struct diff *d, const struct section *s, uint64_t base,
			  const struct reloc *r)
{
	char *is = describe_field(d, s, base, r);
	char *text = xasprintf("%s: %s: at offset 0x%lx of %s the kernel refers to %s, the compiled source to %s%+ld; %s",
			       d->opt.source, function_at(&d->proof->obj, s, r->offset, NULL),
			       (unsigned long)r->offset, s->name, is, r->sym->name, (long)r->addend,
			       usual_causes);

	free(is);
	if (d->opt.skip_image_check)
		diag_warn("%s", text);
	else
		diag_error("%s", text);
	free(text);
	return d->opt.skip_image_check ? 0 : -1;
}

static int place_sections(struct diff *d)
{
	struct proof *p = d->proof;
	bool progress;
	int err = 0;

	for_each_section(&p->obj, s) {
		struct placed *pl = &p->placed[s->index];
		unsigned int same_names, n;
		uint64_t base = 0;

		if (!pl->nsyms)
			continue;
		n = search_section(d, s, &base, &same_names);
		if (n == 1) {
			pl->known = true;
			pl->base = base;
		} else if (!n && same_names == 1) {
			/* There is one place with these names, and the bytes are others. */
			err |= complain(d, s, base, first_difference(p, s, base));
		}
	}
	if (err)
		return -1;
	do {
		progress = solve_by_references(d);
		for_each_section(&p->obj, s) {
			struct placed *pl = &p->placed[s->index];

			if (pl->known || !pl->nsyms || !choose_by_relocs(d, s, &pl->base))
				continue;
			pl->known = true;
			progress = true;
		}
	} while (progress);
	return 0;
}

static int verify_relocs(struct diff *d)
{
	struct proof *p = d->proof;
	int err = 0;

	for_each_section(&p->obj, s) {
		const struct placed *pl = &p->placed[s->index];

		if (!pl->known)
			continue;
		for_each_reloc(s, r)
			if (!agrees(d, s, pl->base, r)) {
				err |= complain_reloc(d, s, pl->base, r);
				break;
			}
	}
	return err;
}

/* At least the code that has names must be somewhere, or this is not the file that was built. */
static int require_code(struct diff *d)
{
	struct proof *p = d->proof;

	for_each_section(&p->obj, s) {
		const struct placed *pl = &p->placed[s->index];
		const char *text;

		if (!is_code(s) || arch_table(s->name) || !pl->nsyms || pl->known)
			continue;
		/* Small copies of the same code cannot be told apart; matters only if one is needed. */
		if (strcmp(s->name, ".text"))
			continue;
		text = xasprintf("%s: section %s with %s(): not found in the kernel's image; %s",
				 d->opt.source, s->name, pl->syms[0]->name, usual_causes);
		if (!d->opt.skip_image_check)
			return diag_error("%s", text);
		diag_warn("%s", text);
	}
	return 0;
}

static void print_debug(const struct diff *d)
{
	const struct proof *p = d->proof;

	for_each_section(&p->obj, s)
		if (p->placed[s->index].wanted)
			diag_debug("%s: section %s: %s %lx", d->opt.source, s->name,
				   p->placed[s->index].known ? "at" : "not placed",
				   (unsigned long)p->placed[s->index].base);
}

int prove_original(struct diff *d)
{
	struct proof *p;

	if (!d->opt.proof_path)
		return 0;
	p = d->proof = xcalloc(1, sizeof(*p));
	if (elf_file_open(&p->obj, d->opt.proof_path) || image_open(&p->image, d->opt.image_path))
		return -1;
	if (p->image.module && elf_file_open_memory(&p->module, d->opt.image_path, p->image.elf.data,
						    p->image.elf.size))
		return -1;
	if (p->image.module == !strcmp(d->opt.objname, "vmlinux"))
		return diag_error("%s: not the image of %s; give the file that the kernel runs",
				  d->opt.image_path, d->opt.objname);
	index_symbols(p);
	if (place_sections(d) || verify_relocs(d) || require_code(d))
		return -1;
	print_debug(d);
	return 0;
}

void proof_free(struct proof *p)
{
	struct proof_name *n, *tmp;

	if (!p)
		return;
	HASH_ITER(hh, p->names, n, tmp) {
		HASH_DEL(p->names, n);
		free(n->syms);
		free(n);
	}
	for (size_t i = 0; p->placed && i < p->obj.nsections; i++)
		free(p->placed[i].syms);
	free(p->placed);
	elf_file_close(&p->obj);
	elf_file_close(&p->module);
	image_close(&p->image);
	free(p);
}

/*
 * The symbol of the proof object that is sym of the original: the one of the same name and, if there
 * are several, of the same rank among those of this name and kind.
 */
static const struct symbol *proof_symbol(const struct diff *d, const struct symbol *sym)
{
	const struct proof_name *n;
	size_t rank = 0, count = 0;

	HASH_FIND_STR(d->proof->names, sym->name, n);
	if (!n)
		return NULL;
	if (n->n == 1)
		return n->syms[0];
	for_each_symbol(&d->orig, s)
		if (s->sec && !is_unlisted(s) && !strcmp(s->name, sym->name)) {
			rank += s->index < sym->index;
			count++;
		}
	return count == n->n ? n->syms[rank] : NULL;
}

const struct ksym *proven_symbol(const struct diff *d, const struct symbol *sym, bool *placed)
{
	const struct symbol *s = proof_symbol(d, sym);

	*placed = s && d->proof->placed[s->sec->index].known;
	if (!*placed)
		return NULL;
	return ksym_at(d, s->name, d->proof->placed[s->sec->index].base + s->sym.st_value);
}
