/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Diagnostics: every message of every program goes through here, so that they all look alike.
 *
 * A fault is reported once, where it is known, and travels upwards as a return value:
 *
 *	if (bad)
 *		return diag_error("%s: section %s: ...; what to do", file, name);
 */
#ifndef KPATCH_DIAG_H
#define KPATCH_DIAG_H

#include <stdbool.h>

#include "reason.h"

/* Exit codes of all commands; documented in their man pages. */
enum {
	EXIT_DONE = 0,		/* the output was written */
	EXIT_ERROR = 1,		/* bad input, missing file, no space, ... */
	EXIT_REFUSED = 2,	/* the change can't be made into a safe livepatch */
	EXIT_UNCHANGED = 3,	/* the two objects do the same */
};

/* Name put before every message. Call first; argv0 may hold a path. Starts to count refusals anew. */
void diag_init(const char *argv0);

/* Print "PROGRAM: error: ..." on standard error. Returns -1, always. */
int diag_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same, where the report has a word for the reason: those of diag_error() are "input". */
int diag_fault(enum reason reason, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Print "PROGRAM: refused: ..." and count it, once for each text. A pass goes on after a refusal, so
 * that the author of the patch sees all of them in one run. Returns whether it was new.
 */
bool diag_refuse(enum reason reason, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Print a line of details behind a message, indented. */
void diag_detail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Print "PROGRAM: warning: ...". */
void diag_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Print "PROGRAM: ..." on standard output. Silent after diag_set_quiet(true). */
void diag_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void diag_set_quiet(bool quiet);

/* Print "PROGRAM: debug: ..." on standard error, only after diag_set_debug(true). */
void diag_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void diag_set_debug(bool debug);

/* Number of diag_refuse() calls so far. */
unsigned int diag_refusals(void);

/*
 * From now on write each error, refusal and warning to a file, too, for other programs: a line with severity, reason
 * (reason.h; "-" for warnings) and text, with tabs between them. Returns 0, or -1 after a message.
 */
int diag_findings(const char *path);

/* malloc and friends that report failure and exit(EXIT_ERROR): nothing sensible can follow. */
void *xcalloc(unsigned long n, unsigned long size);
void *xrealloc(void *p, unsigned long n, unsigned long size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
