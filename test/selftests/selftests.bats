#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The kernel's own tests of livepatches (tools/testing/selftests/livepatch of the kernel's source) in a VM where a livepatch
# of ours is loaded. Debian builds neither their modules nor ships them: both come from linux-source here.
#
# Each script compares all that the kernel logs of livepatches with what it expects, so it notices whatever ours add to that.
# Some of them load livepatches that replace all others, ours too: it is loaded again for the next.
#
# "make check-selftests", ten minutes: no part of "make check".
#
# shellcheck disable=SC2016 # the quoted $ are for the guest

bats_require_minimum_version 1.5.0
load ../integration/common

# What the scripts call: the programs of this machine, as busybox's have other options and messages.
PROGRAMS=(bash awk cat comm cp date diff dirname dmesg grep id ls mktemp modinfo modprobe printf rm rmmod sed sleep sort stat sysctl tr uname)

# Those that load a livepatch which replaces all others.
REPLACING="callbacks livepatch state"

# programs_copy ROOT: with the libraries that they need, at the same paths; found first in /full.
programs_copy()
{
	local name path
	mkdir -p "$1/full"
	for name in "${PROGRAMS[@]}"; do
		path=$(PATH=$PATH:/sbin:/usr/sbin type -P "$name")
		cp -L "$path" "$1/full/$name"
		ldd "$path" 2>/dev/null | grep -oE '/[^ ]+' || true
	done | sort -u | while read -r path; do
		mkdir -p "$1${path%/*}"
		cp -L "$path" "$1$path"
	done
	# Called by these paths.
	mkdir -p "$1/bin"
	cp "$1/full/bash" "$1/full/stat" "$1/bin/"
}

# source_extract TO: the scripts and the source of their modules, of exactly the kernel under test.
source_extract()
{
	local version base
	version=$(<"$(kernel_profile)/version")
	base=$(cut -d . -f 1-2 <<<"$KPATCH_TEST_RELEASE")
	source_archive "$base" "$version" |
		tar -xJ -C "$1" --strip-components=1 --no-same-owner --wildcards '*/tools/testing/selftests/livepatch' '*/lib/livepatch'
}

# modules_build SOURCE TO
modules_build()
{
	local file name
	mkdir -p "$2"
	for file in "$1"/test_klp_*.c; do
		name=$(basename "$file" .c)
		"$INTEGRATION/kmod-build" --no-core --flags "-I$1" "$KPATCH_TEST_RELEASE" "$2/$name.ko" "$file" 3>&-
	done
}

setup_file()
{
	need_kernel
	export ROOT=$BATS_FILE_TMPDIR/root SCRIPTS=$BATS_FILE_TMPDIR/source/tools/testing/selftests/livepatch
	mkdir "$ROOT" "$BATS_FILE_TMPDIR/source"
	programs_copy "$ROOT"
	source_extract "$BATS_FILE_TMPDIR/source"
	modules_build "$BATS_FILE_TMPDIR/source/lib/livepatch" "$ROOT/lib/modules/$KPATCH_TEST_RELEASE"
	/sbin/depmod -b "$ROOT" "$KPATCH_TEST_RELEASE" 2>/dev/null
	mkdir "$ROOT/scripts"
	cp "$SCRIPTS"/*.sh "$ROOT/scripts/"
	tar -cf "$BATS_FILE_TMPDIR/root.tar" -C "$ROOT" .
}

setup()
{
	need_kernel
	build 0 ours "$TOP/examples/meminfo-string.patch"
}

# guest_tests: what all guests begin with.
guest_tests()
{
	printf 'REPLACING="%s"\n' "$REPLACING"
	cat <<-'EOT'
		tar -xf /test/root.tar -C / || fail "the programs cannot be unpacked"
		mkdir -p /tmp
		sets_string() { cut -d : -f 1 /proc/meminfo | grep -q '^VmallocChunk (patched)$'; }
		selftest() {
			_code=0
			(cd /scripts && PATH=/full:$PATH /full/bash ./test-$1.sh) >/tmp/out 2>&1 || _code=$?
			cat /tmp/out
		}
	EOT
}

@test "no script of the kernel's is left out here" {
	run -0 bash -c 'ls "$0" | sed -n "s/^test-\(.*\)\.sh\$/\1/p" | tr "\n" " "' "$SCRIPTS"
	[ "$output" = "callbacks ftrace livepatch shadow-vars state sysfs " ]
}

@test "without a livepatch of ours, they pass" {
	guest_script < <(
		guest_tests
		cat <<-'EOT'
			for t in callbacks ftrace livepatch shadow-vars state sysfs; do
				selftest $t
				expect "test-$t.sh" 0 $_code
			done
		EOT
	)
	boot --memory 1024 --timeout 900 --file "$BATS_FILE_TMPDIR/root.tar"
}

@test "with one of ours, they pass, and ours is there afterwards unless a livepatch that replaces all has come" {
	guest_script < <(
		guest_tests
		cat <<-'EOT'
			load livepatch_ours
			for t in callbacks livepatch shadow-vars state sysfs; do
				sets_string || fail "ours is not in effect"
				selftest $t
				expect "test-$t.sh" 0 $_code
				case " $REPLACING " in
				*" $t "*)
					! sets_string || fail "test-$t.sh has replaced nothing"
					unload livepatch_ours
					load livepatch_ours
					;;
				esac
			done
			sets_string || fail "ours is not in effect"
			disable livepatch_ours
			unload livepatch_ours
		EOT
	)
	boot --memory 1024 --timeout 900 --module "$ko" --file "$BATS_FILE_TMPDIR/root.tar"
}

@test "with one of ours, the kernel keeps ftrace on, which the script that wants it off says and does not test" {
	guest_script < <(
		guest_tests
		cat <<-'EOT'
			load livepatch_ours
			selftest ftrace
			expect "test-ftrace.sh" 4 $_code
			expect "why" "SKIP: failed to set kernel.ftrace_enabled = 0" "$(grep -o 'SKIP.*' /tmp/out)"
			sets_string || fail "ours is not in effect"
		EOT
	)
	boot --memory 1024 --timeout 900 --module "$ko" --file "$BATS_FILE_TMPDIR/root.tar"
}
