// SPDX-License-Identifier: GPL-2.0-only
/*
 * First pass: text to tokens. The text is what the preprocessor wrote, so there are no comments, and a line that begins
 * with # is a line marker, which means nothing to the code, or a pragma. White space only separates tokens.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "units.h"

static const char *const known_words[W_KNOWN] = {
	"static", "inline", "__inline", "__inline__", "extern", "typedef", "register", "auto",
	"const", "volatile", "restrict", "__extension__", "_Noreturn",
	"struct", "union", "enum",
	"__attribute__", "__attribute", "typeof", "__typeof__", "__typeof", "_Alignas", "asm", "__asm__", "__asm",
	"(", ")", "[", "]", "{", "}",
	";", ",", "=", "*",
};

void words_init(struct words *words)
{
	*words = (struct words){ .table_size = 1 << 16 };
	words->table = xcalloc(words->table_size, sizeof(*words->table));
	for (int i = 0; i < W_KNOWN; i++)
		word_number(words, known_words[i], strlen(known_words[i]),
			    i < W_PAREN ? WORD_NAME : WORD_PUNCTUATION);
}

void words_free(struct words *words)
{
	free(words->all);
	free(words->table);
}

static uint32_t hash(const char *text, size_t length)
{
	uint32_t h = 2166136261u;

	while (length--)
		h = (h ^ (unsigned char)*text++) * 16777619u;
	return h;
}

/* The place of a word in the table, or the free one where it belongs. */
static uint32_t *place(struct words *words, const char *text, size_t length)
{
	uint32_t mask = words->table_size - 1, at = hash(text, length) & mask;

	for (; words->table[at]; at = (at + 1) & mask) {
		struct word *word = &words->all[words->table[at] - 1];

		if (word->length == length && !memcmp(word->text, text, length))
			break;
	}
	return &words->table[at];
}

static void grow(struct words *words)
{
	free(words->table);
	words->table_size *= 2;
	words->table = xcalloc(words->table_size, sizeof(*words->table));
	for (uint32_t i = 0; i < words->count; i++)
		*place(words, words->all[i].text, words->all[i].length) = i + 1;
}

/* The kind shows in the text, so a text has one number. */
uint32_t word_number(struct words *words, const char *text, size_t length, enum word_kind kind)
{
	uint32_t *at;

	if (words->count >= words->table_size / 2)
		grow(words);
	at = place(words, text, length);
	if (*at)
		return *at - 1;
	if (words->count == words->room) {
		words->room = words->room ? 2 * words->room : 1 << 15;
		words->all = xrealloc(words->all, words->room, sizeof(*words->all));
	}
	words->all[words->count] = (struct word){ text, length, kind };
	*at = ++words->count;
	return words->count - 1;
}

bool word_is(const struct word *word, const char *text)
{
	return word->length == strlen(text) && !memcmp(word->text, text, word->length);
}

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80);
}

/* The length of the number at p: what the preprocessor takes for one, 0x1p-3 and 1.e+5f among it. */
static size_t number_length(const char *p, const char *end)
{
	const char *start = p;

	for (p++; p < end; p++) {
		if ((*p == '+' || *p == '-') && strchr("eEpP", p[-1]))
			continue;
		if (!in_name(*p) && *p != '.')
			break;
	}
	return p - start;
}

/* The length of a string or character constant, or 0 if it has no end. */
static size_t string_length(const char *p, const char *end)
{
	const char *start = p;
	char quote = *p;

	for (p++; p < end && *p != '\n'; p++) {
		if (*p == '\\')
			p++;
		else if (*p == quote)
			return p + 1 - start;
	}
	return 0;
}

static size_t punctuation_length(const char *p, const char *end)
{
	static const char *const longer[] = {
		"...", "<<=", ">>=", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||",
		"*=", "/=", "%=", "+=", "-=", "&=", "^=", "|=", "##",
	};

	if (p + 1 == end || !strchr("=>+-<&|.#", p[1]))
		return 1;
	for (size_t i = 0; i < sizeof(longer) / sizeof(*longer); i++) {
		size_t length = strlen(longer[i]);

		if ((size_t)(end - p) >= length && !memcmp(p, longer[i], length))
			return length;
	}
	return 1;
}

