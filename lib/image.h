/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a distribution ships: a kernel (bzImage or vmlinux) or a module (.ko, packed or not), as an
 * ELF file in memory whose sections were checked once, so that the rest of the code can trust them.
 */
#ifndef KPATCH_IMAGE_H
#define KPATCH_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unpack.h"

struct image_section {
	const char *name;		/* inside the image; "" when it has none */
	uint64_t addr;			/* where it runs; 0 in a module */
	uint64_t size;
	uint64_t flags;			/* SHF_* */
	uint32_t type;			/* SHT_* */
	uint32_t link;			/* sh_link; may be out of range */
	const unsigned char *data;	/* size bytes inside the image; NULL for SHT_NOBITS */
};

struct image {
	char *path;			/* as given, for messages */
	bool module;			/* ET_REL; else a linked kernel */
	char *name;			/* "vmlinux", or the module's name, dashes as underscores */
	char *release;			/* kernel release; NULL when the file doesn't tell */
	struct buffer elf;		/* the raw ELF file */
	struct image_section *sections;	/* index is the ELF's own; [0] is the empty one */
	size_t nr_sections;
};

/*
 * Read, unpack and check PATH. *IMG needs no initialisation, and image_close() after a success.
 * Returns 0, or -1 after a message.
 */
int image_open(struct image *img, const char *path);

/* Accepts a half-built or closed image. */
void image_close(struct image *img);

/* What follows "Linux version " in the banner of a kernel, a string inside of the image; NULL: it has none. */
const char *image_banner(const struct image *img);

/* The first section of that name; NULL when there is none. */
const struct image_section *image_section(const struct image *img, const char *name);

/* The section that holds ADDR in a linked kernel, its end excluded; NULL when there is none. */
const struct image_section *image_section_at(const struct image *img, uint64_t addr);

/* No name of a section or symbol is longer; the kernel's KSYM_NAME_LEN is 512. */
#define IMAGE_MAX_NAME 4096

/* Whether S, of which LEN bytes can be read, ends within them and is not too long. */
bool image_name_ends(const char *s, size_t len);

/*
 * Whether S is safe in a line of text: at least one byte, no blanks and no control characters, not
 * too long.
 */
bool image_is_word(const char *s);

#endif
