#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # text for other shells
#
# Builds that are killed or interrupted, that have no room, that may not write, or that are many: from nothing to the
# module, with a kernel of one file (driver-whole.bash). Whatever happens, there is a whole module or none, and one
# message; and the next build makes the module and leaves nothing behind, its own or the other's.
#
# "make soak" kills at every command, KPATCH_EACH=1, and not at every sixtieth only.

bats_require_minimum_version 1.5.0
load driver-fixtures
load driver-whole

setup_file()
{
	# Another user has to get there, too.
	WHOLE=$(mktemp -d /tmp/kpatch-whole.XXXXXX)
	chmod 755 "$WHOLE"
	export WHOLE
	whole_make "$WHOLE"
	whole_hooks
	mkdir "$WHOLE/first" "$WHOLE/first/tmp"
	cd "$WHOLE/first" || return
	whole_patch >fix.patch
	whole -- fix.patch 3>&-
	cp livepatch-fix.ko "$WHOLE/whole.ko"
	rm "$WHOLE/gets"
}

teardown_file()
{
	chmod -R u+w "$WHOLE"
	rm -rf "$WHOLE"
}

setup()
{
	mkdir "$BATS_TEST_TMPDIR/tmp"
	cd "$BATS_TEST_TMPDIR" || return
	whole_patch >fix.patch
}

# prepared: a cache with a profile.
prepared()
{
	rm -rf cache
	cp -R "$WHOLE/first/cache" cache
}

# whole_or_none: what a build left where the module goes.
whole_or_none()
{
	[ ! -e livepatch-fix.ko ] || cmp livepatch-fix.ko "$WHOLE/whole.ko"
}

# nothing_left: but what a cache has.
nothing_left()
{
	local left
	left=$(
		find tmp -mindepth 1
		find . -maxdepth 1 -name 'livepatch*' ! -name livepatch-fix.ko
		find cache/kpatch -mindepth 1 -maxdepth 1 ! -name objects ! -name packages ! -name profiles ! -name log
		find cache/kpatch/profiles -mindepth 1 -maxdepth 1 ! -name "$WHOLE_RELEASE" ! -name '.*.lock'
		find cache/kpatch/packages -mindepth 1 ! -name '*.deb'
		find cache/kpatch/objects -type f ! -name '*.o'
	)
	[ -z "$left" ] || { printf 'left behind:\n%s\n' "$left"; return 1; }
}

# next_works: in a cache that is as good as one that was never disturbed.
next_works()
{
	local file
	rm -f livepatch-fix.ko
	run whole -- fix.patch
	[ "$status" -eq 0 ] || { printf 'the next build: status %s\n%s\n' "$status" "$output"; return 1; }
	cmp livepatch-fix.ko "$WHOLE/whole.ko" || return
	nothing_left || return
	diff -r -x complete "$WHOLE/first/cache/kpatch/profiles/$WHOLE_RELEASE" "cache/kpatch/profiles/$WHOLE_RELEASE" || return
	for file in cache/kpatch/packages/*.deb; do
		cmp "$file" "$WHOLE/first/cache/kpatch/packages/${file##*/}" || return
	done
	for file in cache/kpatch/objects/"$WHOLE_RELEASE"/*.o; do
		nm "$file" >/dev/null || return
	done
	rm livepatch-fix.ko
}

# killed AT WHAT...
killed()
{
	local what at=$1
	shift
	for what; do
		disturbed "$at" "$what"
		[ "$status" -eq 137 ] || { printf '%s, %s: status %s\n%s\n' "$at" "$what" "$status" "$output"; return 1; }
		[ -e "$WHOLE/hooks/reached" ]
		whole_or_none
		next_works || { echo "after $what of $at"; return 1; }
	done
}

@test "killed while the profile is made" {
	local at
	for at in 'apt-get -q download linux-source-6.9*' 'tar -xJf *' 'make * -n *' 'chmod -R a-w *'; do
		rm -rf cache
		killed "$at" kill-during
	done
	for at in 'mv */.get.*' 'mv */profiles/.*.tmp *'; do
		rm -rf cache
		killed "$at" kill-before
		rm -rf cache
		killed "$at" kill-after
	done
}

@test "killed while one profile takes the place of another" {
	local at what
	for at in 'mv */profiles/6.9.0-1-fake */profiles/.*.old' 'mv */profiles/.*.tmp */profiles/6.9.0-1-fake' 'rm -rf */profiles/.*.old'; do
		for what in kill-before kill-after; do
			prepared
			echo old >"cache/kpatch/profiles/$WHOLE_RELEASE/complete"
			killed "$at" "$what"
		done
	done
}

