#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: which thing of the patched object is which thing of the original, where the
# compiler's numbers do not say it.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read
# shellcheck disable=SC2030,SC2031 # each test is a subshell
# shellcheck disable=SC2001 # sed is clearer

bats_require_minimum_version 1.5.0
load diff-fixtures

# The klp relocations of a section, by symbol: "NAME,POS" in the order of their places.
klp_of()
{
	reloc_list output.o | sed -n "s/^$1 [^ ]* [^ ]* \.kpatch\.sym\.vmlinux\.vmlinux\.\([^ ]*\) .*/\1/p"
}

@test "a static local keeps its value: the new code refers to the original's, under its number there" {
	pair <<-'EOT'
		int foo(int x)
		{
			static int count;
		#ifdef PATCHED
			x += 2;
		#endif
			count += x;
			return _printk("%d", count);
		}
	EOT
	given_symbols orig.o count.0
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux count.0 0
	EOT
}

@test "a new static local above shifts all numbers: each keeps its own value" {
	pair <<-'EOT'
		int added(int x);
		int foo(int x)
		{
			static int count;
		#ifdef PATCHED
			x += added(x);
		#endif
			return count++ + x;
		}
		int bar(int x)
		{
			static int count;
		#ifdef PATCHED
			x += 3;
		#endif
			return count++ * x;
		}
		int baz(int x)
		{
			static int count;
			return count++ - x;
		}
		#ifdef PATCHED
		noinline int added(int x)
		{
			static int count;
			return count++ + x;
		}
		#endif
	EOT
	# The name count.2 means another variable in each of the two.
	given_symbols orig.o count.0 count.1 count.2
	given_symbols patched.o count.0 count.1 count.2 count.3
	mine=$(reloc_list orig.o | awk '$1 == ".text.foo" && /count/ { sub(/.*bss\./, "", $4); print $4; exit }')
	theirs=$(reloc_list patched.o | awk '$1 == ".text.foo" && /count/ { sub(/.*bss\./, "", $4); print $4; exit }')
	given [ "$mine" != "$theirs" ]
	bars=$(reloc_list orig.o | awk '$1 == ".text.bar" && /count/ { sub(/.*bss\./, "", $4); print $4; exit }')
	cdo 0
	no_messages
	[ "$(klp_of .text.foo | sort -u)" = "$mine,0" ]
	[ "$(klp_of .text.bar | sort -u)" = "$bars,0" ]
	[ "$(klp_of .text.added)" = "" ]
	grep -q '^function.foo' report
	grep -q '^function.bar' report
	grep -q '^new.function.added' report
	run -1 grep '^function.baz' report
	[[ $output != *baz* ]]
}

@test "shifted numbers alone are no change" {
	pair <<-'EOT'
		#ifdef PATCHED
		static __used int unused(int x) { static int count; return count++ + x; }
		#endif
		int foo(int x) { static int count; return count++ + x; }
		int bar(int x) { static int count; return count++ * x; }
	EOT
	given_symbols patched.o count.2
	cdo 3
}

@test "two functions swap their same-named static locals' places: the functions decide, not the numbers" {
	pair <<-'EOT'
		#define FOO int foo(int x) { static int count = 5; return (count += x) + N; }
		#define BAR int bar(int x) { static int count = 5; return (count -= x) * N; }
		#ifdef PATCHED
		#define N 3
		BAR FOO
		#else
		#define N 2
		FOO BAR
		#endif
	EOT
	given [ "$(reloc_list orig.o | grep -m1 '^.text.foo .*count' | cut -d' ' -f 4)" = \
		"$(reloc_list patched.o | grep -m1 '^.text.bar .*count' | cut -d' ' -f 4)" ]
	foos=$(reloc_list orig.o | sed -n 's/^\.text\.foo .*data\.\(count\.[0-9]\) .*/\1/p' | head -1)
	bars=$(reloc_list orig.o | sed -n 's/^\.text\.bar .*data\.\(count\.[0-9]\) .*/\1/p' | head -1)
	cdo 0
	no_messages
	[ "$(klp_of .text.foo | sort -u)" = "$foos,0" ]
	[ "$(klp_of .text.bar | sort -u)" = "$bars,0" ]
}

@test "two static locals of one name in one function: moved references do not swap their values" {
	pair <<-'EOT'
		int foo(int x)
		{
			{ static int count; count += x; }
			{ static int count; count -= x; }
		#ifdef PATCHED
			barrier();
		#endif
			{ static int count; return count *= x; }
		}
	EOT
	given_symbols orig.o count.0 count.1 count.2
	# The numbers are the same on both sides here.
	reloc_list patched.o | sed -n 's/^\.text\.foo .*bss\.\(count\.[0-9]\) .*/\1,0/p' > expected
	cdo 0
	no_messages
	klp_of .text.foo | diff -u expected -
}

