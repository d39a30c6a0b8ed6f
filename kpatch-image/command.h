/* SPDX-License-Identifier: GPL-2.0-only */
/* The subcommands of kpatch-image; one file each. */
#ifndef KPATCH_IMAGE_COMMAND_H
#define KPATCH_IMAGE_COMMAND_H

#include <argp.h>
#include <stdio.h>

/* What a subcommand's command line says. */
struct command_line {
	char *file;		/* the image or module */
	char *output;		/* -o; NULL: standard output */
	char **names;		/* what follows the file; ends with NULL */
};

struct command {
	const char *name;
	const char *usage;	/* arguments, as in "Usage: kpatch-image NAME USAGE" */
	const char *doc;	/* one line */
	int (*run)(const struct command_line *line);	/* 0, or -1 after a message */
	enum { WANTS_OUTPUT = 1, WANTS_NAMES = 2 } wants;
};

extern const struct command command_symtab, command_release, command_unpack, command_struct,
	command_build_id, command_compiler;

/* A file that appears under its name when it is complete, and not at all after a failure. */
struct output {
	FILE *stream;
	const char *path;	/* as given; NULL: standard output */
	char *temp;		/* what is written until then; NULL: the path itself */
	char *final;		/* the path, symbolic links resolved */
};

int output_open(struct output *out, const char *path);

/* Finish the file when RET is 0, else drop it. Returns RET, or -1 after a message. */
int output_close(struct output *out, int ret);

/* A file that is one line. Returns 0, or -1 after a message. */
int output_line(const char *path, const char *text);

#endif
