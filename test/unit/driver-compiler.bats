#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2034 # variables that the driver reads
#
# Which compiler a kernel is patched with: the one that built it.

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	driver_source
	cd "$BATS_TEST_TMPDIR" || return
	mkdir bin
	K_IMAGE=$BATS_TEST_TMPDIR/vmlinuz K_CONFIG=$BATS_TEST_TMPDIR/config RELEASE=9.9.0-1-fake VMLINUX=
	# No compiler but those of the test.
	local program
	for program in bash sh sed awk cat grep rm mkdir tail; do
		ln -s "$(command -v "$program")" bin/
	done
	PATH=$BATS_TEST_TMPDIR/bin
}

# compiler NAME VERSION: one that calls itself "NAME VERSION".
compiler()
{
	printf '#!/bin/sh\necho "%s %s"\n' "$1" "$2" >"bin/$1"
	/bin/chmod +x "bin/$1"
}

# built_with TEXT: the image says so; the configuration says something else.
built_with()
{
	printf 'CONFIG_CC_VERSION_TEXT="gcc-1 1.1"\n' >config
	: >vmlinuz
	local text=$1
	eval "tool() { printf '%s\n' '$BATS_TEST_TMPDIR/kpatch-image'; }"
	printf '#!/bin/sh\n[ "$1 $2" = "compiler %s" ] && echo "%s"\n' "$BATS_TEST_TMPDIR/vmlinuz" "$text" >kpatch-image
	/bin/chmod +x kpatch-image
}

chosen()
{
	kernel_compiler
	printf '%s\n' "$KERNEL_CC"
}

DEBIAN='(Debian 12.2.0-14+deb12u1) 12.2.0'

@test "the compiler that the image names is chosen, whatever else there is" {
	built_with "gcc-12 $DEBIAN"
	compiler gcc '(Debian 14.2.0-1) 14.2.0'
	compiler gcc-13 '(Debian 13.2.0-1) 13.2.0'
	compiler gcc-12 "$DEBIAN"
	run chosen
	[ "$output" = gcc-12 ]
}

@test "the same compiler may have another name here" {
	built_with "gcc $DEBIAN"
	compiler gcc '(Debian 14.2.0-1) 14.2.0'
	compiler gcc-12 "$DEBIAN"
	run chosen
	[ "$output" = gcc-12 ]
	rm bin/gcc-12
	compiler x86_64-linux-gnu-gcc-12 "$DEBIAN"
	run chosen
	[ "$output" = x86_64-linux-gnu-gcc-12 ]
	rm bin/x86_64-linux-gnu-gcc-12
	compiler gcc "$DEBIAN"
	run chosen
	[ "$output" = gcc ]
}

@test "the very same one comes before one of the same major version" {
	built_with "mygcc (Mine) 12.3.1 20230508"
	compiler gcc-12 "$DEBIAN"
	compiler mygcc '(Mine) 12.3.1 20230508'
	run chosen
	[ "$output" = mygcc ]
	rm bin/mygcc
	run chosen
	[ "$output" = gcc-12 ]
}

@test "a compiler that is missing is named, with the package to install" {
	built_with "x86_64-linux-gnu-gcc-12 $DEBIAN"
	compiler gcc '(Debian 14.2.0-1) 14.2.0'
	run chosen
	expect 1 "kpatch-build: error: 9.9.0-1-fake was built with 'x86_64-linux-gnu-gcc-12 $DEBIAN', which is missing; install it: apt-get install gcc-12"
	built_with 'gcc (GCC) 13.2.1 20230801'
	run chosen
	expect 1 "kpatch-build: error: 9.9.0-1-fake was built with 'gcc (GCC) 13.2.1 20230801', which is missing; install it: apt-get install gcc-13"
}

@test "kernels built with clang, or with something unknown, are no kernels that can be patched" {
	built_with 'Debian clang version 14.0.6'
	compiler clang-14 'Debian clang version 14.0.6'
	run chosen
	expect 2 "kpatch-build: refused: 9.9.0-1-fake was built with 'Debian clang version 14.0.6'; only kernels built with gcc can be patched: what is compared is gcc's code"
	built_with 'icc 2021.1'
	run chosen
	expect 1 "kpatch-build: error: 9.9.0-1-fake was built with 'icc 2021.1', which is no gcc that is known here; only kernels built with gcc can be patched"
}

@test "an image that does not say: the configuration counts" {
	built_with ''
	printf '#!/bin/sh\nexit 1\n' >kpatch-image
	compiler gcc-11 '(Debian 11.1.0-1) 11.1.0'
	printf 'CONFIG_CC_VERSION_TEXT="gcc-11 (Debian 11.1.0-1) 11.1.0"\n' >config
	run chosen
	[ "$output" = gcc-11 ]
}

@test "each build says that another version of the compiler is here than built the kernel" {
	KERNEL_CC=gcc-12
	mkdir -p "$PROFILE"
	printf 'CONFIG_CC_VERSION_TEXT="x86_64-linux-gnu-gcc-12 %s"\n' "$DEBIAN" >"$PROFILE/config"
	compiler gcc-12 "$DEBIAN"
	run compiler_again
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	compiler gcc-12 '(Debian 12.4.0-1) 12.4.0'
	run compiler_again
	[ "$status" -eq 0 ]
	[ "$output" = "kpatch-build: warning: 9.9.0-1-fake was built with 'x86_64-linux-gnu-gcc-12 $DEBIAN', here is 'gcc-12 (Debian 12.4.0-1) 12.4.0': the code may differ" ]
	rm bin/gcc-12
	run compiler_again
	expect 1 "kpatch-build: error: 9.9.0-1-fake was built with 'x86_64-linux-gnu-gcc-12 $DEBIAN', which is missing; install it: apt-get install gcc-12"
}