@test "the patch puts a static local in front of others of its name and of another size" {
	pair <<-'EOT'
		int foo(int x)
		{
		#ifdef PATCHED
			{ static long state[4]; state[x & 3]++; }
		#endif
			static int state;
			return state += x;
		}
	EOT
	given_symbols patched.o state.1
	cdo 0
	no_messages
	[ "$(klp_of .text.foo | sort -u)" = state.0,0 ]
	[[ $output == *"new static variable, starts with its initial value"* ]]
	grep '^new' report | sed 's/state\.[01]/state.N/; s/[0-9]*$//' |
		diff - <(printf 'new\tdata\tstate.N\t\n')
}

@test "a second static local of the same name and size: the way of use tells, or it is refused" {
	pair '-DOP=-=' <<-'EOT'
		int foo(int x)
		{
		#ifdef PATCHED
			{ static int count; count OP x; }
		#endif
			static int count;
			count += x;
			return x;
		}
	EOT
	given_symbols patched.o count.0 count.1
	old=$(objdump -dr --no-show-raw-insn patched.o | grep -A1 'add .*%edi' | grep -o 'count\.[0-9]')
	new=$(objdump -dr --no-show-raw-insn patched.o | grep -A1 'sub .*%edi' | grep -o 'count\.[0-9]')
	given [ -n "$old" -a -n "$new" ]
	cdo 0
	no_messages
	[ "$(klp_of .text.foo)" = count.0,0 ]
	reloc_list output.o | grep -q "^.text.foo .* $new -4"
	compile patched.o file.c -DPATCHED '-DOP=+='
	cdo 2
	messages <<-EOT
		refused: file.c: count.0: cannot tell which count.0 of the original this is; give the variables or functions of this name different names
		refused: file.c: count.1: cannot tell which count.1 of the original this is; give the variables or functions of this name different names
	EOT
}

@test "several removed and added static locals are all reported" {
	pair <<-'EOT'
		int foo(int x)
		{
		#ifdef PATCHED
			static int added, second_added;
			return (added += x) + (second_added -= x);
		#else
			static int gone, second_gone;
			return (gone += x) + (second_gone -= x);
		#endif
		}
		int bar(int x)
		{
		#ifndef PATCHED
			static long third_gone;
			return third_gone++ + x;
		#endif
			return 2;
		}
	EOT
	given [ "$(readelf -sW orig.o | grep -cE ' (gone|second_gone|third_gone)\.[0-9]$')" = 3 ]
	cdo 0
	printf '%s\n' "$stderr" | sed 's/\.[0-9]:/.N:/' | sort > said
	diff -u - said <<-'EOT'
		create-diff-object: warning: file.c: gone.N: the patched file no longer has this static variable; its value is lost to the new code
		create-diff-object: warning: file.c: second_gone.N: the patched file no longer has this static variable; its value is lost to the new code
		create-diff-object: warning: file.c: third_gone.N: the patched file no longer has this static variable; its value is lost to the new code
	EOT
	printf '%s\n' "$output" | sed -n 's/\.[0-9]: new static/.N: new static/p' | sort | diff -u - <(cat <<-'EOT'
		create-diff-object: file.c: added.N: new static variable, starts with its initial value
		create-diff-object: file.c: second_added.N: new static variable, starts with its initial value
	EOT
	)
}

@test "a static local replaced by another one of the same name, type and use stays one" {
	pair <<-'EOT'
		int foo(int x)
		{
			static int count;
		#ifdef PATCHED
			if (x > 3)
				return count;
		#endif
			return count += x;
		}
		int bar(int x)
		{
			static int count;
			return count -= x;
		}
	EOT
	mine=$(reloc_list orig.o | sed -n 's/^\.text\.foo .*bss\.\(count\.[0-9]\) .*/\1/p' | head -1)
	cdo 0
	[ "$(klp_of .text.foo | sort -u)" = "$mine,0" ]
}

@test "a static local whose function is inlined into its caller by the patch keeps its value" {
	pair <<-'EOT'
		#ifndef PATCHED
		noinline
		#else
		static inline __attribute__((always_inline))
		#endif
		int helper(int x) { static int count; return count += x; }
		int foo(int x) { return helper(x) * 3; }
		int bar(int x) { static int count; return count -= x; }
	EOT
	# The removed global function is another matter.
	sed -i 's/^int helper/static int helper/; s/^static inline/inline/' file.c
	compile orig.o file.c
	compile patched.o file.c -DPATCHED
	symtab_of orig.o > symtab
	given_symbols orig.o helper
	given_not has_symbol patched.o helper
	helpers=$(reloc_list orig.o | sed -n 's/^\.text\.helper .*bss\.\(count\.[0-9]\) .*/\1/p' | head -1)
	cdo 0
	no_messages
	[ "$(klp_of .text.foo | sort -u)" = "$helpers,0" ]
	changes <<-EOT
		function foo 0
		klp vmlinux $helpers 0
	EOT
}

