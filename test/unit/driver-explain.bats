#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The driver's --explain: which objects are asked for which function, and that nothing else is made.
#
# shellcheck disable=SC2034 # what the driver reads

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	fake_profile
	for name in one two; do
		printf '%s\n' '#include <helper.h>' "int $name(int x)" '{' "	return helper(x) + 1;" '}' \
			"int only_$name(int x)" '{' '	return x;' '}' >"$PROFILE/src/fs/proc/$name.c"
	done
	printf '%s\n' 'static inline int helper(int x)' '{' '	return x > 7 ? x * 3 : 9;' '}' >"$PROFILE/src/include/helper.h"
	{
		plan_line fs/proc/one.o vmlinux "gcc -O2 -fcf-protection=none -Iinclude"
		plan_line fs/proc/two.o vmlinux "gcc -O2 -fcf-protection=none -Iinclude"
	} >"$PROFILE/plan"
	fake_includes
	printf 'kpatch-symtab\t1\nobject\tvmlinux\nsym\tffffffff81000000\tT\tone\n' >"$PROFILE/symtab"
}

# explain PATCH OPTION...: from a directory that cannot be written to, in which nothing is needed.
explain()
{
	local patch=$1
	shift
	run --separate-stderr driver -a "$FAKE_RELEASE" -n x --launcher none -o /nonexistent "$@" "$patch"
}

heads()
{
	diff -u - <(grep ' of fs/proc' <<<"$output")
}

@test "functions that changed and that did not, in the order of the options, and no module" {
	patch_of fs/proc/one.c 's/+ 1/+ 2/' >"$BATS_TEST_TMPDIR/x.patch"
	explain "$BATS_TEST_TMPDIR/x.patch" --explain only_one --explain 'one()'
	[ "$status" -eq 0 ]
	heads <<-'EOT'
		only_one() of fs/proc/one.c: did not change
		one() of fs/proc/one.c: changed
	EOT
	[[ $output == *"one() of fs/proc/one.c: changed
  fs/proc/one.c:4 changed
"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/livepatch-x.ko" ]
	[[ $stderr != *link* ]]
}

@test "only the objects that have the function are asked, of all that a header changes" {
	patch_of include/helper.h 's/3/5/' >"$BATS_TEST_TMPDIR/x.patch"
	explain "$BATS_TEST_TMPDIR/x.patch" --explain=two
	[ "$status" -eq 0 ]
	heads <<< 'two() of fs/proc/two.c: changed'
	[[ $output == *"helper() at include/helper.h:1 is inlined into it"* ]]
}

@test "objects that the compiler makes the same of are shown, too" {
	patch_of include/helper.h 's/x \* 3/x + x + x/' >"$BATS_TEST_TMPDIR/x.patch"
	explain "$BATS_TEST_TMPDIR/x.patch" --explain two
	[ "$status" -eq 0 ]
	heads <<< 'two() of fs/proc/two.c: did not change'
}

@test "a function that is inlined everywhere: the functions are named that hold it" {
	patch_of include/helper.h 's/3/5/' >"$BATS_TEST_TMPDIR/x.patch"
	explain "$BATS_TEST_TMPDIR/x.patch" --explain helper --explain two
	[ "$status" -eq 1 ]
	[ "$(grep error: <<<"$stderr")" = "create-diff-object: error: fs/proc/one.c: helper() has no code of its own, it is inlined into one(); give one of these
create-diff-object: error: fs/proc/two.c: helper() has no code of its own, it is inlined into two(); give one of these" ]
	heads <<< 'two() of fs/proc/two.c: changed'
}

@test "a function that is nowhere" {
	patch_of fs/proc/one.c 's/+ 1/+ 2/' >"$BATS_TEST_TMPDIR/x.patch"
	explain "$BATS_TEST_TMPDIR/x.patch" --explain nothing
	[ "$status" -eq 1 ]
	[ "$(grep error: <<<"$stderr")" = "kpatch-build: error: nothing(): nothing that the patch compiles has code of this function; give one that is in fs/proc/one.c" ]
	[ -z "$output" ]
}

@test "one release only, and no report" {
	patch_of fs/proc/one.c 's/+ 1/+ 2/' >"$BATS_TEST_TMPDIR/x.patch"
	explain "$BATS_TEST_TMPDIR/x.patch" --explain one -a 9.9.0-2-fake
	[ "$status" -eq 1 ]
	[[ $stderr == *"kpatch-build: error: --explain: give one release with -a"* ]] || { echo "$stderr"; false; }
	explain "$BATS_TEST_TMPDIR/x.patch" --explain one --html "$BATS_TEST_TMPDIR/page.html"
	[ "$status" -eq 1 ]
	[[ $stderr == *"kpatch-build: error: --explain: stops before there is a report; leave out --json and --html, or --explain: the page has the functions side by side"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/page.html" ]
	explain "$BATS_TEST_TMPDIR/x.patch" --explain=
	[[ $stderr == *"kpatch-build: error: option --explain needs a value"* ]]
}

@test "whoever reads only the beginning, as head does, gets no message" {
	# More than a pipe holds.
	{
		echo 'int one(int x)'
		echo '{'
		for ((i = 0; i < 2500; i++)); do
			echo "	x = (x ^ $i) * 7;"
		done
		printf '%s\n' '	return x + 1;' '}'
	} >"$PROFILE/src/fs/proc/one.c"
	patch_of fs/proc/one.c 's/+ 1/+ 2/' >"$BATS_TEST_TMPDIR/x.patch"
	explain "$BATS_TEST_TMPDIR/x.patch" --explain one
	[ "$status" -eq 0 ]
	given=${#output}
	((given > 100000)) || { echo "not the situation that this test is about: $given characters"; false; }
	{
		status=0
		driver -a "$FAKE_RELEASE" -n x --launcher none -o /nonexistent --explain one "$BATS_TEST_TMPDIR/x.patch" \
			2>"$BATS_TEST_TMPDIR/messages" || status=$?
		echo "$status" >"$BATS_TEST_TMPDIR/status"
	} | head -n 1 >/dev/null
	[ "$(<"$BATS_TEST_TMPDIR/status")" -eq 141 ]
	run ! grep -E 'log|error|interrupted' "$BATS_TEST_TMPDIR/messages"
}
