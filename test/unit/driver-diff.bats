#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The stage that runs create-diff-object: once per object and kernel object, and what the driver makes of
# all the exit codes together.
#
# shellcheck disable=SC2034,SC2317 # what the driver reads and calls

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	fake_profile
	driver_source
	OBJECTS=(a.o b.o c.o)
	OBJ_MODULES=([a.o]=vmlinux [b.o]=one:two [c.o]=vmlinux)
	mkdir -p "$WORKDIR/original" "$WORKDIR/patched"
}

# diffs CODE_OF_a CODE_OF_b_in_one CODE_OF_b_in_two CODE_OF_c: the stage, with these answers.
diffs()
{
	declare -gA CODE=([vmlinux.a.o]=$1 [one.b.o]=$2 [two.b.o]=$3 [vmlinux.c.o]=$4)
	target_read() { :; }
	pool() { :; }
	added_globals() { :; }
	diff_one()
	{
		local code=${CODE[$1.$2]}
		echo "diff of $2 in $1"
		if ((code == 0)); then
			mkdir -p "$WORKDIR/diff/$1"
			printf 'object\t%s\nfunction\tf\t0\tx\t1\n' "$1" >"$WORKDIR/diff/$1/$2.report"
		fi
		return "$code"
	}
	diff_objects 2>&1
	printf 'linked: %s\n' "${DIFFED[*]}"
}