@test "a static local whose function is no longer inlined keeps its value" {
	pair <<-'EOT'
		#ifdef PATCHED
		noinline
		#else
		inline __attribute__((always_inline))
		#endif
		static int helper(int x) { static int count; return count += x; }
		int foo(int x) { return helper(x) * 3; }
	EOT
	given_symbols patched.o helper
	given_not has_symbol orig.o helper
	cdo 0
	no_messages
	changes <<-EOT
		new function helper
		function foo 0
		klp vmlinux count.0 0
	EOT
}

@test "a static local's reference moves to the .cold part" {
	pair <<-'EOT'
		void panic_now(void) __attribute__((cold));
		int foo(int x)
		{
			static int count;
			static int other;
			other += x;
		#ifndef PATCHED
			count++;
		#endif
			if (x == 5) {
				panic_now();
		#ifdef PATCHED
				count++;
		#endif
				return other;
			}
			return x + 1;
		}
		int bar(int x) { static int count; return count++ + x; }
	EOT
	given_symbols patched.o foo.cold
	given grep -q 'text.unlikely.foo.*count' <(reloc_list patched.o)
	given grep -q 'text.foo .*count' <(reloc_list orig.o)
	mine=$(reloc_list orig.o | sed -n 's/^\.text\.foo .*bss\.\(count\.[0-9]\) .*/\1/p' | head -1)
	ksyms T panic_now
	cdo 0
	no_messages
	[ "$(klp_of .text.unlikely.foo.cold | grep count)" = "$mine,0" ]
}

@test "a static local's reference moves between a function and its .part or .cold child, either way" {
	cat > parts.S <<-'EOT'
		.macro function name
		.section .text.\name, "ax"
		.type \name, @function
		\name:
		9:	call __fentry__
			.pushsection __mcount_loc, "a"
			.quad 9b
			.popsection
		.endm
		.macro variable name
		.section .bss.\name, "aw", @nobits
		.type \name, @object
		.size \name, 4
		\name:	.zero 4
		.endm
		variable count.1
		variable count.2
		variable count.3
		#ifdef PATCHED
		#define TO count.3
		#define FROM count.1
		#define OTHER count.2
		#else
		#define TO count.1
		#define FROM count.2
		#define OTHER count.3
		#endif
		.globl foo
		function foo
		#ifndef PATCHED
			incl TO(%rip)
		#endif
			call foo.part.0
			ret
		.size foo, . - foo
		function foo.part.0
		#ifdef PATCHED
			incl TO(%rip)
		#endif
			ret
		.size foo.part.0, . - foo.part.0
		.globl bar
		function bar
		#ifdef PATCHED
			decl FROM(%rip)
		#endif
			jne bar.cold
			ret
		.size bar, . - bar
		.section .text.unlikely.bar, "ax"
		.type bar.cold, @function
		bar.cold:
		#ifndef PATCHED
			decl FROM(%rip)
		#endif
			ret
		.size bar.cold, . - bar.cold
		.globl baz
		function baz
			negl OTHER(%rip)
			ret
		.size baz, . - baz
	EOT
	asm_pair < parts.S
	cdo 0
	no_messages
	[ "$(klp_of .text.foo.part.0)" = count.1,0 ]
	[ "$(klp_of .text.bar | grep count)" = count.2,0 ]
	run -1 grep baz report
}

@test "inlined functions in another order: their static locals are told apart by the functions themselves" {
	pair <<-'EOT'
		int foo(int x) { static int count; return count += x; }
		int bar(int x) { static int count; return count -= x; }
		int swap(int x)
		{
		#ifdef PATCHED
			return bar(x) * foo(x);
		#else
			return foo(x) * bar(x);
		#endif
		}
	EOT
	foos=$(reloc_list orig.o | sed -n 's/^\.text\.foo .*bss\.\(count\.[0-9]\) .*/\1/p' | head -1)
	bars=$(reloc_list orig.o | sed -n 's/^\.text\.bar .*bss\.\(count\.[0-9]\) .*/\1/p' | head -1)
	given grep -q "text.swap .*$foos" <(reloc_list patched.o)
	cdo 0
	# Inlined, bar's comes first now.
	klp_of .text.swap | awk '!seen[$0]++' > got
	printf '%s,0\n' "$bars" "$foos" | diff -u - got
}

@test "__func__, warn-once flags and lock keys are each version's own" {
	pair <<-'EOT'
		struct key { };
		void lock_init(void *, void *, const char *);
		void ratelimit(void *, const char *);
		extern int lock;
		int foo(int x)
		{
			static struct key __key;
			static int _rs = 3;
			static char __section(".data.once") __warned;
		#ifdef PATCHED
			x += 4;
		#endif
			lock_init(&lock, &__key, "lock");
			ratelimit(&_rs, __func__);
			if (!__warned)
				__warned = 1;
			return _printk(__func__) + x;
		}
		int bar(int x)
		{
			static struct key __key;
			static int _rs = 4;
			lock_init(&lock, &__key, "lock");
			ratelimit(&_rs, __func__);
			return x;
		}
	EOT
	given_symbols orig.o _rs.1 __func__.0
	ksyms T lock_init T ratelimit D lock
	cdo 0
	no_messages
	# Nothing but the functions and data of the kernel is reached by name.
	grep ^klp report | diff - <(printf 'klp\tvmlinux\t%s\t0\n' lock lock_init ratelimit)
	diff -u - <(readelf -sW output.o | awk '$4 == "OBJECT" { sub(/\.[0-9]+$/, ".N", $8); print $8, $5 }' | sort) <<-'EOT'
		__func__.N LOCAL
		__key.N LOCAL
		__warned.N LOCAL
		_rs.N LOCAL
	EOT
}

