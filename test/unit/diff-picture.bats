#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: what is told behind the refusal of a type that changes: where it is defined, a picture of it, who uses it,
# and how to do without.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read

bats_require_minimum_version 1.5.0
load diff-fixtures

# details: compares what stands behind the first refusal with standard input.
details()
{
	diff -u - <(awk '/^create-diff-object:/ { n++; next } n == 1 { sub(/^    /, ""); print }' <<< "$stderr")
}

# header SIDE TEXT: include/s.h, with what is defined there.
header()
{
	printf '%s\n' '/* s.h */' "$2" | version "$1" include/s.h
}

# body SIDE TEXT: of foo() in file.c, which is at line 3; bar() does not change.
body()
{
	version "$1" <<-EOT
		#include "include/s.h"
		long helper(void *);
		long foo(struct s *p)
		{
			$2
			return p->a;
		}

		long bar(struct s *p)
		{
			return p->a;
		}
	EOT
}

# change HEADER_ORIGINAL HEADER_PATCHED [BODY_PATCHED]
change()
{
	header original "$1"
	header patched "$2"
	body original 'barrier();'
	body patched "${3:-helper(p);}"
	tree_pair
	ksyms T helper
	cdo 2
}

@test "a new member in the middle: places, picture, functions, shadow field, accesses" {
	change 'struct s {
	long a;
	int b;
	char name[16];
	void *last;
};' '/* More. */
struct s {
	long a;
	unsigned long *flags;
	int b;
	char name[16];
	void *last;
};' 'if (p->flags)
		helper((void *)p->flags[3]);
	helper(&(struct s){ .flags = 0 });'
	details <<-'EOT'
		struct s was defined at include/s.h:2, is defined at include/s.h:3
		offset  size  original     offset  size  patched
		     0     8  long int a        0     8  long int a
		                         >      8     8  long unsigned int *flags
		     8     4  int b      |     16     4  int b
		     ...                        ...
		          40  in all     |           48  in all
		2 more members at another place or of another type
		changed functions that use it: foo() at file.c:3
		as a shadow field, behind the includes (#include <kpatch-shadow.h>):
		    KPATCH_SHADOW_FIELD(s, flags, long unsigned int *);
		to be read as, and written through (NULL: no memory):
		    kpatch_field_read(s, flags, OBJECT), *kpatch_field_get_or_alloc(s, flags, OBJECT, GFP_ATOMIC)
		accesses to flags on the lines of the patch:
		    file.c:5 in foo(): if (p->flags)
		    file.c:6 in foo(): helper((void *)p->flags[3]);
		    file.c:7 in foo(): helper(&(struct s){ .flags = 0 });
	EOT
}

@test "members that are gone, and that have another type" {
	change 'struct s {
	long a;
	int b;
	int c;
	int d;
};' 'struct s {
	long a;
	int c;
	float d;
};'
	details <<-'EOT'
		struct s is defined at include/s.h:2
		offset  size  original     offset  size  patched
		     0     8  long int a        0     8  long int a
		     8     4  int b      <
		    12     4  int c      |      8     4  int c
		    16     4  int d      |     12     4  float d
		          24  in all     |           16  in all
		changed functions that use it: foo() at file.c:3
	EOT
}

@test "members that only change places, and bit-fields" {
	change 'struct s { long a, b; int c : 3, d : 5; char e, f, g, h; };' 'struct s { long b, a; int c : 3, d : 5; char e, f, g, h; };'
	details <<-'EOT'
		struct s is defined at include/s.h:2
		offset  size  original     offset  size  patched
		     8     8  long int b |      0     8  long int b
		     0     8  long int a |      8     8  long int a
		  16.0    :3  int c : 3      16.0    :3  int c : 3
		     ...                        ...
		          24  in all                 24  in all
		changed functions that use it: foo() at file.c:3, bar() at file.c:9
	EOT
}

@test "values of an enumeration" {
	change 'enum e { RED, GREEN, BLUE = -5, WHITE };
struct s { long a; enum e e; };' 'enum e { BLACK, RED, GREEN, BLUE = -5, WHITE };
struct s { long a; enum e e; };' 'p->a = p->e;'
	details <<-'EOT'
		enum e is defined at include/s.h:2
		 value  original            value  patched
		                         >      0  BLACK
		     0  RED              |      1  RED
		     ...                        ...
		1 more enumerator of another value
		changed functions that use it: foo() at file.c:3
	EOT
}

