#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Objects that are compiled once and kept: taken again exactly when all that they depend on is the same. And
# --timings, which tells.
#
# shellcheck disable=SC2034,SC2317 # what the driver reads and calls

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	fake_profile
	cd "$BATS_TEST_TMPDIR" || return
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	# Counts the compiles; as the compiler itself, not as a launcher, which would be part of the key.
	mkdir bin
	printf '#!/bin/bash\n[[ " $* " != *" -c "* ]] || echo "$*" >>%q\nexec %q "$@"\n' "$PWD/calls" "$(command -v gcc)" >bin/gcc
	chmod +x bin/gcc
	PATH=$PWD/bin:$PATH
}

# compiled [OPTION...]: the stages up to the compiler. Then "compiles" has the sides that were compiled.
compiled()
{
	local status=0
	: >calls
	(
		export XDG_CACHE_HOME=$PWD/cache TMPDIR=$PWD/tmp
		# shellcheck source=/dev/null
		source "$DRIVER"
		ui_init
		options_parse -a "$FAKE_RELEASE" --launcher none "$@" fix.patch
		options_check
		workdir_create
		patches_read
		profile_get
		select_objects
		kept_init
		compile_objects
		rm -rf "$BATS_TEST_TMPDIR/objects"
		mkdir "$BATS_TEST_TMPDIR/objects"
		cp -r "$WORKDIR/original" "$WORKDIR/patched" "$WORKDIR/proof" "$BATS_TEST_TMPDIR/objects/"
	) >out 2>&1 || status=$?
	compiles=$(grep -oE '(original|patched|proof)/[^ ]+' calls | sort | tr '\n' ' ') || true
	return "$status"
}

# again SIDES: another build compiles these.
again()
{
	compiled
	[ "$compiles" = "$1" ] || { echo "compiled: $compiles"; cat out; return 1; }
}

ALL="original/fs/proc/one.o patched/fs/proc/one.o proof/fs/proc/one.o "

@test "a second build of a patch compiles only the patched object, and gets the same ones" {
	again "$ALL"
	mv objects first
	again "patched/fs/proc/one.o "
	for side in original patched proof; do
		cmp first/$side/fs/proc/one.o objects/$side/fs/proc/one.o
	done
}

@test "another patch takes the proof object, and the original if its hunks are as long" {
	again "$ALL"
	patch_of fs/proc/one.c 's/1/101/' >fix.patch
	again "patched/fs/proc/one.o "
	patch_of fs/proc/one.c 's/1;/1 +\n\t\t2;/' >fix.patch
	again "original/fs/proc/one.o patched/fs/proc/one.o "
}

@test "all that an object depends on makes it another one" {
	printf "\n\n\n\n\n" >>"$PROFILE/src/fs/proc/one.c"
	patch_of fs/proc/one.c 's/1;/100;/' >fix.patch
	again "$ALL"
	echo "/* more */" >>"$PROFILE/src/fs/proc/one.c"
	again "$ALL"
	plan_line fs/proc/one.o vmlinux 'gcc -DMORE' >"$PROFILE/plan"
	again "$ALL"
	plan_line fs/proc/one.o vmlinux 'gcc -DMORE' 'true' >"$PROFILE/plan"
	again "$ALL"
	# Another profile, with other headers.
	touch -d '2020-01-01' "$PROFILE/complete"
	again "$ALL"
	# Another compiler.
	touch -d '2020-01-01' bin/gcc
	again "$ALL"
	again "patched/fs/proc/one.o "
}

@test "what the launcher compiled is not taken without it" {
	compiled --launcher env
	again "$ALL"
}

@test "an original depends on all files of the patch, as it may include them" {
	patch_of kernel/sched/rt.c 's/0/1/' >fix.patch
	again "original/kernel/sched/policy.o patched/kernel/sched/policy.o proof/kernel/sched/policy.o "
	again "patched/kernel/sched/policy.o "
	patch_of kernel/sched/rt.c 's/0/\n1/' >fix.patch
	again "original/kernel/sched/policy.o patched/kernel/sched/policy.o "
}

