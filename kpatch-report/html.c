// SPDX-License-Identifier: GPL-2.0-only
/*
 * The report for people: one page that needs nothing else, for the review of a livepatch before it is loaded.
 * Everything that comes from a build is escaped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "html.h"
#include "report.h"

static const char style[] =
	":root{color-scheme:light dark;--bg:#fff;--fg:#1a1c1f;--dim:#5c636d;--line:#d8dce2;--soft:#f4f6f8;"
	"--good:#176b3a;--bad:#b3261e;--warn:#8a5300;--add:#e3f6e8;--mod:#fff3d6;--del:#fdeaea;--link:#0b57d0}\n"
	"@media(prefers-color-scheme:dark){:root{--bg:#15171a;--fg:#e6e8eb;--dim:#9aa3ad;--line:#343a41;--soft:#1e2226;"
	"--good:#6fd394;--bad:#ff8f87;--warn:#f0b860;--add:#12331f;--mod:#3a2f12;--del:#3d1a1a;--link:#8ab4ff}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif;"
	"overflow-wrap:anywhere}\n"
	"main{max-width:75rem;margin:0 auto;padding:1rem}\n"
	"h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line)}\n"
	"h3{font-size:1rem;margin:1.25rem 0 .25rem}\n"
	"code,pre{font-family:ui-monospace,monospace;font-size:.85rem}\n"
	"pre{margin:.5rem 0;padding:.75rem;background:var(--soft);border:1px solid var(--line);border-radius:.4rem;"
	"overflow-x:auto;overflow-wrap:normal}\n"
	"pre span{display:block;min-width:max-content;white-space:pre}pre .text{min-width:0;white-space:pre-wrap;overflow-wrap:anywhere}pre details{margin:0}.add{background:var(--add)}.mod{background:var(--mod)}.del{background:var(--del)}.at{color:var(--dim)}\n"
	".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}\n"
	"th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line)}\n"
	"th{color:var(--dim);font-weight:600;white-space:nowrap}td:first-child{width:1%;white-space:nowrap}td.n,th.n{text-align:right}\n"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.5rem 0}dt{color:var(--dim)}"
	"dd{margin:0}\n"
	".tag{display:inline-block;padding:0 .5rem;border:1px solid currentColor;border-radius:1rem;font-size:.8rem;"
	"font-weight:600;white-space:nowrap}\n"
	".done,.new{color:var(--good)}.error,.refused,.removed{color:var(--bad)}.warning,.unchanged{color:var(--warn)}\n"
	"ul.messages{list-style:none;padding:0}ul.messages li{margin:.4rem 0}\n"
	"details{margin:.5rem 0}summary{cursor:pointer;color:var(--link)}\n"
	"p.why{margin:.1rem 0;color:var(--dim)}p.risk{margin:.1rem 0;color:var(--warn)}\n"
	"@media(max-width:40rem){main{padding:.75rem}dl{grid-template-columns:1fr}dt{margin-top:.4rem}"
	"td{padding-right:.5rem}}\n"
	"@media print{pre{white-space:pre-wrap}}\n";

void html_put(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

static struct json_object *get(struct json_object *from, const char *key)
{
	return from ? json_object_object_get(from, key) : NULL;
}

/* The text of a value; "" for null. */
static const char *text(struct json_object *from, const char *key)
{
	struct json_object *o = get(from, key);

	return o ? json_object_get_string(o) : "";
}

static size_t length(struct json_object *from, const char *key)
{
	struct json_object *o = get(from, key);

	return o ? json_object_array_length(o) : 0;
}

static struct json_object *item(struct json_object *from, const char *key, size_t i)
{
	return json_object_array_get_idx(get(from, key), i);
}

static void put_tag(FILE *out, const char *word)
{
	fputs("<span class=\"tag ", out);
	html_put(out, word);
	fputs("\">", out);
	html_put(out, word);
	fputs("</span>", out);
}

static void put_term(FILE *out, const char *term, const char *value, const char *unit)
{
	if (!*value)
		return;
	fprintf(out, "<dt>%s</dt><dd><code>", term);
	html_put(out, value);
	fprintf(out, "</code>%s</dd>\n", unit);
}