# field TYPE: how the shadow field of a new member of that type is declared.
field()
{
	change 'typedef unsigned long u64; typedef struct { int x; } lock_t; struct list { struct list *next; };
struct s { long a; };' "typedef unsigned long u64; typedef struct { int x; } lock_t; struct list { struct list *next; };
struct s { long a; $1; };"
	sed -n 's/^ *KPATCH_SHADOW_FIELD(s, x, \(.*\));$/\1/p' <<< "$stderr"
}

@test "the shadow field has the type that the source has" {
	[ "$(field 'u64 x')" = u64 ]
	[ "$(field 'lock_t x[2][3]')" = 'lock_t[2][3]' ]
	[ "$(field 'const volatile struct list **x')" = 'const volatile struct list **' ] ||
		[ "$(field 'const volatile struct list **x')" = 'volatile const struct list **' ]
	[ "$(field 'const char *const x[4]')" = 'const const char *[4]' ] || [ "$(field 'char *x[4]')" = 'char *[4]' ]
	[ "$(field '_Bool x')" = _Bool ]
	[ "$(field 'unsigned int x : 3')" = 'unsigned int' ]
	[ "$(field 'int (*x)(struct list *, u64)')" = 'typeof(int (*)(struct list *, long unsigned int))' ]
	[ "$(field 'int (*x)[3]')" = 'int (*)[3]' ]
}

@test "a type without a name, a flexible array, unions and types of functions: no shadow field is shown" {
	change 'struct s { long a; };' 'struct s { long a; struct { int x; } b; };'
	[[ $stderr == *$'\n    b cannot be a shadow field as it is: give its type a name, or its array a length\n    no line of the patch accesses b' ]]
	change 'struct s { long a; };' 'struct s { long a; int b[]; };'
	[[ $stderr != *KPATCH_SHADOW_FIELD* && $stderr == *'b cannot be a shadow field as it is: '* ]]
	change 'union u { int x; }; struct s { long a; union u u; };' 'union u { int x; long y; }; struct s { long a; union u u; };'
	[[ $stderr != *KPATCH* && $stderr == *"long int y"* ]]
	change 'typedef struct { int x; } t; struct s { long a; t t; };' 'typedef struct { int x, y; } t; struct s { long a; t t; };'
	[[ $stderr != *KPATCH* && $stderr == *"4  int y"* ]]
}

@test "the shown declaration and the shown accesses compile with kpatch-shadow.h" {
	change 'struct s { long a; };' 'struct s { long a; int (*x)(struct s *, long); };'
	mkdir linux
	for name in build_bug gfp stddef string types livepatch; do
		echo '#include "stub.h"' > linux/$name.h
	done
	cat > stub.h <<-'EOT'
		#ifndef STUB
		#define STUB
		typedef unsigned long size_t;
		typedef unsigned int gfp_t;
		typedef _Bool bool;
		#define NULL ((void *)0)
		#define GFP_ATOMIC 1
		#define __aligned(n) __attribute__((aligned(n)))
		#define __maybe_unused __attribute__((unused))
		#define offsetof(t, m) __builtin_offsetof(t, m)
		#define static_assert(...) _Static_assert(__VA_ARGS__)
		void *memcpy(void *, const void *, size_t);
		typedef int (*klp_shadow_ctor_t)(void *, void *, void *);
		typedef void (*klp_shadow_dtor_t)(void *, void *);
		void *klp_shadow_get(void *, unsigned long);
		void *klp_shadow_alloc(void *, unsigned long, size_t, gfp_t, klp_shadow_ctor_t, void *);
		void *klp_shadow_get_or_alloc(void *, unsigned long, size_t, gfp_t, klp_shadow_ctor_t, void *);
		void klp_shadow_free(void *, unsigned long, klp_shadow_dtor_t);
		void klp_shadow_free_all(unsigned long, klp_shadow_dtor_t);
		#endif
	EOT
	{
		printf '%s#include <kpatch-shadow.h>\nstruct s { long a; };\n' "$FIXTURE_PRELUDE"
		sed -n 's/^ *KPATCH_SHADOW/KPATCH_SHADOW/p' <<< "$stderr"
		printf 'int f(struct s *p) { if (!'
		sed -n 's/^ *\(kpatch_field_read.*\), \*kpatch.*/\1/p' <<< "$stderr" | sed 's/OBJECT/p/'
		printf ') '
		sed -n 's/^.*, \(\*kpatch_field_get_or_alloc.*\)/\1 = 0;/p' <<< "$stderr" | sed 's/OBJECT/p/'
		printf 'return 0; }\n'
	} > use.c
	compile use.o use.c -isystem . -I "$TOP/include" -Werror
	given_symbols use.o f
}

