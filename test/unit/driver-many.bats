#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Several releases in one call: what the drivers of each are given, what is told of them, the exit status, the
# common number of jobs, and that an interrupt ends all of it.
#
# shellcheck disable=SC2034,SC2317 # what the driver reads and calls

bats_require_minimum_version 1.5.0
load driver-fixtures

ONE=9.9.0-1-fake TWO=9.9.0-2-fake THREE=9.9.0-3-fake

setup()
{
	local release
	for release in "$THREE" "$TWO" "$ONE"; do
		FAKE_RELEASE=$release
		fake_profile
	done
	cd "$BATS_TEST_TMPDIR" || return
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	mkdir out
}

# many ARGUMENT...: with ./self instead of the driver for a release; what it does for each is in ./RELEASE.
many()
(
	export XDG_CACHE_HOME=$PWD/cache TMPDIR=$PWD/tmp
	# shellcheck source=/dev/null
	source "$DRIVER"
	cat >self <<-'END'
		#!/bin/bash
		printf '%s\n' "$*" >>calls
		while [[ $1 != -a ]]; do shift; done
		[[ -p $KPATCH_BUILD_SLOTS ]] || exit 9
		. "./$2"
	END
	chmod +x self
	SELF=$PWD/self
	tools_check() { :; }
	main "$@"
)

# says RELEASE STATUS MESSAGE [RESULT]
says()
{
	printf 'printf "%%s\\n" %q >&2\n[[ -z %q ]] || echo %q\nexit %d\n' "$3" "${4:-}" "${4:-}" "$2" >"$1"
}

refused='create-diff-object: refused: fs/proc/one.c: one(): not with us; do without'

@test "each release gets the patches and the options, a directory of its own, and the common name" {
	says "$ONE" 0 note /result/one
	says "$TWO" 0 note /result/two
	cp fix.patch other.patch
	run -0 many -a "$ONE" -R -o out --fuzz -j 3 -a "$TWO" --shadow kernel fix.patch --launcher=none other.patch
	sort calls | diff - <(printf '%s\n' \
		"-R --fuzz=2 --shadow=kernel --launcher=none -a $ONE -o $PWD/out/$ONE -n fix -j 3 -- fix.patch other.patch" \
		"-R --fuzz=2 --shadow=kernel --launcher=none -a $TWO -o $PWD/out/$TWO -n fix -j 3 -- fix.patch other.patch")
	[ -z "$(ls -A tmp)" ]
	[ -z "$(ls out)" ]
}

@test "each release is signed with the key, which is looked at once before" {
	says "$ONE" 0 note /result/one
	says "$TWO" 0 note /result/two
	openssl req -new -x509 -newkey rsa:2048 -nodes -subj /CN=test -keyout my.key -out my.pem 2>/dev/null
	run -0 many -a "$ONE" -a "$TWO" -o out --sign-key my.key --sign-cert=my.pem fix.patch
	[ "$(grep -c -- "^--sign-key=my.key --sign-cert=my.pem -a 9.9.0-[12]-fake " calls)" -eq 2 ]
	rm calls
	run many -a "$ONE" -a "$TWO" -o out --sign-key none.key --sign-cert=my.pem fix.patch
	[ "$(grep -c 'error: none.key: cannot be read' <<<"$output")" -eq 1 ]
	[ ! -e calls ]
}

@test "standard input is read once, and given to each" {
	echo 'exit "$(diff - fix.patch >/dev/null; echo $?)"' | tee "$ONE" >"$TWO"
	run -0 many -a "$ONE" -a "$TWO" -o out - <fix.patch
	[ "$(grep -c -- ' -n stdin -j [0-9]* -- -$' calls)" -eq 2 ]
}

