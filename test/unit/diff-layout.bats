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
	messages <<< "refused: file.c: $1 changes ($2), $LAYOUT --allow-layout='$1' if no object outlives a call"
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
	changing 'struct s { long a; int b : 3, c : 5; };' 'struct s { long a; int b : 4, c : 4; };'
	cdo 2 --allow-layout='struct other'
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
	messages <<< "refused: file.c: enum e changes (enum e: A was 0, is 1), $VALUES --allow-layout='enum e' if no object holds one"
	cdo 0 --allow-layout='enum e'
	no_messages
	changing 'struct s { long a; }; enum { A, B };' 'struct s { long a; }; enum { A, C, B };' \
		'long foo(struct s *p) { return p->a * N + B; }'
	cdo 2
	[[ $stderr == "create-diff-object: refused: file.c: enum { A, ... } changes ("*"B was 1, is 2), "* ]]
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
	messages <<-EOT
		refused: file.c: struct inner changes (new member y ("int"), 8 bytes instead of 4), $LAYOUT --allow-layout='struct inner' if no object outlives a call
		refused: file.c: struct s changes (struct inner: member y is new), $LAYOUT --allow-layout='struct s' if no object outlives a call
	EOT
}
