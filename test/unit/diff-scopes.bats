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
	messages <<< "warning: file.c: $count of new_name() is taken for that of old_name(), which is gone; if it is none, give it another name"
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

@test "what one function declares twice, and nothing tells which: those at other lines are two things" {
	# Each use of helper() has one of its two variables only.
	lines <<-'EOT'
		static inline __attribute__((always_inline)) int helper(int x, int second)
		{
			if (!second) { static int count; return count += x; }
		#ifdef PATCHED
			{ static int count; return count -= x; }
		#else
			{ static int count; return count -= x; }
		#endif
		}
		#ifdef PATCHED
		#define BAR new_bar
		#else
		#define BAR old_bar
		#endif
		static noinline int BAR(int x) { return helper(x, 1); }
		int foo(int x) { return helper(x, 0) + BAR(x); }
	EOT
	place first orig.o foo
	place second orig.o old_bar
	cdo 0
	messages <<< "warning: file.c: $second: $LOST"
	place second patched.o new_bar
	changes <<-EOT
		new function new_bar
		function foo 0
		new data $second
		klp vmlinux $first 0
	EOT
}

# renamed OLD NEW: foo() calls functions of these names, each with a static local called count.
renamed()
{
	local name
	{
		echo '#ifdef PATCHED'
		for name in $2; do
			echo "static noinline int $name(int x) { static int count; return count += x; }"
		done
		echo "int foo(int x) { return ${2// /(x) + }(x) + 1; }"
		echo '#else'
		for name in $1; do
			echo "static noinline int $name(int x) { static int count; return count += x; }"
		done
		echo "int foo(int x) { return ${1// /(x) + }(x); }"
		echo '#endif'
	} > renamed.c
	lines < renamed.c
	cdo 0
	[ "$(grep -c ": $LOST$" <<< "$stderr")" -eq "$3" ]
	[ "$(grep -c '^new.data' report)" -eq "$4" ]
	[[ $stderr$output != *"is taken for that of"* ]]
}

@test "two functions are gone, or two are there instead: none is taken for one of another name" {
	renamed 'one two' three 2 1
	renamed one 'two three' 1 2
}

@test "a function that is still there has not another name now: the static local of a new one is new" {
	lines <<-'EOT'
		#ifdef PATCHED
		static noinline int added(int x) { static int count; return count += x; }
		int foo(int x) { return added(x); }
		#else
		int foo(int x) { static int count; return count += x; }
		#endif
	EOT
	cdo 0
	messages <<< "warning: file.c: count.0: $LOST"
	changes <<-'EOT'
		new function added
		function foo 0
		new data count.0
	EOT
}

@test "a line that has two of one name does not tell which one is there now" {
	lines <<-'EOT'
		#ifdef PATCHED
		#define FIRST { static int count; count += x; }
		#define SECOND { static int count; count -= x; }
		#else
		#define FIRST { static int count; count += x; } { static int count; count -= x; }
		#define SECOND
		#endif
		int foo(int x)
		{
			FIRST
			SECOND
			return x;
		}
	EOT
	given_symbols orig.o count.0 count.1
	cdo 2
	messages <<-'EOT'
		refused: file.c: count.0: cannot tell which count.0 of the original this is; give the variables or functions of this name different names
		refused: file.c: count.1: cannot tell which count.1 of the original this is; give the variables or functions of this name different names
	EOT
}

@test "what is of another type is another thing, at the same line, too" {
	# The type of the pointer is in a unit of its own, so that types do not tell which are of one kind.
	lines -fdebug-types-section <<-'EOT'
		#ifdef PATCHED
		#define SIZE 12
		#define MORE { static char count[16]; count[x]--; }
		#else
		#define SIZE 8
		#define MORE
		#endif
		struct s { int a; };
		int foo(int x)
		{
			{ static struct s *count; count += x; }
			{ static char count[SIZE]; count[x]++; }
			MORE
			return x;
		}
	EOT
	given grep -q '\.debug_types\|DW_UT_type' <(readelf -wi orig.o)
	cdo 0
	[ "$(grep -c . <<< "$stderr")" = 1 ]
	[[ $stderr == *": $LOST" ]]
	[ "$(grep -c ^new report)" = 2 ]
}

@test "a type that only one side shows agrees with what is not shown" {
	pair -g <<-'EOT'
		struct s { int a; };
		int foo(int x)
		{
			static struct s *count;
		#ifdef PATCHED
			x++;
		#endif
			return (long)(count += x);
		}
	EOT
	compile patched.o file.c -DPATCHED -g -fdebug-types-section
	given grep -q 'DW_UT_type' <(readelf -wi patched.o)
	cdo 0
	no_messages
	refers foo count.0
}
