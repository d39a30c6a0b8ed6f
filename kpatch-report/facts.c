// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the facts of a build: lines of fields with tabs between them. The first field says what the line is about;
 * a table says for each what the others are called in the report, and where they go.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "facts.h"

#define MAX_FIELDS 8

/* Where a line goes. */
enum place {
	OF_BUILD,	/* the build has one of these */
	LIST_OF_BUILD,	/* or many */
	LIST_OF_OBJECT,	/* the object file of the last "object" line has many */
	LIST_OF_FUNCTION,	/* the function named first, of that object */
	WORDS_OF_OBJECT,	/* a list of single words */
	NOWHERE,	/* said elsewhere already */
};

/*
 * Fields by the names that they get, in order. "#size" is a number, "!replace" true or false (1 or 0), "?what" null
 * when it is "-". "=change new" is no field, but a name and a value that all these lines get.
 */
struct line_kind {
	const char *word;
	enum place place;
	const char *key;
	const char *fields[MAX_FIELDS];
};

static const struct line_kind kinds[] = {
	{ "build", OF_BUILD, NULL, { "result", "#exit_status", "tool_version" } },
	{ "kernel", OF_BUILD, "kernel", { "release", "?version", "?compiler", "?build_id" } },
	{ "options", OF_BUILD, "options",
	  { "name", "!replace", "shadow", "!skip_image_check", "#fuzz", "!dry_run" } },
	{ "module", OF_BUILD, "module", { "path", "name", "#size", "sha256" } },
	{ "signature", OF_BUILD, "signature", { "hash", "signer", "serial", "sha256" } },
	{ "input", LIST_OF_BUILD, "inputs", { "kind", "path", "sha256" } },
	{ "object", LIST_OF_BUILD, "objects", { "target", "object", "source", "result" } },
	{ "finding", LIST_OF_BUILD, "messages", { "severity", "?reason", "program", "?object", "text" } },
	{ "shadow", LIST_OF_BUILD, "shadow_fields",
	  { "name", "id", "#size", "#align", "#version", "?destructor" } },
	{ "stage", LIST_OF_BUILD, "stages", { "name", "#wall_ms", "#cpu_ms" } },
	{ "compile", LIST_OF_BUILD, "compiles", { "#wall_ms", "#cpu_ms", "name", "?kept" } },
	{ "text", LIST_OF_BUILD, "texts", { "kind", "title", "path" } },	/* files that are shown in HTML */

	/* The reports of create-diff-object */
	{ "function", LIST_OF_OBJECT, "functions",
	  { "=change changed", "name", "#position", "symbol", "#size" } },
	{ "part", LIST_OF_OBJECT, "functions", { "=change part", "name", "parent", "#size" } },
	{ "copy", LIST_OF_OBJECT, "functions", { "=change carried", "", "name", "#size" } },
	{ "moved", LIST_OF_OBJECT, "functions", { "=change moved", "name", "from", "to" } },
	{ "removed", LIST_OF_OBJECT, "functions", { "=change removed", "name" } },
	{ "new", LIST_OF_OBJECT, "functions", { "=change new", "kind", "name", "#size" } },
	{ "why", LIST_OF_FUNCTION, "reasons", { "kind", "?what", "?where", "text" } },
	{ "risk", LIST_OF_FUNCTION, "risks", { "kind", "text" } },
	{ "klp", LIST_OF_OBJECT, "relocations", { "owner", "name", "#position" } },
	{ "callback", LIST_OF_OBJECT, "callbacks", { "kind", "name", "symbol", "place" } },
	{ "unsafe", LIST_OF_OBJECT, "unsafe", { "name", "place" } },
	{ "ignored", LIST_OF_OBJECT, "ignored", { "kind", "name", "place" } },
	{ "namespace", WORDS_OF_OBJECT, "namespaces", { "" } },
	{ "layout", WORDS_OF_OBJECT, "allowed_layouts", { "" } },
	{ "kpatch-diff", NOWHERE, NULL, { "" } },
	{ "source", NOWHERE, NULL, { "" } },
};

