// SPDX-License-Identifier: GPL-2.0-only
/* Shipped kernels and modules; see image.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gelf.h>

#include "arch.h"
#include "diag.h"
#include "image.h"

/* Offsets in the header of a bzImage (the kernel's x86 boot protocol). */
#define BZ_SETUP_SECTS		0x1f1
#define BZ_BOOT_FLAG		0x1fe
#define BZ_MAGIC		0x202
#define BZ_VERSION		0x206
#define BZ_KERNEL_VERSION	0x20e
#define BZ_PAYLOAD_OFFSET	0x248
#define BZ_PAYLOAD_LENGTH	0x24c
#define BZ_HEADER_END		0x250

/* Where `struct module` holds its name on 64 bit: behind its state and its list head. */
#define MODULE_NAME_OFFSET	24
#define MODULE_NAME_LEN		56

static uint32_t le16(const unsigned char *p)
{
	return p[0] | p[1] << 8;
}

static uint32_t le32(const unsigned char *p)
{
	return le16(p) | le16(p + 2) << 16;
}

bool image_name_ends(const char *s, size_t len)
{
	return memchr(s, 0, len < IMAGE_MAX_NAME + 1 ? len : IMAGE_MAX_NAME + 1);
}

bool image_is_word(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (n == IMAGE_MAX_NAME || (unsigned char)s[n] <= ' ' || s[n] == 0x7f)
			return false;
	return n;
}

/* The word at S, which ends at a blank or NUL within LEN bytes; NULL when there is none. */
static char *word_at(const unsigned char *s, size_t len)
{
	size_t n = 0;

	while (n < len && s[n] > ' ' && s[n] != 0x7f)
		n++;
	if (!n || n == len || n >= 256 || (s[n] != ' ' && s[n]))
		return NULL;
	return strndup((const char *)s, n);
}

static int read_file(const char *path, struct buffer *buf)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return diag_error("%s: %s; give a kernel image or a module", path, strerror(errno));
	do {
		if (buffer_grow(buf, buf->room == buf->size ? 1UL << 20 : 1, UNPACK_LIMIT)) {
			close(fd);
			return diag_error("%s: larger than %lu MiB; give a kernel image or a module",
					  path, UNPACK_LIMIT >> 20);
		}
		n = read(fd, buf->data + buf->size, buf->room - buf->size);
		if (n < 0 && errno != EINTR) {
			diag_error("%s: %s; give a kernel image or a module", path, strerror(errno));
			close(fd);
			return -1;
		}
		if (n > 0)
			buf->size += n;
	} while (n);
	close(fd);
	return 0;
}

static bool is_elf(const struct buffer *buf)
{
	return buf->size >= SELFMAG && !memcmp(buf->data, ELFMAG, SELFMAG);
}

static bool is_bzimage(const struct buffer *buf)
{
	return buf->size >= BZ_HEADER_END && le16(buf->data + BZ_BOOT_FLAG) == 0xaa55 &&
	       !memcmp(buf->data + BZ_MAGIC, "HdrS", 4);
}

/* Replace the bzImage in img->elf by what it holds; note the release that its header tells. */
static int unpack_bzimage(struct image *img)
{
	struct buffer raw = { 0 };
	const unsigned char *bz = img->elf.data;
	size_t len = img->elf.size, start, size, version;
	uint32_t expected;

	/* The payload's place is in the header from protocol 2.08 (2.6.26) on. */
	if (le16(bz + BZ_VERSION) < 0x208)
		return diag_error("%s: boot protocol %u.%02u is too old; give a kernel of 6.1 or later",
				  img->path, bz[BZ_VERSION + 1], bz[BZ_VERSION]);

	version = le16(bz + BZ_KERNEL_VERSION) + 0x200;
	if (version > 0x200 && version < len)
		img->release = word_at(bz + version, len - version);

	start = ((bz[BZ_SETUP_SECTS] ? bz[BZ_SETUP_SECTS] : 4) + 1UL) * 512 +
		le32(bz + BZ_PAYLOAD_OFFSET);
	size = le32(bz + BZ_PAYLOAD_LENGTH);
	if (start > len || size > len - start || size < 8)
		return diag_error("%s: the file ends before its kernel does; get the file again",
				  img->path);

	/*
	 * The last 4 bytes are the raw size. They stand behind the stream, except for gzip, whose
	 * own last 4 bytes they are.
	 */
	expected = le32(bz + start + size - 4);
	if (strcmp(unpack_format(bz + start, size) ?: "", "gzip"))
		size -= 4;
	if (unpack(img->path, bz + start, size, &raw))
		return -1;
	if (raw.size != expected) {
		diag_error("%s: the kernel in it has %zu bytes, %u were announced; get the file again",
			   img->path, raw.size, expected);
		buffer_free(&raw);
		return -1;
	}
	buffer_free(&img->elf);
	img->elf = raw;
	return 0;
}