@test "an object of two modules is compared once for each, in a fixed order" {
	run diffs 0 0 0 0
	[ "$status" -eq 0 ]
	[ "$(grep "^diff of" <<<"$output")" = "diff of b.o in one
diff of b.o in two
diff of a.o in vmlinux
diff of c.o in vmlinux" ]
	[ "$(tail -n 1 <<<"$output")" = "linked: one b.o two b.o vmlinux a.o vmlinux c.o" ]
	grep -q '^diff     4 functions changed in 4 of 4 objects ' <<<"$output"
}

@test "unchanged objects are left out" {
	run diffs 3 3 0 3
	expect 0 "linked: two b.o"
	grep -q '^diff     1 function changed in 1 of 4 objects ' <<<"$output"
}

@test "nothing changed anywhere: status 3" {
	run diffs 3 3 3 3
	expect 3 "kpatch-build: note: the patch changes nothing in the compiled code"
}

@test "a refusal does not hide those of later objects, and wins over changes" {
	run diffs 2 0 2 3
	[ "$status" -eq 2 ]
	[ "$(grep -c '^diff of' <<<"$output")" -eq 4 ]
}

@test "an error wins over refusals, whichever comes first" {
	run diffs 2 1 0 0
	[ "$status" -eq 1 ]
	[ "$(grep -c '^diff of' <<<"$output")" -eq 4 ]
	run diffs 0 2 1 0
	[ "$status" -eq 1 ]
	run diffs 0 1 2 0
	[ "$status" -eq 1 ]
}

@test "an object whose module is unknown is an error" {
	OBJ_MODULES[b.o]='?'
	run diffs 0 0 0 0
	expect 1 "kpatch-build: error: b.o: it is not known which module it belongs to"
}

@test "global symbols that the patch adds in other objects of the same kernel object" {
	compile_text() { printf '%s\n' "$2" | gcc -x c -c -o "$WORKDIR/$1" -; }
	compile_text original/a.o 'int f(void) { return 1; }'
	compile_text patched/a.o 'int f(void) { return 1; } int added(void) { return 2; } static int hidden; int *p(void) { return &hidden; }'
	compile_text original/c.o 'int g(void) { return 1; }'
	compile_text patched/c.o 'int g(void) { return 1; } int mine;'
	compile_text original/b.o 'int h(void) { return 1; }'
	compile_text patched/b.o 'int h(void) { return 1; } int module_only;'
	printf 'one\tb.o\nvmlinux\ta.o\nvmlinux\tc.o\n' >"$WORKDIR/targets"
	added_globals
	run new_globals vmlinux c.o
	[ "$output" = $'added\np' ]
	run new_globals vmlinux a.o
	[ "$output" = mine ]
	run new_globals one b.o
	[ -z "$output" ]
}

@test "static symbols that the patch makes global are told apart from new ones, with their source" {
	compile_text() { printf '%s\n' "$2" | gcc -ffunction-sections -x c -c -o "$WORKDIR/$1" -; }
	compile_text original/a.o '#define U __attribute__((used))
		U static int f(void) { return 1; } U static int data = 1; U static int was_data; int stays = 2;'
	compile_text patched/a.o 'int f(void) { return 2; } int data = 1; int was_data(void) { return 1; } int stays = 2; int fresh;'
	printf 'one\ta.o\nvmlinux\ta.o\nvmlinux\tc.o\n' >"$WORKDIR/targets"
	compile_text original/c.o 'int g(void) { return 1; }'
	compile_text patched/c.o 'int g(void) { return 1; }'
	declare -gA OBJ_FILE=([a.o]=fs/a.c [c.o]=fs/c.c)
	added_globals
	# A variable is not the function that has its name now.
	[ "$(new_globals vmlinux c.o | sort)" = $'data\tfs/a.c\nf\tfs/a.c\nfresh\nwas_data' ]
	[ -z "$(new_globals vmlinux a.o)" ]
	[ -z "$(new_globals one a.o)" ]
	# They are not names of the livepatch's own.
	[ "$(cut -d ' ' -f 3 "$WORKDIR/added" | sort -u | tr '\n' ' ')" = "fresh was_data " ]
}

@test "what the patch adds and the livepatch would lack is refused, naming who refers to it" {
	declare -gA OBJ_FILE=([a.o]=fs/a.c [c.o]=fs/c.c)
	mkdir -p "$WORKDIR/diff/vmlinux" "$WORKDIR/diff/one"
	text() { printf '%s\n' "$2" | gcc -x c -c -o "$WORKDIR/diff/$1" -; }
	text vmlinux/a.o 'int there(void) { return 1; }'
	text vmlinux/c.o 'int there(void), lost(void), other(void); int g(void) { return there() + lost() + other(); }'
	text one/a.o 'int lost(void) { return 1; }'
	DIFFED=("one a.o" "vmlinux a.o" "vmlinux c.o")
	printf '%s\n' 'vmlinux a.o there' 'vmlinux a.o lost' 'vmlinux a.o unused' 'one a.o lost' >"$WORKDIR/added"
	run added_check
	[ "$status" -eq 2 ]
	[ "$output" = "kpatch-build: refused: fs/c.c: refers to lost, which the patch adds to fs/a.c only as another name of what is there, or which is left out; add a function or a variable of its own there" ]
	text vmlinux/a.o 'int there(void) { return 1; } int lost(void) { return 1; }'
	run added_check
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "a module is found under its file name, with dashes or underscores, packed or not" {
	mkdir -p "$PROFILE/modules/kernel/x"
	: >"$PROFILE/modules/kernel/x/my-long_mod.ko"
	: >"$PROFILE/modules/kernel/x/packed.ko.xz"
	: >"$PROFILE/modules/kernel/x/packed2.ko"
	[ "$(module_file my_long_mod)" = "$PROFILE/modules/kernel/x/my-long_mod.ko" ]
	[ "$(module_file packed)" = "$PROFILE/modules/kernel/x/packed.ko.xz" ]
	[ -z "$(module_file none)" ]
}

@test "why the symbols of a module cannot be read is said" {
	echo text >"$PROFILE/modules/broken.ko"
	# As in a run, where what others write to standard error is for the log.
	in_run() { exec {STDERR}>&2 2>>"$LOG"; "$@"; }
	run in_run module_symtab broken
	[ "$status" -eq 1 ]
	[ "$output" = "kpatch-image: error: $PROFILE/modules/broken.ko: neither a kernel image nor an ELF file; give vmlinuz, vmlinux or a module
kpatch-build: error: $PROFILE/modules/broken.ko: its symbols cannot be read" ]
}

@test "for an overridden weak function the other definition is named" {
	printf 'int __weak two(void)\n{\n\treturn 0;\n}\n' >>"$PROFILE/src/fs/proc/one.c"
	printf 'create-diff-object: refused: fs/proc/one.c: two(): weak, and the kernel runs another one\n' >"$WORKDIR/messages"
	run weak_hint "$WORKDIR/messages" fs/proc/one.o vmlinux
	[ "$status" -eq 0 ]
	[ "$output" = "kpatch-build: note: two(): other definition: fs/proc/two.c" ]
}

@test "a declaration or a call is no definition" {
	printf 'int f(int a);\nvoid g(void)\n{\n\tf(1);\n}\nint h(int a,\n      int b)\n{\n}\nextern int k(int a,\n\tint b);\nint *m(void) { return 0; }\n' >"$WORKDIR/x.c"
	run weak_definition "$WORKDIR/x.c" f
	[ "$status" -eq 1 ]
	run weak_definition "$WORKDIR/x.c" k
	[ "$status" -eq 1 ]
	run weak_definition "$WORKDIR/x.c" h
	[ "$status" -eq 0 ]
	run weak_definition "$WORKDIR/x.c" m
	[ "$status" -eq 0 ]
}

@test "a type that several objects see is told of in detail once, and which functions use it each time" {
	printf '%s\n' 'create-diff-object: refused: a.c: struct s changes (new member x ("int")), and so on' \
		'    struct s is defined at s.h:2' '    offset  size  original' '    changed functions that use it: f()' \
		'create-diff-object: refused: a.c: f(): something else' >"$WORKDIR/a"
	sed 's/a\.c/b.c/; s/f()/g()/' "$WORKDIR/a" >"$WORKDIR/b"
	printf '%s\n' 'create-diff-object: refused: b.c: enum e changes (enum e: A was 1, is 2), and so on' \
		'    enum e is defined at s.h:9' >>"$WORKDIR/b"
	run messages_show "$WORKDIR/a"
	[ "$output" = "$(<"$WORKDIR/a")" ]
	run messages_show "$WORKDIR/b"
	[ "$output" = 'create-diff-object: refused: b.c: struct s changes (new member x ("int")), and so on
    changed functions that use it: g()
create-diff-object: refused: b.c: g(): something else
create-diff-object: refused: b.c: enum e changes (enum e: A was 1, is 2), and so on
    enum e is defined at s.h:9' ]
}

@test "of a comparison that succeeds, warnings and new static variables are shown" {
	tool() { printf '%s\n' "$BATS_TEST_TMPDIR/cdo"; }
	printf '#!/bin/sh\ncat <<END\n%s\n%s\n%s\nEND\n' 'a.c: f(): changed' \
		'a.c: f(): count: new static variable, starts with its initial value' \
		'create-diff-object: warning: a.c: something' >"$BATS_TEST_TMPDIR/cdo"
	chmod +x "$BATS_TEST_TMPDIR/cdo"
	new_globals() { :; }
	SKIP_IMAGE_CHECK=0 DEBUG=0
	diff_run vmlinux a.o
	run diff_one vmlinux a.o
	[ "$status" -eq 0 ]
	[ "$output" = 'a.c: f(): count: new static variable, starts with its initial value
create-diff-object: warning: a.c: something' ]
}

@test "what is only added, and called by nothing, changes nothing: status 3" {
	reports() { printf 'object\tvmlinux\nnew\tfunction\tf\t1\n'; }
	run diffs 3 3 0 3
	expect 3 "kpatch-build: note: the patch only adds code, and nothing in the running kernel would call it"
	reports() { printf 'object\tvmlinux\ncallback\tpre_patch\tf\tx\n'; }
	run diffs 3 3 0 3
	expect 0 "linked: two b.o"
}

@test "a type that may change and does not is warned of" {
	ALLOWED_LAYOUTS=('struct s' 'struct typo')
	added_check()
	{
		printf 'object\tvmlinux\nfunction\tf\t0\tx\t1\nlayout\tstruct s\n' >"$WORKDIR/diff/vmlinux/a.o.report"
	}
	run diffs 0 3 3 3
	[ "$status" -eq 0 ]
	[ "$(grep warning: <<<"$output")" = "kpatch-build: warning: --allow-layout struct typo: no type of this name changes in what is replaced, so that there is nothing to allow" ]
}
