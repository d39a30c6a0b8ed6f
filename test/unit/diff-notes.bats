#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: what the author says with the macros of kpatch-macros.h.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read

bats_require_minimum_version 1.5.0
load diff-fixtures

# What the header takes from the kernel's; the prelude of the fixtures has more.
MACROS='
#define __aligned(x) __attribute__((aligned(x)))
#define __maybe_unused __attribute__((unused))
#define __noclone
#define __printf(a, b) __attribute__((format(printf, a, b)))
typedef __builtin_va_list va_list;
#define va_start(v, l) __builtin_va_start(v, l)
#define va_end(v) __builtin_va_end(v)
int vprintk(const char *, va_list);
struct klp_object;
#include <kpatch-macros.h>
'

# notes_pair [FLAGS]: as pair, with the header in sight of the patched version.
notes_pair()
{
	local name
	mkdir -p linux
	for name in compiler jump_label kernel livepatch static_call; do
		: > linux/$name.h
	done
	{
		printf '#ifdef PATCHED\n%s\n#endif\n' "$MACROS"
		# Lines are counted from here.
		printf '#line 1 "file.c"\n'
		cat
	} > body.c
	pair -I. -I"$TOP/include" "$@" < body.c
}

@test "callbacks: the functions are taken, each with a second name, and told of with their places" {
	notes_pair <<-'EOT'
		int limit = 4;
		int get(void) { return limit; }
		#ifdef PATCHED
		static int counter;
		static int raise(patch_object *obj) { limit = 8; return counter++; }
		KPATCH_PRE_PATCH_CALLBACK(raise);
		static void say(patch_object *obj) { _printk("done"); }
		KPATCH_POST_PATCH_CALLBACK(say);
		KPATCH_PRE_UNPATCH_CALLBACK(say);
		static void lower(patch_object *obj) { limit = 4; }
		KPATCH_POST_UNPATCH_CALLBACK(lower);
		#endif
	EOT
	cdo 0
	no_messages
	infos <<-'EOT'
		file.c: new function: raise
		file.c: new function: lower
		file.c: new function: say
		file.c: new data: counter
		file.c: pre_patch callback: raise
		file.c: post_patch callback: say
		file.c: pre_unpatch callback: say
		file.c: post_unpatch callback: lower
	EOT
	changes <<-'EOT'
		new function raise
		new function lower
		new function say
		new data counter
		klp vmlinux limit 0
		callback pre_patch raise __kpatch_new.vmlinux.raise.pre_patch file.c:6
		callback post_patch say __kpatch_new.vmlinux.say.post_patch file.c:8
		callback pre_unpatch say __kpatch_new.vmlinux.say.pre_unpatch file.c:9
		callback post_unpatch lower __kpatch_new.vmlinux.lower.post_unpatch file.c:11
	EOT
	symbols <<-'EOT'
		__kpatch_new.vmlinux.lower.post_unpatch GLOBAL FUNC
		__kpatch_new.vmlinux.raise.pre_patch GLOBAL FUNC
		__kpatch_new.vmlinux.say.post_patch GLOBAL FUNC
		__kpatch_new.vmlinux.say.pre_unpatch GLOBAL FUNC
		counter LOCAL OBJECT
		lower LOCAL FUNC
		raise LOCAL FUNC
		say LOCAL FUNC
	EOT
	run ! has_section output.o .discard.kpatch_macros
}

@test "a callback of a module is named after it" {
	OBJNAME=my_mod
	notes_pair <<-'EOT'
		int limit = 4;
		#ifdef PATCHED
		static int raise(patch_object *obj) { limit = 8; return 0; }
		KPATCH_PRE_PATCH_CALLBACK(raise);
		#endif
	EOT
	cdo 0
	changes <<-'EOT'
		new function raise
		klp my_mod limit 1
		callback pre_patch raise __kpatch_new.my_mod.raise.pre_patch file.c:4
	EOT
}

@test "a callback that cannot be called is an error" {
	notes_pair <<-'EOT'
		int there(struct klp_object *obj) { return _printk("x"); }
		int other(void) { return 1; }
		#ifdef PATCHED
		int elsewhere(patch_object *obj);
		static __section(".init.text") int init(patch_object *obj) { return _printk("y"); }
		KPATCH_PRE_PATCH_CALLBACK(elsewhere);
		KPATCH_PRE_PATCH_CALLBACK(init);
		KPATCH_PRE_PATCH_CALLBACK(there);
		#endif
	EOT
	cdo 1
	messages <<-'EOT'
		error: file.c:6: KPATCH_PRE_PATCH_CALLBACK(elsewhere): it is not defined in this file; put the macro next to the function
		error: file.c:7: KPATCH_PRE_PATCH_CALLBACK(init): it is in section .init.text, which is gone when it is to be called; define it without __init
		error: file.c:8: KPATCH_PRE_PATCH_CALLBACK(there): the kernel has this function already; give the callback a function of its own, which may call it
	EOT
}

