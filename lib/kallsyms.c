// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kallsyms tables inside a kernel image.
 *
 * No symbol says where they are, so they are found by their structure. All of them stand in .rodata,
 * each label aligned to 8 bytes (4 from 7.2 on), in one of these orders:
 *
 *  6.1:  offsets, relative_base, num_syms, names, markers, seqs_of_names, token_table, token_index
 *  6.2+: num_syms, names, markers, token_table, token_index, offsets, relative_base, seqs_of_names
 *  7.2+: the same without relative_base
 *
 *  token_table	256 NUL-terminated strings that the bytes of a packed name stand for
 *  token_index	256 u16, the place of each string in token_table
 *  num_syms	u32
 *  names	num_syms packed names: a length (one byte, or two when the first one's top bit is set)
 *		and as many bytes, one token each; the first character of the text is the type
 *  markers	u32, the place in names of each 256th one
 *  offsets	num_syms u32, see struct encoding
 *  seqs_of_names	num_syms times 3 bytes, the order by name
 *
 * The anchor is token_index: 256 rising numbers of which each points behind a NUL. What follows from
 * it is checked to the last byte before it is believed, so chance has no room: each image that was
 * looked at has exactly one candidate.
 */
#include <ctype.h>
#include <elf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "kallsyms.h"

enum {
	NR_TOKENS = 256,
	PER_MARKER = 256,
	INDEX_SIZE = 2 * NR_TOKENS,
	MAX_SYMS = 1 << 22,		/* an allyesconfig kernel has less than a million */
	MAX_NAME = 1024,		/* the kernel's KSYM_NAME_LEN is 512 */
	MAX_NAMES = 1 << 28,		/* bytes of text; a distribution's kernel has 4 million */
	MAX_STEPS = 1 << 28,		/* places and names to look at; a real search takes 3 million */
};

/* One possible place of the tables: offsets within a section's contents. */
struct tables {
	const struct image_section *sec;
	size_t align;			/* 8 or 4 */
	size_t token_table, token_index;
	size_t num_syms, names, markers;
	size_t nr;
};

struct search {
	const struct image *img;
	struct kallsyms *found;
	unsigned int nr_found;
	size_t steps;			/* hostile input must not keep us busy for ever */
};

static uint32_t le16(const unsigned char *p)
{
	return p[0] | p[1] << 8;
}

static uint32_t le32(const unsigned char *p)
{
	return le16(p) | le16(p + 2) << 16;
}

static uint64_t le64(const unsigned char *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

static size_t align_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

static bool zeros(const unsigned char *p, size_t len)
{
	while (len--)
		if (*p++)
			return false;
	return true;
}

/* Account for N steps of the search; false when it took too many. */
static bool spend(struct search *search, size_t n)
{
	if (n > search->steps) {
		search->steps = 0;
		return false;
	}
	search->steps -= n;
	return true;
}

/* Length of the packed name at POS, whose bytes start at *START; 0 when it passes END. */
static size_t packed_len(const unsigned char *p, size_t pos, size_t end, size_t *start)
{
	size_t len;

	if (pos >= end)
		return 0;
	len = p[pos++];
	if (len & 0x80) {
		if (pos >= end)
			return 0;
		len = (len & 0x7f) | (size_t)p[pos++] << 7;
	}
	*start = pos;
	return len <= end - pos ? len : 0;
}

/* Do the names end where the markers start, and does each marker tell the truth? */
static bool names_agree(const struct tables *t, struct search *search)
{
	const unsigned char *p = t->sec->data;
	size_t pos = t->names, start, len;

	for (size_t i = 0; i < t->nr; i++) {
		if (i % PER_MARKER == 0 &&
		    le32(p + t->markers + i / PER_MARKER * 4) != pos - t->names)
			return false;
		if (!spend(search, 1) || !(len = packed_len(p, pos, t->markers, &start)))
			return false;
		pos = start + len;
	}
	return align_up(pos, t->align) == t->markers && zeros(p + pos, t->markers - pos);
}

/* Unpack all names; false when one of them is no name. Fills everything but the addresses. */
static bool expand_names(const struct tables *t, struct kallsyms *ks, struct search *search)
{
	const unsigned char *p = t->sec->data;
	struct buffer text = { 0 };
	size_t pos = t->names, *places;
	bool ok = false;

	ks->nr = t->nr;
	ks->syms = xcalloc(t->nr, sizeof(*ks->syms));
	places = xcalloc(t->nr, sizeof(*places));

	for (size_t i = 0; i < t->nr; i++) {
		size_t start, len = packed_len(p, pos, t->markers, &start), first = text.size;

		if (buffer_grow(&text, MAX_NAME + 1, MAX_NAMES))
			goto out;
		for (size_t k = start; k < start + len; k++) {
			const char *token = (const char *)p + t->token_table +
					    le16(p + t->token_index + 2 * p[k]);
			size_t n = strlen(token);

			if (text.size - first + n > MAX_NAME)
				goto out;
			memcpy(text.data + text.size, token, n);
			text.size += n;
		}
		text.data[text.size++] = 0;
		if (!spend(search, text.size - first) || !isalpha(text.data[first]) ||
		    !image_is_word((char *)text.data + first + 1))
			goto out;
		ks->syms[i].type = (char)text.data[first];
		places[i] = first + 1;
		pos = start + len;
	}

	ks->names = (char *)text.data;
	for (size_t i = 0; i < t->nr; i++)
		ks->syms[i].name = ks->names + places[i];
	ok = true;
out:
	free(places);
	if (!ok)
		buffer_free(&text);
	return ok;
}

/*
 * How an offset becomes an address. The right way is the one under which all addresses rise and lie in
 * the image.
 */
enum encoding {
	PERCPU,		/* >= 0: absolute, for per-CPU data that lives at 0; < 0: base - 1 - offset */
	BASE,		/* base + (u32)offset */
	SELF,		/* (s32)offset + its own address */
};

static bool addresses(const struct tables *t, struct kallsyms *ks, const struct image *img,
		      enum encoding encoding, size_t offsets, uint64_t base)
{
	const unsigned char *p = t->sec->data + offsets;
	uint64_t last = 0, addr;

	for (size_t i = 0; i < t->nr; i++, p += 4) {
		int32_t offset = (int32_t)le32(p);

		if (encoding == PERCPU)
			addr = offset >= 0 ? (uint64_t)offset : base - 1 - (int64_t)offset;
		else if (encoding == BASE)
			addr = base + (uint32_t)offset;
		else
			addr = t->sec->addr + offsets + 4 * i + (int64_t)offset;
		if (addr < last)
			return false;
		ks->syms[i].addr = last = addr;
	}
	/* Symbols may stand at the very end of the image, so a byte before is asked for. */
	return image_section_at(img, last) || image_section_at(img, last - 1);
}

static bool find_addresses(const struct tables *t, struct kallsyms *ks, const struct image *img)
{
	size_t size = t->sec->size, before, after = t->token_index + INDEX_SIZE, len = 4 * t->nr;
	struct { size_t offsets, base; } place[2];
	unsigned int nr = 0;

	before = 8 + align_up(len, 8);
	if (t->align == 8 && before <= t->num_syms) {
		place[nr].offsets = t->num_syms - before;
		place[nr++].base = t->num_syms - 8;
	}
	if (after <= size && len <= size - after) {
		size_t base = align_up(after + len, t->align);

		if (base <= size && size - base >= 8) {
			place[nr].offsets = after;
			place[nr++].base = base;
		}
	}

	for (unsigned int i = 0; i < nr; i++) {
		uint64_t base = le64(t->sec->data + place[i].base);

		if (!image_section_at(img, base))
			continue;
		if (addresses(t, ks, img, PERCPU, place[i].offsets, base) ||
		    addresses(t, ks, img, BASE, place[i].offsets, base))
			return true;
	}
	return after <= size && len <= size - after &&
	       addresses(t, ks, img, SELF, after, 0);
}

/* Take the tables when everything about them is right. */
static void accept(const struct tables *t, struct search *search)
{
	struct kallsyms ks = { 0 };

	if (!names_agree(t, search))
		return;
	if (!expand_names(t, &ks, search) || !find_addresses(t, &ks, search->img) || search->nr_found++) {
		kallsyms_free(&ks);
		return;
	}
	*search->found = ks;
}

/* Rising from 0, and no further than names could reach. */
static bool markers_rise(const struct tables *t, struct search *search)
{
	const unsigned char *p = t->sec->data + t->markers;
	size_t nr = (t->nr + PER_MARKER - 1) / PER_MARKER;
	uint32_t last = 0;

	if (le32(p))
		return false;
	for (size_t i = 1; i < nr; i++) {
		uint32_t marker = le32(p + 4 * i);

		if (marker <= last || marker >= t->markers - t->names || !spend(search, 1))
			return false;
		last = marker;
	}
	return true;
}

/*
 * Look for num_syms in front of the token table. Its value says where the markers are, counted back
 * from the token table, so a wrong number is nearly always found out by the first marker not being 0.
 */
static void search_names(struct tables t, struct search *search)
{
	for (t.num_syms = t.token_table; t.num_syms >= 4 && spend(search, 1);) {
		t.num_syms -= 4;
		t.nr = le32(t.sec->data + t.num_syms);
		/* Each name takes two bytes or more. */
		if (!t.nr || t.nr > MAX_SYMS || t.nr > (t.token_table - t.num_syms) / 2)
			continue;

		for (t.align = 8; t.align >= 4; t.align -= 4) {
			size_t markers = align_up((t.nr + PER_MARKER - 1) / PER_MARKER * 4, t.align);
			size_t seqs = align_up(3 * t.nr, t.align);

			if (t.num_syms % t.align || t.token_table % t.align)
				continue;
			t.names = align_up(t.num_syms + 4, t.align);
			for (int with_seqs = 0; with_seqs < 2; with_seqs++) {
				size_t tail = markers + (with_seqs ? seqs : 0);

				if (t.token_table - t.names <= tail)
					continue;
				t.markers = t.token_table - tail;
				if (markers_rise(&t, search))
					accept(&t, search);
			}
			/* Where both alignments mean the same bytes, once is enough. */
			if (search->nr_found)
				return;
		}
	}
}

/* Is there a token table right before the index at POS? Its padding is up to 7 zero bytes. */
static void search_token_table(struct tables t, struct search *search)
{
	const unsigned char *p = t.sec->data, *index = p + t.token_index;
	size_t last = le16(index + 2 * (NR_TOKENS - 1));

	for (size_t end = t.token_index; end > t.token_index - 8 && end > last + 1; end--) {
		size_t start = end - 1, nuls = 0;

		if (p[end - 1])
			return;
		while (start && p[start - 1])
			start--;
		if (start < last || !spend(search, end - (start - last)))
			continue;
		t.token_table = start - last;
		if (t.token_table % 4)
			continue;
		for (size_t i = t.token_table; i < end; i++)
			nuls += !p[i];
		for (size_t i = 1; i < NR_TOKENS && nuls == NR_TOKENS; i++)
			if (p[t.token_table + le16(index + 2 * i) - 1])
				nuls = 0;
		if (nuls == NR_TOKENS)
			search_names(t, search);
	}
}

static void search_section(const struct image_section *sec, struct search *search)
{
	struct tables t = { .sec = sec };

	if (!spend(search, sec->size / 4))
		return;

	for (size_t pos = 8; pos + INDEX_SIZE <= sec->size; pos += 4) {
		const unsigned char *p = sec->data + pos;
		size_t i;

		if (p[0] || p[1])
			continue;
		for (i = 1; i < NR_TOKENS && le16(p + 2 * i) > le16(p + 2 * i - 2); i++)
			;
		if (i < NR_TOKENS)
			continue;
		t.token_index = pos;
		search_token_table(t, search);
	}
}

int kallsyms_read(struct kallsyms *ks, const struct image *img)
{
	struct search search = { .img = img, .found = ks, .steps = MAX_STEPS };

	*ks = (struct kallsyms) { 0 };
	if (img->module)
		return kallsyms_read_module(ks, img);

	for (size_t i = 1; i < img->nr_sections; i++) {
		const struct image_section *sec = &img->sections[i];

		if (sec->data && sec->type == SHT_PROGBITS && (sec->flags & SHF_ALLOC) &&
		    !(sec->flags & SHF_EXECINSTR) && sec->addr % 8 == 0)
			search_section(sec, &search);
	}
	if (search.nr_found == 1)
		return 0;
	if (search.nr_found) {
		kallsyms_free(ks);
		return diag_error("%s: %u tables look like kallsyms; report this kernel as a bug",
				  img->path, search.nr_found);
	}
	/* Built without kallsyms, or in a way not known here, but not stripped. */
	if (image_section(img, ".symtab"))
		return kallsyms_read_vmlinux(ks, img);
	return diag_error("%s: no kallsyms tables found; the kernel must have CONFIG_KALLSYMS_ALL=y "
			  "and be 6.1 or later", img->path);
}

void kallsyms_free(struct kallsyms *ks)
{
	free(ks->syms);
	free(ks->names);
	*ks = (struct kallsyms) { 0 };
}
