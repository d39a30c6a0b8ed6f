#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: types that the patch changes while objects of them are in memory.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read

bats_require_minimum_version 1.5.0
load diff-fixtures

LAYOUT="and objects in memory have the old layout; keep what is new in a shadow field (man kpatch-shadow.h), or say"
VALUES="and objects in memory hold the old values; put new ones behind the others, or say"

# changing OLD NEW [BODY]: declarations of the original and of the patched file; foo() changes and uses struct s.
changing()
{
	cat > file.in <<-EOT
		#ifdef PATCHED
		#define N 2
		$2
		#else
		#define N 1
		$1
		#endif
		${3:-long foo(struct s *p) { return p->a * N; \}}
	EOT
	pair -g < file.in
}


# refused_layout TYPE CHANGE
refused_layout()
{
	cdo 2
	refusals <<< "refused: file.c: $1 changes ($2), $LAYOUT --allow-layout='$1' if no object outlives a call"
	cdo 0 --allow-layout="$1"
	no_messages
}

@test "a new member at the end" {
	changing 'struct s { long a; };' 'struct s { long a; unsigned int flags; };'
	refused_layout 'struct s' 'new member flags ("unsigned int"), 16 bytes instead of 8'
}

@test "a new member where nothing was: the same size, and garbage in old objects" {
	changing 'struct s { long a; int b; };' 'struct s { long a; int b; int c : 3; };'
	refused_layout 'struct s' 'new member c ("int : 3"), 16 bytes instead of 16'
}

@test "a lost member, and one of another name in its place" {
	changing 'struct s { long a, b; };' 'struct s { long a, c; };'
	refused_layout 'struct s' 'new member c ("long int"), lost member b ("long int"), 16 bytes instead of 16'
	changing 'struct s { long a, b; };' 'struct s { long a; };'
	refused_layout 'struct s' 'lost member b ("long int"), 8 bytes instead of 16'
}

@test "members change places, types, widths" {
	changing 'struct s { long a, b; };' 'struct s { long b, a; };'
	refused_layout 'struct s' 'struct s: member a was at 0, is at 8'
	changing 'struct s { long a; int b; };' 'struct s { long a; float b; };'
	refused_layout 'struct s' 'struct s: member b was "int", is "float"'
}

@test "an array grows with its macro: at the end, in the middle, and as a variable" {
	changing 'struct s { long a; int ring[4]; };' 'struct s { long a; int ring[8]; };'
	refused_layout 'struct s' 'struct s: member ring was "int[4]", is "int[8]"'
	changing '#define MAX 4
		struct s { char name[MAX * 4]; long a; };' '#define MAX 8
		struct s { char name[MAX * 4]; long a; };'
	refused_layout 'struct s' 'struct s: member name was "char[16]", is "char[32]"'
	# Padding takes it, and what is behind stays where it was: old objects have fewer elements all the same.
	changing 'struct s { char name[6]; long a; };' 'struct s { char name[8]; long a; };'
	refused_layout 'struct s' 'struct s: member name was "char[6]", is "char[8]"'
	changing 'struct s { long a; }; int table[4];' 'struct s { long a; }; int table[8];' \
		'long foo(struct s *p) { return p->a * N + table[p->a]; }'
	cdo 2
	refusals <<< 'refused: file.c: table: the size of existing data changed from 16 to 32 bytes; keep what is new in a shadow variable or in a new variable'
}

@test "bit-fields: of another width, moved within their word and to another one" {
	changing 'struct s { long a; int b : 3, c : 5; };' 'struct s { long a; int b : 4, c : 4; };'
	refused_layout 'struct s' 'struct s: member b was "int : 3", is "int : 4"'
	changing 'struct s { long a; int b : 3, c : 3; };' 'struct s { long a; int c : 3, b : 3; };'
	refused_layout 'struct s' 'struct s: member b was at bit 64, is at bit 67'
	changing 'struct s { long a; int b : 3, c : 3; };' 'struct s { long a; int b : 3; int : 0; int c : 3; };'
	refused_layout 'struct s' 'struct s: member c was at bit 67, is at bit 96'
	changing 'struct s { long a; int b : 3, c : 3; };' 'struct s { long a; int b : 3, c : 3; int d : 1; };'
	refused_layout 'struct s' 'new member d ("int : 1"), 16 bytes instead of 16'
}

@test "a type behind a typedef, a union, a type in a function" {
	changing 'struct s { long a; }; typedef struct { int x; } t;' 'struct s { long a; }; typedef struct { int x, y; } t;' \
		'long foo(struct s *p, t *q) { return p->a * N + q->x; }'
	refused_layout t 'new member y ("int"), 8 bytes instead of 4'
	changing 'struct s { long a; }; union u { int x; };' 'struct s { long a; }; union u { int x; long y; };' \
		'long foo(struct s *p, union u *q) { return p->a * N + q->x; }'
	refused_layout 'union u' 'new member y ("long int"), 8 bytes instead of 4'
	changing 'struct s { long a; };
		#define LOCAL struct local { int x; }' 'struct s { long a; };
		#define LOCAL struct local { int x, y; }' \
		'long foo(struct s *p) { LOCAL *q = (void *)p; return p->a * N + q->x; }'
	refused_layout 'struct local of foo()' 'new member y ("int"), 8 bytes instead of 4'
}