/* Check every section once; names and contents must lie inside the file. */
static int read_sections(struct image *img, Elf *elf)
{
	size_t strndx, names_size, total = 0;
	const unsigned char *names;
	GElf_Shdr sh;	/* a copy: the file's own may lie at any address */

	if (elf_getshdrnum(elf, &img->nr_sections) || elf_getshdrstrndx(elf, &strndx) ||
	    !img->nr_sections || strndx >= img->nr_sections)
		return diag_error("%s: no section headers; give the image as its build made it",
				  img->path);

	img->sections = xcalloc(img->nr_sections, sizeof(*img->sections));
	for (size_t i = 1; i < img->nr_sections; i++) {
		struct image_section *sec = &img->sections[i];

		if (!gelf_getshdr(elf_getscn(elf, i), &sh))
			return diag_error("%s: section %zu: %s; get the file again", img->path, i,
					  elf_errmsg(-1));
		sec->addr = sh.sh_addr;
		sec->size = sh.sh_size;
		sec->flags = sh.sh_flags;
		sec->type = sh.sh_type;
		sec->link = sh.sh_link;
		if (sh.sh_type == SHT_NOBITS || sh.sh_type == SHT_NULL) {
			if (sec->addr + sec->size < sec->addr)
				return diag_error("%s: section %zu: wraps around; get the file again",
						  img->path, i);
			continue;
		}
		if (sh.sh_offset > img->elf.size || sh.sh_size > img->elf.size - sh.sh_offset ||
		    sec->addr + sec->size < sec->addr)
			return diag_error("%s: section %zu: beyond the end of the file; "
					  "get the file again", img->path, i);
		sec->data = img->elf.data + sh.sh_offset;
		total += sec->size;
		/* Whoever looks through all sections must not look at the same bytes again and again. */
		if (total > 2 * img->elf.size)
			return diag_error("%s: section %zu: overlaps others; get the file again",
					  img->path, i);
	}

	names = img->sections[strndx].data;
	names_size = names ? img->sections[strndx].size : 0;
	for (size_t i = 0; i < img->nr_sections; i++) {
		img->sections[i].name = "";
		if (!i)
			continue;
		if (!gelf_getshdr(elf_getscn(elf, i), &sh) || sh.sh_name >= names_size ||
		    !image_name_ends((const char *)names + sh.sh_name, names_size - sh.sh_name))
			return diag_error("%s: section %zu: its name is damaged; "
					  "get the file again", img->path, i);
		img->sections[i].name = (const char *)names + sh.sh_name;
	}
	return 0;
}

static int parse_elf(struct image *img)
{
	Elf64_Ehdr *eh;
	Elf *elf;
	int ret = -1;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return diag_error("libelf is too old; install a newer one");
	elf = elf_memory((char *)img->elf.data, img->elf.size);
	if (!elf)
		return diag_error("%s: %s; get the file again", img->path, elf_errmsg(-1));

	eh = elf64_getehdr(elf);
	if (!eh || eh->e_ident[EI_DATA] != ELFDATA2LSB)
		diag_error("%s: not a 64-bit little-endian ELF file; "
			   "give a kernel or a module for %s", img->path, arch_name());
	else if (eh->e_machine != arch_machine())
		diag_error("%s: made for another machine (ELF number %u); "
			   "give a kernel or a module for %s", img->path, eh->e_machine, arch_name());
	else if (eh->e_type != ET_REL && eh->e_type != ET_EXEC && eh->e_type != ET_DYN)
		diag_error("%s: neither a kernel nor a module (ELF type %u); "
			   "give a kernel image or a module", img->path, eh->e_type);
	else {
		img->module = eh->e_type == ET_REL;
		ret = read_sections(img, elf);
	}
	elf_end(elf);
	return ret;
}

