#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# kpatch-build's command line: what it takes, what it says about mistakes, before any work is done.

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	echo 'no patch' >fix.patch
}

# parsed ARGUMENT...: what the options mean.
# shellcheck disable=SC2153 # the driver sets them
parsed()
{
	driver_source
	options_parse "$@" || return
	printf '%s|%s|%s|%s|%s|%s|%s|' "$RELEASE" "$OUTPUT" "$NAME" "$JOBS" "$DEBUG" "$REPLACE" "$KEEP_WORKDIR"
	printf '<%s>' "${PATCHES[@]}"
}

@test "--version prints the version of the Makefile" {
	run driver --version
	expect 0 "kpatch-build $(sed -n 's/^VERSION *:= *//p' "$TOP/Makefile")"
	run driver -V
	[ "$status" -eq 0 ]
}

@test "--help names every option and the exit codes" {
	run driver --help
	expect 0 "Usage: kpatch-build [OPTION]... PATCH..."
	expect 0 "Exit status: 0 done, 1 error, 2 refused, 3 nothing changed."
	for option in --archversion --output --name --jobs --non-replace --debug --skip-cleanup --keep-debug --launcher --timings --sign-key --sign-cert --version --help; do
		grep -q -- " $option" <<<"$output"
	done
}

@test "short options stand alone, combined, and with their value attached" {
	run parsed -a 6.1 -o out -n name -j 3 -d -R a.patch
	expect 0 "6.1|out|name|3|1|0|0|<a.patch>"
	run parsed -dRj4 -a6.1 a.patch -nname b.patch
	expect 0 "6.1|.|name|4|1|0|0|<a.patch><b.patch>"
	run parsed -dj 5 a.patch
	expect 0 "|.||5|1|1|0|<a.patch>"
}

@test "long options take their value as the next word or after =" {
	run parsed --archversion 6.1 --output=out --name=name --jobs=2 --debug --non-replace --skip-cleanup a.patch
	expect 0 "6.1|out|name|2|1|0|1|<a.patch>"
	run parsed --output=a=b c.patch
	expect 0 "|a=b||||1|0|<c.patch>" || expect 0 "|a=b|||0|1|0|<c.patch>"
}

@test "what stands behind -- is a patch, and so is a lone dash" {
	run parsed -d -- -R --name
	expect 0 "|.|||1|1|0|<-R><--name>"
	run parsed -
	expect 0 "|.|||0|1|0|<->"
}

@test "mistakes with options are errors that name the option" {
	run driver -x fix.patch
	expect 1 "kpatch-build: error: unknown option -x"
	expect 1 "Try 'kpatch-build --help'."
	run driver --unknown fix.patch
	expect 1 "kpatch-build: error: unknown option --unknown"
	run driver --nam fix fix.patch
	expect 1 "kpatch-build: error: unknown option --nam"
	run driver fix.patch -n
	expect 1 "kpatch-build: error: option -n needs a value"
	run driver fix.patch --name
	expect 1 "kpatch-build: error: option --name needs a value"
	run driver fix.patch --name=
	expect 1 "kpatch-build: error: option --name needs a value"
	run driver --debug=1 fix.patch
	expect 1 "kpatch-build: error: option --debug takes no value"
	run driver -j 0 fix.patch
	expect 1 "kpatch-build: error: -j 0: not a number of jobs"
	run driver -j many fix.patch
	expect 1 "kpatch-build: error: -j many: not a number of jobs"
	run driver -a '6.1;id' fix.patch
	expect 1 "kpatch-build: error: -a 6.1;id: not a kernel release; write it as 'uname -r' prints it"
	run driver -a ../6.1 fix.patch
	expect 1 "kpatch-build: error: -a ../6.1: not a kernel release; write it as 'uname -r' prints it"
	run driver -n 'a b' fix.patch
	expect 1 "kpatch-build: error: -n a b: only letters, digits, _ and - can be part of a module's name"
}

@test "no patch, a missing patch and a directory are errors" {
	run driver
	expect 1 "kpatch-build: error: no patch given"
	run driver -a 6.1 missing.patch
	expect 1 "kpatch-build: error: missing.patch: no such file"
	mkdir dir.patch
	run driver -a 6.1 dir.patch
	expect 1 "kpatch-build: error: dir.patch: a directory without a readable file 'series'; name the patches themselves"
}

@test "the output directory must exist" {
	run driver -o nowhere -a 6.1 fix.patch
	expect 1 "kpatch-build: error: $PWD/nowhere: not a directory that can be written to; create it or choose another with -o"
}

@test "the module's name comes from the first patch, or from -n, and is checked" {
	names()
	{
		driver_source
		options_parse -a 6.1 "$@"
		export XDG_CACHE_HOME=$BATS_TEST_TMPDIR/cache
		options_check
		printf '%s %s %s\n' "$NAME" "$MODNAME" "${RESULT#"$PWD"/}"
	}
	cp fix.patch 'CVE-2026 (1).patch'
	cp fix.patch a.diff
	run names 'CVE-2026 (1).patch' a.diff
	expect 0 "CVE-2026__1_ livepatch_CVE_2026__1_ ./livepatch-CVE-2026__1_.ko"
	run names a.diff
	expect 0 "a livepatch_a ./livepatch-a.ko"
	run names -n my-fix a.diff
	expect 0 "my-fix livepatch_my_fix ./livepatch-my-fix.ko"
	run names -n my-fix -o other.ko a.diff
	expect 0 "my-fix livepatch_my_fix other.ko"
	run names -n "$(printf 'a%.0s' {1..45})" a.diff
	[ "$status" -eq 0 ]
	run names -n "$(printf 'a%.0s' {1..46})" a.diff
	expect 1 "kpatch-build: error: livepatch_$(printf 'a%.0s' {1..46}): a module's name has at most 55 characters, this has 56; choose a shorter one with -n"
}