@test "what contains a type that changes is told once, with it" {
	changing 'struct inner { int x; }; struct s { long a; struct inner i[2]; long b; };' \
		'struct inner { int x, y; }; struct s { long a; struct inner i[2]; long b; };'
	refused_layout 'struct inner' 'new member y ("int"), 8 bytes instead of 4'
}

@test "what has no name belongs to what contains it" {
	changing 'struct inner { int x; }; struct s { long a; struct inner i; union { int u; struct { int v; }; }; };' \
		'struct inner { int x, y; }; struct s { long a; struct inner i; union { int u; struct { int v, w; }; }; };'
	cdo 2 --allow-layout='struct inner'
	[[ $stderr == *'refused: file.c: struct s changes ('* ]]
	cdo 0 --allow-layout='struct inner' --allow-layout='struct s'
	no_messages
}

@test "values of an enumeration: new ones behind the others, and not in front" {
	changing 'struct s { long a; }; enum e { A, B, NR };' 'struct s { long a; }; enum e { A, B, C, NR };' \
		'long foo(struct s *p, enum e e) { return p->a * N + e; }'
	cdo 0
	no_messages
	changing 'struct s { long a; }; enum e { A, B, NR };' 'struct s { long a; }; enum e { C, A, B, NR };' \
		'long foo(struct s *p, enum e e) { return p->a * N + e; }'
	cdo 2
	refusals <<< "refused: file.c: enum e changes (enum e: A was 0, is 1), $VALUES --allow-layout='enum e' if no object holds one"
	cdo 0 --allow-layout='enum e'
	no_messages
	changing 'struct s { long a; }; enum { A, B };' 'struct s { long a; }; enum { A, C, B };' \
		'long foo(struct s *p) { return p->a * N + B; }'
	cdo 2
	[[ $stderr == "create-diff-object: refused: file.c: enum { A, ... } changes ("*"B was 1, is 2), "* ]]
}

@test "an enumeration that gets larger for one value" {
	changing 'struct s { long a; }; enum e { A, B };' 'struct s { long a; }; enum e { A, B, C = 1L << 40 };' \
		'long foo(struct s *p, enum e *e) { return p->a * N + *e; }'
	cdo 2
	[[ $stderr == *"refused: file.c: enum e changes (enum e was 4 bytes long, is 8), $VALUES --allow-layout='enum e' if no object holds one"* ]]
}

@test "an enumeration is known by its enumerators, whatever it is called and wherever they stand" {
	local foo='long foo(struct s *p) { if (p->a != B) return N; p->a = A; return 0; }'
	changing 'struct s { long a; }; enum { A, B };' 'struct s { long a; }; enum { C, A, B };' "$foo"
	cdo 2
	refusals <<< "refused: file.c: enum { C, ... } changes (enum {...}: A was 0, is 1), $VALUES --allow-layout='enum { C, ... }' if no object holds one"
	cdo 0 --allow-layout='enum { C, ... }'
	no_messages
	changing 'struct s { long a; }; enum { A, B };' 'struct s { long a; }; enum e { D = 5, A = 0, B = 2 };' "$foo"
	cdo 2
	refusals <<< "refused: file.c: enum e changes (enum {...}: B was 1, is 2), $VALUES --allow-layout='enum e' if no object holds one"
	# Apart, or with others, but with the old values.
	changing 'struct s { long a; }; enum { A, B };' 'struct s { long a; }; enum e { C = 2, A = 0 }; enum { B = 1 };' "$foo"
	cdo 0
	no_messages
	changing 'struct s { long a; }; enum e { A }; enum { B = 1 };' 'struct s { long a; }; enum { C = 2, A = 0, B = 1 };' "$foo"
	cdo 0
	no_messages
}

@test "a new enumerator must not have the value of one that is gone" {
	local foo='long foo(struct s *p, enum e e) { return p->a * N + (e == B); }'
	changing 'struct s { long a; }; enum e { A, GONE, B };' 'struct s { long a; }; enum e { A, C, B };' "$foo"
	cdo 2
	refusals <<< "refused: file.c: enum e changes (enum e: 1 was GONE, is C), $VALUES --allow-layout='enum e' if no object holds one"
	# Nor does another name for what is still there, or the end of a count, do any harm.
	changing 'struct s { long a; }; enum e { A, ALIAS = 0, B };' 'struct s { long a; }; enum e { A, OTHER = 0, B };' "$foo"
	cdo 0
	changing 'struct s { long a; }; enum e { A, B, NR };' 'struct s { long a; }; enum e { A, B, C, MAX };' "$foo"
	cdo 0
	changing 'struct s { long a; }; enum e { A, GONE, B };' 'struct s { long a; }; enum e { A, B = 2 };' "$foo"
	cdo 0
}

