#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# kpatch-build with ccache, and for two kernels at once: the same modules as without.
#
# shellcheck disable=SC2154 # build sets ko, bats sets output

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
	DRIVER=$TOP/kpatch-build/kpatch-build
	cd "$BATS_TEST_TMPDIR" || return
}

# counted NAME: of ccache's statistics.
counted()
{
	ccache --print-stats | awk -v name="$1" '$1 == name { print $2 }'
}

# built OPTION...: task-comm.patch, as out/livepatch-task-comm.ko.
built()
{
	mkdir -p out
	"$DRIVER" -a "$KPATCH_TEST_RELEASE" -n task-comm -o out "$@" 3>&-
}

@test "a second build of a patch finds its compiles in ccache, in another directory, and gets the same module" {
	export CCACHE_DIR=$PWD/ccache
	built "$PATCHES/task-comm.patch"
	[ "$(counted direct_cache_hit)" -eq 0 ]
	[ "$(counted cache_miss)" -ge 3 ]
	mv out first
	ccache --zero-stats >/dev/null
	mkdir elsewhere
	TMPDIR=$PWD/elsewhere built "$PATCHES/task-comm.patch"
	# What is not kept by kpatch-build itself: the patched object, and two sources of the module.
	[ "$(counted direct_cache_hit)" -eq 3 ]
	[ "$(counted cache_miss)" -eq 0 ]
	cmp first/*.ko out/*.ko
	built --launcher none "$PATCHES/task-comm.patch"
	cmp first/*.ko out/*.ko
	[ "$(counted direct_cache_hit)" -eq 3 ]
}

@test "another patch of the same length gets other code from ccache" {
	export CCACHE_DIR=$PWD/ccache
	built "$PATCHES/task-comm.patch"
	mv out first
	ccache --zero-stats >/dev/null
	sed 's/^+\(.*\)"\(.*\)"/+\1"other"/' "$PATCHES/task-comm.patch" >task-comm.patch
	run ! cmp -s "$PATCHES/task-comm.patch" task-comm.patch
	built task-comm.patch
	[ "$(counted cache_miss)" -ge 1 ]
	run ! cmp -s first/*.ko out/*.ko
	built --launcher none task-comm.patch
	mv out second
	built task-comm.patch
	cmp second/*.ko out/*.ko
}

@test "two kernels in one call get the modules that they get alone, and one table" {
	local other one two
	other=$(newest_release 6.12)
	one=$PWD/$KPATCH_TEST_RELEASE/livepatch-task-comm.ko
	two=$PWD/$other/livepatch-task-comm.ko
	"$DRIVER" -a "$KPATCH_TEST_RELEASE" -a "$other" "$PATCHES/task-comm.patch" >told 2>progress 3>&-
	grep -qx "$KPATCH_TEST_RELEASE  *done       $one" told
	grep -qx "$other  *done       $two" told
	grep -q "^$other: link     livepatch-task-comm.ko, [0-9]* bytes " progress
	module_sane "$one"
	(KPATCH_TEST_RELEASE=$other module_sane "$two")
	"$DRIVER" -a "$KPATCH_TEST_RELEASE" "$PATCHES/task-comm.patch" 3>&-
	cmp "$one" livepatch-task-comm.ko
	"$DRIVER" -a "$other" "$PATCHES/task-comm.patch" 3>&-
	cmp "$two" livepatch-task-comm.ko
}
