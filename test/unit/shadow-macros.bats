#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# kpatch-shadow.h at compile time: what compiles, what does not, with which message, and which ids come
# out. Compiled against a small stand-in for the kernel's headers, with the kernel's warning flags.

bats_require_minimum_version 1.5.0

setup()
{
	TOP=$(readlink -f "$BATS_TEST_DIRNAME/../..")
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir -p linux
	cat > linux/types.h <<-'EOF'
		typedef unsigned int gfp_t;
		typedef unsigned long size_t;
		typedef _Bool bool;
		#define NULL ((void *)0)
		#define offsetof(t, m) __builtin_offsetof(t, m)
		#define __used __attribute__((__used__))
		#define __maybe_unused __attribute__((__unused__))
		#define __aligned(x) __attribute__((__aligned__(x)))
		#define __section(x) __attribute__((__section__(x)))
		#define static_assert(expr, ...) __static_assert(expr, ##__VA_ARGS__, #expr)
		#define __static_assert(expr, msg, ...) _Static_assert(expr, msg)
		#define GFP_KERNEL 1u
		void *memcpy(void *, const void *, size_t);
	EOF
	cat > linux/livepatch.h <<-'EOF'
		typedef int (*klp_shadow_ctor_t)(void *obj, void *shadow_data, void *ctor_data);
		typedef void (*klp_shadow_dtor_t)(void *obj, void *shadow_data);
		void *klp_shadow_get(void *obj, unsigned long id);
		void *klp_shadow_alloc(void *obj, unsigned long id, size_t size, gfp_t gfp_flags,
				       klp_shadow_ctor_t ctor, void *ctor_data);
		void *klp_shadow_get_or_alloc(void *obj, unsigned long id, size_t size, gfp_t gfp_flags,
					      klp_shadow_ctor_t ctor, void *ctor_data);
		void klp_shadow_free(void *obj, unsigned long id, klp_shadow_dtor_t dtor);
		void klp_shadow_free_all(unsigned long id, klp_shadow_dtor_t dtor);
	EOF
	: > linux/build_bug.h
	: > linux/gfp.h
	: > linux/stddef.h
	: > linux/string.h
}

# compile: standard input behind the header and two structures, into x.o.
compile()
{
	{
		cat <<-'EOF'
			#include <linux/types.h>
			#include <kpatch-shadow.h>
			struct parent { int value; };
			struct other { int value; };
			void use(void *);
		EOF
		cat
	} > x.c
	# The kernel's, and all warnings are errors here.
	LC_ALL=C gcc -std=gnu11 -O2 -Wall -Werror -Werror=incompatible-pointer-types -Werror=implicit-function-declaration \
		-Wno-unused-function -fno-builtin -fno-pic -fno-stack-protector -I. -I"$TOP/include" -c -o x.o x.c
}

# refused MESSAGE: what is on standard input does not compile, and the compiler says MESSAGE.
refused()
{
	local status=0
	compile > messages 2>&1 || status=$?
	[ "$status" -ne 0 ] || { echo "it compiled"; return 1; }
	grep -F -- "$1" messages || { cat messages; return 1; }
}

