/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * create-diff-object: what the passes share.
 *
 * The unit of the diff is the atom: the bytes of one function, one variable, one string, one entry
 * of one table. Objects are compiled with a section per function and per variable, so most
 * sections hold one atom; shared ones (.sched.text, .data..percpu, strings, tables) are cut.
 *
 * Data flows from pass to pass in the order of main.c. Each field says which pass sets it.
 */
#ifndef CREATE_DIFF_OBJECT_DIFF_H
#define CREATE_DIFF_OBJECT_DIFF_H

#include "arch.h"
#include "elf-file.h"
#include "elf-out.h"
#include "symtab.h"

enum atom_kind {
	ATOM_CODE,	/* a function, or a piece of nameless code */
	ATOM_DATA,	/* a variable or a constant object */
	ATOM_STRING,	/* one string of a section of strings */
	ATOM_CONST,	/* one element of a section of mergeable constants */
	ATOM_ENTRY,	/* one entry of a table that describes code */
	ATOM_REGISTRY,	/* part of a section that registers things */
	ATOM_POOL,	/* a nameless piece that entries refer to */
};

enum atom_state {
	STATE_SAME = 0,
	STATE_CHANGED,
	STATE_NEW,
};

struct use {
	struct atom *by;
	struct reloc *reloc;
};

struct atom {
	/* atoms.c */
	struct section *sec;
	uint64_t off, size;
	enum atom_kind kind;
	bool has_fentry;	/* code: ftrace can redirect it */
	bool stuck;		/* code: a branch out of it cannot be relocated */
	struct symbol *syms;	/* its names; the first one is used in messages and to pair it */
	uint64_t entry;		/* offset of the function's entry: behind prefix code, if any */
	struct reloc *relocs;
	size_t nrelocs;
	struct atom *entries;	/* code: the table entries that describe it, linked by next_entry */
	struct atom **entries_end;
	struct atom *next_entry;
	struct atom *describes;	/* entry: the code it belongs to */

	/* uses.c */
	struct use *uses;	/* where its object refers to it, in the order of the object */
	size_t nuses;

	/* notes.c */
	struct note *ignored;	/* the author says that its changes do not count */
	bool left_out;		/* and it has some */

	/* types.c */
	struct type *type;	/* data: NULL: not known */
	unsigned int line;	/* data: of its declaration; 0: not known, or says nothing */
	const char *scope;	/* data of a known type: the function that declares it, or ""; NULL: not known */

	/* pair.c */
	bool own_copy;		/* never shared with the running kernel: __func__, __key, ... */
	bool vote_conflict;	/* while pairing */
	struct atom *twin;	/* the same thing in the other object */
	struct atom *parent;	/* foo.cold: foo */
	struct atom *child;	/* foo: foo.cold */
	struct atom *next_part;	/* while pairing: another cold part of the same name */
	struct pairing *group;	/* while pairing */
	struct atom *vote;	/* while pairing: what references say its twin is */
	size_t mention;		/* while pairing: its place in the list of mentions that holds it */
	struct voice *voices;	/* while pairing: what mentions it */

	/* compare.c */
	enum atom_state state;	/* of atoms of the patched object */
	bool taken;		/* select.c: is part of the output */

	/* spread.c */
	bool inner_table;	/* data: refers to the inside of a changed function */
	bool carried;		/* changed code without ftrace entry that its callers bring along */
	bool spread;		/* waits in the queue, or was there */
	bool operands_known;	/* code: what instructions do with addresses has been found */
	const struct atom *cause;	/* what made it change; NULL: it differs itself */
	struct atom *next_spread;

	/* select.c */
	struct atom *follower;	/* data: what addresses inside of it may be meant for as well */
	struct atom *next_taken;

	/* why.c */
	struct why *why;	/* of changed and new functions: the reasons */

	/* risk.c */
	struct risk *risks;	/* of changed functions */

	/* resolve.c */
	size_t registration;	/* its number in diff.registrations, from 1; 0: none */
	const struct symbol *surest;	/* the name by which it is found; NULL: not asked for yet */

	/* output.c */
	struct out_section *osec;
	uint64_t ooff;
	struct out_symbol *osym;
};

