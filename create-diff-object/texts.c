// SPDX-License-Identifier: GPL-2.0-only
/*
 * The texts of the sources, as far as they help to explain a change (--trees): where a function ends, what is a macro.
 * They are what people wrote; nothing that decides what a livepatch is depends on them.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diag.h"
#include "explain.h"

/* No source is longer. */
#define MAX_SIZE (64 << 20)

struct text {
	char *file;
	char **lines;	/* NULL: cannot be read */
	size_t n;
	UT_hash_handle hh;
};

static char *read_whole(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *data = NULL;
	struct stat st;
	ssize_t n, size = 0;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size < MAX_SIZE) {
		data = xcalloc(st.st_size + 1, 1);
		while (size < st.st_size && (n = read(fd, data + size, st.st_size - size)) > 0)
			size += n;
	}
	close(fd);
	return data;
}

static void cut_into_lines(struct text *t, char *data)
{
	size_t room = 0;

	for (char *line = data; line && *line;) {
		char *end = strchr(line, '\n');

		if (t->n == room) {
			room = room ? room * 2 : 256;
			t->lines = xrealloc(t->lines, room, sizeof(*t->lines));
		}
		t->lines[t->n++] = line;
		if (end) {
			*end++ = '\0';
			if (end - line > 1 && end[-2] == '\r')
				end[-2] = '\0';
		}
		line = end;
	}
}

/* A name that debugging information has made up must not lead out of the tree. */
static bool is_inside(const char *file)
{
	return *file && *file != '/' && !has_prefix(file, "../") && !strstr(file, "/../");
}

static const struct text *find_text(struct sources *s, enum side side, const char *file)
{
	struct text *t;
	char *path;

	if (!s->tree[side] || !file || !is_inside(file))
		return NULL;
	HASH_FIND_STR(s->texts[side], file, t);
	if (t)
		return t;
	t = xcalloc(1, sizeof(*t));
	t->file = xstrdup(file);
	path = xasprintf("%s/%s", s->tree[side], file);
	/* The text stays until the end. */
	cut_into_lines(t, read_whole(path));
	free(path);
	HASH_ADD_KEYPTR(hh, s->texts[side], t->file, strlen(t->file), t);
	return t;
}

const char *source_line(struct sources *s, enum side side, struct place_of_source p)
{
	const struct text *t = find_text(s, side, p.file);

	return t && p.line && p.line <= t->n ? t->lines[p.line - 1] : NULL;
}

/* What is left open at the end of a line. */
struct scanner {
	bool comment;
	int depth;		/* of braces */
	bool braces;		/* there were some */
	bool over;		/* the definition has ended, or was a declaration */
};

static const char *skip_quoted(const char *c)
{
	const char quote = *c++;

	while (*c && *c != quote)
		c += *c == '\\' && c[1] ? 2 : 1;
	return c;
}

static void scan_line(struct scanner *s, const char *c)
{
	for (; *c && !s->over; c++) {
		if (s->comment) {
			s->comment = !(c[0] == '*' && c[1] == '/');
		} else if (c[0] == '/' && c[1] == '*') {
			s->comment = true;
			c++;
		} else if (c[0] == '/' && c[1] == '/') {
			return;
		} else if (*c == '"' || *c == '\'') {
			c = skip_quoted(c);
			if (!*c)
				return;
		} else if (*c == '{') {
			s->depth++;
			s->braces = true;
		} else if (*c == '}') {
			s->over = --s->depth <= 0;
		} else if (*c == ';') {
			s->over = !s->braces;
		}
	}
}

/* What stands in front of a function's name may be on lines of its own: "static inline". */
unsigned int function_begin(struct sources *s, enum side side, struct place_of_source p)
{
	unsigned int begin = p.line;
	const char *line;

	if (!source_line(s, side, p))
		return 0;
	while (p.line-- > 1 && (line = source_line(s, side, p)) && (isalpha((unsigned char)*line) || *line == '_') &&
	       !strpbrk(line, ";{}:/") && begin - p.line < 4)
		begin = p.line;
	return begin;
}

unsigned int function_end(struct sources *s, enum side side, struct place_of_source p)
{
	struct scanner scan = { 0 };
	const char *line;

	for (; (line = source_line(s, side, p)); p.line++) {
		if (*line == '#')
			continue;
		scan_line(&scan, line);
		/* Braces in both branches of an #if: by the kernel's style, the end of a function is alone at the margin. */
		if (scan.over || (scan.braces && *line == '}'))
			return p.line;
	}
	return 0;
}

void for_each_word(const char *line, void (*fn)(void *arg, const char *word, size_t n), void *arg)
{
	for (const char *c = line; *c;) {
		size_t n = 0;

		if (*c == '"') {
			c = skip_quoted(c);
			c += *c != '\0';
			continue;
		}
		while (isalnum((unsigned char)c[n]) || c[n] == '_')
			n++;
		if (n && !isdigit((unsigned char)*c))
			fn(arg, c, n);
		c += n ? n : 1;
	}
}

static bool is_continued(const char *line)
{
	size_t n = strlen(line);

	while (n && isspace((unsigned char)line[n - 1]))
		n--;
	return n && line[n - 1] == '\\';
}

const char *macro_of_line(struct sources *s, enum side side, struct place_of_source p, size_t *n)
{
	const char *line = source_line(s, side, p), *before;

	while (line && p.line > 1) {
		p.line--;
		before = source_line(s, side, p);
		if (!before || !is_continued(before))
			break;
		line = before;
	}
	if (!line)
		return NULL;
	line += strspn(line, " \t");
	if (*line++ != '#')
		return NULL;
	line += strspn(line, " \t");
	if (!has_prefix(line, "define") || !isblank((unsigned char)line[6]))
		return NULL;
	line += 6;
	line += strspn(line, " \t");
	for (*n = 0; isalnum((unsigned char)line[*n]) || line[*n] == '_'; ++*n)
		;
	return *n ? line : NULL;
}

char *printable(char *s)
{
	for (char *c = s; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return s;
}