static const char *const object_lists[] = { "functions", "data", "relocations", "callbacks", "unsafe",
					    "ignored", "namespaces", "allowed_layouts" };
static const char *const build_lists[] = { "inputs", "objects", "messages", "shadow_fields", "stages",
					   "compiles", "texts" };
static const char *const build_parts[] = { "kernel", "options", "module", "signature" };

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

struct reader {
	const char *path;
	unsigned int line;
	struct json_object *build;
	struct json_object *object;	/* of the last "object" line; NULL: none yet */
};

static int bad(const struct reader *r, const char *what)
{
	return diag_fault(REASON_INTERNAL, "%s:%u: %s; please report this", r->path, r->line, what);
}

/* Text from file names and compilers may be anything, and JSON is UTF-8. */
static struct json_object *text_object(const char *text)
{
	char *copy = xstrdup(text);
	struct json_object *o;

	for (unsigned char *p = (unsigned char *)copy; *p;) {
		size_t n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3 :
			   *p >= 0xf0 && *p < 0xf5 ? 4 : 0;
		size_t i = 1;

		while (i < n && (p[i] & 0xc0) == 0x80)
			i++;
		/* Overlong forms, surrogates, beyond Unicode */
		if (!n || i < n || (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
		    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f)) {
			*p++ = '?';
			continue;
		}
		p += n;
	}
	o = json_object_new_string(copy);
	free(copy);
	return o;
}

static int add_field(struct reader *r, struct json_object *to, const char *name, const char *value)
{
	char *end;
	long n;

	switch (*name) {
	case '\0':
		return 0;
	case '#':
		errno = 0;
		n = strtol(value, &end, 10);
		if (errno || end == value || *end)
			return bad(r, "not a number");
		return json_object_object_add(to, name + 1, json_object_new_int64(n));
	case '!':
		return json_object_object_add(to, name + 1, json_object_new_boolean(*value == '1'));
	case '?':
		return json_object_object_add(to, name + 1, strcmp(value, "-") ? text_object(value) : NULL);
	}
	return json_object_object_add(to, name, text_object(value));
}

/* "change new": the name, and the value behind the blank. */
static int add_constant(struct json_object *to, const char *text)
{
	const char *blank = strchr(text, ' ');
	char *name = xstrdup(text);
	int ret;

	name[blank - text] = '\0';
	ret = json_object_object_add(to, name, json_object_new_string(blank + 1));
	free(name);
	return ret;
}

static int fill(struct reader *r, const struct line_kind *kind, struct json_object *to, char **values, size_t n)
{
	size_t used = 0;

	for (size_t i = 0; i < MAX_FIELDS && kind->fields[i]; i++) {
		int err;

		if (*kind->fields[i] == '=') {
			err = add_constant(to, kind->fields[i] + 1);
		} else {
			if (used == n)
				return bad(r, "fields are missing");
			err = add_field(r, to, kind->fields[i], values[used++]);
		}
		if (err)
			return -1;
	}
	return used == n ? 0 : bad(r, "too many fields");
}

static struct json_object *list_of(struct json_object *owner, const char *key)
{
	return json_object_object_get(owner, key);
}

static void add_function_lists(struct json_object *function)
{
	json_object_object_add(function, "reasons", json_object_new_array());
	json_object_object_add(function, "risks", json_object_new_array());
}

static struct json_object *new_object(void)
{
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; i < LENGTH(object_lists); i++)
		json_object_object_add(o, object_lists[i], json_object_new_array());
	return o;
}

/* The function that reasons and risks are told of: the last line of that name. */
static struct json_object *function_named(struct json_object *object, const char *name)
{
	struct json_object *list = list_of(object, "functions");

	for (size_t i = json_object_array_length(list); i-- > 0;) {
		struct json_object *f = json_object_array_get_idx(list, i);

		if (!strcmp(json_object_get_string(json_object_object_get(f, "name")), name))
			return f;
	}
	return NULL;
}