/* How an atom outside of the output, or a symbol outside of the object, is reached. */
enum reach_kind {
	REACH_UNKNOWN = 0,
	REACH_EXPORT,		/* ordinary relocation against an exported symbol */
	REACH_KLP,		/* livepatch relocation */
	REACH_PEER,		/* another object of the same patch defines it */
	REACH_FAILED,		/* reported already */
};

struct reach {
	enum reach_kind kind;
	char *name;		/* under which the kernel knows it */
	const char *patched;	/* KLP: the object whose loading makes the relocation due */
	const char *owner;	/* KLP */
	unsigned int pos;	/* KLP: 0 when the name is unique */
	struct out_symbol *osym;
	unsigned int uses;
	bool sealed;		/* IBT: has no ENDBR, so that nothing may call it through a pointer */
	bool freed;		/* after initialisation */
	const struct atom *freed_user;	/* the last user to which that was told */
	const struct atom *sealed_user;
	UT_hash_handle hh;
};

/* The symbol table of a module that exports something to the patched one. */
struct module_symtab {
	const char *name;
	struct symtab tab;
	bool missing;
	UT_hash_handle hh;
};

/* A function that the patch module registers with the kernel. */
struct registration {
	struct atom *atom;
	const char *old_name;
	unsigned int pos;
	char *link_name;
};

/* types.c */
/* A structure, union or enumeration that the object's source defines. */
struct named_type {
	char *name;		/* "struct foo", "struct foo of bar()"; NULL: none */
	const char *function;	/* in which it is defined; NULL: none */
	uint64_t entry;		/* the place of its description */
	struct type *type;
	struct named_type *next;
	struct named_type *next_same, *last_same;	/* others of this name, in order */
	UT_hash_handle hh;
};

/* layout.c */
/* A type whose representation changes. */
struct changed_type {
	const struct named_type *was, *is;
	struct changed_type *next;
};

struct function_type {
	char *name;
	struct type *type;	/* NULL: only its name is known */
	UT_hash_handle hh;
};

struct named_types {
	struct named_type *list, **last;
	struct named_type *by_name;	/* hash; the first of each name */
	struct function_type *functions;	/* hash; all that the source has, inlined ones too */
};

struct name_set {
	char *name;
	bool used;	/* said by a user, and needed */
	const char *source;	/* elsewhere: the file whose static symbol it is in the running kernel; NULL: it is new */
	UT_hash_handle hh;
};

/* why.c */
/* Why does a function change? In the order in which they are looked for; why_names[] are their names. */
enum why_kind {
	WHY_NEW,	/* it was not there */
	WHY_LINES,	/* source lines of it changed */
	WHY_INLINE,	/* a function with changed lines is inlined into it */
	WHY_COLD,	/* its cold part changed */
	WHY_CONSTANT,	/* it refers to a constant that changed */
	WHY_CARRIED,	/* it calls a changed function that ftrace cannot redirect */
	WHY_MACRO,	/* it uses a macro that changed */
	WHY_NAME,	/* it uses something else that is declared on changed lines */
	WHY_LAYOUT,	/* it uses a type whose layout changed */
	WHY_INLINING,	/* the compiler inlines something else into it */
	WHY_SEEN,	/* changed lines outside of functions, which may matter to it */
	WHY_NOISE,	/* nothing of its source changed, and the compiler made other code of it */
	WHY_CODE,	/* its code differs; there is nothing to tell more from */
};

struct why {
	enum why_kind kind;
	char *what;	/* the name of what changed; NULL: itself */
	char *where;	/* "fs/a.c:12-14"; NULL: not known */
	char *text;	/* for people, to be put behind "foo(): " */
	struct why *next;
};

/* risk.c */
/* Something that helps to decide about loading the patch. */
struct risk {
	const char *kind;
	char *text;	/* to be put behind "foo(): " */
	struct risk *next;
};