static void put_facts(struct json_object *build, FILE *out)
{
	struct json_object *kernel = get(build, "kernel"), *options = get(build, "options"),
			   *module = get(build, "module"), *signature = get(build, "signature");

	fputs("<dl>\n", out);
	put_term(out, "kernel", text(kernel, "release"), "");
	put_term(out, "version of the package", text(kernel, "version"), "");
	put_term(out, "build ID", text(kernel, "build_id"), "");
	put_term(out, "compiler", text(kernel, "compiler"), "");
	put_term(out, "livepatch", text(options, "name"),
		 options && !json_object_get_boolean(get(options, "replace")) ?
			 ", stacked on loaded ones" : ", replaces loaded ones");
	put_term(out, "module", text(module, "path"), "");
	put_term(out, "size", text(module, "size"), " bytes");
	put_term(out, "SHA-256", text(module, "sha256"), "");
	put_term(out, "signed by", text(signature, "signer"), "");
	put_term(out, "serial number of the certificate", text(signature, "serial"), "");
	put_term(out, "SHA-256 of the certificate", text(signature, "sha256"), "");
	put_term(out, "hash of the signature", text(signature, "hash"), "");
	if (options && json_object_get_boolean(get(options, "skip_image_check")))
		fputs("<dt>proof</dt><dd class=\"warning\">only warned of: --skip-image-check</dd>\n", out);
	put_term(out, "kpatch-build", text(build, "tool_version"), "");
	fputs("</dl>\n", out);
}

