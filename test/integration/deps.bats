#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The script that installs missing packages, with stand-ins for the package tools: nothing is
# installed here.

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