/* The value of KEY= in the NUL-separated .modinfo; NULL when it has none. */
static const char *modinfo(const struct image *img, const char *key)
{
	const struct image_section *sec = image_section(img, ".modinfo");
	size_t keylen = strlen(key);

	for (size_t pos = 0, len; sec && sec->data && pos < sec->size; pos += len + 1) {
		const char *s = (const char *)sec->data + pos;

		len = strnlen(s, sec->size - pos);
		if (len == sec->size - pos)
			return NULL;
		if (len > keylen && !memcmp(s, key, keylen) && s[keylen] == '=')
			return s + keylen + 1;
	}
	return NULL;
}

static int name_module(struct image *img)
{
	const struct image_section *this_module = image_section(img, ".gnu.linkonce.this_module");
	const char *name = modinfo(img, "name"), *vermagic = modinfo(img, "vermagic");

	if (!this_module)
		return diag_error("%s: an object file, but no module; give the .ko file", img->path);
	if (name)
		img->name = xstrdup(name);
	else if (this_module->data && this_module->size >= MODULE_NAME_OFFSET + MODULE_NAME_LEN)
		img->name = strndup((const char *)this_module->data + MODULE_NAME_OFFSET,
				    MODULE_NAME_LEN);
	if (!img->name || !image_is_word(img->name))
		return diag_error("%s: the module doesn't tell its name; rebuild it with modpost",
				  img->path);
	for (char *c = img->name; *c; c++)
		if (*c == '-')
			*c = '_';
	if (vermagic)
		img->release = word_at((const unsigned char *)vermagic, strlen(vermagic) + 1);
	return 0;
}

/* "6.1.0-56-cloud-amd64 (builder@host) (gcc-12 ...": behind "Linux version ", which formats say, too. */
const char *image_banner(const struct image *img)
{
	static const char start[] = "Linux version ";

	for (size_t i = 1; i < img->nr_sections; i++) {
		const struct image_section *sec = &img->sections[i];
		const unsigned char *p = sec->data, *end;

		if (!p)
			continue;
		for (end = p + sec->size; (p = memmem(p, end - p, start, sizeof(start) - 1));) {
			char *release;

			p += sizeof(start) - 1;
			release = word_at(p, end - p);
			if (release && *release >= '0' && *release <= '9' &&
			    (size_t)(end - p) > strlen(release) + 2 &&
			    !memcmp(p + strlen(release), " (", 2) &&
			    memchr(p, '\0', end - p)) {
				free(release);
				return (const char *)p;
			}
			free(release);
		}
	}
	return NULL;
}

static char *banner_release(const struct image *img)
{
	const char *banner = image_banner(img);

	return banner ? strndup(banner, strcspn(banner, " ")) : NULL;
}

int image_open(struct image *img, const char *path)
{
	*img = (struct image) { .path = xstrdup(path) };

	if (read_file(path, &img->elf))
		goto fail;
	if (is_bzimage(&img->elf)) {
		if (unpack_bzimage(img))
			goto fail;
	} else if (unpack_format(img->elf.data, img->elf.size)) {
		struct buffer raw = { 0 };

		if (unpack(path, img->elf.data, img->elf.size, &raw))
			goto fail;
		buffer_free(&img->elf);
		img->elf = raw;
	}
	if (!is_elf(&img->elf)) {
		diag_error("%s: neither a kernel image nor an ELF file; "
			   "give vmlinuz, vmlinux or a module", path);
		goto fail;
	}
	if (parse_elf(img))
		goto fail;
	if (img->module) {
		if (name_module(img))
			goto fail;
	} else {
		img->name = xstrdup("vmlinux");
		if (!img->release)
			img->release = banner_release(img);
	}
	return 0;
fail:
	image_close(img);
	return -1;
}

void image_close(struct image *img)
{
	free(img->path);
	free(img->name);
	free(img->release);
	free(img->sections);
	buffer_free(&img->elf);
	*img = (struct image) { 0 };
}

const struct image_section *image_section(const struct image *img, const char *name)
{
	for (size_t i = 1; i < img->nr_sections; i++)
		if (!strcmp(img->sections[i].name, name))
			return &img->sections[i];
	return NULL;
}

const struct image_section *image_section_at(const struct image *img, uint64_t addr)
{
	for (size_t i = 1; i < img->nr_sections; i++) {
		const struct image_section *sec = &img->sections[i];

		if ((sec->flags & SHF_ALLOC) && !(sec->flags & SHF_TLS) && addr >= sec->addr &&
		    addr - sec->addr < sec->size)
			return sec;
	}
	return NULL;
}
