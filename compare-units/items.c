// SPDX-License-Identifier: GPL-2.0-only
/*
 * Second pass: tokens to items, and which names each item declares. An item is what ends in ";" or in the body of
 * a function, outside of all braces.
 *
 * Only declarations of well-known forms get to be more than roots, that is, can be found to be of no importance.
 * For these all names must be known by which the rest of the file can get at them. Whatever has
 * another form, and whatever may emit code or data by itself, is a root:
 *
 *	static inline TYPE name(...) { ... }
 *	TYPE name(...);
 *	extern TYPE name, name[...];
 *	struct tag { ... };	struct tag;	and union
 *	enum tag { ... };	enum { ... };
 *	typedef TYPE name, name[...];	typedef TYPE (*name)(...);	typedef TYPE name(...);
 *
 * Not declared by them, though the language says so, are tags that are only mentioned, as in "struct a *f(void);". What
 * changes if such a mention is gone are warnings, as pointers to a structure are alike whether or not its tag was seen.
 */
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "units.h"

/* The outline of an item: its tokens outside of all brackets, each group in brackets being one, without attributes. */
enum part_kind { PART_WORD, PART_TYPE, PART_PARENS, PART_BRACKETS, PART_BRACES };

struct part {
	enum part_kind kind;
	uint32_t first;		/* index of the token, of the opening one for a group */
	uint32_t end;		/* index behind the last one */
};

#define MAX_PARTS 64

struct outline {
	struct part parts[MAX_PARTS];
	unsigned int n;
	bool odd;		/* too long, or with something in it that makes it a root */
};

static bool is_name(const struct unit *unit, uint32_t index)
{
	return unit->words->all[unit->tokens[index]].kind == WORD_NAME;
}

static bool is_attribute(uint32_t word)
{
	return word == W_ATTRIBUTE || word == W_ATTRIBUTE2;
}

static bool is_tag_word(uint32_t word)
{
	return word == W_STRUCT || word == W_UNION || word == W_ENUM;
}

static bool is_open(uint32_t word)
{
	return word == W_PAREN || word == W_BRACKET || word == W_BRACE;
}

static bool is_close(uint32_t word)
{
	return word == W_PAREN_END || word == W_BRACKET_END || word == W_BRACE_END;
}

/* The index behind the group that begins at index, at most end. */
static uint32_t group_end(const struct unit *unit, uint32_t index, uint32_t end)
{
	unsigned int depth = 0;

	for (; index < end; index++) {
		if (is_open(unit->tokens[index]))
			depth++;
		else if (is_close(unit->tokens[index]) && --depth == 0)
			return index + 1;
	}
	return end;
}

/* ---- items ---- */

static void item_add(struct unit *unit, uint32_t first, uint32_t end)
{
	if (unit->nitems == unit->item_room) {
		unit->item_room = unit->item_room ? 2 * unit->item_room : 1 << 14;
		unit->items = xrealloc(unit->items, unit->item_room, sizeof(*unit->items));
	}
	unit->items[unit->nitems++] = (struct item){ .first = first, .count = end - first };
}

/*
 * The index behind the item that begins at first; 0 if its brackets do not match. A brace opens a function's body unless
 * it follows a structure's, union's or enumeration's tag. So do the braces of an initializer: what is behind them is an item of
 * its own then, and both are roots.
 */
static uint32_t item_end(const struct unit *unit, uint32_t first)
{
	bool body = false, tag_word = false, tag = false;
	uint32_t i = first, depth = 0;

	if (unit->words->all[unit->tokens[first]].kind == WORD_LINE)
		return first + 1;
	while (i < unit->ntokens) {
		uint32_t word = unit->tokens[i];

		if (is_attribute(word) && i + 1 < unit->ntokens && unit->tokens[i + 1] == W_PAREN) {
			i = group_end(unit, i + 1, unit->ntokens);
			continue;
		}
		i++;
		if (is_open(word)) {
			if (!depth++ && word == W_BRACE)
				body = !tag_word;
		} else if (is_close(word)) {
			if (!depth)
				return 0;
			if (!--depth && body)
				return i;
		} else if (!depth && word == W_SEMICOLON) {
			return i;
		}
		if (depth)
			continue;
		if (is_tag_word(word)) {
			tag_word = true;
			tag = false;
		} else if (tag_word && !tag && is_name(unit, i - 1)) {
			tag = true;
		} else {
			tag_word = false;
		}
	}
	return depth ? 0 : i;
}

