#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: several names at one place. A weak one can be another object's in the running kernel.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr

bats_require_minimum_version 1.5.0
load diff-fixtures

# weak NAME: a static function of which NAME, and show_b(), are weak names, and foo() with the body on standard input.
weak()
{
	pair <<-EOT
		static noinline __used int not_affected(int x)
		{
			barrier();
		#ifdef CHANGE_IT
			return x * 5;
		#else
			return x * 3;
		#endif
		}
		int show_a(int x) __attribute__((weak, alias("not_affected")));
		int show_b(int x) __attribute__((weak, alias("not_affected")));
		int foo(int x)
		{
		$(cat)
		}
	EOT
}

klp_targets()
{
	reloc_list output.o | sed -n 's/^\.text\.foo [^ ]* [^ ]* \.kpatch\.sym\.vmlinux\.vmlinux\.\([^ ]*\) .*/\1/p' |
		diff -u - <(printf '%s\n' "$@")
}

@test "a reference by a function's own name does not go to what the kernel has by its weak one" {
	weak <<-'EOT'
		#ifdef PATCHED
			x++;
		#endif
			return not_affected(x) + 1;
	EOT
	cdo 0
	no_messages
	klp_targets not_affected,0
}

@test "a reference by a weak name goes to what the kernel has by that name, and by no other" {
	weak <<-'EOT'
		#ifdef PATCHED
			x++;
		#endif
			return show_b(x) + show_a(x) * 2;
	EOT
	cdo 0
	no_messages
	klp_targets show_b,0 show_a,0
}

@test "another weak name for the same function is a change" {
	weak <<-'EOT'
		#ifdef PATCHED
			return show_b(x) + 1;
		#else
			return show_a(x) + 1;
		#endif
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux show_b 0
	EOT
}

@test "a changed function is registered by its own name, and called by its weak one in the kernel" {
	weak <<-'EOT'
		#ifdef PATCHED
			x++;
		#endif
			return show_a(x) + 1;
	EOT
	compile patched.o file.c -DPATCHED -DCHANGE_IT
	cdo 0
	no_messages
	changes <<-'EOT'
		function not_affected 0
		function foo 0
		klp vmlinux show_a 0
	EOT
	klp_targets show_a,0
}

@test "the cold part of a function that has another name, too, comes with it" {
	pair <<-'EOT'
		void panic_now(int) __attribute__((cold));
		#ifdef PATCHED
		#define N 7
		#else
		#define N 6
		#endif
		static noinline __used int foo(int x)
		{
			barrier();
			x += N;
			barrier();
			if (x == 5) {
				panic_now(1);
				panic_now(2);
			}
			barrier();
			return x * N;
		}
		int global_foo(int x) __attribute__((alias("foo")));
	EOT
	given has_symbol orig.o foo.cold
	{ symtab_of orig.o; ksym_lines 3145728 <<< 'T panic_now'; } > symtab
	cdo 0
	no_messages
	changes <<-'EOT'
		part foo.cold global_foo
		function global_foo 0
		klp vmlinux panic_now 0
	EOT
}