@test "killed while it compiles and links" {
	local at
	prepared
	killed 'mktemp -d */.kpatch-build.*' kill-after
	killed 'mv -T */.kpatch-build.*' kill-before kill-after
	killed 'patch *' kill-during
	killed 'ld -r *' kill-during
	for at in "$WHOLE_CC * -c -o */patched/*" 'cp * */objects/*/.*' 'sync -d * */objects/*' 'mv -f * */objects/*.o'; do
		rm -rf cache/kpatch/objects
		killed "$at" kill-before
		rm -rf cache/kpatch/objects
		killed "$at" kill-during
	done
	killed 'cp *livepatch-fix.ko *livepatch-fix.ko.*.tmp' kill-before kill-during kill-after
	killed 'mv -f *livepatch-fix.ko.*.tmp *livepatch-fix.ko' kill-before kill-after
}

@test "killed at each command" {
	local n=0
	while :; do
		n=$((n + ${KPATCH_EACH:-60}))
		rm -rf cache
		disturbed "$n" kill-during
		[ -e "$WHOLE/hooks/reached" ] || break
		whole_or_none
		next_works || { echo "after the kill at command $n, $(<"$WHOLE/hooks/reached")"; return 1; }
	done
	[ "$status" -eq 0 ]
	[ "$n" -gt 100 ]
}

@test "no room for temporary files from each command on" {
	local n=0
	prepared
	while :; do
		n=$((n + ${KPATCH_EACH:-9}))
		small 5m tmp
		rm -rf cache/kpatch/objects
		disturbed "$n" fill
		[ -e "$WHOLE/hooks/reached" ] || break
		rm -f tmp/ballast
		if [ "$status" -ne 0 ]; then
			full_workdir || { echo "from command $n on, $(<"$WHOLE/hooks/reached")"; return 1; }
		fi
		umount tmp
		next_works
	done
	[ "$status" -eq 0 ]
	[ "$n" -gt 50 ]
}

@test "of a driver that was killed alone, what it has started ends by itself and disturbs nobody" {
	local pid i
	prepared
	rm -f "$WHOLE/hooks/reached"
	disturbed_start "$WHOLE_CC * -c -o */patched/*" wait >disturbed.out 2>&1 3>&- &
	for ((i = 0; i < 200; i++)); do
		[ ! -e "$WHOLE/hooks/reached" ] || break
		sleep 0.05
	done
	[ -e "$WHOLE/hooks/reached" ]
	kill -KILL "$(<"$WHOLE/hooks/session")"
	wait "$!" || true
	[ -n "$(ls tmp)" ]
	run -0 whole -- fix.patch
	cmp livepatch-fix.ko "$WHOLE/whole.ko"
	# The compiler of the other one still runs, and its files are there.
	[ -n "$(ls tmp)" ]
	sleep 3
	next_works
}

@test "Ctrl-C, which a whole group gets: one message, nothing left, status 130" {
	local at
	for at in 'apt-get -q download linux-source-6.9*' 'tar -xJf *' 'awk *includes.awk*' 'mv */profiles/.*.tmp *'; do
		rm -rf cache
		interrupted "$at"
	done
	prepared
	for at in 'patch *' 'awk * *pad.awk *' "$WHOLE_CC * -c -o */patched/*" 'ld -r *' \
		'cp *livepatch-fix.ko *livepatch-fix.ko.*.tmp' 'mv -f *livepatch-fix.ko.*.tmp *livepatch-fix.ko'; do
		rm -rf cache/kpatch/objects
		interrupted "$at"
	done
}

interrupted()
{
	disturbed "$1" interrupt
	[ -e "$WHOLE/hooks/reached" ]
	[ "$status" -eq 130 ] || { printf '%s: status %s\n%s\n' "$1" "$status" "$output"; return 1; }
	[ "$(grep '^kpatch-build: ' <<<"$output" | grep -v 'note: preparing')" = "kpatch-build: interrupted" ] ||
		{ printf "%s:\n%s\n" "$1" "$output"; cat disturbed.out cache/kpatch/log/*; return 1; }
	whole_or_none
	[ -z "$(find tmp -mindepth 1)" ]
	next_works || { echo "after Ctrl-C at $1"; return 1; }
}

# small SIZE DIRECTORY: a file system of this size.
small()
{
	mkdir -p "$2"
	mount -t tmpfs -o "size=$1" none "$2" 2>/dev/null || skip "cannot mount a file system"
}

# full DIRECTORY
full()
{
	expect 1 "kpatch-build: error: $1: no space left on the device; free some and run again" || return
	[ "$(grep -vcE "^[a-z]+  +.* s$|note: preparing|^kpatch-build: the log is " <<<"$output")" -eq 1 ] || { echo "$output"; return 1; }
	[ ! -e livepatch-fix.ko ] || return
	[ -z "$(find tmp -mindepth 1)" ]
}

# full_workdir: of the directory that the driver made for itself.
full_workdir()
{
	local dir
	dir=$(sed -n 's|^kpatch-build: error: \([^:]*/kpatch-build\.[A-Za-z0-9]*\): no space.*|\1|p' <<<"$output")
	full "$dir"
}

