// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function as instructions that people can read: relocated fields show what they refer to. And in a second form that
 * is the same in the original and in the patched object if it means the same: there everything has the name that the
 * original has for it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "diag.h"
#include "disasm.h"
#include "explain.h"

/* What is put into a relocated field, so that it can be found in the text: no such number is in a kernel. */
#define MARK	0x5e0a0000u
#define MAX_LENGTH	15
#define MAX_FIELDS	2

/* How much of a string is shown. */
#define MAX_STRING	40

struct field {
	const struct reloc *r;
	uint32_t mark;
};

/* A string as C writes it; cut to what is shown, unless all of it is wanted. */
static char *quoted(const struct atom *a, int64_t off, bool all)
{
	const unsigned char *s = a->sec->data ? a->sec->data + a->off : NULL;
	size_t n = s && off >= 0 && (uint64_t)off < a->size ? strnlen((const char *)s + off, a->size - off) : 0;
	size_t shown = !all && n > MAX_STRING ? MAX_STRING : n;
	char *text = xcalloc(4 * shown + 8, 1), *out = text;

	*out++ = '"';
	for (size_t i = 0; i < shown; i++) {
		unsigned char c = s[off + i];

		if (c == '\n' || c == '\t')
			out += sprintf(out, "\\%c", c == '\n' ? 'n' : 't');
		else if (c == '"' || c == '\\')
			out += sprintf(out, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			out += sprintf(out, "\\%03o", c);
		else
			*out++ = c;
	}
	sprintf(out, "%s\"", shown < n ? "..." : "");
	return text;
}

/* What has no name is the same if it holds the same. */
static char *contents(const struct atom *a)
{
	char *text, *out;
	size_t n = a->size < 64 ? a->size : 64;

	if (!a->sec->data)
		return xasprintf("%s of %" PRIu64 " bytes", a->sec->name, a->size);
	text = xcalloc(2 * n + 32, 1);
	out = text + sprintf(text, "<%" PRIu64 ":", a->size);
	for (size_t i = 0; i < n; i++)
		out += sprintf(out, "%02x", a->sec->data[a->off + i]);
	sprintf(out, ">");
	return text;
}

/* The names of what r refers to: for people, and the one that both objects have for it. */
static void name_target(const struct reloc *r, enum side side, int end, char **text, char **norm)
{
	const struct atom *t = r->target, *orig = t && side == PATCHED && t->twin ? t->twin : t;
	char *name, *common, *key;
	int64_t off;
	char offset[32] = "";

	if (!t) {
		off = r->addend + end;
		name = xstrdup(r->sym->name);
		common = xstrdup(name);
	} else if (t->kind == ATOM_STRING) {
		off = 0;
		name = quoted(t, r->target_off, false);
		common = quoted(t, r->target_off, true);
	} else if (is_named(t)) {
		off = r->target_off - (int64_t)t->entry;
		name = xstrdup(atom_name(t));
		key = t->own_copy || !t->twin ? name_key(name) : NULL;
		/* Something new is another thing than what had its name. */
		common = xasprintf("%s%s", key ? key : atom_name(orig), key && !t->own_copy && side == PATCHED ? " (new)" : "");
		free(key);
	} else {
		off = r->target_off;
		name = xstrdup(atom_title(t));
		common = t->twin ? xstrdup(atom_title(orig)) : contents(t);
	}
	if (off)
		snprintf(offset, sizeof(offset), "%c0x%" PRIx64, off < 0 ? '-' : '+', off < 0 ? -(uint64_t)off : (uint64_t)off);
	*text = printable(xasprintf("%s%s", name, offset));
	*norm = xasprintf("%s%s", common, offset);
	free(name);
	free(common);
}

/* Put name where the text has number; what the text does not show is put behind it. */
static char *substitute(char *text, uint64_t number, const char *name)
{
	char digits[24], *at, *out;

	snprintf(digits, sizeof(digits), "0x%" PRIx64, number);
	at = strstr(text, digits);
	if (at)
		out = xasprintf("%.*s%s%s", (int)(at - text), text, name, at + strlen(digits));
	else
		out = xasprintf("%s  [%s]", text, name);
	free(text);
	return out;
}

/* The same of a branch, which has no operand but the place that it leads to. */
static char *substitute_target(char *text, const char *name)
{
	char *blank = strrchr(text, ' '), *out;

	out = xasprintf("%.*s %s", blank ? (int)(blank - text) : (int)strlen(text), text, name);
	free(text);
	return out;
}

static void name_fields(struct insn *in, const struct disasm *dis, enum side side, const struct atom *a,
			const struct field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct reloc *r = fields[i].r;
		uint64_t end = a->off + a->entry + in->off + in->length;
		char *name, *norm;

		name_target(r, side, arch_reloc_is_pcrel(r->type) ? (int)(end - r->offset) : 0, &name, &norm);
		in->text = dis->branch ? substitute_target(in->text, name) : substitute(in->text, fields[i].mark, name);
		in->norm = dis->branch ? substitute_target(in->norm, norm) : substitute(in->norm, fields[i].mark, norm);
		free(name);
		free(norm);
	}
}

/* A branch inside of the function: where it leads is compared when it is known what stands where. */
static void name_inside(struct insn *in, const struct disasm *dis, const struct atom *a)
{
	char target[32];

	in->inside = true;
	in->target = dis->target - a->entry;
	snprintf(target, sizeof(target), "+0x%" PRIx64, in->target);
	in->text = substitute_target(in->text, target);
	in->norm = substitute_target(in->norm, "(inside)");
}

void read_code(struct code *c, enum side side, const struct atom *a, size_t limit)
{
	size_t room = 0, next = 0;

	*c = (struct code){ 0 };
	for (uint64_t at = 0; a->sec->data && at < a->size && c->n < limit;) {
		unsigned char bytes[MAX_LENGTH];
		size_t left = a->size - at < MAX_LENGTH ? a->size - at : MAX_LENGTH, n = 0;
		struct field fields[MAX_FIELDS];
		unsigned int length;
		struct disasm dis;
		struct insn in;

		memcpy(bytes, a->sec->data + a->off + at, left);
		while (next < a->nrelocs && a->relocs[next].offset < a->off + at)
			next++;
		/* How long it is does not depend on the fields; what is behind it is not looked at. */
		length = disasm_length(bytes, left);
		for (size_t i = next; i < a->nrelocs && n < MAX_FIELDS; i++) {
			const struct reloc *r = &a->relocs[i];
			uint64_t field = r->offset - a->off - at;
			unsigned int width = arch_reloc_width(r->type);

			if (field >= length)
				break;
			if ((width != 4 && width != 8) || field + width > length)
				continue;
			fields[n] = (struct field){ r, MARK + (uint32_t)n };
			memset(bytes + field, 0, width);
			for (unsigned int b = 0; b < 4; b++)
				bytes[field + b] = fields[n].mark >> 8 * b;
			n++;
		}
		disasm(&dis, bytes, length, at);
		in = (struct insn){ .off = at - a->entry, .length = dis.length, .text = xstrdup(dis.text),
				    .norm = xstrdup(dis.text) };
		if (n)
			name_fields(&in, &dis, side, a, fields, n);
		else if (dis.branch && dis.target < a->size)
			name_inside(&in, &dis, a);
		if (c->n == room) {
			room = room ? room * 2 : 64;
			c->insns = xrealloc(c->insns, room, sizeof(*c->insns));
		}
		c->insns[c->n++] = in;
		at += dis.length;
	}
}

void free_code(struct code *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->insns[i].text);
		free(c->insns[i].norm);
	}
	free(c->insns);
	*c = (struct code){ 0 };
}
