/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of the page; html.c puts them together. */
#ifndef KPATCH_REPORT_HTML_H
#define KPATCH_REPORT_HTML_H

#include <stdbool.h>
#include <stdio.h>

/* Writes text with what HTML would take for its own escaped. */
void html_put(FILE *out, const char *text);

/*
 * Writes the file PATH as it is, in the colours of what its lines say: a patch, or (PAIRS) what --explain printed, of
 * which long parts without a difference are folded. Returns 0, or -1 after a message.
 */
int html_put_file(FILE *out, const char *path, bool pairs);

/*
 * Writes a line of the details of a message; those of a picture of a layout in the colours of what differs. COLUMN is 0 before the
 * first one, and belongs to this function.
 */
void html_put_detail(FILE *out, const char *line, size_t *column);

#endif