teardown()
{
	local dir
	for dir in cache tmp out; do
		! mountpoint -q "$BATS_TEST_TMPDIR/$dir" 2>/dev/null || umount "$BATS_TEST_TMPDIR/$dir"
	done
	chmod -R u+w "$BATS_TEST_TMPDIR" 2>/dev/null || true
}

@test "no room in the cache, from nothing at all to nearly enough" {
	local size failures=0
	for size in 8k 100k 400k 700k 1000k 1300k 1600k; do
		small "$size" cache
		run whole -- fix.patch
		if [ "$status" -ne 0 ]; then
			[[ $output =~ error:\ ($PWD/cache[^:]*|$PWD/tmp[^:]*): ]]
			full "${BASH_REMATCH[1]}" || { echo "with $size"; return 1; }
			failures=$((failures + 1))
			mount -o remount,size=50m cache
		fi
		next_works || { echo "with $size"; return 1; }
		umount cache
	done
	[ "$failures" -ge 4 ]
}

@test "no room for temporary files, and none for the module" {
	local size at
	prepared
	for size in 4k 40k 1000k; do
		small "$size" tmp
		run whole -- fix.patch
		full "$PWD/tmp" || { echo "with $size"; return 1; }
		umount tmp
	done
	# Others need the room meanwhile.
	for at in 'patch *' 'diff --text *' 'cp * */objects/*/.*' 'ld -r *' 'awk * *livepatch.c.in*'; do
		small 5m tmp
		rm -rf cache/kpatch/objects
		disturbed "$at" fill
		[ -e "$WHOLE/hooks/reached" ]
		rm -f tmp/ballast
		full_workdir || { echo "at $at"; return 1; }
		umount tmp
		next_works
	done
	small 8k out
	head -c 4k /dev/zero >out/ballast
	head -c 4k /dev/zero >out/more 2>/dev/null || true
	run whole -- -o out fix.patch
	full "$PWD/out"
	[ "$(ls -A out | tr '\n' ' ')" = "ballast more " ]
	umount out
	next_works
}

# without_rights COMMAND...: root as one who has to obey modes.
without_rights()
{
	if [ "$EUID" -eq 0 ]; then
		setpriv --bounding-set=-dac_override,-dac_read_search "$@"
	else
		"$@"
	fi
}

# limited OPTION...
limited()
{
	without_rights env PATH="$WHOLE/bin:$PATH" XDG_CACHE_HOME="$PWD/cache" "$@"
}