/* ---- outlines ---- */

/*
 * Attributes that make the compiler emit what nobody refers to, or that bind it to another symbol. "weak" is here as
 * weakness of a symbol can be emitted with nothing but a declaration.
 */
static bool attribute_is_odd(const struct unit *unit, uint32_t index, uint32_t end)
{
	static const char *const odd[] = {
		"used", "retain", "constructor", "destructor", "externally_visible", "no_reorder", "weak", "weakref",
		"alias", "ifunc", "symver", "copy", "target_clones", "dllexport", "init_priority",
	};

	for (; index < end; index++) {
		struct word word = unit->words->all[unit->tokens[index]];

		/* __used__ is the same as used. */
		if (word.length > 4 && !memcmp(word.text, "__", 2) && !memcmp(word.text + word.length - 2, "__", 2)) {
			word.text += 2;
			word.length -= 4;
		}
		for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
			if (word_is(&word, odd[i]))
				return true;
	}
	return false;
}

/* A pragma within an unused function or type can be about what follows, too. */
static bool line_is_odd(const struct word *word)
{
	static const char harmless[] = "#pragma GCC diagnostic ";

	return word->kind == WORD_LINE &&
	       (word->length < sizeof(harmless) || memcmp(word->text, harmless, sizeof(harmless) - 1));
}

static void part_add(struct outline *o, enum part_kind kind, uint32_t first, uint32_t end)
{
	if (o->n == MAX_PARTS)
		o->odd = true;
	else
		o->parts[o->n++] = (struct part){ kind, first, end };
}

static void outline_find(const struct unit *unit, const struct item *item, struct outline *o)
{
	uint32_t i = item->first, end = item->first + item->count, next;

	o->n = 0;
	o->odd = false;
	/* Attributes count wherever they are: a local variable of an unused function can be "used". */
	for (uint32_t k = i; k + 1 < end && !o->odd; k++)
		if (is_attribute(unit->tokens[k]) && unit->tokens[k + 1] == W_PAREN)
			o->odd = attribute_is_odd(unit, k + 1, group_end(unit, k + 1, end));
	for (uint32_t k = i; k < end && !o->odd; k++)
		o->odd = line_is_odd(&unit->words->all[unit->tokens[k]]);
	while (i < end && !o->odd) {
		uint32_t word = unit->tokens[i];
		bool parens = i + 1 < end && unit->tokens[i + 1] == W_PAREN;

		next = i + 1;
		if (is_attribute(word) && parens) {
			i = group_end(unit, next, end);
			continue;
		}
		switch (word) {
		case W_EXTENSION:
			break;
		case W_TYPEOF:
		case W_TYPEOF2:
		case W_TYPEOF3:
			next = group_end(unit, next, end);
			part_add(o, PART_TYPE, i, next);
			break;
		case W_PAREN:
		case W_BRACKET:
		case W_BRACE:
			next = group_end(unit, i, end);
			part_add(o, word == W_PAREN ? PART_PARENS : word == W_BRACE ? PART_BRACES : PART_BRACKETS, i, next);
			break;
		case W_ASM:
		case W_ASM2:
		case W_ASM3:
		case W_ALIGNAS:
			o->odd = true;
			break;
		default:
			part_add(o, PART_WORD, i, next);
		}
		i = next;
	}
}

static uint32_t part_word(const struct unit *unit, const struct outline *o, unsigned int i)
{
	return i < o->n && o->parts[i].kind == PART_WORD ? unit->tokens[o->parts[i].first] : W_KNOWN;
}

static bool part_is(const struct outline *o, unsigned int i, enum part_kind kind)
{
	return i < o->n && o->parts[i].kind == kind;
}

static bool part_is_name(const struct unit *unit, const struct outline *o, unsigned int i)
{
	return part_is(o, i, PART_WORD) && is_name(unit, o->parts[i].first);
}

/* A word that can be part of a type, and is not only said about one. */
static bool part_is_type(const struct unit *unit, const struct outline *o, unsigned int i)
{
	return part_is(o, i, PART_TYPE) ||
	       (part_is_name(unit, o, i) && (part_word(unit, o, i) > W_NORETURN));
}

