// SPDX-License-Identifier: GPL-2.0-only
/* Diagnostics; see diag.h. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "hash.h"

static const char *program = "kpatch";
static unsigned int refusals;
static bool be_quiet;
static bool be_verbose;

void diag_init(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	program = slash ? slash + 1 : argv0;
	refusals = 0;
}

static void print(FILE *out, const char *kind, const char *fmt, va_list ap)
{
	fprintf(out, "%s: %s", program, kind);
	vfprintf(out, fmt, ap);
	fputc('\n', out);
}

int diag_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print(stderr, "error: ", fmt, ap);
	va_end(ap);
	return -1;
}

static void *checked(void *p)
{
	if (!p) {
		diag_error("out of memory; free some or add swap");
		exit(EXIT_ERROR);
	}
	return p;
}

/* The same reason may be met at several places of one function: once is enough. */
static bool said_before(const char *text)
{
	static struct said {
		char *text;
		UT_hash_handle hh;
	} *all;
	struct said *s;

	HASH_FIND_STR(all, text, s);
	if (s)
		return true;
	s = xcalloc(1, sizeof(*s));
	s->text = xstrdup(text);
	HASH_ADD_KEYPTR(hh, all, s->text, strlen(s->text), s);
	return false;
}

void diag_refuse(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	checked(text);
	if (!said_before(text)) {
		refusals++;
		fprintf(stderr, "%s: refused: %s\n", program, text);
	}
	free(text);
}

void diag_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print(stderr, "warning: ", fmt, ap);
	va_end(ap);
}

void diag_info(const char *fmt, ...)
{
	va_list ap;

	if (be_quiet)
		return;
	va_start(ap, fmt);
	print(stdout, "", fmt, ap);
	va_end(ap);
}

void diag_debug(const char *fmt, ...)
{
	va_list ap;

	if (!be_verbose)
		return;
	va_start(ap, fmt);
	print(stderr, "debug: ", fmt, ap);
	va_end(ap);
}

void diag_set_quiet(bool quiet)
{
	be_quiet = quiet;
}

void diag_set_debug(bool debug)
{
	be_verbose = debug;
}

unsigned int diag_refusals(void)
{
	return refusals;
}

void *xcalloc(unsigned long n, unsigned long size)
{
	return checked(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, unsigned long n, unsigned long size)
{
	return checked(reallocarray(p, n ? n : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return checked(strdup(s));
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return checked(s);
}