@test "an ignored function stays the kernel's, with its cold part, and its callers call that" {
	notes_pair <<-'EOT'
		void panic_now(int) __attribute__((cold));
		extern int state;
		noinline int foo(int x)
		{
			if (x == 5) {
				panic_now(x);
				state = x;
				return 3;
			}
		#ifdef PATCHED
			x++;
		#endif
			return _printk("%d", x);
		}
		int user(int x)
		{
		#ifdef PATCHED
			x *= 2;
		#endif
			return foo(x) + 1;
		}
		#ifdef PATCHED
		KPATCH_IGNORE_FUNCTION(foo);
		#endif
	EOT
	given_symbols patched.o foo.cold
	cdo 0
	no_messages
	changes <<-'EOT'
		function user 0
		klp vmlinux foo 0
		ignored function foo file.c:23
	EOT
	has_symbol output.o user
	run ! has_symbol output.o foo.cold
	code_relocs .text.user <<-'EOT'
		.text.user PLT32 .kpatch.sym.vmlinux.vmlinux.foo,0 -4
	EOT
}

@test "an ignored function without ftrace entry is no reason to refuse, and takes no caller with it" {
	notes_pair <<-'EOT'
		static notrace noinline int quiet(int x)
		{
		#ifdef PATCHED
			x++;
		#endif
			return _printk("%d", x);
		}
		int caller(int x) { return quiet(x) + 1; }
		int other(int x)
		{
		#ifdef PATCHED
			x++;
		#endif
			return x;
		}
		#ifdef PATCHED
		KPATCH_IGNORE_FUNCTION(quiet);
		#endif
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function other 0
		ignored function quiet file.c:17
	EOT
	# The other way round: the only caller is to stay what it is.
	sed -i 's/KPATCH_IGNORE_FUNCTION(quiet)/KPATCH_IGNORE_FUNCTION(caller)/' body.c
	pair -I. -I"$TOP/include" < body.c
	cdo 2
	messages <<-'EOT'
		refused: file.c: quiet(): changed, but it has no ftrace entry (notrace, noinstr, or assembler), so that it cannot be redirected; patch its callers instead
	EOT
}

@test "to ignore a function does not change how it is compiled" {
	notes_pair <<-'EOT'
		struct big { long a, b, c, d; };
		static noinline int foo(struct big *b, int unused)
		{
		#ifdef PATCHED
			_printk("new");
		#endif
			return _printk("%ld", b->a);
		}
		int user(void)
		{
			struct big b = { 1, 2, 3, 4 };
			return foo(&b, 7);
		}
		#ifdef PATCHED
		KPATCH_IGNORE_FUNCTION(foo);
		#endif
	EOT
	# All but what it says.
	sed 's/^KPATCH_IGNORE_FUNCTION.*//' file.c > without.c
	compile without.o without.c -DPATCHED -I. -I"$TOP/include"
	diff <(objdump -dr -j .text.user -j .text.foo patched.o | tail -n +4) \
		<(objdump -dr -j .text.user -j .text.foo without.o | tail -n +4)
	cdo 3
}

@test "what cannot be ignored is an error that says why" {
	notes_pair <<-'EOT'
		static inline __attribute__((always_inline)) int inlined(int x) { return x + 1; }
		int foo(int x) { return _printk("%d", inlined(x)); }
		#ifdef PATCHED
		int added(int x) { return x; }
		KPATCH_IGNORE_FUNCTION(inlined);
		KPATCH_IGNORE_FUNCTION(added);
		KPATCH_IGNORE_SECTION(".data.nothing");
		KPATCH_IGNORE_SECTION("__mcount_loc");
		KPATCH_IGNORE_SECTION(".rodata.foo.str1.1");
		#endif
	EOT
	cdo 1
	messages <<-'EOT'
		error: file.c:5: KPATCH_IGNORE_FUNCTION(inlined): the object has no such function: it is not defined in this file, or the compiler made it part of its callers; ignore these
		error: file.c:6: KPATCH_IGNORE_FUNCTION(added): the kernel has no added(), which could be used instead; leave the macro or the change of the function out
		error: file.c:7: KPATCH_IGNORE_SECTION(.data.nothing): the object has no such section; "readelf -SW" shows those that it has
		error: file.c:8: KPATCH_IGNORE_SECTION(__mcount_loc): what is in there belongs to the code that uses it, and cannot be left out; ignore the function
		error: file.c:9: KPATCH_IGNORE_SECTION(.rodata.foo.str1.1): what is in there belongs to the code that uses it, and cannot be left out; ignore the function
	EOT
}