@test "a cache that cannot be written to is used as it is, if the release is there" {
	local driver=$WHOLE/top/kpatch-build/kpatch-build
	prepared
	chmod -R a-w cache
	run limited TMPDIR="$PWD/tmp" "$driver" -a "$WHOLE_RELEASE" --launcher none fix.patch
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	cmp livepatch-fix.ko "$WHOLE/whole.ko"
	[ -z "$(find tmp -mindepth 1)" ]
	# The lock counts, though it can only be read.
	flock -x "cache/kpatch/profiles/.$WHOLE_RELEASE.lock" sleep 1 3>&- &
	sleep 0.2
	run limited TMPDIR="$PWD/tmp" "$driver" -a "$WHOLE_RELEASE" --launcher none fix.patch
	expect 0 "kpatch-build: note: another kpatch-build prepares $WHOLE_RELEASE; waiting for it"
	wait
	# Without the lock, and without objects that are kept.
	chmod u+w cache/kpatch cache/kpatch/profiles cache/kpatch/objects cache/kpatch/objects/*
	rm -rf cache/kpatch/objects "cache/kpatch/profiles/.$WHOLE_RELEASE.lock" livepatch-fix.ko
	chmod -R a-w cache
	run limited TMPDIR="$PWD/tmp" "$driver" -a "$WHOLE_RELEASE" --launcher none fix.patch
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	cmp livepatch-fix.ko "$WHOLE/whole.ko"
	rm livepatch-fix.ko
	run limited --unset=TMPDIR "$driver" -a "$WHOLE_RELEASE" --launcher none fix.patch
	expect 1 "kpatch-build: error: $PWD/cache/kpatch/work: cannot be created; set TMPDIR or XDG_CACHE_HOME to a writable directory"
	[ "$(wc -l <<<"$output")" -eq 1 ]
	run limited TMPDIR="$PWD/tmp" "$driver" -a 6.9.0-2-fake --launcher none fix.patch
	expect 1 "kpatch-build: error: $PWD/cache/kpatch/profiles: cannot be written to, and has no profile of 6.9.0-2-fake; set XDG_CACHE_HOME to a writable directory"
	[ "$(grep -c 'kpatch-build: ' <<<"$output")" -eq 1 ]
	[ ! -e livepatch-fix.ko ]
}

@test "a patch and a series that cannot be read" {
	local driver=$WHOLE/top/kpatch-build/kpatch-build
	mkdir series
	cp fix.patch series/one.patch
	echo one.patch >series/series
	chmod a-r fix.patch
	run limited "$driver" -a "$WHOLE_RELEASE" fix.patch
	expect 1 "kpatch-build: error: fix.patch: cannot be read; see to its permissions"
	[ "$(wc -l <<<"$output")" -eq 1 ]
	chmod a-r series/one.patch
	run limited "$driver" -a "$WHOLE_RELEASE" series
	expect 1 "kpatch-build: error: series/one.patch: cannot be read; see to its permissions"
	chmod a-x series
	run limited "$driver" -a "$WHOLE_RELEASE" series
	expect 1 "kpatch-build: error: series: a directory without a readable file 'series'; name the patches themselves"
	[ "$(wc -l <<<"$output")" -eq 1 ]
}

@test "two users: one in the cache of the other, and each with one of his own" {
	local dir
	[ "$EUID" -eq 0 ] || skip "needs root, to be two users"
	dir=$(mktemp -d "$WHOLE/users.XXXXXX")
	chmod 755 "$dir"
	cp -R "$WHOLE/first/cache" "$dir/cache"
	mkdir "$dir/a" "$dir/b"
	cp fix.patch "$dir"
	chown 65534:65534 "$dir/b"
	# What one has left, the other must leave.
	mkdir -m 1777 "$dir/tmp"
	mkdir "$dir/tmp/kpatch-build.killed"
	: >"$dir/tmp/kpatch-build.killed/lock"
	user_b()
	{
		setpriv --reuid=65534 --regid=65534 --clear-groups env PATH="$WHOLE/bin:$PATH" TMPDIR="$dir/tmp" "$@" \
			"$WHOLE/top/kpatch-build/kpatch-build" -a "$WHOLE_RELEASE" --launcher none -o "$dir/b" "$dir/fix.patch"
	}
	run user_b XDG_CACHE_HOME="$dir/cache"
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	cmp "$dir/b/livepatch-fix.ko" "$WHOLE/whole.ko"
	[ "$(ls "$dir/tmp")" = kpatch-build.killed ]
	run user_b XDG_CACHE_HOME="$dir/b/cache"
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	cmp "$dir/b/livepatch-fix.ko" "$WHOLE/whole.ko"
	# While the other one builds, too.
	(cd "$dir/a" && XDG_CACHE_HOME=$dir/cache TMPDIR=$dir/tmp PATH=$WHOLE/bin:$PATH "$WHOLE/top/kpatch-build/kpatch-build" \
		-a "$WHOLE_RELEASE" --launcher none "$dir/fix.patch" >out 2>&1 3>&-) &
	run user_b XDG_CACHE_HOME="$dir/cache"
	wait $!
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	cmp "$dir/a/livepatch-fix.ko" "$WHOLE/whole.ko"
	cmp "$dir/b/livepatch-fix.ko" "$WHOLE/whole.ko"
	[ -z "$(ls "$dir/tmp")" ]
}

@test "eight builds at once from nothing: one prepares, and all make the module" {
	local i pids=()
	rm -f "$WHOLE/gets"
	for i in 1 2 3 4 5 6 7 8; do
		mkdir "out$i"
		whole -- -j1 -o "out$i" fix.patch >"said$i" 2>&1 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || { cat said*; return 1; }
	done
	for i in 1 2 3 4 5 6 7 8; do
		cmp "out$i/livepatch-fix.ko" "$WHOLE/whole.ko"
		[ "$(ls -A "out$i")" = livepatch-fix.ko ]
	done
	[ "$(cat said* | grep -c 'note: preparing')" -eq 1 ]
	[ "$(wc -l <"$WHOLE/gets")" -eq 4 ]
	next_works
}

@test "what the kernel would not load is refused in the last stage, in its words and with its status" {
	run --separate-stderr whole WHOLE_REFUSES='x.ko: 70000 sections' -- fix.patch
	[ "$status" -eq 2 ]
	[ "$(tail -n 1 <<<"$stderr")" = "create-klp-module: refused: x.ko: 70000 sections" ] || { echo "$stderr"; return 1; }
	[ ! -e livepatch-fix.ko ]
	[ -z "$(ls tmp)" ]
	next_works
}
