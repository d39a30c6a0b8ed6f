// SPDX-License-Identifier: GPL-2.0-only
/* kpatch-image release: the kernel release that an image is, or that a module was built for. */
#include "command.h"
#include "diag.h"
#include "image.h"

static int run(const struct command_line *line)
{
	struct image img;
	int ret;

	if (image_open(&img, line->file))
		return -1;
	if (img.release)
		ret = output_line(line->output, img.release);
	else
		ret = diag_error("%s: it doesn't tell its kernel release; name the release yourself",
				 line->file);
	image_close(&img);
	return ret;
}

const struct command command_release = {
	.name = "release",
	.usage = "FILE",
	.doc = "Print the kernel release of FILE, as uname -r says it.",
	.run = run,
	.wants = WANTS_OUTPUT,
};