@test "to ignore what did not change is said to be useless" {
	notes_pair <<-'EOT'
		noinline int foo(int x) { return _printk("%d", x); }
		int user(int x) { return foo(x) + 1; }
		#ifdef PATCHED
		KPATCH_IGNORE_FUNCTION(foo);
		#endif
	EOT
	cdo 3
	messages <<-'EOT'
		warning: file.c:4: KPATCH_IGNORE_FUNCTION(foo): nothing of it changed, so that there is nothing to leave out
	EOT
}

@test "ignored sections: initial values, initialisation code, lists; each is told of" {
	notes_pair <<-'EOT'
		#ifdef PATCHED
		#define VALUE 5
		#else
		#define VALUE 4
		#endif
		int limit = VALUE;
		__section(".data..read_mostly") int hot = VALUE;
		__section(".data..read_mostly") int warm = 3;
		__section(".init.text") int boot(int x) { return x + VALUE; }
		__section("__param") __used static int old = 1;
		#ifdef PATCHED
		__section("__param") __used static int entry = 2;
		#endif
		int foo(int x) { return limit + hot + VALUE; }
		#ifdef PATCHED
		KPATCH_IGNORE_SECTION(".data.limit");
		KPATCH_IGNORE_SECTION(".data..read_mostly");
		KPATCH_IGNORE_SECTION(".init.text");
		KPATCH_IGNORE_SECTION("__param");
		#endif
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux hot 0
		klp vmlinux limit 0
		ignored function boot file.c:18
		ignored data entry file.c:19
		ignored data hot file.c:17
		ignored data limit file.c:16
	EOT
	sections <<-'EOT'
		__mcount_loc
		.text.foo
	EOT
}

@test "a section may be that of the original only: data that had no initial value" {
	notes_pair <<-'EOT'
		#ifdef PATCHED
		int limit = 7;
		#else
		int limit;
		#endif
		int foo(int x)
		{
		#ifdef PATCHED
			x++;
		#endif
			return limit + x;
		}
		#ifdef PATCHED
		KPATCH_IGNORE_SECTION(".bss.limit");
		#endif
	EOT
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux limit 0
		ignored data limit file.c:14
	EOT
}

@test "ignored data must keep size, type and kind: the new code would misread the kernel's" {
	notes_pair -g <<-'EOT'
		#ifdef PATCHED
		int table[8] = { 1 };
		unsigned long number = 1;
		const int fixed = 2;
		#else
		int table[4] = { 1 };
		int *number = (int *)2;
		int fixed = 1;
		#endif
		int foo(int x)
		{
		#ifdef PATCHED
			x++;
		#endif
			return table[x] + (long)number + fixed;
		}
		#ifdef PATCHED
		KPATCH_IGNORE_SECTION(".data.table");
		KPATCH_IGNORE_SECTION(".data.number");
		KPATCH_IGNORE_SECTION(".data.fixed");
		#endif
	EOT
	cdo 2
	[[ $stderr == *"refused: file.c: table: the size of existing data changed from 16 to 32 bytes"* ]]
	[[ $stderr == *"refused: file.c: number: the type of existing data changed"* ]]
	[[ $stderr == *"refused: file.c: fixed: the kind of existing data changed"* ]]
}

@test "a list's entry that is left out, but used, is refused" {
	notes_pair <<-'EOT'
		__section("my_list") __used int old = 1;
		#ifdef PATCHED
		__section("my_list") __used static int entry = 2;
		#endif
		int foo(int x)
		{
		#ifdef PATCHED
			x += entry++;
		#endif
			return x + old;
		}
		#ifdef PATCHED
		KPATCH_IGNORE_SECTION("my_list");
		#endif
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: entry: file.c:13: KPATCH_IGNORE_SECTION(my_list) leaves it out, but changed code refers to it; leave that out as well
	EOT
}