static void put_messages(struct json_object *build, FILE *out)
{
	if (!length(build, "messages"))
		return;
	fputs("<h2>Messages</h2>\n<ul class=\"messages\">\n", out);
	for (size_t i = 0; i < length(build, "messages"); i++) {
		struct json_object *m = item(build, "messages", i);

		fputs("<li>", out);
		put_tag(out, text(m, "severity"));
		fputc(' ', out);
		html_put(out, text(m, "text"));
		if (length(m, "details")) {
			size_t column = 0;

			fputs("<pre>", out);
			for (size_t j = 0; j < length(m, "details"); j++)
				html_put_detail(out, json_object_get_string(item(m, "details", j)), &column);
			fputs("</pre>", out);
		}
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

/* What is told of a function, a line each. */
static void put_lines(struct json_object *f, const char *key, const char *class, const char *before, FILE *out)
{
	for (size_t i = 0; i < length(f, key); i++) {
		fprintf(out, "<p class=\"%s\">%s", class, before);
		html_put(out, text(item(f, key, i), "text"));
		fputs("</p>", out);
	}
}

static void put_function(struct json_object *f, FILE *out)
{
	fputs("<tr><td>", out);
	put_tag(out, text(f, "change"));
	fputs("</td><td><code>", out);
	html_put(out, text(f, "name"));
	fputs("()</code>", out);
	put_lines(f, "reasons", "why", "", out);
	put_lines(f, "risks", "risk", "Note: ", out);
	fputs("</td><td class=\"n\">", out);
	html_put(out, text(f, "size"));
	fputs("</td></tr>\n", out);
}

static void put_names(struct json_object *object, const char *key, const char *title, const char *more, FILE *out)
{
	size_t n = length(object, key);

	if (!n)
		return;
	fprintf(out, "<p>%s: ", title);
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = item(object, key, i);
		bool word = json_object_is_type(o, json_type_string);

		fputs(i ? ", <code>" : "<code>", out);
		html_put(out, word ? json_object_get_string(o) : text(o, "name"));
		fputs("</code>", out);
		if (!word && more && *text(o, more)) {
			fputs(" (", out);
			html_put(out, text(o, more));
			fputc(')', out);
		}
	}
	fputs("</p>\n", out);
}

/* A column of a table: the key of what it shows, in each row. */
struct column {
	const char *key, *title;
	enum { COLUMN_TEXT, COLUMN_CODE, COLUMN_NUMBER } kind;
};

static void put_table(struct json_object *owner, const char *key, const struct column *columns, size_t n, FILE *out)
{
	static const char *const before[] = { "<td>", "<td><code>", "<td class=\"n\">" };
	static const char *const behind[] = { "</td>", "</code></td>", "</td>" };

	fputs("<div class=\"wide\"><table><tr>", out);
	for (size_t c = 0; c < n; c++)
		fprintf(out, columns[c].kind == COLUMN_NUMBER ? "<th class=\"n\">%s</th>" : "<th>%s</th>", columns[c].title);
	fputs("</tr>\n", out);
	for (size_t i = 0; i < length(owner, key); i++) {
		fputs("<tr>", out);
		for (size_t c = 0; c < n; c++) {
			fputs(before[columns[c].kind], out);
			html_put(out, text(item(owner, key, i), columns[c].key));
			fputs(behind[columns[c].kind], out);
		}
		fputs("</tr>\n", out);
	}
	fputs("</table></div>", out);
}

static void put_object(struct json_object *object, FILE *out)
{
	static const struct column relocations[] = {
		{ "owner", "of", COLUMN_TEXT },
		{ "name", "symbol", COLUMN_CODE },
		{ "position", "position", COLUMN_NUMBER },
	};
	size_t n = length(object, "relocations");

	fputs("<h3><code>", out);
	html_put(out, text(object, "source"));
	fputs("</code> in <code>", out);
	html_put(out, text(object, "target"));
	fputs("</code> ", out);
	put_tag(out, text(object, "result"));
	fputs("</h3>\n", out);
	if (length(object, "functions")) {
		fputs("<div class=\"wide\"><table><tr><th></th><th>function</th><th class=\"n\">bytes</th></tr>\n", out);
		for (size_t i = 0; i < length(object, "functions"); i++)
			put_function(item(object, "functions", i), out);
		fputs("</table></div>\n", out);
	}
	put_names(object, "data", "New data", "size", out);
	put_names(object, "callbacks", "Callbacks", "kind", out);
	put_names(object, "ignored", "Left out by the author", "place", out);
	put_names(object, "unsafe", "Forced by the author", "place", out);
	put_names(object, "allowed_layouts", "Types that the author lets change", NULL, out);
	put_names(object, "namespaces", "Namespaces of exports", NULL, out);
	if (!n)
		return;
	fprintf(out, "<details><summary>%zu %s reached by livepatch relocations</summary>\n", n, n == 1 ? "symbol" : "symbols");
	put_table(object, "relocations", relocations, 3, out);
	fputs("</details>\n", out);
}

static void put_shadow(struct json_object *build, FILE *out)
{
	static const struct column columns[] = {
		{ "name", "field", COLUMN_CODE },
		{ "size", "bytes", COLUMN_NUMBER },
		{ "id", "id", COLUMN_CODE },
		{ "version", "version", COLUMN_NUMBER },
		{ "destructor", "destructor", COLUMN_CODE },
	};

	if (!length(build, "shadow_fields"))
		return;
	fputs("<h2>Shadow fields</h2>\n", out);
	put_table(build, "shadow_fields", columns, 5, out);
	fputc('\n', out);
}

static int put_texts(struct json_object *build, const char *kind, const char *heading, FILE *out)
{
	bool begun = false;

	for (size_t i = 0; i < length(build, "texts"); i++) {
		struct json_object *t = item(build, "texts", i);

		if (strcmp(text(t, "kind"), kind))
			continue;
		if (!begun)
			fprintf(out, "<h2>%s</h2>\n", heading);
		begun = true;
		fputs("<details open><summary><code>", out);
		html_put(out, text(t, "title"));
		fputs("</code></summary>\n", out);
		if (html_put_file(out, text(t, "path"), !strcmp(kind, "function")))
			return -1;
		fputs("</details>\n", out);
	}
	return 0;
}

static void put_inputs(struct json_object *build, FILE *out)
{
	static const struct column columns[] = {
		{ "kind", "", COLUMN_TEXT },
		{ "path", "file", COLUMN_CODE },
		{ "sha256", "SHA-256", COLUMN_CODE },
	};

	if (!length(build, "inputs"))
		return;
	fputs("<h2>Inputs</h2>\n", out);
	put_table(build, "inputs", columns, 3, out);
	fputc('\n', out);
}

static int put_build(struct json_object *build, FILE *out)
{
	struct json_object *options = get(build, "options"), *kernel = get(build, "kernel");

	fputs("<section>\n<h1>Livepatch ", out);
	html_put(out, text(options, "name"));
	fputs(" for ", out);
	html_put(out, text(kernel, "release"));
	fputc(' ', out);
	put_tag(out, text(build, "result"));
	fputs("</h1>\n", out);
	put_facts(build, out);
	put_messages(build, out);
	if (length(build, "objects"))
		fputs("<h2>Changes</h2>\n", out);
	for (size_t i = 0; i < length(build, "objects"); i++)
		put_object(item(build, "objects", i), out);
	put_shadow(build, out);
	if (put_texts(build, "patch", "Patches", out) ||
	    put_texts(build, "function", "Functions, before and after", out))
		return -1;
	put_inputs(build, out);
	fputs("</section>\n", out);
	return 0;
}

int write_html(struct json_object *builds, FILE *out)
{
	fprintf(out,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
		"<title>kpatch-build report</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", style);
	for (size_t i = 0; i < json_object_array_length(builds); i++)
		if (put_build(json_object_array_get_idx(builds, i), out))
			return -1;
	fputs("</main>\n</body>\n</html>\n", out);
	return ferror(out) ? diag_error("standard output: %s; is the disk full?", strerror(errno)) : 0;
}
