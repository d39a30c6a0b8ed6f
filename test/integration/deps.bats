#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The script that installs missing packages, and the choice of the kernel under test, with stand-ins for the package tools:
# nothing is installed here.

bats_require_minimum_version 1.5.0
load common

setup()
{
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir bin
	export PATH=$PWD/bin:$PATH CALLS=$PWD/calls INSTALLED='' KNOWN='' GONE=''
	: > calls
	cat > bin/dpkg-query <<-'EOF'
		#!/bin/bash
		[[ " $INSTALLED " == *" ${*: -1} "* ]] && echo -n installed
	EOF
	cat > bin/apt-cache <<-'EOF'
		#!/bin/bash
		echo "$2:"
		[[ " $KNOWN " == *" $2 "* || -e updated ]] && echo "  Candidate: 1.0" ||
			echo "  Candidate: (none)"
	EOF
	cat > bin/apt-get <<-'EOF'
		#!/bin/bash
		echo "apt-get $*" >> "$CALLS"
		case "$*" in
		*update*) touch updated ;;
		*install*) [[ -z $GONE || -e updated ]] ;;
		esac
	EOF
	chmod +x bin/*
}

deps()
{
	"$TOP/test/deps" "$@"
}

@test "nothing is done when all packages are there" {
	INSTALLED="shellcheck cppcheck clang-format" run -0 deps lint
	[ "$output" = "" ]
	[ ! -s calls ]
}

@test "only what is missing is installed, and apt is asked for news only when it must be" {
	[ "$EUID" -eq 0 ] || skip "needs root to get past the question for sudo"
	INSTALLED=cppcheck KNOWN="shellcheck clang-format" run -0 deps lint
	[ "$output" = "deps: installing shellcheck clang-format" ]
	[ "$(cat calls)" = "apt-get install -y -qq --no-install-recommends shellcheck clang-format" ]
}

@test "an apt that knows no packages is updated first" {
	[ "$EUID" -eq 0 ] || skip "needs root to get past the question for sudo"
	INSTALLED="cppcheck clang-format" run -0 deps lint
	[ "$(cut -d ' ' -f 1-3 calls)" = $'apt-get -qq update\napt-get install -y' ]
	: > calls
	rm updated
	run -0 deps archive
	[ "$(cat calls)" = "apt-get -qq update" ]
}

@test "a package that left the archive meanwhile is tried again after an update" {
	[ "$EUID" -eq 0 ] || skip "needs root to get past the question for sudo"
	GONE=1 INSTALLED="cppcheck clang-format" KNOWN=shellcheck run -0 deps lint
	[ "$(cut -d ' ' -f 1-2 calls)" = $'apt-get install\napt-get -qq\napt-get install' ]
}

@test "an unknown purpose is an error, and none prints what there is" {
	run -1 deps bild
	[[ $output == "deps: unknown purpose 'bild', must be one of: "* ]]
	run -1 deps
	[[ $output == *"Usage: test/deps PURPOSE..."* ]]
}

@test "without root and sudo the command is printed, and nothing runs" {
	[ "$EUID" -eq 0 ] || skip "needs root to drop it"
	printf '#!/bin/sh\nexit 1\n' > bin/sudo
	chmod +x bin/sudo
	mkdir copy
	cp "$TOP/test/deps" copy
	chmod -R a+rX "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR"
	INSTALLED="cppcheck clang-format" KNOWN=shellcheck run ! \
		setpriv --reuid 65534 --regid 65534 --clear-groups copy/deps lint < /dev/null
	[[ $output == *"deps: neither root nor sudo; run as root: env DEBIAN_FRONTEND=noninteractive apt-get install"* ]]
	[ ! -s calls ]
}

# "linux-kbuild-6.1" and "linux-source-6.1" serve several releases, and a new version replaces an old one in the archive at
# other times than the kernels.
@test "the kernels to test are those that the archive still has the source and the build's programs of, the newest first" {
	cat > bin/apt-cache <<-'EOF'
		#!/bin/bash
		case $1 in
		pkgnames)
			printf 'linux-image-6.1.0-%s-rt-amd64\n' 9 12 11 10
			printf '%s\n' linux-image-6.1.0-12-rt-amd64-dbg linux-image-6.1.0-12-amd64 linux-image-6.1.0-12-cloud-amd64 ;;
		depends)
			for package in "${@:2}"; do
				printf '%s\n' "$package" "  Depends: linux-headers-common" "  Depends: linux-kbuild-6.1"
			done ;;
		madison)
			grep -E "^ *(${2}$(printf '|%s' "${@:3}")) " archive ;;
		esac
	EOF
	cat > archive <<-'EOF'
		 linux-source-6.1 | 6.1.9-1 | http://archive main
		 linux-source-6.1 | 6.1.10-1 | http://archive main
		 linux-source-6.1 | 6.1.12-1 | http://archive main
		 linux-kbuild-6.1 | 6.1.9-1 | http://archive main
		 linux-kbuild-6.1 | 6.1.11-1 | http://archive main
		 linux-kbuild-6.1 | 6.1.12-1 | http://archive main
		linux-image-6.1.0-9-rt-amd64 | 6.1.9-1 | http://archive main
		linux-image-6.1.0-9-rt-amd64 | 6.1.9-1 | http://other main
		linux-image-6.1.0-10-rt-amd64 | 6.1.10-1 | http://archive main
		linux-image-6.1.0-11-rt-amd64 | 6.1.11-1 | http://archive main
		linux-image-6.1.0-12-rt-amd64 | 6.1.12-2 | http://archive main
		linux-image-6.1.0-12-rt-amd64 | 6.1.12-1 | http://archive main
		linux-image-6.1.0-12-amd64 | 6.1.12-1 | http://archive main
		linux-image-6.1.0-12-cloud-amd64 | 6.1.10-1 | http://archive main
	EOF
	[ "$(releases 6.1 rt)" = $'6.1.0-12-rt-amd64\n6.1.0-9-rt-amd64' ]
	[ "$(newest_release 6.1 rt)" = 6.1.0-12-rt-amd64 ]
	[ "$(releases 6.1 amd64)" = 6.1.0-12-amd64 ]
	run -1 newest_release 6.1
	[ "$output" = "no linux-image-6.1.*-cloud with its source in apt; set KPATCH_TEST_RELEASE" ]
	run -0 releases 6.12
	[ "$output" = "" ]
}