# own_copy NAME SECTION FLAGS: a numbered local of this name in foo() and in bar(), of which the patch
# changes foo(). The new code gets a variable of its own.
own_copy()
{
	asm_pair <<-EOT
		#ifdef PATCHED
		#define MINE $1.7
		#define BARS $1.6
		#else
		#define MINE $1.2
		#define BARS $1.7
		#endif
		.macro variable name, value
		.section $2, "$3"
		.type \name, @object
		.size \name, 4
		\name:	.long \value
		.endm
		.macro function name
		.section .text.\name, "ax"
		.globl \name
		.type \name, @function
		\name:
		9:	call __fentry__
			.pushsection __mcount_loc, "a"
			.quad 9b
			.popsection
		.endm
		variable MINE, 5
		variable BARS, 6
		function foo
		#ifdef PATCHED
			nop
		#endif
			mov \$MINE, %rdi
			ret
		.size foo, . - foo
		function bar
			mov \$BARS, %rdi
			ret
		.size bar, . - bar
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
	EOT
	relocs .text.foo <<-EOT
		.text.foo 0x1 PLT32 __fentry__ -4
		.text.foo 0x9 32S $1.7 0
	EOT
	[ "$(bytes output.o "$2")" = 05000000 ]
}

@test "each of the names that macros and the compiler use for a function's own things" {
	local name
	for name in __key __warned __already_done __print_once _rs; do
		own_copy $name .data.$name aw
	done
	for name in __func__ __FUNCTION__ __PRETTY_FUNCTION__ CSWTCH _entry; do
		own_copy $name .rodata.$name a
	done
}

@test "flags of once-macros are each version's own in every spelling of their section" {
	local name
	for name in __warned __already_done anything; do
		own_copy $name .data..once aw
		own_copy $name .data.once aw
	done
	for name in __warned __already_done; do
		own_copy $name .data.unlikely aw
		own_copy $name .data..unlikely aw
	done
}

@test "other variables of the sections beside those of once-macros keep their values" {
	for section in .data.unlikely .data..unlikely .data..read_mostly; do
		asm_pair <<-EOT
			.section $section, "aw"
			.type before, @object
			.size before, 4
			before:	.long 1
			.type state, @object
			.size state, 4
			state:	.long 2
			.section .text.foo, "ax"
			.globl foo
			.type foo, @function
			foo:
			9:	call __fentry__
			#ifdef PATCHED
				nop
			#endif
				incl state(%rip)
				ret
			.size foo, . - foo
			.section __mcount_loc, "a"
			.quad 9b
		EOT
		cdo 0
		no_messages
		changes <<-'EOT'
			function foo 0
			klp vmlinux state 0
		EOT
	done
}

@test "numbers of __func__ and _rs that shift are no change" {
	pair <<-'EOT'
		int _printk(const char *, ...);
		void ratelimit(void *, const char *);
		#ifdef PATCHED
		static __used int unused(void) { static int _rs = 5; ratelimit(&_rs, __func__); }
		#endif
		int foo(int x) { static int _rs = 5; ratelimit(&_rs, __func__); return _printk(__func__); }
		int bar(int x) { static int _rs = 5; ratelimit(&_rs, __func__); return _printk(__func__); }
	EOT
	cdo 3
}

@test "another text in a ratelimit state or __func__ changes the function" {
	pair <<-'EOT'
		void ratelimit(void *);
		#ifdef PATCHED
		#define N 5
		#else
		#define N 6
		#endif
		int foo(int x) { static int _rs = N; ratelimit(&_rs); return x; }
		int bar(int x) { static int _rs = 7; ratelimit(&_rs); return x; }
	EOT
	ksyms T ratelimit
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux ratelimit 0
	EOT
}

@test "a variable of the author's that is called _rs or __key is not taken for the macro's" {
	pair <<-'EOT'
		static int _rs = 4, __key, descriptor = 3;
		int foo(int x)
		{
		#ifdef PATCHED
			x += 4;
		#endif
			return _rs++ + x + __key++ + descriptor++;
		}
	EOT
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux __key 0
		klp vmlinux _rs 0
		klp vmlinux descriptor 0
	EOT
}

