#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2034 # variables of the driver
#
# The source of Debian's rt kernels: that of all others, and patches of the source package.

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	driver_source
	RELEASE=9.9.0-1-rt-amd64 KERNEL_BASE=9.9 KERNEL_VERSION=9.9.1-2
	CACHE=$PWD/cache/kpatch PROFILE_TMP=$WORKDIR
	mkdir -p src/kernel bin series
	printf '%s\n' one two three four five six seven >src/kernel/one.c
	seq 20 >series/old
	program_apt
}

program()
{
	cat >"$1"
	chmod +x "$1"
}

# program_apt: an archive whose source package is series/, and who asks for anything else fails.
program_apt()
{
	program bin/apt-cache <<-'END'
		#!/bin/sh
		[ "$*" = "madison linux-source-9.9" ] || exit 1
		echo 'linux-source-9.9 |    9.9.1-2 | http://archive.example/debian stable/main amd64 Packages'
		echo 'linux-source-9.9 |    9.9.1-1 | http://archive.example/old old/main amd64 Packages'
		echo 'linux-source-9.9 |    9.9.1-2 | http://archive.example/security stable-security/main amd64 Packages'
	END
	program bin/apt-get <<-END
		#!/bin/sh
		echo "\$*" | sed -E 's/-o [^ ]* ?//g' >>"$PWD/asked"
		case \$* in
		*" update")
			for o; do
				case \$o in
				Dir::Etc::sourcelist=*) sed -E 's/ \[[^]]*\]//' "\${o#*=}" >"$PWD/list" ;;
				# apt makes no directories outside of its own.
				Dir::State::lists=*) [ -d "\${o#*=}/partial" ] || { echo "E: List directory \${o#*=}/partial is missing."; exit 100; } ;;
				esac
			done
			;;
		*" linux=9.9.1-2")
			[ ! -e "$PWD/gone" ] || { echo "E: Failed to fetch it  404  Not Found"; exit 100; }
			tar -cJf linux_9.9.1-2.debian.tar.xz -C "$PWD" debian ;;
		*) exit 1 ;;
		esac
	END
	PATH=$PWD/bin:$PATH
}

# queue NAME: standard input is one more patch of the series.
queue()
{
	mkdir -p debian/patches-rt
	cat >"debian/patches-rt/$1"
	printf '%s\n' "$1" >>debian/patches-rt/series
}

queue_good()
{
	queue 0001-one.patch <<-'END'
		From: nobody
		Subject: one

		--- a/kernel/one.c
		+++ b/kernel/one.c
		@@ -2,3 +2,3 @@
		 two
		-three
		+THREE
		 four
		--- a/Documentation/one.rst
		+++ b/Documentation/one.rst
		@@ -1 +1 @@
		-one
		+two
	END
	queue 0002-other.patch <<-'END'
		Subject: of another architecture only

		--- a/arch/arm/Kconfig
		+++ b/arch/arm/Kconfig
		@@ -1 +1 @@
		-one
		+two
	END
	queue 0003-new.patch <<-'END'
		--- /dev/null
		+++ b/kernel/new.c
		@@ -0,0 +1 @@
		+new
		--- a/kernel/one.c
		+++ b/kernel/one.c
		@@ -2,3 +2,3 @@
		 two
		-THREE
		+3
		 four
	END
	sed -i -e '1i# a comment' -e '1i\\' -e 's/^0003.*/& # with one behind it/' debian/patches-rt/series
}

apply()
{
	featureset_find
	featureset_apply "$PWD/src"
}

@test "the patches of the source package are applied in their order, without what the source lacks" {
	queue_good
	run apply
	[ "$status" -eq 0 ]
	[ "$output" = "" ]
	[ "$(tr '\n' ' ' <src/kernel/one.c)" = "one two 3 four five six seven " ]
	[ "$(find src -type f | sort | tr '\n' ' ')" = "src/kernel/new.c src/kernel/one.c " ]
	[ "$(<list)" = "deb-src http://archive.example/debian stable main
deb-src http://archive.example/security stable-security main" ]
	[ "$(<asked)" = "-q update
-q source --download-only --diff-only --only-source linux=9.9.1-2" ]
	[ "$(ls -A cache/kpatch/packages)" = linux_9.9.1-2.debian.tar.xz ]
	[ ! -e "$WORKDIR/featureset" ]
}

@test "what was downloaded once is not downloaded again" {
	queue_good
	mkdir -p cache/kpatch/packages
	tar -cJf cache/kpatch/packages/linux_9.9.1-2.debian.tar.xz debian
	run apply
	[ "$status" -eq 0 ]
	[ "$(sed -n 3p src/kernel/one.c)" = 3 ]
	[ ! -e asked ]
}

@test "a kernel of no featureset needs nothing" {
	RELEASE=9.9.0-1-cloud-amd64
	run apply
	[ "$status" -eq 0 ]
	[ ! -e asked ]
	[ "$(tr '\n' ' ' <src/kernel/one.c)" = "one two three four five six seven " ]
}

@test "a patch that fits only nearly is an error" {
	queue 0001-near.patch <<-'END'
		--- a/kernel/one.c
		+++ b/kernel/one.c
		@@ -2,3 +2,3 @@
		 TWO
		-three
		+3
		 four
	END
	run apply
	[ "$status" -eq 1 ]
	[ "$output" = "kpatch-build: error: 0001-near.patch of Debian's patches-rt does not apply to the source of linux 9.9.1-2; the source of 9.9.0-1-rt-amd64 cannot be made" ]
}

@test "a source package without such patches is an error" {
	mkdir debian
	run apply
	[ "$status" -eq 1 ]
	[ "$output" = "kpatch-build: error: $CACHE/packages/linux_9.9.1-2.debian.tar.xz: has no debian/patches-rt; the source of 9.9.0-1-rt-amd64 cannot be made" ]
}

@test "a source package that cannot be downloaded, or is not known any more, is an error and leaves nothing" {
	queue_good
	: >gone
	# The temporary directories go with the program.
	run bash -c "source '$DRIVER'; $(declare -f apply)
		ui_init; RELEASE=$RELEASE KERNEL_BASE=9.9 KERNEL_VERSION=9.9.1-2 CACHE=$CACHE
		WORKDIR=$WORKDIR LOG=$WORKDIR/log
		apply"
	[ "$status" -eq 1 ]
	[ "$output" = "kpatch-build: error: the patches that make 9.9.0-1-rt-amd64 (linux_9.9.1-2.debian.tar.xz) cannot be downloaded: Failed to fetch it  404  Not Found; put the file into $CACHE/packages, or run again when the archive has it" ] || { echo "$output"; return 1; }
	[ -z "$(ls -A cache/kpatch/packages)" ]
	KERNEL_VERSION=9.9.1-3
	mkdir -p "$WORKDIR"
	run apply
	[ "$status" -eq 1 ]
	[ "$output" = "kpatch-build: error: linux 9.9.1-3 is not in the archive (any more), and with it the patches that make 9.9.0-1-rt-amd64; install a newer kernel and patch that" ]
}