static bool is_string_prefix(const char *p, size_t length)
{
	return (length == 1 && strchr("LuU", *p)) || (length == 2 && !memcmp(p, "u8", 2));
}

/* "# 12 "file.h" 3": not a pragma. */
static bool is_marker(const char *p, const char *end)
{
	for (p++; p < end && (*p == ' ' || *p == '\t'); p++)
		;
	return p < end && isdigit((unsigned char)*p);
}

/* Other spellings of brackets: nobody uses them, and the passes do not know them. */
static bool is_digraph(const char *p, const char *end)
{
	static const char *const digraphs[] = { "<:", ":>", "<%", "%>", "%:" };

	for (size_t i = 0; i < sizeof(digraphs) / sizeof(*digraphs); i++)
		if (end - p >= 2 && !memcmp(p, digraphs[i], 2))
			return true;
	return false;
}

static void token_add(struct unit *unit, const char *text, size_t length, enum word_kind kind)
{
	if (unit->ntokens == unit->token_room) {
		unit->token_room = unit->token_room ? 2 * unit->token_room : 1 << 18;
		unit->tokens = xrealloc(unit->tokens, unit->token_room, sizeof(*unit->tokens));
	}
	unit->tokens[unit->ntokens++] = word_number(unit->words, text, length, kind);
}

static int tokenize(struct unit *unit)
{
	const char *p = unit->text, *end = p + unit->size, *eol;
	bool line_start = true;
	size_t length;

	while (p < end) {
		if (*p == '\n') {
			line_start = true;
			p++;
			continue;
		}
		if (isspace((unsigned char)*p)) {
			p++;
			continue;
		}
		if (*p == '#' && line_start) {
			eol = memchr(p, '\n', end - p);
			if (!eol)
				eol = end;
			if (!is_marker(p, eol))
				token_add(unit, p, eol - p, WORD_LINE);
			p = eol;
			continue;
		}
		line_start = false;
		if (isdigit((unsigned char)*p) || (*p == '.' && p + 1 < end && isdigit((unsigned char)p[1]))) {
			length = number_length(p, end);
			token_add(unit, p, length, WORD_NUMBER);
		} else if (*p == '"' || *p == '\'') {
			length = string_length(p, end);
			if (!length)
				return diag_error("%s: a string has no end; is this the output of gcc -E?", unit->path);
			token_add(unit, p, length, WORD_STRING);
		} else if (in_name(*p)) {
			for (length = 1; p + length < end && in_name(p[length]); length++)
				;
			/* L"x" is one token. */
			if (is_string_prefix(p, length) && p + length < end &&
			    (p[length] == '"' || p[length] == '\'')) {
				size_t string = string_length(p + length, end);

				if (!string)
					return diag_error("%s: a string has no end; is this the output of gcc -E?",
							  unit->path);
				length += string;
				token_add(unit, p, length, WORD_STRING);
			} else {
				token_add(unit, p, length, WORD_NAME);
			}
		} else {
			unit->odd |= is_digraph(p, end);
			length = punctuation_length(p, end);
			token_add(unit, p, length, WORD_PUNCTUATION);
		}
		p += length;
	}
	return 0;
}

int unit_read(struct unit *unit, struct words *words, const char *path)
{
	FILE *file = fopen(path, "r");
	size_t room = 1 << 22, n;

	*unit = (struct unit){ .path = path, .words = words };
	if (!file)
		return diag_error("%s: %s", path, strerror(errno));
	unit->text = xrealloc(NULL, room, 1);
	while ((n = fread(unit->text + unit->size, 1, room - unit->size, file)) > 0) {
		unit->size += n;
		if (unit->size > UINT32_MAX / 2) {
			fclose(file);
			return diag_error("%s: too long for a source file", path);
		}
		if (unit->size == room) {
			room *= 2;
			unit->text = xrealloc(unit->text, room, 1);
		}
	}
	if (ferror(file)) {
		diag_error("%s: %s", path, strerror(errno));
		fclose(file);
		return -1;
	}
	fclose(file);
	return tokenize(unit);
}

void unit_free(struct unit *unit)
{
	free(unit->text);
	free(unit->tokens);
	free(unit->items);
	free(unit->declares);
	free(unit->declared);
}
