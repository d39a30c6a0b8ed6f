/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compare-units: can two preprocessed files of C, the original one and the patched one, compile to different code?
 * A header that thousands of files include changes the text of each, but the code of few: of those
 * in which something that is used changed.
 *
 *	lex.c	text -> tokens; each token is the number of a word, the same in both files
 *	items.c	tokens -> items, the declarations and definitions of the file, and what each declares
 *	live.c	which items can matter, and whether those of the two files are the same
 */
#ifndef COMPARE_UNITS_H
#define COMPARE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum word_kind {
	WORD_NAME,		/* identifier or keyword */
	WORD_NUMBER,
	WORD_STRING,		/* with its quotes; character constants, too */
	WORD_PUNCTUATION,
	WORD_LINE,		/* a whole line that begins with #, but for line markers */
};

struct word {
	const char *text;	/* in the text of a unit, or a constant; not terminated */
	uint32_t length;
	enum word_kind kind;
};

/* Words that the passes know; they have these numbers. */
enum {
	/* The order of known_words in lex.c. */
	W_STATIC, W_INLINE, W_INLINE2, W_INLINE3, W_EXTERN, W_TYPEDEF, W_REGISTER, W_AUTO,
	W_CONST, W_VOLATILE, W_RESTRICT, W_EXTENSION, W_NORETURN,
	W_STRUCT, W_UNION, W_ENUM,
	W_ATTRIBUTE, W_ATTRIBUTE2, W_TYPEOF, W_TYPEOF2, W_TYPEOF3, W_ALIGNAS, W_ASM, W_ASM2, W_ASM3,
	W_PAREN, W_PAREN_END, W_BRACKET, W_BRACKET_END, W_BRACE, W_BRACE_END,
	W_SEMICOLON, W_COMMA, W_ASSIGN, W_STAR,
	W_KNOWN,		/* how many there are */
};

struct words {
	struct word *all;
	uint32_t count, room;
	uint32_t *table;	/* of hashes: number + 1, 0 for a free place */
	uint32_t table_size;	/* a power of two */
};

void words_init(struct words *words);
void words_free(struct words *words);
uint32_t word_number(struct words *words, const char *text, size_t length, enum word_kind kind);
bool word_is(const struct word *word, const char *text);

/* A declaration or definition at the level of the file. */
struct item {
	uint32_t first, count;	/* tokens */
	bool root;		/* matters in any case */
	bool live;		/* matters */
};

/* name is declared by item: a list for each name, see struct unit. */
struct declares {
	uint32_t item;
	uint32_t next;		/* index + 1 in declares; 0: none */
};

struct unit {
	const char *path;
	char *text;
	size_t size;
	uint32_t *tokens;
	uint32_t ntokens, token_room;
	struct item *items;
	uint32_t nitems, item_room;
	struct declares *declares;
	uint32_t ndeclares, declares_room;
	uint32_t *declared;	/* for each word: index + 1 of the first of its list; 0: none */
	uint32_t ndeclared;
	struct words *words;	/* shared by the two units */
	bool odd;		/* has something that makes it unclear what an item is */
};

/* Reads the file. The unit must be freed even if this fails. */
int unit_read(struct unit *unit, struct words *words, const char *path);
void unit_free(struct unit *unit);

void items_find(struct unit *unit);
/* An item declares a name: whoever uses the name may need the item. */
void item_declares(struct unit *unit, uint32_t item, uint32_t word);
/* Does a library function of this name mean something to the compiler, even if the file never uses the name? */
bool name_is_builtin(const struct word *word);

void live_find(struct unit *unit);
bool live_equal(struct unit *original, struct unit *patched);
/* Prints a line for each live item that only one of the units has. */
void live_report(struct unit *original, struct unit *patched);

#endif