@test "static locals of the author's that are called descriptor and _entry keep their values" {
	pair <<-'EOT'
		int foo(int x)
		{
			static int descriptor = 3, _entry;
		#ifdef PATCHED
			x += 4;
		#endif
			return descriptor++ + x + _entry++;
		}
	EOT
	cdo 0
	no_messages
	sed 's/\.[0-9]/.N/' report | grep ^klp | sort |
		diff -u - <(printf 'klp\tvmlinux\t%s\t0\n' _entry.N descriptor.N)
	run -1 grep ^new report
}

@test "variables called once and once_more are not taken for warn-once flags" {
	pair <<-'EOT'
		static int once = 1, once_more = 2;
		int foo(int x)
		{
			static int once = 3;
		#ifdef PATCHED
			x += 4;
		#endif
			return once++ + x + once_more++;
		}
		int bar(int x) { return once++; }
		int baz(int x)
		{
		#ifdef PATCHED
			x += 4;
		#endif
			return once += x;
		}
	EOT
	given has_section patched.o .data.once
	given has_section patched.o .data.once_more
	cdo 0
	changes <<-'EOT'
		function foo 0
		function baz 0
		klp vmlinux once 0
		klp vmlinux once.0 0
		klp vmlinux once_more 0
	EOT
}

@test "a table that the compiler made of a switch (CSWTCH) belongs to its version" {
	pair <<-'EOT'
		int foo(int x)
		{
			switch (x) {
			case 0: return 17;
			case 1: return 5;
			case 2: return 99;
			case 3: return 3;
			case 4: return 41;
		#ifdef PATCHED
			case 5: return 77;
		#else
			case 5: return 76;
		#endif
			}
			return 1;
		}
		int bar(int x)
		{
			switch (x) {
			case 0: return 17;
			case 1: return 51;
			case 2: return 9;
			case 3: return 3;
			case 4: return 40;
			case 5: return 7;
			}
			return 1;
		}
	EOT
	given grep -q CSWTCH <(readelf -sW patched.o)
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
	EOT
	# Only foo's table comes along.
	[ "$(readelf -sW output.o | grep -c CSWTCH)" = 1 ]
}

@test "clones whose numbers change keep the original's name" {
	cat > clone.S <<-'EOT'
		.macro function name
		.section .text.\name, "ax"
		.type \name, @function
		\name:
		9:	call __fentry__
			.pushsection __mcount_loc, "a"
			.quad 9b
			.popsection
		.endm
		#ifdef PATCHED
		#define HELPER helper.isra.11
		#define VALUE 2
		#else
		#define HELPER helper.isra.16
		#define VALUE 1
		#endif
		function HELPER
			mov $VALUE, %eax
			ret
		.size HELPER, . - HELPER
		.globl user
		function user
			call HELPER
			ret
		.size user, . - user
	EOT
	asm_pair < clone.S
	cdo 0
	no_messages
	changes <<-'EOT'
		function helper.isra.16 0
	EOT
	symbols <<-'EOT'
		__kpatch_new.vmlinux.helper.isra.16.0 GLOBAL FUNC
		helper.isra.16 LOCAL FUNC
	EOT
}

@test "a clone of another kind is another function: its callers change with it" {
	cat > clones.S <<-'EOT'
		.macro function name
		.section .text.\name, "ax"
		.type \name, @function
		\name:
		9:	call __fentry__
			.pushsection __mcount_loc, "a"
			.quad 9b
			.popsection
		.endm
		#ifdef PATCHED
		#define HELPER helper.constprop.0
		#else
		#define HELPER helper.isra.0
		#endif
		function HELPER
			mov $1, %eax
			ret
		.size HELPER, . - HELPER
		.globl user
		function user
			call HELPER
			ret
		.size user, . - user
	EOT
	asm_pair < clones.S
	cdo 0
	no_messages
	changes <<-'EOT'
		new function helper.constprop.0
		function user 0
	EOT
}

@test "clones that cannot be told apart are new functions of their changed caller" {
	cat > clones.S <<-'EOT'
		.macro function name, value
		.section .text.\name, "ax"
		.type \name, @function
		\name:
		9:	call __fentry__
			.pushsection __mcount_loc, "a"
			.quad 9b
			.popsection
			mov $\value, %eax
			ret
		.size \name, . - \name
		.endm
		#ifdef PATCHED
		#define A h.constprop.1
		#define B h.constprop.0
		#else
		#define A h.constprop.0
		#define B h.constprop.1
		#endif
		function A, 1
		function B, 2
		.section .text.user, "ax"
		.globl user
		.type user, @function
		user:
		9:	call __fentry__
			call A
			call B
			ret
		.size user, . - user
		.section __mcount_loc, "a"
		.quad 9b
	EOT
	asm_pair < clones.S
	cdo 0
	no_messages
	changes <<-'EOT'
		new function h.constprop.1
		new function h.constprop.0
		function user 0
	EOT
}