struct options {
	const char *orig_path, *patched_path, *objname, *symtab_path, *symvers_path, *modname;
	const char *output_path;
	const char *vmlinux_symtab_path;	/* NULL: none; for module objects */
	const char *elsewhere_path;		/* NULL: none */
	const char *report_path;		/* NULL: none */
	const char *source;			/* for messages */
	const char *depends;			/* modules that the patched module depends on, commas */
	const char *module_symtabs;		/* NULL: none; directory, a file for each module */
	const char *proof_path;			/* NULL: no proof */
	const char *image_path;			/* the shipped vmlinuz, vmlinux or .ko; with proof_path */
	bool skip_image_check;			/* a difference is a warning */
	bool same_lines;			/* what the patch leaves alone has its line in both sources */
	struct name_set *allowed_layouts;	/* hash; types whose layout may change */
	bool keep_debug;			/* debugging sections are part of the output */
	const char *changed_lines_path;		/* NULL: not known */
	const char *trees;			/* NULL: none; what to put tree-original and tree-patched behind */
	struct name_set *explained;		/* hash; functions to show instead of all else */
};

/* What the author says with a macro of kpatch-macros.h; the numbers are those of the header. */
enum note_kind {
	NOTE_PRE_PATCH = 1,
	NOTE_POST_PATCH,
	NOTE_PRE_UNPATCH,
	NOTE_POST_UNPATCH,
	NOTE_IGNORE_FUNCTION,
	NOTE_IGNORE_SECTION,
	NOTE_FORCE_UNSAFE,
	NOTE_ALLOW_LAYOUT,
};

struct note {
	enum note_kind kind;
	const char *name;	/* of a function, a section or a type */
	const char *file;
	unsigned long line;
	char *place;		/* "fs/open.c:12" */
	uint64_t at;		/* offset in its section */
	struct atom *callback;	/* the function to call */
	char *link_name;	/* its name for the generated C */
	bool needed;		/* to ignore: something changed there */
	struct name_set *type;	/* to allow: it is told there whether the type changed */
	struct note *next;
};

struct diff {
	struct options opt;
	struct elf_file orig, patched;
	struct named_types orig_types, patched_types;
	struct changed_type *changed_types, **changed_types_end;	/* layout.c */
	struct symtab own_symtab;	/* of the object that is patched */
	struct symtab vmlinux_symtab;	/* empty when that is vmlinux itself, or not given */
	struct module_symtab *module_symtabs;	/* hash; those that were needed */
	struct exports exports;
	struct proof *proof;			/* prove.c; NULL: none */
	struct name_set *elsewhere;	/* global names that the patch gives to the other objects */
	struct note *notes;		/* notes.c; in the order of the source */

	struct atom *taken, **taken_end;	/* in the order of taking */
	struct registration *registrations;
	size_t nregistrations, registrations_room;
	struct reach *reaches;		/* hash */
	struct sources *sources;	/* for explanations; see explain.h */
	struct name_set *untraced;	/* hash; "foo() tracepoint": told of */
	struct name_set *depends;	/* modules that the patched one depends on, itself among them */
	struct name_set *references;	/* of the original of references_of; hash */
	const struct atom *references_of;
	struct elf_out out;
};

/* The passes. Each returns 0, or -1 after a message; refusals are counted by diag_refuse(). */
int prove_original(struct diff *d);
int cut_into_atoms(struct diff *d, struct elf_file *file);
int read_types(struct diff *d, struct elf_file *file);
int pair_objects(struct diff *d);
int read_notes(struct diff *d);
int compare_objects(struct diff *d);
int spread_changes(struct diff *d);
int explain_functions(struct diff *d);
int find_refusals(struct diff *d);
int check_prototypes(struct diff *d);
int select_atoms(struct diff *d);
void find_changed_types(struct diff *d);
int check_layouts(struct diff *d);
int check_annotations(struct diff *d);
int resolve_registrations(struct diff *d);
int check_notes(struct diff *d);
int build_output(struct diff *d);
int keep_debug(struct diff *d);
int verify_output(struct diff *d);
int find_reasons(struct diff *d);
int find_risks(struct diff *d);
int write_report(struct diff *d);