@test "a table tells what became of each, and why, in the order given" {
	says "$ONE" 0 'kpatch-build: warning: w' /result/one
	says "$TWO" 2 "$refused"$'\n'"$refused"
	says "$THREE" 1 $'kpatch-build: refused: later\nkpatch-build: error: no such file; look\nkpatch-build: the log is x'
	run --separate-stderr many -a "$THREE" -a "$ONE" -a "$TWO" -o out fix.patch
	[ "$status" -eq 1 ]
	[ "$output" = "/result/one
$THREE  failed     no such file; look
$ONE  done       /result/one
$TWO  refused    fs/proc/one.c: one(): not with us; do without (and 1 more)" ]
	grep -qx "$TWO: $refused" <<<"$stderr"
	grep -qx "$ONE: kpatch-build: warning: w" <<<"$stderr"
}

@test "an unchanged one, and one that was killed" {
	says "$ONE" 3 $'kpatch-build: note: first\nkpatch-build: note: the patch changes nothing'
	echo 'kill -KILL $$' >"$TWO"
	run --separate-stderr many -a "$ONE" -a "$TWO" -o out fix.patch
	[ "$status" -eq 1 ]
	[ "$output" = "$ONE  unchanged  the patch changes nothing
$TWO  failed     ended with status 137" ]
}

# worst STATUS A B C: of three releases.
worst()
{
	says "$ONE" "$2" x
	says "$TWO" "$3" x
	says "$THREE" "$4" x
	run many -a "$ONE" -a "$TWO" -a "$THREE" -o out fix.patch
	[ "$status" -eq "$1" ] || { echo "$status instead of $1 for $2 $3 $4"; return 1; }
}

@test "the exit status is the worst: error, refused, unchanged, done" {
	worst 0 0 0 0
	worst 3 0 3 0
	worst 2 3 2 0
	worst 2 2 3 3
	worst 1 2 1 3
	worst 1 1 2 3
	worst 1 0 0 77
}

@test "mistakes are said once, before any work" {
	run driver -a "$ONE" -a "$ONE" fix.patch
	expect 1 "kpatch-build: error: -a $ONE: given twice"
	run driver -a "$ONE" -a x/y fix.patch
	expect 1 "kpatch-build: error: -a x/y: not a kernel release; write it as 'uname -r' prints it"
	run driver -a "$ONE" -a "$TWO" -o out/x.ko fix.patch
	expect 1 "kpatch-build: error: -o out/x.ko: must be a directory when there are several releases"
	run driver -a "$ONE" -a "$TWO" -v fix.patch fix.patch
	expect 1 "kpatch-build: error: -v fix.patch: is the image of one release; build for each of them by itself"
	run driver -a "$ONE" -a "$TWO" -o missing fix.patch
	expect 1 "kpatch-build: error: $PWD/missing: not a directory that can be written to; create it or choose another with -o"
	echo text >bad.patch
	run driver -a "$ONE" -a "$TWO" -o out bad.patch
	[ "$(grep -c 'error:' <<<"$output")" -eq 1 ]
	[ -z "$(ls out)" ]
}

# real OPTION...: the drivers themselves. They come as far as the comparison, as the profiles have no images.
real()
{
	run driver -a "$ONE" -a "$TWO" -o out --launcher none "$@" fix.patch
}

# slow RELEASE: five objects, whose compiles write down when they begin and end.
slow()
{
	local i profile=$BATS_TEST_TMPDIR/cache/kpatch/profiles/$1
	: >"$profile/plan"
	for i in 1 2 3 4 5; do
		printf 'fs/proc/one%d.o\tfs/proc/one.c\tvmlinux\tc\t%s\t\n' "$i" \
			"echo begin >>$PWD/moments; echo \$\$ >>$PWD/compiler.pids; sleep ${2:-0.2}; echo end >>$PWD/moments; gcc -DN=$i" >>"$profile/plan"
	done
}

@test "the compiles of all releases together are as many at once as -j says, and a log is kept for each" {
	slow "$ONE"
	slow "$TWO"
	real -j3
	[ "$status" -eq 1 ]
	[ "$(grep -c begin moments)" -eq 30 ]
	[ "$(awk '/begin/ { if (++n > most) most = n } /end/ { n-- } END { print most }' moments)" -eq 3 ]
	[ "$(ls cache/kpatch/log)" = "livepatch-fix-$ONE.log
livepatch-fix-$TWO.log" ]
	grep -qE "^$ONE  failed     " <<<"$output"
	[ -z "$(ls -A tmp)" ]
}

@test "a compile that fails gives its place to others, and the other release goes on" {
	slow "$TWO"
	plan_line fs/proc/one.o vmlinux 'sleep 0.1; false' >"cache/kpatch/profiles/$ONE/plan"
	real -j2
	[ "$status" -eq 1 ]
	[ "$(grep -c end moments)" -eq 15 ]
	[ "$(awk '/begin/ { if (++n > most) most = n } /end/ { n-- } END { print most }' moments)" -eq 2 ]
	grep -qx "$ONE: kpatch-build: error: fs/proc/one.o: does not compile even without the patch: " <<<"$output"
}

@test "one release more at once than jobs, but with one job one after the other" {
	printf 'echo begin >>moments; sleep 0.3; echo end >>moments\n' | tee "$ONE" "$TWO" "$THREE" >9.9.0-4-fake
	run -0 many -a "$ONE" -a "$TWO" -a "$THREE" -a 9.9.0-4-fake -o out -j2 fix.patch
	[ "$(awk '/begin/ { if (++n > most) most = n } /end/ { n-- } END { print most }' moments)" -eq 3 ]
	rm moments
	run -0 many -a "$ONE" -a "$TWO" -a "$THREE" -o out -j1 fix.patch
	[ "$(tr '\n' ' ' <moments)" = "begin end begin end begin end " ]
}

# interrupted SIGNAL STATUS: sends it while the compilers of both releases run.
interrupted()
{
	local pid code=0 i running
	slow "$ONE" 20
	slow "$TWO" 20
	# Job control: otherwise the shell would start it with SIGINT ignored.
	set -m
	env XDG_CACHE_HOME="$PWD/cache" TMPDIR="$PWD/tmp" "$DRIVER" -a "$ONE" -a "$TWO" -o out -j4 --launcher none fix.patch \
		>out.txt 2>&1 3>&- &
	pid=$!
	set +m
	for ((i = 0; i < 300; i++)); do
		[ "$(grep -c begin moments 2>/dev/null)" != 4 ] || break
		sleep 0.1
	done
	kill -s "$1" "$pid"
	wait "$pid" || code=$?
	# Whoever waits for it may look at once.
	[ -z "$(ls -A tmp)" ]
	[ "$code" -eq "$2" ] || { echo "status $code"; cat out.txt; return 1; }
	grep -qx 'kpatch-build: interrupted' out.txt
	grep -qx "$ONE: kpatch-build: interrupted" out.txt
	grep -qx "$TWO: kpatch-build: interrupted" out.txt
	for ((i = 0; i < 20; i++)); do
		running=$(ps -o stat= -p "$(paste -sd, compiler.pids)" | grep -vc "^Z") || true
		[ "$running" -ne 0 ] || break
		sleep 0.1
	done
	[ "$running" -eq 0 ]
	[ -z "$(find out -type f)" ]
}

@test "an interrupt ends the drivers and the compilers of all releases, and nothing is left" {
	interrupted INT 130
}

@test "SIGTERM does the same, with status 143" {
	interrupted TERM 143
}

# ---- the pool itself ----

piece()
{
	echo "begin $1" >>"$WORKDIR/moments"
	sleep "$2"
	echo end >>"$WORKDIR/moments"
	return "$3"
}

@test "the status of a piece that fails is the pool's, and no more are started" {
	driver_source
	JOBS=1
	printf '%s\t0\t%s\n' a 0 b 7 c 0 >"$WORKDIR/list"
	run pool piece "$WORKDIR/list"
	[ "$status" -eq 7 ]
	[ "$(tr '\n' ' ' <"$WORKDIR/moments")" = "begin a end begin b end " ]
}

@test "a piece that bash forgets to report is not forgotten" {
	driver_source
	JOBS=2
	printf "%s\t0\t%s\n" a 0 b 0 c 7 >"$WORKDIR/list"
	# As bash 5.2 does when one ends just before it is waited for.
	wait()
	{
		if [[ $1 == -n && ! -e $WORKDIR/lost ]]; then
			: >"$WORKDIR/lost"
			return 127
		fi
		builtin wait "$@"
	}
	run pool piece "$WORKDIR/list"
	[ "$status" -eq 7 ]
	[ -e "$WORKDIR/lost" ]
	[ "$(grep -c end "$WORKDIR/moments")" -eq 3 ]
}

@test "who died with the places of the budget does not stop the others forever" {
	driver_source
	JOBS=4 SLOT_WAIT=1
	mkfifo "$WORKDIR/slots"
	slots_open "$WORKDIR/slots"
	printf '%s\t0\t0\n' a b c >"$WORKDIR/list"
	run -0 pool piece "$WORKDIR/list"
	# One after the other, without a place, and none is given back.
	[ "$(tr '\n' ' ' <"$WORKDIR/moments")" = "begin a end begin b end begin c end " ]
	run ! read -r -N 1 -t 0.1 -u "$SLOTS"
}

out_of_room()
{
	no_space() { true; }
	failed "$WORKDIR" "$1 failed"
}

@test "pieces that fail at once because the disk is full say it once" {
	local round
	driver_source
	JOBS=4
	printf '%s\n' a b c d >"$WORKDIR/list"
	for round in {1..20}; do
		rm -f "$WORKDIR/full" "$WORKDIR/said"
		run pool out_of_room "$WORKDIR/list"
		[ "$status" -eq 1 ]
		[ "$output" = "kpatch-build: error: $WORKDIR: no space left on the device; free some and run again" ] ||
			{ printf '%s: %s\n' "$round" "$output"; return 1; }
	done
}