@test "several clones of one function are told apart by their callers" {
	cat > clones.S <<-'EOT'
		.macro function name
		.section .text.\name, "ax"
		.type \name, @function
		\name:
		9:	call __fentry__
			.pushsection __mcount_loc, "a"
			.quad 9b
			.popsection
		.endm
		.macro end name, value
			mov $\value, %eax
			ret
		.size \name, . - \name
		.endm
		#ifdef PATCHED
		#define A h.constprop.4
		#define B h.constprop.3
		#define VALUE 9
		#else
		#define A h.constprop.1
		#define B h.constprop.4
		#define VALUE 1
		#endif
		function A
		end A, VALUE
		function B
		end B, 2
		.globl user_a
		function user_a
			call A
		end user_a, 3
		.globl user_b
		function user_b
			call B
		end user_b, 4
	EOT
	asm_pair < clones.S
	cdo 0
	no_messages
	changes <<-'EOT'
		function h.constprop.1 0
	EOT
}

@test "__UNIQUE_ID, initcall and ADDRESSABLE counters that shift are no change" {
	pair <<-'EOT'
		#define CAT2(a, b) a##b
		#define CAT(a, b) CAT2(a, b)
		#define MODINFO(text) static const char CAT(__UNIQUE_ID_info, __COUNTER__)[] \
			__used __section(".modinfo") = text;
		#define ADDRESSABLE(f) static void *__used __section(".discard.addressable") \
			CAT(__UNIQUE_ID___addressable_##f, __COUNTER__) = (void *)&f;
		#define INITCALL2(f, c) static int (*CAT(__initcall__kmod_file__, CAT(c, CAT(_12_, f##6))))(void) \
			__used __section(".initcall6.init") = f;
		#define INITCALL(f) INITCALL2(f, __COUNTER__)
		#ifdef PATCHED
		static int CAT(__UNIQUE_ID_x, __COUNTER__);
		enum { skipped = __COUNTER__ };
		#endif
		static int __section(".init.text") notrace start(void) { return 1; }
		static int __section(".init.text") notrace start2(void) { return 2; }
		int foo(int x)
		{
			static int CAT(__UNIQUE_ID_state, __COUNTER__);
		#ifdef PATCHED
			x += 3;
		#endif
			return x;
		}
		MODINFO("license=GPL")
		MODINFO("author=nobody")
		ADDRESSABLE(foo)
		INITCALL(start)
		INITCALL(start2)
	EOT
	given [ "$(readelf -sW orig.o | grep -o '__initcall__[^ ]*start6')" != \
		"$(readelf -sW patched.o | grep -o '__initcall__[^ ]*start6')" ]
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
	EOT
}

@test "every name with a counter is paired by what it stands for" {
	# In sections whose entries must not change, so that a wrong pairing is refused.
	asm_pair <<-'EOT'
		#ifdef PATCHED
		#define N(a, b) b
		#else
		#define N(a, b) a
		#endif
		.macro entry name, section, value
		.section \section, "a"
		.type \name, @object
		.size \name, 4
		\name:	.long \value
		.endm
		entry N(__BTF_ID__func__one__140, __BTF_ID__func__one__240), .BTF_ids, 0
		entry N(__BTF_ID__func__two__241, __BTF_ID__func__two__341), .BTF_ids, 0
		entry N(__BTF_ID__set__set5, __BTF_ID__set__set6), .BTF_ids, 2
		entry N(___ADDRESSABLE_one7, ___ADDRESSABLE_one8), .init.data, 11
		entry N(___ADDRESSABLE_two8, ___ADDRESSABLE_two9), .init.data, 12
		entry N(__UNIQUE_ID_author9, __UNIQUE_ID_author10), .modinfo, 21
		entry N(__UNIQUE_ID_license10, __UNIQUE_ID_license11), .modinfo, 22
		entry N(__UNIQUE_ID_quirk_one11, __UNIQUE_ID_quirk_one12), .init.data, 31
		entry N(__UNIQUE_ID_quirk_two12, __UNIQUE_ID_quirk_two13), .init.data, 32
		entry N(__initcall__kmod_a__13_20_one6, __initcall__kmod_a__14_20_one6), .initcall6.init, 41
		entry N(__initcall__kmod_a__14_21_two6, __initcall__kmod_a__15_21_two6), .initcall6.init, 42
		entry N(__initcall__kmod_a_b__15_22_one7s, __initcall__kmod_a_b__16_22_one7s), .initcall7s.init, 43
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:
		9:	call __fentry__
		#ifdef PATCHED
			nop
		#endif
			ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 9b
	EOT
	given_symbols orig.o __BTF_ID__func__two__241 ___ADDRESSABLE_two8 __UNIQUE_ID_license10 \
		__initcall__kmod_a__14_21_two6
	given_symbols patched.o __BTF_ID__func__two__341 ___ADDRESSABLE_one8 __UNIQUE_ID_author10 \
		__initcall__kmod_a__14_20_one6
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
	EOT
}

@test "static locals that are referred to only through data keep their values" {
	pair <<-'EOT'
		struct ops { int *counter; };
		#ifdef PATCHED
		noinline int added(int x) { static int count; return count++ + x; }
		#endif
		struct ops *foo(int x)
		{
			static int count;
			static struct ops table = { &count };
			return &table;
		}
		int bar(int x)
		{
			static int count;
		#ifdef PATCHED
			x += added(2);
		#endif
			return count++ + x;
		}
	EOT
	bars=$(reloc_list orig.o | sed -n 's/^\.text\.bar .*bss\.\(count\.[0-9]\) .*/\1/p' | head -1)
	cdo 0
	no_messages
	[ "$(klp_of .text.bar | sort -u)" = "$bars,0" ]
	run -1 grep -P '^function\tfoo' report
}

@test "which static local is meant cannot be told: refused, not guessed" {
	cat > conflict.S <<-'EOT'
		.macro function name
		.section .text.\name, "ax"
		.type \name, @function
		.globl \name
		\name:
		9:	call __fentry__
			.pushsection __mcount_loc, "a"
			.quad 9b
			.popsection
		.endm
		.section .bss.count.1, "aw", @nobits
		.type count.1, @object
		.size count.1, 4
		count.1: .zero 4
		.section .bss.count.2, "aw", @nobits
		.type count.2, @object
		.size count.2, 4
		count.2: .zero 4
		#ifdef PATCHED
		#define FIRST count.2
		#define SECOND count.1
		#else
		#define FIRST count.1
		#define SECOND count.2
		#endif
		function foo
			incl FIRST(%rip)
			decl SECOND(%rip)
			ret
		.size foo, . - foo
		function bar
			incl count.1(%rip)
			decl count.2(%rip)
			ret
		.size bar, . - bar
	EOT
	asm_pair < conflict.S
	cdo 2
	messages <<-'EOT'
		refused: file.c: count.1: cannot tell which count.1 of the original this is; give the variables or functions of this name different names
		refused: file.c: count.2: cannot tell which count.2 of the original this is; give the variables or functions of this name different names
	EOT
}

@test "same-named static functions in the file: a new one of the name is refused" {
	cat > twice.S <<-'EOT'
		.macro function name, n
		.section .text.\name\().\n, "ax"
		.type \name, @function
		\name:
		9:	call __fentry__
			.pushsection __mcount_loc, "a"
			.quad 9b
			.popsection
			mov $\n, %eax
			ret
		.size \name, . - \name
		.endm
		function foo, 1
		#ifdef PATCHED
		.set foo_first, foo
		#endif
	EOT
	asm_pair < twice.S
	sed 's/function foo, 1/function foo, 7/' file.S > other.S
	compile other.o other.S
	ld -r -o both.o patched.o other.o
	mv both.o patched.o
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): the original has 1 things of this name, the patched file 2; give the new one another name
	EOT
}

