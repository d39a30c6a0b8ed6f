// SPDX-License-Identifier: GPL-2.0-only
/* kpatch-image unpack: the ELF file inside an image or a packed module. */
#include <unistd.h>

#include "command.h"
#include "diag.h"
#include "image.h"

static int run(const struct command_line *line)
{
	struct output out;
	struct image img;
	int ret;

	if (!line->output && isatty(STDOUT_FILENO))
		return diag_error("standard output is a terminal; name a file with -o");
	if (image_open(&img, line->file))
		return -1;
	ret = output_open(&out, line->output);
	if (!ret) {
		fwrite(img.elf.data, 1, img.elf.size, out.stream);
		ret = output_close(&out, 0);
	}
	image_close(&img);
	return ret;
}

const struct command command_unpack = {
	.name = "unpack",
	.usage = "FILE",
	.doc = "Write the ELF file that FILE holds.",
	.run = run,
	.wants = WANTS_OUTPUT,
};