@test "many functions, many accesses, many members" {
	local i
	header original "struct s { long a; $(printf 'int m%d; ' {1..40}) };"
	header patched "struct s { long a; int first; $(printf 'int m%d; ' {1..20}) char late; $(printf 'long m%d; ' {21..40}) };"
	for side in original patched; do
		{
			echo '#include "include/s.h"'
			for i in {1..11}; do
				printf 'int f%d(struct s *p)\n{\n\tbarrier();\n\treturn p->m%d;\n}\n' "$i" "$i"
			done
		} | version $side
	done
	sed -i 's/barrier();/p->first++; p->m1 += p->first;\n\tp->first--;/' tree-patched/file.c
	tree_pair
	cdo 2
	details > /dev/null <<< '' || true
	[ "$(grep -c '^        file.c:[0-9]* in f[0-9]*(): p->first' <<< "$stderr")" = 12 ]
	[[ $stderr == *$'\n        and 10 more\n'* ]]
	[[ $stderr == *'changed functions that use it: f1() at file.c:2, f2() at file.c:8, '*', f8() at file.c:44 and 3 more'$'\n'* ]]
	[ "$(grep -c '^ *\.\.\. *\.\.\.$' <<< "$stderr")" = 2 ]
	[ "$(grep -c '  in all' <<< "$stderr")" = 1 ]
	[[ $stderr == *$'\n    27 more members at another place or of another type\n'* ]]
	[ "$(grep -cE '^    .*  (int|long int|char) ' <<< "$stderr")" = 16 ]
}

@test "without the sources and the lines of the patch: what debugging information says" {
	change 'struct s { long a; };' 'struct s { long a; int b; };' 'p->b = 3;'
	CDO_OPTIONS=()
	cdo 2
	details <<-'EOT'
		struct s is defined at include/s.h:2
		offset  size  original     offset  size  patched
		     0     8  long int a        0     8  long int a
		                         >      8     4  int b
		           8  in all     |           16  in all
		changed functions that use it: foo() at file.c:3
		as a shadow field, behind the includes (#include <kpatch-shadow.h>):
		    KPATCH_SHADOW_FIELD(s, b, int);
		to be read as, and written through (NULL: no memory):
		    kpatch_field_read(s, b, OBJECT), *kpatch_field_get_or_alloc(s, b, OBJECT, GFP_ATOMIC)
	EOT
}

@test "a function uses a type that its variables hold, and that what is inlined into it uses" {
	for side in original patched; do
		header $side "struct in { int x; $([ $side = original ] || echo 'int y;') }; struct s { struct in in[2]; long a; };
struct with { struct in *in; };"
		version $side <<-EOT
			#include "include/s.h"
			long helper(void *);
			static inline __attribute__((always_inline)) long deep(void *v)
			{
				struct in *in = v;

				return helper(&in->x);
			}
			long holds(struct s *p) { return p->a $([ $side = original ] || echo '+ 1'); }
			long inlines(void *p) { return deep(p) $([ $side = original ] || echo '+ 1'); }
			long points(struct with *p) { return helper(p) $([ $side = original ] || echo '+ 1'); }
		EOT
	done
	tree_pair
	ksyms T helper
	cdo 2
	grep -F 'changed functions that use it: holds() at file.c:9, inlines() at file.c:10' <<< "$stderr"
	[[ $stderr != *points* ]]
}