@test "of a patch to very many objects no originals are kept" {
	driver_source
	mkdir -p "$WORKDIR/files/original"
	mapfile -t OBJECTS < <(seq 100)
	kept_originals
	[ -n "$ORIGINALS_SUM" ]
	OBJECTS+=(101)
	kept_originals
	[ -z "$ORIGINALS_SUM" ]
}

@test "an object that was cut off is compiled again" {
	again "$ALL"
	for file in cache/kpatch/objects/"$FAKE_RELEASE"/*.o; do
		: >"$file"
	done
	again "$ALL"
	again "patched/fs/proc/one.o "
}

@test "a directory that cannot be written to is done without" {
	mkdir -p cache/kpatch
	: >cache/kpatch/objects
	again "$ALL"
	again "$ALL"
}

@test "a failed compile leaves nothing to take" {
	patch_of fs/proc/one.c 's/1;/undeclared;/' >fix.patch
	plan_line fs/proc/one.o vmlinux gcc false >"$PROFILE/plan"
	run ! compiled
	[ -z "$(find cache/kpatch/objects -type f)" ]
}

@test "eight builds at once keep and take the same objects" {
	local i pids=()
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	for i in 1 2 3 4 5 6 7 8; do
		mkdir "run$i"
		cp fix.patch "run$i"
		# As far as they come: the profile has no image.
		(cd "run$i" && driver -a "$FAKE_RELEASE" --launcher none --skip-cleanup fix.patch >out 2>&1 3>&-) &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || [ $? -eq 1 ]
	done
	[ "$(md5sum tmp/kpatch-build.*/proof/fs/proc/one.o | cut -d ' ' -f 1 | uniq -c | awk '{ print $1 }')" = 8 ]
	[ "$(md5sum tmp/kpatch-build.*/original/fs/proc/one.o | cut -d ' ' -f 1 | uniq -c | awk '{ print $1 }')" = 8 ]
	[ "$(find cache/kpatch/objects -type f | wc -l)" -eq 2 ]
	again "patched/fs/proc/one.o "
}

@test "--timings tells of each stage and each compile, also when the build fails" {
	run driver -a "$FAKE_RELEASE" --launcher none --timings fix.patch
	[ "$status" -eq 1 ]
	for line in 'time of each stage +wall s +CPU s' '  patches +N +N' '  kernel +N +N' '  select +N +N' '  compile +N +N' \
		'  all +N +N' 'time of each compile, the longest first +wall s +CPU s' '  fs/proc/one.o original +N +N' \
		'  fs/proc/one.o patched +N +N' '  fs/proc/one.o proof +N +N'; do
		grep -qE "^${line//N/[0-9]+[.][0-9][0-9]}\$" <<<"$output" || { echo "no: $line"; echo "$output"; return 1; }
	done
	run driver -a "$FAKE_RELEASE" --launcher none --timings fix.patch
	grep -qE '^  fs/proc/one.o proof, kept from an earlier build ' <<<"$output"
	run driver -a "$FAKE_RELEASE" --launcher none fix.patch
	[[ $output != *"time of"* ]]
}

@test "CPU time is that of all that a stage waited for" {
	driver_source
	TIMED=1
	timed_stage busy
	bash -c 'for ((i = 0; i < 300000; i++)); do :; done'
	timed_stage idle
	sleep 0.3
	timed_stage
	((TIMED_CPU[busy] > 50 && TIMED_CPU[idle] < 50 && TIMED_WALL[idle] >= 300))
}

@test "of very many compiles the longest are told, and the sum of the others" {
	driver_source
	TIMINGS=1 TIMED=1
	timed_stage compile
	for ((i = 1; i <= 50; i++)); do
		printf '%d\t%d\t%s\t\n' $((i * 1000)) 500 "file$i.o proof"
	done >"$WORKDIR/timed"
	run timings_report
	[ "$(grep -c 'file.*proof' <<<"$output")" -eq 40 ]
	grep -qE '^  file50.o proof +50[.]00 +0[.]50$' <<<"$output"
	grep -qE '^  10 more +55[.]00 +5[.]00$' <<<"$output"
}