/* atoms.c */
#define for_each_atom(file, a)                                                                     \
	for_each_section(file, section_of_##a)                                                     \
		for (struct atom **at_##a = section_of_##a->atoms, *a;                             \
		     at_##a < section_of_##a->atoms + section_of_##a->natoms && (a = *at_##a, 1);  \
		     at_##a++)
struct atom *atom_at(const struct section *sec, uint64_t off);
/* Its place in sec->atoms, of which there must be one. */
size_t atom_index_at(const struct section *sec, uint64_t off);
/* Size of the entries of a table (sec->table) in the target kernel; 0 after a message. */
unsigned int entry_size(const struct diff *d, const struct section *sec);
const char *atom_name(const struct atom *a);
/* "foo()", "foo", "\"text\"" or ".section+0x10": allocated anew at each call, never freed. */
const char *atom_title(const struct atom *a);
bool is_global_atom(const struct atom *a);
bool is_named(const struct atom *a);
static inline bool is_function(const struct atom *a)
{
	return a->kind == ATOM_CODE && is_named(a);
}
static inline bool is_constant(const struct atom *a)
{
	return a->kind == ATOM_DATA && !is_writable(a->sec);
}

/* Whether a relocation stands in [from, to). */
bool has_reloc_between(const struct section *sec, uint64_t from, uint64_t to);

/* targets.c */
void find_targets(struct elf_file *file);

/* escapes.c */
/* Refuse what hands the address of a changed constant to what outlives the call. */
void check_escapes(struct diff *d, struct atom *constant);

/* prototypes.c */
/* Is the function's address in data, or does code get hold of it? */
bool address_is_taken(const struct atom *f);

/* uses.c */
void list_uses(struct elf_file *file);
/* What is called next behind a place of code that refers to something: mostly with that as an argument. NULL: nothing. */
const struct reloc *call_behind(const struct use *u);

/* agree.c */
/* Can data of the one be read as the other? What is not known (NULL) agrees with everything. */
bool types_agree(struct type *orig, struct type *patched);
/* A hash, the same for types that agree, and mostly another for those that do not. Never 0. */
#define TYPE_SHAPE_ANY 2	/* a part of it is not known: it may agree with any */
uint64_t type_shape(struct type *t);
/* A number, a pointer, an enumerator: not made of parts that a loop could go through. */
bool type_is_scalar(const struct type *t);
/* "unsigned int", "struct foo *[4]": allocated anew at each call. */
char *type_title(const struct type *t);
/*
 * Why do the two not agree? "struct foo: member b was at 4, is at 8", allocated anew at each call. NULL if their titles
 * say it, or it takes more words.
 */
char *type_difference(struct type *orig, struct type *patched);

/* pair.c */
/* The part of a symbol's name in front of what the compiler numbers: "foo.isra" of "foo.isra.12". */
char *name_key(const char *name);

/* main.c */
/* The one of this name, which is added if there is none. */
struct name_set *find_or_add_name(struct name_set **names, const char *name);

/* notes.c */
bool note_is_callback(const struct note *n);
/* "pre_patch", ... */
const char *note_callback_kind(const struct note *n);
/* "fs/open.c:12: KPATCH_IGNORE_FUNCTION(foo)": allocated anew at each call. */
char *note_title(const struct note *n);
/* a is ignored, and changed, new or gone. */
void leave_out(struct atom *a);

/* prove.c */
enum proven {
	PROVEN_NOT,	/* its place is not known with certainty */
	PROVEN,
	PROVEN_OTHER,	/* its place is known, and the kernel has another symbol of this name, or none */
};
/* The running kernel's symbol that sym, a symbol of the original, is; *ksym is NULL if it is none. */
enum proven proven_symbol(const struct diff *d, const struct symbol *sym, const struct ksym **ksym);

/* why.c */
extern const char *const why_names[];

/* resolve.c */
/* Whether another object defines the weak function s in the running kernel; then that is refused. */
bool is_overridden(struct diff *d, const struct symbol *s);
/* How code outside of the output that an included relocation refers to is reached. */
struct reach *reach_undefined_symbol(struct diff *d, const struct symbol *s, const struct atom *user);
struct reach *reach_atom(struct diff *d, const struct atom *user, const struct reloc *by);

/* freed.c */
/* Has the kernel freed the symbol after initialisation? */
bool is_freed(const struct symtab *tab, const struct ksym *k);
/* Returns r, after a message if what it reaches is freed. */
struct reach *check_freed(struct diff *d, struct reach *r, const struct atom *user);

/* select.c */
/* Does the output's relocation r of atom a bind to the output's own copy of its target? */
bool binds_to_copy(const struct atom *a, const struct reloc *r);

#endif
