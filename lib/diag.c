// SPDX-License-Identifier: GPL-2.0-only
/* Diagnostics; see diag.h. */
#include <errno.h>
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
static FILE *findings;	/* for other programs; NULL: not wanted */

static const char *const reason_words[] = {
#define REASON_WORD(id, word) [REASON_##id] = word,
	KPATCH_REASONS(REASON_WORD)
#undef REASON_WORD
};

void diag_init(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	program = slash ? slash + 1 : argv0;
	refusals = 0;
}

int diag_findings(const char *path)
{
	findings = fopen(path, "we");
	return findings ? 0 : diag_error("%s: %s; can the directory be written?", path, strerror(errno));
}

static void print(FILE *out, const char *kind, const char *fmt, va_list ap)
{
	fprintf(out, "%s: %s", program, kind);
	vfprintf(out, fmt, ap);
	fputc('\n', out);
}

static void *checked(void *p)
{
	if (!p) {
		fprintf(stderr, "%s: error: out of memory; free some or add swap\n", program);
		exit(EXIT_ERROR);
	}
	return p;
}

static char *format(const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	return checked(text);
}

/* It may hold a name from a damaged file: what would end the field is left out. */
static void note(const char *severity, const char *reason, char *text)
{
	if (!findings)
		return;
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	fprintf(findings, "%s\t%s\t%s\n", severity, reason, text);
	fflush(findings);
}

/* Text is freed. */
static void say(const char *severity, const char *reason, char *text)
{
	fprintf(stderr, "%s: %s: %s\n", program, severity, text);
	note(severity, reason, text);
	free(text);
}

int diag_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("error", reason_words[REASON_INPUT], format(fmt, ap));
	va_end(ap);
	return -1;
}

int diag_fault(enum reason reason, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("error", reason_words[reason], format(fmt, ap));
	va_end(ap);
	return -1;
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

bool diag_refuse(enum reason reason, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	if (said_before(text)) {
		free(text);
		return false;
	}
	refusals++;
	say("refused", reason_words[reason], text);
	return true;
}

void diag_detail(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	fprintf(stderr, "    %s\n", text);
	note("detail", "-", text);
	free(text);
}

void diag_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("warning", "-", format(fmt, ap));
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
	char *s;

	va_start(ap, fmt);
	s = format(fmt, ap);
	va_end(ap);
	return s;
}