@test "every form of declaration and accessor compiles without a warning" {
	compile <<-'EOF'
		struct wide { char c[64]; } __attribute__((aligned(64)));
		void text_dtor(void *obj, void *data);
		int text_ctor(void *obj, void *data, void *arg);
		KPATCH_SHADOW_FIELD(parent, counter, unsigned int, .initial = 3, .version = 2);
		KPATCH_SHADOW_FIELD(parent, text, char[16], .ctor = text_ctor, .dtor = text_dtor, .initial = "none");
		KPATCH_SHADOW_FIELD(parent, next, struct parent *);
		KPATCH_SHADOW_FIELD(parent, pair, struct { int a; int b; }, .initial = { 1, 2 });
		KPATCH_SHADOW_FIELD(other, wide, struct wide, .id = 17);
		KPATCH_SHADOW_FLAG(parent, flag);
		KPATCH_SHADOW_STATE(total, unsigned long);
		int f(struct parent *p, const struct parent *c, struct other *o, void *v)
		{
			unsigned int *n = kpatch_field_get(parent, counter, c);

			n = kpatch_field_alloc(parent, counter, p, GFP_KERNEL);
			n = kpatch_field_create(parent, counter, p, GFP_KERNEL);
			n = kpatch_field_get_or_alloc(parent, counter, p, GFP_KERNEL, p);
			kpatch_field_free(parent, counter, p);
			use(*kpatch_field_get(parent, text, p));
			use(kpatch_field_read(parent, next, p));
			use(kpatch_field_get_or_alloc(other, wide, o, GFP_KERNEL));
			kpatch_flag_set(parent, flag, p, GFP_KERNEL);
			kpatch_flag_clear(parent, flag, p);
			use(kpatch_state_get_or_alloc(total, GFP_KERNEL));
			use(kpatch_state_get(total));
			kpatch_state_free(total);
			klp_shadow_alloc(v, 1, v, sizeof(int), GFP_KERNEL);
			klp_shadow_alloc(v, 1, sizeof(int), GFP_KERNEL, NULL, NULL);
			klp_shadow_get_or_alloc(v, 1, NULL, sizeof(int), GFP_KERNEL);
			klp_shadow_get_or_alloc(v, 1, sizeof(int), GFP_KERNEL, NULL, NULL);
			klp_shadow_free(v, 1);
			klp_shadow_free(v, 1, text_dtor);
			klp_shadow_free_all(1);
			klp_shadow_free_all(1, NULL);
			return kpatch_field_read(parent, counter, p) + kpatch_field_read(parent, pair, p).a +
				kpatch_flag_test(parent, flag, p) + !klp_shadow_get(v, 1) + !n;
		}
	EOF
	# It comes down to the five calls.
	run bash -c "nm -u x.o | sed 's/^ *U //' | grep -vE '^(use|memcpy|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)$'"
	[ "$output" = "klp_shadow_alloc
klp_shadow_free
klp_shadow_free_all
klp_shadow_get
klp_shadow_get_or_alloc
text_ctor
text_dtor" ]
}

@test "an object of another type is refused" {
	refused "incompatible pointer type" <<-'EOF'
		KPATCH_SHADOW_FIELD(parent, counter, int);
		int *f(struct other *o) { return kpatch_field_get(parent, counter, o); }
	EOF
	grep -F "kpatch_get__parent__counter" messages
	grep -F "but argument is of type 'struct other *'" messages
}

@test "a field that was not declared is refused by its name" {
	refused "implicit declaration of function 'kpatch_get__parent__countr'" <<-'EOF'
		KPATCH_SHADOW_FIELD(parent, counter, int);
		int *f(struct parent *p) { return kpatch_field_get(parent, countr, p); }
	EOF
}

@test "a pointer to another type than the field's is refused" {
	refused "incompatible return type 'long int *'" <<-'EOF'
		KPATCH_SHADOW_FIELD(parent, counter, int);
		long *f(struct parent *p) { return kpatch_field_get(parent, counter, p); }
	EOF
}

@test "a field that is declared twice is refused" {
	refused "redefinition of" <<-'EOF'
		KPATCH_SHADOW_FIELD(parent, counter, int);
		KPATCH_SHADOW_FIELD(parent, counter, long);
	EOF
}

@test "an option that does not exist is refused by its name" {
	refused "has no member named 'destructor'" <<-'EOF'
		KPATCH_SHADOW_FIELD(parent, counter, int, .destructor = NULL);
	EOF
}

@test "a destructor of another type is refused" {
	refused "incompatible pointer type" <<-'EOF'
		void dtor(struct parent *);
		KPATCH_SHADOW_FIELD(parent, counter, int, .dtor = dtor);
	EOF
}

@test "names that are too long are refused" {
	refused "have more than 62 characters together" <<-'EOF'
		struct a_structure_with_a_name_that_is_quite_long;
		KPATCH_SHADOW_FIELD(a_structure_with_a_name_that_is_quite_long, and_a_field_just_like_it, int);
	EOF
}

@test "a wrong number of arguments is refused" {
	refused "kpatch_shadow_alloc4" <<-'EOF'
		void *f(void *v) { return klp_shadow_alloc(v, 1, 4, GFP_KERNEL); }
	EOF
}

@test "more than one argument for a constructor is refused" {
	refused "kpatch_arguments_of_constructor_2" <<-'EOF'
		KPATCH_SHADOW_FIELD(parent, counter, int);
		void f(struct parent *p) { use(kpatch_field_alloc(parent, counter, p, GFP_KERNEL, p, p)); }
	EOF
}

@test "the build reads names, ids, sizes, alignments, versions and destructors" {
	compile <<-'EOF'
		struct wide { char c[64]; } __attribute__((aligned(64)));
		void text_dtor(void *obj, void *data);
		KPATCH_SHADOW_FIELD(parent, counter, unsigned int, .initial = 3, .version = 2);
		KPATCH_SHADOW_FIELD(parent, text, char[16], .dtor = text_dtor);
		KPATCH_SHADOW_FIELD(other, wide, struct wide, .id = 17, .dtor = text_dtor);
		KPATCH_SHADOW_FLAG(parent, flag);
		KPATCH_SHADOW_STATE(total, unsigned long);
	EOF
	run bash -c "source '$TOP/kpatch-build/kpatch-build'; WORKDIR=. ; shadow_declarations x.o | cut -f 1-7 | sort"
	[ "$status" -eq 0 ]
	expected=$(printf 'shadow\t%s\t%s\t%s\t%s\t%s\t%s\n' \
		kpatch_state.total "$(fnv kpatch_state.total)" 8 8 0 - \
		other.wide 0000000000000011 64 64 0 text_dtor \
		parent.counter "$(fnv parent.counter)" 4 4 2 - \
		parent.flag "$(fnv parent.flag)" 0 1 0 - \
		parent.text "$(fnv parent.text)" 16 1 0 text_dtor)
	diff <(echo "$expected") <(echo "$output")
}

# The id of a name, by another implementation: FNV-1a over 64 bytes, zeroes behind the name.
fnv()
{
	local h=$((0xcbf29ce484222325)) i c
	for ((i = 0; i < 64; i++)); do
		c=0
		((i >= ${#1})) || printf -v c %d "'${1:i:1}"
		h=$(((h ^ c) * 0x100000001b3))
	done
	printf '%016x\n' $((h | 1 << 63))
}

@test "fields that the objects declare differently, and fields with one id, are refused" {
	printf 'shadow\ta.b\t1\t4\t4\t0\t-\nshadow\ta.b\t1\t8\t8\t0\t-\n' > twice
	run bash -c "source '$TOP/kpatch-build/kpatch-build'; ui_init; shadow_check twice"
	[ "$status" -eq 1 ]
	[ "$output" = "kpatch-build: error: a.b: the objects of the patch declare this field in different ways; declare it once, in a header, or give one of two fields another name" ]
	printf 'shadow\ta.b\t1\t4\t4\t0\t-\nshadow\ta.c\t1\t4\t4\t0\t-\n' > same
	run bash -c "source '$TOP/kpatch-build/kpatch-build'; ui_init; shadow_check same"
	[ "$status" -eq 1 ]
	[ "$output" = "kpatch-build: error: the fields a.b and a.c have the same id; rename one of them or give it an id of its own" ]
}

@test "declarations that differ in anything are told apart, and those that don't are one" {
	declarations()
	{
		compile
		bash -c "source '$TOP/kpatch-build/kpatch-build'; WORKDIR=. ; shadow_declarations x.o"
	}
	local ctor='int f(void *obj, void *data, void *arg); int g(void *obj, void *data, void *arg);'
	declarations > one <<< "$ctor KPATCH_SHADOW_FIELD(parent, counter, const char *, .initial = \"text\", .ctor = f);"
	declarations > same <<< "const char *c = \"another text\"; $ctor KPATCH_SHADOW_FIELD(parent, counter, const char *, .initial = \"text\", .ctor = f);"
	declarations > ctor <<< "$ctor KPATCH_SHADOW_FIELD(parent, counter, const char *, .initial = \"text\", .ctor = g);"
	declarations > without <<< "$ctor KPATCH_SHADOW_FIELD(parent, counter, const char *, .ctor = f);"
	cmp one same
	local other
	for other in ctor without; do
		[ "$(cut -f 1-7 one)" = "$(cut -f 1-7 $other)" ]
		sort -u one $other > twice
		run bash -c "source '$TOP/kpatch-build/kpatch-build'; ui_init; shadow_check twice"
		[ "$status" -eq 1 ]
		[[ $output == "kpatch-build: error: parent.counter: the objects of the patch declare this field in different ways"* ]]
	done
}

@test "a store that does not exist is refused" {
	echo > x.patch
	run "$TOP/kpatch-build/kpatch-build" --shadow=mine -a 6.1.0-56-cloud-amd64 -o . x.patch
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "kpatch-build: error: --shadow=mine: must be core or kernel" ]
}
