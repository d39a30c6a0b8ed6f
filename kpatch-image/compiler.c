// SPDX-License-Identifier: GPL-2.0-only
/*
 * kpatch-image compiler: what an image was compiled with, as its compiler calls itself. A kernel says so in its banner,
 *	Linux version 6.1.0-56-cloud-amd64 (builder@host) (gcc-12 (Debian 12.2.0-14) 12.2.0, GNU ld ...) #1 SMP ...
 * a module in its .comment section.
 */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "diag.h"
#include "image.h"

/* The end of what the parenthesis at p opens, or NULL. */
static const char *closing(const char *p)
{
	unsigned int depth = 0;

	for (; *p && *p != '\n'; p++) {
		if (*p == '(')
			depth++;
		else if (*p == ')' && !--depth)
			return p;
	}
	return NULL;
}

static char *compiler_of_banner(const char *banner)
{
	const char *builder = strstr(banner, " ("), *end = builder ? closing(builder + 1) : NULL, *text;
	unsigned int depth = 0;
	size_t n = 0;

	if (!end || end[1] != ' ' || end[2] != '(')
		return NULL;
	text = end + 3;
	end = closing(end + 2);
	if (!end)
		return NULL;
	/* The linker stands behind a comma. */
	for (; text + n < end; n++) {
		if (text[n] == '(')
			depth++;
		else if (text[n] == ')')
			depth--;
		else if (text[n] == ',' && !depth)
			break;
	}
	return n ? strndup(text, n) : NULL;
}

/* The first string of a module's .comment; the linker leaves an empty one in front. */
static char *compiler_of_module(const struct image *img)
{
	const struct image_section *s = image_section(img, ".comment");
	const char *p = s ? (const char *)s->data : NULL, *end = p ? p + s->size : NULL;

	while (p && p < end && !*p)
		p++;
	return p && p < end && memchr(p, '\0', end - p) ? xstrdup(p) : NULL;
}

static int run(const struct command_line *line)
{
	struct image img;
	const char *banner;
	char *text;
	int ret;

	if (image_open(&img, line->file))
		return -1;
	banner = img.module ? NULL : image_banner(&img);
	text = img.module ? compiler_of_module(&img) : banner ? compiler_of_banner(banner) : NULL;
	if (text)
		ret = output_line(line->output, text);
	else
		ret = diag_error("%s: it doesn't tell its compiler", line->file);
	free(text);
	image_close(&img);
	return ret;
}

const struct command command_compiler = {
	.name = "compiler",
	.usage = "FILE",
	.doc = "Print what FILE was compiled with, as its compiler calls itself.",
	.run = run,
	.wants = WANTS_OUTPUT,
};