@test "variables that are there for their section only, one name many times, are paired in order" {
	body='
		#define NOTE(text) { static const char *note __used __section("__notes_str") = text; }
		int foo(int x)
		{
			NOTE("one") NOTE("two") NOTE(THIRD)
		#ifdef PATCHED
			x++;
		#endif
			return x;
		}'
	pair -DTHIRD='"three"' <<< "$body"
	given_symbols orig.o note.0 note.1 note.2
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
	EOT
	compile patched.o file.c -DPATCHED -DTHIRD='"other"'
	cdo 2
	[[ $stderr == *"refused: file.c: note."*": the initial value of existing data changed"* ]]
}

@test "order and numbers agree, and the way of use says otherwise: refused" {
	pair <<-'EOT'
		int foo(int c)
		{
			int r = 0;
		#ifdef PATCHED
			{ static int x; x ^= 1; }
			{ static int x; x |= 1; }
		#else
			{ static int x; x += 1; }
			{ static int x; x ^= 1; }
		#endif
			return r;
		}
	EOT
	cdo 2
	[[ $stderr == *"refused: file.c: x."*": cannot tell which x."* ]]
}

@test "what is the only one left is found though it was one of several before" {
	asm_pair <<-'EOT'
		#ifdef PATCHED
		#define X0 x.1
		#define X1 x.0
		#define USE incl
		#else
		#define X0 x.0
		#define X1 x.1
		#define USE decl
		#endif
		.section .text.A, "ax"
		.globl A
		.type A, @function
	1:
	A:	call __fentry__
		USE X0(%rip)
		mov X1(%rip), %eax
		ret
		.size A, . - A
		.section .text.B, "ax"
		.globl B
		.type B, @function
	2:
	B:	call __fentry__
		mov X1(%rip), %ecx
		ret
		.size B, . - B
		.section __mcount_loc, "a"
		.quad 1b, 2b
		.section .bss.x.0, "aw", @nobits
		.type x.0, @object
	x.0:	.zero 4
		.size x.0, 4
		.section .bss.x.1, "aw", @nobits
		.type x.1, @object
	x.1:	.zero 4
		.size x.1, 4
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function A 0
		klp vmlinux x.0 0
		klp vmlinux x.1 0
	EOT
	relocs .text.A <<-'EOT'
		.text.A 0x1 PLT32 __fentry__ -4
		.text.A 0x7 PC32 .kpatch.sym.vmlinux.vmlinux.x.0,0 -4
		.text.A 0xd PC32 .kpatch.sym.vmlinux.vmlinux.x.1,0 -4
	EOT
}

