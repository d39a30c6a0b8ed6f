#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# kpatch-build with the source of a real kernel: what it keeps in its cache, several runs at once, runs
# that were killed, and that the result depends on nothing but the input.
#
# shellcheck disable=SC2154 # build sets ko, bats sets output

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
	CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/kpatch
	PROFILE=$CACHE/profiles/$KPATCH_TEST_RELEASE
	PATCH=$TOP/examples/meminfo-string.patch
	DRIVER=$TOP/kpatch-build/kpatch-build
	cd "$BATS_TEST_TMPDIR" || return
}

# Content of every file of the profile, and the time at which anything in it was last changed.
profile_sums()
{
	(cd "$PROFILE" && find . -type f -print0 | sort -z | xargs -0 md5sum)
	(cd "$PROFILE" && find . -printf '%p %y %m %s %C@ %l\n' | sort)
}

@test "a build as root changes nothing in the profile" {
	profile_sums >before
	build 0 string "$PATCH"
	build 0 report drop-caches-report.patch
	profile_sums >after
	cmp before after
}

@test "the profile's source is read-only and has the shipped kernel's version strings" {
	[ -z "$(find "$PROFILE/src" ! -type l -perm /u+w -print -quit)" ]
	grep -qx "#define UTS_RELEASE \"$KPATCH_TEST_RELEASE\"" "$PROFILE/src/include/generated/utsrelease.h"
	grep -qx "#define LINUX_PACKAGE_ID \" Debian $(<"$PROFILE/version")\"" "$PROFILE/src/include/generated/package.h"
	grep -q '^#define LINUX_COMPILE_BY' "$PROFILE/src/include/generated/compile.h"
}

@test "the plan knows every module that was shipped, and only those" {
	cut -f 3 "$PROFILE/plan" | tr ':' '\n' | grep -vxE 'vmlinux|[?]' | sort -u >planned
	find "$PROFILE/modules" -name '*.ko*' | sed 's|.*/||; s|\.ko.*||; s|-|_|g' | sort -u >shipped
	diff planned shipped
	[ ! -s "$PROFILE/rest" ]
}

@test "the result is the same byte for byte, wherever, with whatever number of jobs it is built" {
	mkdir -p one two/deep/er tmp-one tmp-two
	(cd one && TMPDIR=$BATS_TEST_TMPDIR/tmp-one "$DRIVER" -a "$KPATCH_TEST_RELEASE" -n x -j1 \
		"$PATCHES/drop-caches-report.patch")
	cp "$PATCHES/drop-caches-report.patch" two/other.patch
	(cd two && umask 077 && LANG=C.UTF-8 TZ=Asia/Tokyo KCFLAGS=-O0 ARCH=arm TMPDIR=$BATS_TEST_TMPDIR/tmp-two \
		"$DRIVER" -a "$KPATCH_TEST_RELEASE" -n x -j4 -o deep/er other.patch)
	cmp one/livepatch-x.ko two/deep/er/livepatch-x.ko
}

@test "no path of the machine that built it is in the module" {
	mkdir -p "$PWD/a-telling-name"
	TMPDIR=$PWD/a-telling-name "$DRIVER" -a "$KPATCH_TEST_RELEASE" -n x "$PATCHES/drop-caches-report.patch"
	run strings -a livepatch-x.ko
	[ "$status" -eq 0 ]
	[[ $output == *drop_caches* ]]
	[[ $output != *telling* ]]
	[[ $output != *"$CACHE"* ]]
	[[ $output != *"$HOME/"* ]]
	[[ $output != *kpatch-build.* ]]
}

@test "release, licence, livepatch mark and CRCs are the shipped kernel's" {
	build 0 string "$PATCH"
	[ "$(modinfo -F name "$ko")" = livepatch_string ]
	[ "$(modinfo -F license "$ko")" = GPL ]
	[ "$(modinfo -F livepatch "$ko")" = Y ]
	[ "$(modinfo -F vermagic "$ko")" = "$(modinfo -F vermagic "$(find "$PROFILE/modules" -name 'loop.ko*')")" ]
	modprobe --dump-modversions "$ko" | sort >have
	awk '{ print $1 "\t" $2 }' "$PROFILE/Module.symvers" | sort >shipped
	grep -q 'klp_enable_patch' have
	[ -z "$(comm -23 have shipped)" ]
}

@test "several patches make one module, applied in order" {
	build 0 two "$PATCH" uptime-string.patch
	output_has '^  changed   vmlinux: meminfo_proc_show\(\): fs/proc/meminfo.c:131 changed$'
	output_has '^  changed   vmlinux: uptime_proc_show\(\): fs/proc/uptime.c:33 changed$'
}

@test "two builds at once for one release both succeed, with the same result" {
	mkdir one two
	"$DRIVER" -a "$KPATCH_TEST_RELEASE" -o one "$PATCH" 3>&- &
	"$DRIVER" -a "$KPATCH_TEST_RELEASE" -o two "$PATCH" 3>&-
	wait $!
	cmp one/*.ko two/*.ko
}

@test "a preparation that was killed is redone; of two builds at once the second waits for it" {
	local fresh=$PWD/fresh pid status=0 i
	mkdir -p "$fresh/kpatch"
	# What was downloaded stays; a cache that never needed to download starts empty.
	[ ! -d "$CACHE/packages" ] || cp -rl "$CACHE/packages" "$fresh/kpatch/"
	export XDG_CACHE_HOME=$fresh
	profile=$fresh/kpatch/profiles/$KPATCH_TEST_RELEASE

	setsid "$DRIVER" -a "$KPATCH_TEST_RELEASE" "$PATCH" >killed.out 2>&1 3>&- &
	pid=$!
	for ((i = 0; i < 1200; i++)); do
		[ ! -e "$fresh/kpatch/profiles/.$KPATCH_TEST_RELEASE.tmp/src/Makefile" ] || break
		kill -0 "$pid" || break
		sleep 0.1
	done
	kill -KILL "$pid"
	[ -e "$fresh/kpatch/profiles/.$KPATCH_TEST_RELEASE.tmp/src/Makefile" ]
	[ ! -e "$profile" ]

	mkdir one two
	"$DRIVER" -a "$KPATCH_TEST_RELEASE" -o one "$PATCH" >one.out 2>&1 3>&- &
	pid=$!
	"$DRIVER" -a "$KPATCH_TEST_RELEASE" -o two "$PATCH" >two.out 2>&1 3>&- || status=$?
	wait "$pid"
	[ "$status" -eq 0 ]
	grep -qhF "kpatch-build: note: another kpatch-build prepares $KPATCH_TEST_RELEASE; waiting for it" one.out two.out
	cmp one/*.ko two/*.ko
	[ -e "$profile/complete" ]
	[ -z "$(find "$fresh/kpatch/profiles" -mindepth 1 -maxdepth 1 -name '.*' ! -name '*.lock')" ]
	# The same profile as the one that was there, and so the same livepatch.
	cmp "$profile/plan" "$PROFILE/plan"
}

# Trees of source are read-only, also for whoever removes the test's directory.
teardown()
{
	[ ! -d "$BATS_TEST_TMPDIR/fresh" ] || chmod -R u+w "$BATS_TEST_TMPDIR/fresh"
}