/* "unsigned int (x);" and "struct s (x);" declare x, and no function: is part i the end of a type in any case? */
static bool part_ends_type(const struct unit *unit, const struct outline *o, unsigned int i)
{
	static const char *const types[] = {
		"int", "long", "char", "short", "unsigned", "signed", "float", "double", "_Bool", "void", "__int128",
	};

	for (size_t k = 0; k < sizeof(types) / sizeof(*types); k++)
		if (word_is(&unit->words->all[unit->tokens[o->parts[i].first]], types[k]))
			return true;
	return i && is_tag_word(part_word(unit, o, i - 1));
}

/* Do the first n parts make a type, with whatever is said about it? Only names, "*", typeof. */
static bool parts_are_type(const struct unit *unit, const struct outline *o, unsigned int n)
{
	bool type = false;

	for (unsigned int i = 0; i < n; i++) {
		if (!part_is_name(unit, o, i) && !part_is(o, i, PART_TYPE) && part_word(unit, o, i) != W_STAR)
			return false;
		type |= part_is_type(unit, o, i);
	}
	return type;
}

static bool parts_have(const struct unit *unit, const struct outline *o, unsigned int n, uint32_t a, uint32_t b,
		       uint32_t c)
{
	for (unsigned int i = 0; i < n; i++)
		if (part_is(o, i, PART_WORD) && (part_word(unit, o, i) == a || part_word(unit, o, i) == b ||
						 part_word(unit, o, i) == c))
			return true;
	return false;
}

/* ---- what an item declares ---- */

void item_declares(struct unit *unit, uint32_t item, uint32_t word)
{
	if (word >= unit->ndeclared) {
		uint32_t room = unit->words->room;

		unit->declared = xrealloc(unit->declared, room, sizeof(*unit->declared));
		memset(unit->declared + unit->ndeclared, 0, (room - unit->ndeclared) * sizeof(*unit->declared));
		unit->ndeclared = room;
	}
	if (unit->ndeclares == unit->declares_room) {
		unit->declares_room = unit->declares_room ? 2 * unit->declares_room : 1 << 15;
		unit->declares = xrealloc(unit->declares, unit->declares_room, sizeof(*unit->declares));
	}
	unit->declares[unit->ndeclares] = (struct declares){ item, unit->declared[word] };
	unit->declared[word] = ++unit->ndeclares;
}

/* Skips attributes, which may stand before and behind a tag. */
static uint32_t attributes_end(const struct unit *unit, uint32_t i, uint32_t end)
{
	while (i + 1 < end && is_attribute(unit->tokens[i]) && unit->tokens[i + 1] == W_PAREN)
		i = group_end(unit, i + 1, end);
	return i;
}

/* The tags and enumerators that are defined anywhere in an item that is no function. */
static void declare_inner(struct unit *unit, uint32_t number)
{
	uint32_t end = unit->items[number].first + unit->items[number].count, brace_end, tag;

	for (uint32_t i = unit->items[number].first; i < end; i++) {
		uint32_t word = unit->tokens[i];

		if (!is_tag_word(word))
			continue;
		tag = attributes_end(unit, i + 1, end);
		i = tag;
		if (i < end && is_name(unit, i))
			i = attributes_end(unit, i + 1, end);
		if (i >= end || unit->tokens[i] != W_BRACE) {
			i = tag - 1;
			continue;
		}
		if (tag != i)
			item_declares(unit, number, unit->tokens[tag]);
		if (word != W_ENUM)
			continue;
		brace_end = group_end(unit, i, end);
		for (uint32_t k = i; k + 1 < brace_end; k++)
			if ((unit->tokens[k] == W_COMMA || k == i) && is_name(unit, k + 1))
				item_declares(unit, number, unit->tokens[k + 1]);
	}
}

/* Names in front of "," ";" or "[": "a, *b, c[4];". */
static bool declare_list(struct unit *unit, uint32_t number, const struct outline *o)
{
	bool any = false;

	for (unsigned int i = 1; i < o->n; i++) {
		uint32_t word = part_word(unit, o, i);

		if (word != W_COMMA && word != W_SEMICOLON && !part_is(o, i, PART_BRACKETS))
			continue;
		if (!part_is_name(unit, o, i - 1))
			continue;
		item_declares(unit, number, part_word(unit, o, i - 1));
		any = true;
	}
	return any;
}