@test "an ignored function may be a clone of the compiler's, or only its cold part changed" {
	notes_pair <<-'EOT'
		struct big { long a, b; };
		void panic_now(int) __attribute__((cold));
		extern int state;
		static __attribute__((__noinline__)) int clone(struct big *b, int unused)
		{
		#ifdef PATCHED
		#define WHAT "new %ld"
		#else
		#define WHAT "%ld"
		#endif
			return _printk(WHAT, b->a);
		}
		int user(void)
		{
			struct big b = { 1, 2 };
			return clone(&b, 7);
		}
		int foo(int x)
		{
			if (x == 5) {
				panic_now(x);
		#ifdef PATCHED
				state = 7;
		#else
				state = 6;
		#endif
				return 3;
			}
			return x + 1;
		}
		int other(int x)
		{
		#ifdef PATCHED
			x++;
		#endif
			return x;
		}
		#ifdef PATCHED
		KPATCH_IGNORE_FUNCTION(clone);
		KPATCH_IGNORE_FUNCTION(foo);
		#endif
	EOT
	given_symbols orig.o foo.cold
	given_symbols patched.o foo.cold
	given_not has_symbol orig.o clone
	cdo 0
	no_messages
	changes <<-EOT
		function other 0
		ignored function $(nm patched.o | awk '$3 ~ /^clone\./ { print $3 }') file.c:39
		ignored function foo.cold file.c:40
	EOT
}

@test "what spreads does not reach an ignored function" {
	notes_pair <<-'EOT'
		#ifdef PATCHED
		#define VALUE 5
		#else
		#define VALUE 4
		#endif
		static const int table[] = { 1, 2, VALUE, 9 };
		static notrace noinline int quiet(int x) { return x * VALUE + _printk("q"); }
		int foo(int x) { return table[x] + quiet(x); }
		int bar(int x) { return table[x + 1] - quiet(x); }
		#ifdef PATCHED
		KPATCH_IGNORE_FUNCTION(foo);
		#endif
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		copy function quiet
		function bar 0
		ignored function foo file.c:11
	EOT
}

@test "an ignored function goes on using the address of the old constant" {
	notes_pair <<-EOT
		#ifdef PATCHED
		#define VALUE 5
		#else
		#define VALUE 4
		#endif
		static const int table[] = { 1, 2, VALUE, 9 };
		void keep(const int **p) { *p = table; }
		int foo(int x) { return table[x]; }
		#ifdef PATCHED
		KPATCH_IGNORE_FUNCTION(keep);
		#endif
	EOT
	cdo 0
	no_messages
	changes <<-EOT
		function foo 0
		ignored function keep file.c:10
	EOT
}

@test "a global entry of a list is left out, too" {
	notes_pair <<-'EOT'
		__section("my_list") int old = 1;
		#ifdef PATCHED
		__section("my_list") int entry = 2;
		KPATCH_IGNORE_SECTION("my_list");
		#endif
		int foo(int x)
		{
		#ifdef PATCHED
			x++;
		#endif
			return x;
		}
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		ignored data entry file.c:4
	EOT
	run ! has_section output.o my_list
}

@test "the users of an ignored constant go on using the kernel's" {
	notes_pair <<-'EOT'
		#ifdef PATCHED
		#define VALUE 5
		#else
		#define VALUE 4
		#endif
		static const int table[] = { 1, 2, VALUE, 9 };
		int foo(int x) { return table[x]; }
		int bar(int x) { return table[x + VALUE]; }
		#ifdef PATCHED
		KPATCH_IGNORE_SECTION(".rodata.table");
		#endif
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function bar 0
		klp vmlinux table 0
		ignored data table file.c:10
	EOT
}

@test "KPATCH_FORCE_UNSAFE is accepted and told of" {
	notes_pair <<-'EOT'
		int foo(int x)
		{
		#ifdef PATCHED
			x++;
		#endif
			return _printk("%d", x);
		}
		#ifdef PATCHED
		KPATCH_FORCE_UNSAFE(foo);
		#endif
	EOT
	cdo 0
	messages <<-'EOT'
		warning: file.c:9: KPATCH_FORCE_UNSAFE(foo): has no effect: the kernel moves each task when it is safe, and one that never leaves the function keeps the patch from being complete
	EOT
	changes <<-'EOT'
		function foo 0
		unsafe foo file.c:9
	EOT
}

