#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: which static local is which, when debugging information tells function and line of each.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read

bats_require_minimum_version 1.5.0
load diff-fixtures

LOST='the patched file no longer has this static variable; its value is lost to the new code'
HELPERS='static inline __attribute__((always_inline)) int h1(int x)
{
	static int count;
	return count += x;
}
static inline __attribute__((always_inline)) int h2(int x)
{
	static int count;
	return count -= x;
}'

# lines FLAGS: the source on standard input, with debugging information; equal lines count.
lines()
{
	pair -g "$@"
	CDO_OPTIONS=(--same-lines)
}

# place NAME OBJECT FUNCTION: NAME is the static local that FUNCTION of OBJECT refers to first.
place()
{
	printf -v "$1" %s "$(reloc_list "$2" | sed -n "s/^\.text\.$3 .*\.bss\.\([a-z]*\.[0-9]*\) .*/\1/p" | head -n 1)"
	given [ -n "${!1}" ]
}

# refers FUNCTION NAME...: what of the running kernel's variables the new FUNCTION refers to, in order.
refers()
{
	reloc_list output.o | sed -n "s/^\.text\.$1 [^ ]* [^ ]* \.kpatch\.sym\.vmlinux\.vmlinux\.\([a-z]*\.[0-9]*\),0 .*/\1/p" |
		uniq | diff -u - <(printf '%s\n' "${@:2}")
}

@test "functions that are inlined into others than before keep their static locals" {
	lines <<-EOT
		$HELPERS
		#ifdef PATCHED
		int foo(int x) { return h2(x) * 3; }
		int bar(int x) { return h1(x) * 5; }
		#else
		int foo(int x) { return h1(x) * 3; }
		int bar(int x) { return h2(x) * 5; }
		#endif
	EOT
	place first orig.o foo
	place second orig.o bar
	given [ "$first" != "$second" ]
	cdo 0
	no_messages
	refers foo "$second"
	refers bar "$first"
	# Functions tell, with or without lines.
	CDO_OPTIONS=()
	cdo 0
	no_messages
	refers foo "$second"
}

@test "a function of the patch's own has a static local of its own, whatever it is called" {
	pair -g <<-EOT
		static inline __attribute__((always_inline)) int h1(int x)
		{
			static int count;
			return count += x;
		}
		#ifdef PATCHED
		static inline __attribute__((always_inline)) int h2(int x)
		{
			static int count;
			return count -= x;
		}
		#else
		#define h2(x) h1(x)
		#endif
		int foo(int x) { return h1(x) * 3; }
		int bar(int x) { return h2(x) * 5; }
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function bar 0
		new data count.0
	EOT
}

@test "a function that is gone and another one are not the same, though their static locals are called so" {
	lines <<-'EOT'
		#ifndef PATCHED
		static noinline int old(int x) { static unsigned long last; return last += x; }
		#else
		#define old(x) (x)
		#endif
		int foo(int x) { return old(x); }
		int bar(int x)
		{
		#ifdef PATCHED
			static unsigned long last;
			return last -= x;
		#endif
			return x;
		}
	EOT
	cdo 0
	messages <<< "warning: file.c: last.0: $LOST"
	changes <<-'EOT'
		function foo 0
		function bar 0
		new data last.0
	EOT
}

@test "a function that has another name now keeps its static local, and that is said" {
	lines <<-'EOT'
		#ifdef PATCHED
		#define NAME new_name
		#else
		#define NAME old_name
		#endif
		static noinline int NAME(int x) { static int count; return count += x; }
		int other(int x) { static int count; return count -= x; }
		int foo(int x) { return NAME(x) + 1; }
	EOT
	place count orig.o old_name
	cdo 0
	no_messages
	[[ $output == *"file.c: $count of new_name() is taken for that of old_name(), which is gone"* ]]
	refers new_name "$count"
}

@test "one more use of a macro with a static local: those at their old lines are the old ones" {
	lines <<-'EOT'
		#define STEP(x) do { static int calls; calls += (x); } while (0)
		int foo(int x)
		{
			STEP(x);
		#ifdef PATCHED
			STEP(x + 1);
		#else

		#endif
			STEP(x);
			return 0;
		}
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		new data calls.1
		klp vmlinux calls.0 0
		klp vmlinux calls.1 0
	EOT
	# Without lines nobody knows which one is new.
	CDO_OPTIONS=()
	cdo 2
	[[ $stderr == *': cannot tell which calls.'* ]]
}

@test "one of two static locals of one name goes: the other one is known by its line" {
	lines <<-'EOT'
		int foo(int x)
		{
			{ static int count; count += x; }
		#ifndef PATCHED
			{ static int count; count -= x; }
		#endif
			return x;
		}
	EOT
	place count orig.o foo
	cdo 0
	[[ $stderr == *": $LOST" ]]
	refers foo "$count"
}

@test "constants of one name and size: no doubt about them is a reason to refuse" {
	pair -g <<-'EOT'
		struct ext { const char *msg; };
		#define SAY(e, text) do { static const char __msg[] = text; if (e) (e)->msg = __msg; } while (0)
		int foo(struct ext *e, int x)
		{
			if (x == 1)
				SAY(e, "Invalid thing 1");
		#ifdef PATCHED
			if (x == 2)
				SAY(e, "Invalid thing 2");
		#endif
			if (x == 3)
				SAY(e, "Invalid thing 3");
			return x;
		}
	EOT
	cdo 0
	no_messages
	# Each text of the output is the right one: those that are not taken over are there.
	strings -n 8 output.o | grep '^Invalid thing 2$'
}

@test "a static local that grows is refused as any other variable is" {
	pair -g <<-'EOT'
		#ifdef PATCHED
		typedef struct { int locked; int owner; } lock_t;
		#else
		typedef struct { int locked; } lock_t;
		#endif
		int foo(int x) { static lock_t lock; barrier(); lock.locked += x; return x; }
	EOT
	CDO_OPTIONS=(--allow-layout=lock_t)
	cdo 2
	messages <<< 'refused: file.c: lock.0: the size of existing data changed from 4 to 8 bytes; keep what is new in a shadow variable or in a new variable'
}
