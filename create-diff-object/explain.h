/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files that explain a change to people share: hunks.c, texts.c, bodies.c, why.c, code.c, align.c, explain.c, outside.c,
 * picture.c, shadow-hint.c, annotations.c.
 */
#ifndef CREATE_DIFF_OBJECT_EXPLAIN_H
#define CREATE_DIFF_OBJECT_EXPLAIN_H

#include "diff.h"

enum side { ORIG, PATCHED };

/*
 * Lines that the patch changes in one file. Both sources were made equally long there, so that one pair of numbers
 * says where that is in both; the author knows other numbers.
 */
struct hunk {
	char *file;
	unsigned int first, last;
	unsigned int at[2], lines[2];	/* the author's first line and the number of lines; [enum side] */
	bool outside;		/* of functions; outside.c */
};

struct hunks {
	struct hunk *list;	/* by file, and there by line */
	size_t n, room;
};

/* A place in a source, with the lines of the equally long files; file is NULL if it is not known. */
struct place_of_source {
	const char *file;
	unsigned int line;
};

/* A function, or a copy of another one that was inlined into it. */
struct body {
	const char *name;
	struct place_of_source at;	/* where it is defined */
	unsigned int begin, end;	/* its lines; 0: not known */
	const struct body *into;	/* NULL: the function itself */
	struct place_of_source call;	/* inlined: where it is called */
	struct body *next;
};

/* What is declared or defined on changed lines outside of functions, and functions with changed lines. */
struct changed_name {
	char *name;
	enum name_kind { NAME_OTHER, NAME_FUNCTION, NAME_MACRO } kind;
	char *where;	/* the lines; of a function: where it is defined */
	UT_hash_handle hh;
};

struct sources {
	struct hunks hunks;
	const char *tree[2];	/* NULL: the texts are not known */
	struct text *texts[2];	/* hash: those that were asked for */
	struct debug *debug[2];	/* NULL: not asked for yet */
	struct changed_name *names;	/* hash; outside.c */
	bool names_read;
};

/* hunks.c */
int read_hunks(struct hunks *h, const char *path);
const struct hunk *hunk_of(const struct hunks *h, struct place_of_source p);
/* The number that the author of the patch knows a line by. */
unsigned int author_line(const struct hunks *h, enum side side, struct place_of_source p);
/* "fs/a.c:12": allocated anew at each call. */
char *place_title(const struct hunks *h, enum side side, struct place_of_source p);
/* The same of lines of a hunk: "fs/a.c:12-14". Lines that the patch only removes are those of the original. */
char *hunk_title(const struct hunk *k);
/* The first hunk that reaches into lines begin to end of file; *i: where to look from. */
const struct hunk *next_hunk(const struct hunks *h, const char *file, unsigned int begin, unsigned int end, size_t *i);

/* texts.c */
const char *source_line(struct sources *s, enum side side, struct place_of_source p);
/* The first and the last line of the function that is defined at p; 0: not known. */
unsigned int function_begin(struct sources *s, enum side side, struct place_of_source p);
unsigned int function_end(struct sources *s, enum side side, struct place_of_source p);
/* Calls fn for each name (identifier) of a line of C. */
void for_each_word(const char *line, void (*fn)(void *arg, const char *word, size_t n), void *arg);
/* The macro that a line is part of the definition of: its name in the text, of *n characters; NULL: none. */
const char *macro_of_line(struct sources *s, enum side side, struct place_of_source p, size_t *n);
/* A name that a program may show or write into a line of fields: no control characters. Changes s. */
char *printable(char *s);

/* bodies.c */
struct debug *open_debug(struct diff *d, enum side side);
struct body *bodies_of(struct diff *d, enum side side, const struct atom *a);
/* The source line of the code at offset off of section sec. */
struct place_of_source place_of_code(struct diff *d, enum side side, const struct atom *a, uint64_t off);
/* Where the source defines the function. */
struct place_of_source place_of_function(struct diff *d, enum side side, const struct atom *a);
/* Where the source defines what is described at this place of the debugging information. */
struct place_of_source place_of_entry(struct diff *d, enum side side, uint64_t entry);
/* Has the function, or what is inlined into it, a variable or parameter of that type, or one that leads to it? */
bool uses_type(struct diff *d, enum side side, const struct atom *a, uint64_t entry);
/* The type of a member as the source has it, with the names of typedefs; NULL: that takes more than a name. */
char *spell_member_type(struct diff *d, enum side side, uint64_t entry, const char *member);
const char *tidy_path(struct debug *g, const char *path);

/* outside.c */
const struct changed_name *find_changed_name(struct sources *s, const char *word, size_t n);
/* "fs/a.h:12-14 and 2 more": what changes outside of functions; NULL: nothing. */
char *hunks_outside(struct sources *s);

/* The function whose body a line is in; NULL: none. Allocated anew at each call. */
char *enclosing_function(struct sources *s, enum side side, struct place_of_source p);

/* picture.c */
/* Tells, behind a message, where the source defines what has this name; nothing if that is not known. */
void show_places(struct diff *d, const char *name, struct place_of_source was, struct place_of_source is);
void show_layout(struct diff *d, const struct named_type *was, const struct named_type *is);

/* shadow-hint.c */
void show_shadow_fields(struct diff *d, const struct named_type *was, const struct named_type *is);

/* code.c */
struct insn {
	uint64_t off;		/* from the function's entry; of what is in front of it, negative */
	unsigned int length;
	char *text;		/* for people */
	char *norm;		/* equal if both do the same, branches inside of the function aside */
	bool inside;		/* branches to a place in the function */
	uint64_t target;	/* that place */
};

struct code {
	struct insn *insns;
	size_t n;
};

/* At most so many instructions. */
void read_code(struct code *c, enum side side, const struct atom *a, size_t limit);
void free_code(struct code *c);

/* align.c */
struct row {
	const struct insn *insn[2];	/* NULL: nothing there */
	bool same;
};

struct rows {
	struct row *list;
	size_t n;
};

void align_code(struct rows *rows, const struct code *orig, const struct code *patched);

/* why.c */
void explain_function(struct diff *d, struct atom *a);

#endif