@test "new types, other names of types, signs, comments: nothing changes" {
	changing 'struct s { long a; };' 'typedef long number; struct fresh { int x; }; struct s { number a; };' \
		'long foo(struct s *p) {
		#ifdef PATCHED
			struct fresh f = { p->a };
			return f.x;
		#else
			return p->a;
		#endif
		}'
	cdo 0
	no_messages
	changing 'struct s { long a; int b; struct later *c; };' 'struct later { int x; }; struct s { unsigned long a; unsigned b; struct later *c; };'
	cdo 0
	no_messages
}

@test "a file whose code stays the same does not care" {
	pair -g <<-'EOT'
		struct s {
			long a;
		#ifdef PATCHED
			long b;
		#endif
		};
		long foo(struct s *p) { return p->a; }
	EOT
	cdo 3
	no_messages
}

@test "ten types are shown, the others are counted" {
	declare() { local i; for ((i = 0; i < 14; i++)); do echo "struct s$i { int a; $1 } v$i;"; done; }
	changing "struct s { long a; }; $(declare '' | sed 's/ v[0-9]*;$/;/')" "struct s { long a; }; $(declare 'int b;' | sed 's/ v[0-9]*;$/;/')" \
		"long foo(struct s *p, $(for ((i = 0; i < 14; i++)); do printf 'struct s%d *p%d%s' $i $i "$( ((i == 13)) || echo ,)"; done)) { return p->a * N; }"
	cdo 2
	[ "$(grep -c 'new member b ("int"), 8 bytes instead of 4' <<< "$stderr")" -eq 10 ]
	tail -n 1 <<< "$stderr" | diff -u - <(echo 'create-diff-object: refused: file.c: 4 more types change')
}

# within N TYPE: a structure s, and in it N structures without a name, each twice in the one before; innermost TYPE t.
within()
{
	local i
	printf 'struct s { long a; '
	for ((i = 0; i < $1; i++)); do printf 'struct { '; done
	printf '%s t; ' "$2"
	for ((i = 0; i < $1; i++)); do printf '} a%d, b%d; ' "$i" "$i"; done
	printf '};'
}

@test "what contains a type that changes only in structures without a name is not told" {
	changing "struct inner { int x; }; $(within 4 'struct inner')" "struct inner { int x, y; }; $(within 4 'struct inner')"
	refused_layout 'struct inner' 'new member y ("int"), 8 bytes instead of 4'
}

@test "structures without a name are not searched any deeper than authors write them: told, too" {
	ulimit -t 20
	# 2^40 ways lead to the innermost one.
	changing "struct inner { int x; }; $(within 40 'struct inner')" "struct inner { int x, y; }; $(within 40 'struct inner')"
	cdo 2
	refusals <<-EOT
		refused: file.c: struct inner changes (new member y ("int"), 8 bytes instead of 4), $LAYOUT --allow-layout='struct inner' if no object outlives a call
		refused: file.c: struct s changes (struct inner: member y is new), $LAYOUT --allow-layout='struct s' if no object outlives a call
	EOT
}

@test "a structure gets another name: it must stay what it is" {
	local body='long foo(void *v) { struct s *p = v; return p->a * N; }'
	changing 'struct s { long a; int users; char name[8]; };' \
		'struct t { long a; int users; long more; char name[8]; };
		#define s t' "$body"
	refused_layout 'struct t' 'was struct s, new member more ("long int"), 32 bytes instead of 24'
	changing 'struct s { long a; int users; };' 'struct t { int users; long a; };
		#define s t' "$body"
	refused_layout 'struct t' 'was struct s, struct s: member a was at 0, is at 8'
	changing 'typedef struct { long a; } t;
		#define s t
		#define struct' 'typedef struct { long a, b; } u;
		#define s u
		#define struct' "$body"
	refused_layout u 'was t, new member b ("long int"), 16 bytes instead of 8'
	# The same under another name; and something else, of which one member is called the same.
	changing 'struct s { long a; int users; };' 'struct t { long a; int users; };
		#define s t' "$body"
	cdo 0
	no_messages
	changing 'struct s { long a; int users; char name[8]; };' 'struct t { long a, from, to, by; };
		#define s t' "$body"
	cdo 0
	no_messages
}

@test "a structure that the source names no more, and another one that it names now, are no renamed one" {
	for side in original patched; do
		version $side include/s.h <<< 'struct one { int a, b; }; struct two { int a; long c; int b; };'
		version $side <<-EOT
			#include "include/s.h"
			struct $([ $side = original ] || echo 'un')known { int x, y; };
			int foo(void *p) { struct $([ $side = original ] && echo one || echo two) *q = p; return q->b; }
		EOT
	done
	tree_pair
	cdo 0
	no_messages
	# But not if the patch writes the other one.
	sed -i 's/struct two/struct deux/' tree-patched/include/s.h tree-patched/file.c
	sed -i 's/struct one/struct un/' tree-original/include/s.h tree-original/file.c
	tree_pair
	cdo 2
	[[ $stderr == *'refused: file.c: struct deux changes (was struct un, new member c ("long int"), 24 bytes instead of 8), '* ]]
}
