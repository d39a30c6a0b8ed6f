// SPDX-License-Identifier: GPL-2.0-only
/* kpatch-image build-id: what the linker wrote into an image or module to tell builds apart. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "diag.h"
#include "image.h"

static uint64_t padded(uint64_t size)
{
	return (size + 3) & ~(uint64_t)3;
}

/* The description of the GNU build ID in a section of notes, *SIZE bytes; NULL: none. */
static const unsigned char *find_note(const struct image_section *s, size_t *size)
{
	const unsigned char *p = s->data;
	uint64_t left = p ? s->size : 0;
	Elf64_Nhdr note;

	while (left >= sizeof(note)) {
		uint64_t name, desc;

		memcpy(&note, p, sizeof(note));
		name = padded(note.n_namesz);
		desc = padded(note.n_descsz);
		p += sizeof(note);
		left -= sizeof(note);
		if (name > left || desc > left - name)
			return NULL;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) &&
		    !memcmp(p, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) && note.n_descsz) {
			*size = note.n_descsz;
			return p + name;
		}
		p += name + desc;
		left -= name + desc;
	}
	return NULL;
}

static int put_id(const char *path, const unsigned char *id, size_t size)
{
	char *text = xcalloc(size + 1, 2);
	int ret;

	for (size_t i = 0; i < size; i++)
		sprintf(text + 2 * i, "%02x", id[i]);
	ret = output_line(path, text);
	free(text);
	return ret;
}

static int run(const struct command_line *line)
{
	const unsigned char *id = NULL;
	struct image img;
	size_t size = 0;
	int ret;

	if (image_open(&img, line->file))
		return -1;
	for (size_t i = 0; i < img.nr_sections && !id; i++)
		if (img.sections[i].type == SHT_NOTE)
			id = find_note(&img.sections[i], &size);
	if (id)
		ret = put_id(line->output, id, size);
	else
		ret = diag_error("%s: has no build ID; it was linked without --build-id", line->file);
	image_close(&img);
	return ret;
}

const struct command command_build_id = {
	.name = "build-id",
	.usage = "FILE",
	.doc = "Print the build ID of FILE, which the kernel shows in /sys/kernel/notes or /sys/module/NAME/notes.",
	.run = run,
	.wants = WANTS_OUTPUT,
};