/* Details of a message are lines of their own behind it. */
static int add_detail(struct reader *r, char **values, size_t n)
{
	struct json_object *messages = list_of(r->build, "messages");
	size_t count = json_object_array_length(messages);

	if (n != 5 || !count)
		return bad(r, "a detail of no message");
	return json_object_array_add(list_of(json_object_array_get_idx(messages, count - 1), "details"),
				     text_object(values[4]));
}

static int add_line(struct reader *r, const struct line_kind *kind, char **values, size_t n)
{
	struct json_object *to = r->build, *list, *o;
	const char *key = kind->key;

	if (kind->place >= LIST_OF_OBJECT && kind->place < NOWHERE && !r->object)
		return bad(r, "belongs to no object file");
	switch (kind->place) {
	case OF_BUILD:
		if (key) {
			to = json_object_new_object();
			json_object_object_add(r->build, key, to);
		}
		return fill(r, kind, to, values, n);
	case LIST_OF_BUILD:
		if (n && !strcmp(kind->word, "finding") && !strcmp(values[0], "detail"))
			return add_detail(r, values, n);
		o = strcmp(key, "objects") ? json_object_new_object() : (r->object = new_object());
		json_object_array_add(list_of(r->build, key), o);
		if (fill(r, kind, o, values, n))
			return -1;
		if (!strcmp(key, "messages"))
			json_object_object_add(o, "details", json_object_new_array());
		return 0;
	case LIST_OF_OBJECT:
		/* New data is a line of the same kind as new functions. */
		if (n && !strcmp(kind->word, "new") && !strcmp(values[0], "data"))
			key = "data";
		o = json_object_new_object();
		json_object_array_add(list_of(r->object, key), o);
		if (fill(r, kind, o, values, n))
			return -1;
		if (!strcmp(kind->word, "new"))
			json_object_object_del(o, "kind");
		if (!strcmp(key, "functions"))
			add_function_lists(o);
		return 0;
	case LIST_OF_FUNCTION:
		o = n ? function_named(r->object, values[0]) : NULL;
		if (!o)
			return bad(r, "is about an unknown function");
		list = list_of(o, key);
		o = json_object_new_object();
		json_object_array_add(list, o);
		return fill(r, kind, o, values + 1, n - 1);
	case WORDS_OF_OBJECT:
		if (n != 1)
			return bad(r, "not one word");
		return json_object_array_add(list_of(r->object, key), text_object(values[0]));
	case NOWHERE:
		return 0;
	}
	return 0;
}

static int read_line(struct reader *r, char *line)
{
	char *values[MAX_FIELDS];
	size_t n = 0;
	char *word = strsep(&line, "\t");

	while (line) {
		if (n == MAX_FIELDS)
			return bad(r, "too many fields");
		values[n++] = strsep(&line, "\t");
	}
	for (size_t i = 0; i < LENGTH(kinds); i++)
		if (!strcmp(kinds[i].word, word))
			return add_line(r, &kinds[i], values, n);
	return bad(r, "unknown line");
}

static struct json_object *new_build(void)
{
	struct json_object *build = json_object_new_object();

	for (size_t i = 0; i < LENGTH(build_parts); i++)
		json_object_object_add(build, build_parts[i], NULL);
	for (size_t i = 0; i < LENGTH(build_lists); i++)
		json_object_object_add(build, build_lists[i], json_object_new_array());
	return build;
}

struct json_object *facts_read(const char *path)
{
	struct reader r = { .path = path };
	FILE *in = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int err = 0;

	if (!in) {
		diag_error("%s: %s; is the path right?", path, strerror(errno));
		return NULL;
	}
	r.build = new_build();
	while (!err && (len = getline(&line, &room, in)) >= 0) {
		r.line++;
		if (len && line[len - 1] == '\n')
			line[--len] = '\0';
		err = strlen(line) == (size_t)len ? read_line(&r, line) : bad(&r, "holds a zero byte");
	}
	if (!err && ferror(in))
		err = diag_error("%s: cannot be read", path);
	if (!err && !json_object_object_get(r.build, "result"))
		err = bad(&r, "no line says what the result is");
	free(line);
	fclose(in);
	if (err) {
		json_object_put(r.build);
		return NULL;
	}
	return r.build;
}
