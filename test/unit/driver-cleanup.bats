#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What a run leaves behind, whether it succeeds, fails or is interrupted: nothing but the log of a
# failure. And that the compiler's errors reach the user.

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	fake_profile
	cd "$BATS_TEST_TMPDIR" || return
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
}

# replace_compiler TEXT: what the plan runs for fs/proc/one.o.
replace_compiler()
{
	plan_line fs/proc/one.o vmlinux "$1" >"$PROFILE/plan"
}

tmp_is_empty()
{
	local left
	left=$(find "$BATS_TEST_TMPDIR/tmp" -mindepth 1)
	[ -z "$left" ] || { echo "left: $left"; return 1; }
}

@test "a refusal leaves no temporary files and no log" {
	patch_of arch/x86/lib/copy.S 's/nop/ret/' >fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	[ "$status" -eq 2 ]
	tmp_is_empty
	[ ! -e cache/kpatch/log ]
}

@test "a compiler error of the patched file is shown with file and line, and the log is named and kept" {
	patch_of fs/proc/one.c 's/1;/undeclared;/' >fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 1 "kpatch-build: error: fs/proc/one.o: does not compile with the patch"
	grep -q "^fs/proc/one.c:3:[0-9]*: error: .*undeclared" <<<"$output"
	expect 1 "kpatch-build: the log is $PWD/cache/kpatch/log/livepatch-fix.log"
	grep -q 'undeclared' cache/kpatch/log/livepatch-fix.log
	tmp_is_empty
	[ ! -e livepatch-fix.ko ]
}

@test "an original that does not compile is not blamed on the patch" {
	sed -i '1i broken' "$PROFILE/src/fs/proc/one.c"
	patch_of fs/proc/one.c 's/1;/100;/' >fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	[ "$status" -eq 1 ]
	grep -q "^kpatch-build: error: fs/proc/one.o: does not compile even without the patch: fs/proc/one.c:" <<<"$output"
}

@test "an error of objtool is an error" {
	plan_line fs/proc/one.o vmlinux gcc "echo bad: >&2; false" >"$PROFILE/plan"
	run driver -a "$FAKE_RELEASE" fix.patch
	[ "$status" -eq 1 ]
	grep -qE "^kpatch-build: error: fs/proc/one.o: objtool failed on the (original|patched|proof) object$" <<<"$output"
}

@test "--skip-cleanup keeps the temporary files and names them" {
	replace_compiler false
	run driver -a "$FAKE_RELEASE" --skip-cleanup fix.patch
	[ "$status" -eq 1 ]
	dir=$(sed -n 's/^kpatch-build: temporary files are kept in //p' <<<"$output")
	[ "$(dirname "$dir")" = "$PWD/tmp" ]
	grep -q 'return 100' "$dir/files/patched/fs/proc/one.c"
}

# interrupted SIGNAL STATUS: sends it while the compiler runs.
interrupted()
{
	local pid code=0 i running began
	# shellcheck disable=SC2016 # the dollar is for the shell that runs the plan
	replace_compiler 'echo $$ >>'"$PWD/compiler.pids; sleep 20; true"
	# Job control: otherwise the shell would start it with SIGINT ignored.
	set -m
	env XDG_CACHE_HOME="$PWD/cache" TMPDIR="$PWD/tmp" "$DRIVER" -a "$FAKE_RELEASE" -j2 fix.patch >out.txt 2>&1 3>&- &
	pid=$!
	set +m
	for ((i = 0; i < 100; i++)); do
		[ ! -s compiler.pids ] || break
		sleep 0.1
	done
	[ -s compiler.pids ]
	began=$SECONDS
	kill -s "$1" "$pid"
	wait "$pid" || code=$?
	# It waits for nothing.
	[ $((SECONDS - began)) -lt 10 ]
	[ "$code" -eq "$2" ] || { echo "status $code"; cat out.txt; return 1; }
	grep -qx 'kpatch-build: interrupted' out.txt
	# What it started is gone as well, or is a zombie that nobody has asked for yet.
	for ((i = 0; i < 20; i++)); do
		running=$(ps -o stat= -p "$(paste -sd, compiler.pids)" | grep -vc "^Z") || true
		[ "$running" -ne 0 ] || break
		sleep 0.1
	done
	[ "$running" -eq 0 ]
	tmp_is_empty
	[ ! -e livepatch-fix.ko ]
}

@test "an interrupt ends the compilers, removes the temporary files, and gives status 130" {
	interrupted INT 130
}

@test "SIGTERM does the same, with status 143" {
	interrupted TERM 143
}

@test "the working directory and the patch are not touched" {
	before=$(find . -path ./cache -prune -o -path ./tmp -prune -o -type f -exec md5sum {} + | sort)
	replace_compiler false
	run driver -a "$FAKE_RELEASE" fix.patch
	[ "$status" -eq 1 ]
	[ "$before" = "$(find . -path ./cache -prune -o -path ./tmp -prune -o -type f -exec md5sum {} + | sort)" ]
}

@test "colours only on a terminal that wants them" {
	patch_of arch/x86/lib/copy.S 's/nop/ret/' >fix.patch
	export XDG_CACHE_HOME=$PWD/cache TMPDIR=$PWD/tmp TERM=xterm
	script -qec "'$DRIVER' -a $FAKE_RELEASE fix.patch" typescript >/dev/null || [ $? -eq 2 ]
	grep -q $'\e\\[31mrefused:' typescript
	NO_COLOR=1 script -qec "'$DRIVER' -a $FAKE_RELEASE fix.patch" typescript >/dev/null || [ $? -eq 2 ]
	grep -q 'refused:' typescript
	run ! grep -q $'\e\\[31m' typescript
	run driver -a "$FAKE_RELEASE" fix.patch
	[[ $output != *$'\e'* ]]
}

@test "a full disk is one error" {
	mkdir full
	mount -t tmpfs -o size=100k none full 2>/dev/null || skip "cannot mount a file system"
	head -c 90k /dev/zero >full/ballast
	run env XDG_CACHE_HOME="$PWD/cache" TMPDIR="$PWD/full" "$DRIVER" -a "$FAKE_RELEASE" fix.patch
	umount full
	[ "$status" -eq 1 ]
	[ "$(grep -c '^kpatch-build: error: ' <<<"$output")" -eq 1 ]
	grep -q "no space left on the device; free some and run again$" <<<"$output"
}

@test "a step that is killed alone, for want of memory perhaps, is an error that is told of" {
	mkdir bin
	printf '#!/bin/bash\n[[ "$*" != *changed-lines.awk* ]] || kill -KILL $$\nexec %q "$@"\n' "$(command -v awk)" >bin/awk
	chmod +x bin/awk
	PATH=$PWD/bin:$PATH run driver -a "$FAKE_RELEASE" fix.patch
	expect 1 "kpatch-build: error: internal error in stage compile (status 137)"
	expect 1 "kpatch-build: the log is $PWD/cache/kpatch/log/livepatch-fix.log"
	tmp_is_empty
}

@test "a temporary directory whose name would end a word of the compiler's command is refused, before any work" {
	mkdir "it's"
	run env XDG_CACHE_HOME="$PWD/cache" TMPDIR="$PWD/it's" "$DRIVER" -a "$FAKE_RELEASE" fix.patch
	expect 1 "kpatch-build: error: $PWD/it's: has a quotation mark in its name, which cannot be part of the compiler's command; set TMPDIR to another directory"
	[ "$(wc -l <<<"$output")" -eq 1 ]
	[ -z "$(ls -A "it's")" ]
}