static unsigned int parts_count(const struct outline *o, enum part_kind kind)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < o->n; i++)
		n += o->parts[i].kind == kind;
	return n;
}

static bool declare_function(struct unit *unit, uint32_t number, const struct outline *o)
{
	unsigned int name;

	for (name = 0; name + 1 < o->n && !part_is(o, name + 1, PART_PARENS); name++)
		;
	if (!part_is_name(unit, o, name) || !parts_are_type(unit, o, name) || part_ends_type(unit, o, name) ||
	    name_is_builtin(&unit->words->all[part_word(unit, o, name)]))
		return false;
	if (part_is(o, name + 2, PART_BRACES)) {
		if (name + 3 != o->n || !parts_have(unit, o, name, W_STATIC, W_STATIC, W_STATIC) ||
		    !parts_have(unit, o, name, W_INLINE, W_INLINE2, W_INLINE3))
			return false;
	} else if (name + 3 != o->n || part_word(unit, o, name + 2) != W_SEMICOLON) {
		return false;
	}
	item_declares(unit, number, part_word(unit, o, name));
	return true;
}

static bool declare_typedef(struct unit *unit, uint32_t number, const struct outline *o)
{
	const struct part *parens;
	uint32_t name;

	if (!parts_count(o, PART_PARENS)) {
		if (parts_count(o, PART_BRACES) > 1 || !declare_list(unit, number, o))
			return false;
		declare_inner(unit, number);
		return true;
	}
	/* "typedef TYPE name(...);" and "typedef TYPE (*name)(...);" */
	if (o->n < 4 || parts_count(o, PART_BRACES) || !part_is(o, o->n - 2, PART_PARENS) ||
	    part_word(unit, o, o->n - 1) != W_SEMICOLON)
		return false;
	if (part_is_name(unit, o, o->n - 3) && parts_are_type(unit, o, o->n - 3) && !part_ends_type(unit, o, o->n - 3)) {
		item_declares(unit, number, part_word(unit, o, o->n - 3));
		return true;
	}
	parens = &o->parts[o->n - 3];
	if (!part_is(o, o->n - 3, PART_PARENS) || !parts_are_type(unit, o, o->n - 3) ||
	    parens->end - parens->first != 4 || unit->tokens[parens->first + 1] != W_STAR)
		return false;
	name = parens->first + 2;
	if (!is_name(unit, name))
		return false;
	item_declares(unit, number, unit->tokens[name]);
	return true;
}

static bool declare_tag(struct unit *unit, uint32_t number, const struct outline *o)
{
	/* "struct tag;", "struct tag { ... };", "enum { ... };" and nothing else */
	bool named = part_is_name(unit, o, 1);
	unsigned int next = named ? 2 : 1;

	if (part_is(o, next, PART_BRACES))
		next++;
	else if (!named)
		return false;
	if (next + 1 != o->n || part_word(unit, o, next) != W_SEMICOLON)
		return false;
	if (named)
		item_declares(unit, number, part_word(unit, o, 1));
	declare_inner(unit, number);
	return true;
}

/* False: of no form that is known here. */
static bool declare(struct unit *unit, uint32_t number)
{
	struct outline o;
	uint32_t first;

	outline_find(unit, &unit->items[number], &o);
	if (o.odd || o.n < 2 || parts_have(unit, &o, o.n, W_ASSIGN, W_ASSIGN, W_ASSIGN))
		return false;
	first = part_word(unit, &o, 0);
	if (first == W_TYPEDEF)
		return declare_typedef(unit, number, &o);
	if (is_tag_word(first) && declare_tag(unit, number, &o))
		return true;
	if (parts_count(&o, PART_PARENS))
		return declare_function(unit, number, &o);
	if (first == W_EXTERN && !parts_count(&o, PART_BRACES))
		return declare_list(unit, number, &o);
	return false;
}

void items_find(struct unit *unit)
{
	uint32_t i, end;

	for (i = 0; i < unit->ntokens && !unit->odd; i = end) {
		end = item_end(unit, i);
		if (end)
			item_add(unit, i, end);
		else
			unit->odd = true;
	}
	if (unit->odd) {
		/* All of it is compared. */
		unit->nitems = 0;
		item_add(unit, 0, unit->ntokens);
		unit->items[0].root = true;
		return;
	}
	for (i = 0; i < unit->nitems; i++)
		unit->items[i].root = !declare(unit, i);
}