# Two counters in one function; the patched file has another one, used alike, in the place of the second.
replaced_counter()
{
	pair -g <<-'EOT'
		int foo(int x)
		{
			{ static int count; barrier(); count += x; }
		#ifndef PATCHED
			{ static int count; barrier(); count += x; }
		#endif
			barrier();
		#ifdef PATCHED
			{ static int count; barrier(); count += x; }
		#endif
			return x * 5;
		}
	EOT
}

@test "one of two static locals of one name is replaced by another that is used alike: lines tell" {
	CDO_OPTIONS=(--same-lines)
	replaced_counter
	cdo 2
	messages <<-'EOT'
		refused: file.c: count.0: cannot tell which count.0 of the original this is; give the variables or functions of this name different names
	EOT
}

@test "lines that are not said to be the same are not compared" {
	replaced_counter
	cdo 3
}

@test "the only static local of its name in a function may be declared at another line" {
	CDO_OPTIONS=(--same-lines)
	pair -g <<-'EOT'
		int foo(int x)
		{
		#ifdef PATCHED
			static int count;
			count += x + 1;
		#else
			static int count;
			count += x;
		#endif
			return x;
		}
	EOT
	given_symbols orig.o count.0
	given_symbols patched.o count.0
	cdo 0
	no_messages
	klp_of .text.foo | diff -u - <(echo count.0,0)
}

# chain_of_pairs N: foo() refers to two static locals, of which the first refers to two others, and so on N times.
chain_of_pairs()
{
	awk -v n="$1" 'BEGIN {
		print ".section .text.foo, \"ax\"\n.type foo, @function\n.globl foo\nfoo:\n9: call __fentry__"
		print ".pushsection __mcount_loc, \"a\"\n.quad 9b\n.popsection"
		print "#ifdef PATCHED\n#define V(i) count.10##i\n movl $2, %eax\n#else\n#define V(i) count.20##i\n movl $1, %eax\n#endif"
		print "movq $V(1000), %rdi\nmovq $V(2000), %rsi\nret\n.size foo, . - foo"
		for (i = 0; i < n; i++) {
			printf ".section .data.V(%d), \"aw\"\n.type V(%d), @object\n.size V(%d), 16\n", 1000 + i, 1000 + i, 1000 + i
			printf "V(%d): .quad V(%d), V(%d)\n", 1000 + i, 1001 + i, 2001 + i
			printf ".section .data.V(%d), \"aw\"\n.type V(%d), @object\n.size V(%d), 16\n", 2000 + i, 2000 + i, 2000 + i
			printf "V(%d): .quad 0, 0\n", 2000 + i
		}
		printf ".section .data.last, \"aw\"\n.type V(%d), @object\n.size V(%d), 16\nV(%d): .quad 1, 1\n", 1000 + n, 1000 + n, 1000 + n
		printf ".type V(%d), @object\n.size V(%d), 16\nV(%d): .quad 1, 2\n", 2000 + n, 2000 + n, 2000 + n
	}' > chain.S
	asm_pair < chain.S
}

@test "pairs that follow from pairs that are not sure, link by link: found" {
	chain_of_pairs 90
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux count.201000 0
		klp vmlinux count.202000 0
	EOT
}

@test "more such links than any compiler makes: refused, not counted for ever" {
	chain_of_pairs 120
	cdo 2
	[[ $(grep -c '^create-diff-object: refused: file.c: count.10[0-9]*: cannot tell which ' <<< "$stderr") -eq 42 ]]
}

@test "a list that grows: equal entries have one counterpart each, in order" {
	asm_pair <<-'EOT'
		.macro entry name, value
		.section .modinfo, "a"
		.type \name, @object
		.size \name, 4
		\name:	.long \value
		.endm
		entry __UNIQUE_ID_alias1, 1
		entry __UNIQUE_ID_alias2, 2
		entry __UNIQUE_ID_alias3, 1
		#ifdef PATCHED
		entry __UNIQUE_ID_alias4, 3
		#endif
	EOT
	cdo 2
	messages <<< "refused: file.c: __UNIQUE_ID_alias4: new entry of the module's description (section .modinfo), which the kernel has read already; leave this part out"
}

@test "variables that are there for their section only, and not for the same one, are not the same" {
	pair <<-'EOT'
		#ifdef PATCHED
		#define NOTES "2"
		#define MORE "3"
		#else
		#define NOTES "1"
		#define MORE "2"
		#endif
		int foo(int x)
		{
			{ static int note __used __section(".data.notes" NOTES); }
			{ static int note __used __section(".data.notes" MORE); }
			return x;
		}
	EOT
	given_symbols orig.o note.0 note.1
	cdo 3
	[ "$(grep -c "warning: file.c: note.[01]: the patched file no longer has this static variable; " <<< "$stderr")" = 2 ]
}