@test "the layout of a type may change if a macro says so, in the source or in a header" {
	notes_pair -g <<-'EOT'
		struct s {
			long a;
		#ifdef PATCHED
			int b;
		#endif
		};
		int foo(struct s *p)
		{
		#ifdef PATCHED
			p->b++;
		#endif
			return p->a;
		}
		#ifdef PATCHED
		#line 1 "include/foo.h"
		KPATCH_ALLOW_LAYOUT("struct s");
		KPATCH_ALLOW_LAYOUT("struct of_others");
		#endif
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		layout struct s
	EOT
	sed -i 's|include/foo.h|file.c|' body.c
	pair -g -I. -I"$TOP/include" < body.c
	cdo 0 --allow-layout='struct s'
	messages <<-'EOT'
		warning: file.c:2: KPATCH_ALLOW_LAYOUT(struct of_others): no type of this name changes in what is replaced, so that there is nothing to allow
	EOT
	changes <<-'EOT'
		function foo 0
		layout struct s
	EOT
	# Of another type it says nothing.
	sed -i 's/"struct s"/"struct t"/' body.c
	pair -g -I. -I"$TOP/include" < body.c
	cdo 2
	[[ $stderr == *"refused: file.c: struct s changes (new member b (\"int\"), 16 bytes instead of 8), "* ]]
}

@test "KPATCH_PRINTK leaves its surroundings where they are, printk moves them" {
	notes_pair <<-'EOT'
		#ifdef PATCHED
		#define say KPATCH_PRINTK
		#else
		int say(const char *, ...);
		#endif
		int _printk(const char *, ...) __attribute__((cold));
		extern int state;
		int foo(int x)
		{
			if (x == 5) {
				say("%d", x);
				state = x;
				return 3;
			}
			return x + 1;
		}
	EOT
	run ! has_symbol patched.o foo.cold
	ksyms T vprintk D state
	cdo 0
	changes <<-'EOT'
		new function kpatch_printk
		function foo 0
		klp vmlinux state 0
		klp vmlinux vprintk 0
	EOT
	sed -i 's/^#define say KPATCH_PRINTK/#define say _printk/' body.c
	pair -I. -I"$TOP/include" < body.c
	given has_symbol patched.o foo.cold
}

@test "notes of another version of the header are an error" {
	pair <<-'EOT'
		int foo(int x) { return x; }
		#ifdef PATCHED
		__used __section(".discard.kpatch_macros") static const long kpatch_note[5] = { 99 };
		#endif
	EOT
	cdo 1
	messages <<-'EOT'
		error: patched.o: section .discard.kpatch_macros: kpatch_note is none of kpatch-macros.h; does the header belong to this version?
	EOT
	pair <<-'EOT'
		int foo(int x) { return x; }
		#ifdef PATCHED
		__used __section(".discard.kpatch_macros") static const long kpatch_note[3] = { 1 };
		#endif
	EOT
	cdo 1
	messages <<-'EOT'
		error: patched.o: section .discard.kpatch_macros: kpatch_note is none of kpatch-macros.h; does the header belong to this version?
	EOT
}

# compile_fails MESSAGE: standard input, behind the header, does not compile as the kernel does it.
compile_fails()
{
	local status=0
	{ printf '%s%s#line 1\n' "$FIXTURE_PRELUDE" "$MACROS"; cat; } > bad.c
	"$FIXTURE_CC" -std=gnu11 -O2 -fsyntax-only bad.c -I. -I"$TOP/include" -Werror=incompatible-pointer-types \
		-Werror=implicit-function-declaration -Wno-unused > messages 2>&1 || status=$?
	[ "$status" -ne 0 ] || { echo "it compiled"; return 1; }
	grep -F -- "$1" messages || { cat messages; return 1; }
}

@test "callbacks of the wrong type and functions that are not there do not compile" {
	notes_pair <<< 'int foo;'
	compile_fails 'incompatible pointer type' <<-'EOT'
		static void wrong(patch_object *obj) { }
		KPATCH_PRE_PATCH_CALLBACK(wrong);
	EOT
	compile_fails 'incompatible pointer type' <<-'EOT'
		static int wrong(patch_object *obj) { return 0; }
		KPATCH_POST_UNPATCH_CALLBACK(wrong);
	EOT
	compile_fails "'nowhere' undeclared" <<-'EOT'
		KPATCH_IGNORE_FUNCTION(nowhere);
	EOT
	compile_fails "redefinition of 'kpatch_pre_patch__twice'" <<-'EOT'
		static int twice(patch_object *obj) { return 0; }
		KPATCH_PRE_PATCH_CALLBACK(twice);
		KPATCH_PRE_PATCH_CALLBACK(twice);
	EOT
}
