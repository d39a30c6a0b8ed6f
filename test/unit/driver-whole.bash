# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034 # the tests read what these functions set
# shellcheck disable=SC2016 # text for other shells
#
# All that a build from nothing to the module needs, small enough for it to take a second: Debian's packages of a
# kernel of one file, an apt to get them from, and a copy of the driver with stand-ins for the C programs. They do
# nothing with the objects but copy them, so that a module is whole exactly if it is the one that an undisturbed
# build makes.

# Of a kernel that is not known yet there would be a warning in each run.
WHOLE_RELEASE=6.9.0-1-fake
WHOLE_VERSION=6.9.1-2
WHOLE_CC=gcc-$(gcc -dumpversion)	# as Debian calls it

# program FILE: a shell script from standard input.
program()
{
	mkdir -p "${1%/*}"
	{ echo '#!/bin/sh'; cat; } >"$1"
	chmod +x "$1"
}

# whole_make DIR: once for a file of tests.
whole_make()
{
	mkdir -p "$1"
	whole_driver "$1/top"
	whole_packages "$1"
	whole_apt "$1/bin"
}

whole_driver()
{
	local name
	mkdir -p "$1"
	cp -R "$TOP/kpatch-build" "$TOP/kmod" "$TOP/include" "$TOP/Makefile" "$1"
	for name in compare-units kpatch-report; do
		mkdir "$1/$name"
		cp "$TOP/$name/$name" "$1/$name"
	done
	program "$1/kpatch-image/kpatch-image" <<-'END'
		case $1 in
		symtab) printf 'kpatch-symtab\t1\nobject\tvmlinux\n' ;;
		release) echo 6.9.0-1-fake ;;
		*) exit 1 ;;
		esac
	END
	program "$1/create-diff-object/create-diff-object" <<-'END'
		while [ $# -gt 7 ]; do
			[ "$1" != --report ] || report=$2
			shift
		done
		cp "$2" "$7" || exit 1
		printf 'kpatch-diff\t1\nobject\tvmlinux\nfunction\tone\t0\t__kpatch_new.vmlinux.one.0\t6\n' >"$report"
	END
	program "$1/create-klp-module/create-klp-module" <<-'END'
		if [ -n "$WHOLE_REFUSES" ]; then
			echo "create-klp-module: refused: $WHOLE_REFUSES" >&2
			exit 2
		fi
		while [ $# -gt 2 ]; do
			shift
		done
		cp "$1" "$2"
	END
}

# deb NAME TREE [DEPENDS]
deb()
{
	mkdir "$2/DEBIAN"
	printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: none\n' \
		"$1" "$WHOLE_VERSION" >"$2/DEBIAN/control"
	[[ -z ${3:-} ]] || printf 'Depends: %s\n' "$3" >>"$2/DEBIAN/control"
	dpkg-deb -Znone --root-owner-group -b "$2" "$debs/$1.deb" >/dev/null
}

whole_packages()
{
	local debs=$1/debs work=$1/packages r=$WHOLE_RELEASE tree config
	mkdir -p "$debs" "$work"
	config=$(printf 'CONFIG_%s=y\n' LIVEPATCH MODULES KALLSYMS_ALL
		printf 'CONFIG_CC_VERSION_TEXT="%s"\n' "$("$WHOLE_CC" --version | sed -n 1p)")

	tree=$work/image
	mkdir -p "$tree/boot" "$tree/lib/modules/$r/kernel"
	head -c 300000 /dev/urandom >"$tree/boot/vmlinuz-$r"
	printf '%s\n' "$config" >"$tree/boot/config-$r"
	deb "linux-image-$r" "$tree"

	tree=$work/headers/usr/src/linux-headers-$r
	mkdir -p "$tree/include/generated" "$tree/include/config" "$tree/arch/x86/include/generated"
	printf '#define UTS_RELEASE "%s"\n' "$r" >"$tree/include/generated/utsrelease.h"
	touch "$tree/include/generated/autoconf.h" "$tree/include/config/auto.conf" "$tree/Module.symvers"
	printf '%s\n' "$config" >"$tree/.config"
	echo "override CC = $WHOLE_CC" >"$tree/.kernelvariables"
	deb "linux-headers-$r" "$work/headers" "linux-kbuild-6.9"

	tree=$work/kbuild/usr/lib/linux-kbuild-6.9
	echo exit | program "$tree/scripts/mod/modpost"
	echo exit | program "$tree/tools/objtool/objtool"
	deb linux-kbuild-6.9 "$work/kbuild"

	whole_source "$work/linux-source-6.9"
	mkdir -p "$work/source/usr/src"
	tar -C "$work" -cJf "$work/source/usr/src/linux-source-6.9.tar.xz" linux-source-6.9
	deb linux-source-6.9 "$work/source"
}

# whole_source DIR: one file of the kernel, and as many objects as a plan must have.
whole_source()
{
	local i line
	mkdir -p "$1/fs/proc" "$1/arch/x86" "$1/scripts/basic" "$1/include"
	printf '#include "one.h"\nint one(void)\n{\n\treturn 1;\n}\n' >"$1/fs/proc/one.c"
	echo 'int one(void);' >"$1/fs/proc/one.h"
	printf 'SECTIONS { .text 0 : { *(.text .text.*) } }\n' >"$1/scripts/module.lds"
	printf 'build := -f scripts/Makefile.build obj\n' >"$1/Makefile"
	printf '%s\n' '.PHONY: all' 'all:' "	+@test '\$(obj)' != . || cat scripts/plan.txt" \
		'scripts/asn1_compiler scripts/module.lds: ;' >"$1/scripts/Makefile.build"
	echo 'exit 129' | program "$1/tools/objtool/objtool"
	program "$1/scripts/mod/modpost" <<-'END'
		for last; do :; done
		echo 'int modinfo;' >"${last%.o}.mod.c"
	END
	line="set -e; echo x; trap 'rm -f @; trap - PIPE; kill -s PIPE \$\$' PIPE; $WHOLE_CC -D__KERNEL__ %s -O2 -c -o %s %s; scripts/basic/fixdep D O 'x'\n"
	{
		# shellcheck disable=SC2059 # a format
		printf "$line" '' fs/proc/one.o fs/proc/one.c
		for ((i = 0; i < 500; i++)); do
			# shellcheck disable=SC2059
			printf "$line" -DMODULE "fs/fake/m$i.o" "fs/fake/m$i.c"
		done
	} >"$1/scripts/plan.txt"
}

# whole_apt DIR: programs to be found first. The compiler makes of the livepatch's own sources, which need the headers of a
# real kernel, empty objects.
whole_apt()
{
	local real
	real=$(command -v "$WHOLE_CC")
	program "$1/apt-cache" <<-END
		case \$1 in
		policy) printf '%s:\n  Candidate: $WHOLE_VERSION\n' "\$2" ;;
		madison) echo " \$2 | $WHOLE_VERSION | http://archive" ;;
		esac
	END
	program "$1/apt-get" <<-END
		case \$1 in
		indextargets) echo "${1%/*}/debs/linux-source-6.9.deb" ;;
		*) for last; do :; done; echo get >>"${1%/*}/gets"; cp "${1%/*}/debs/\${last%=*}.deb" . ;;
		esac
	END
	echo 'exit 1' | program "$1/dpkg-query"
	program "$1/$WHOLE_CC" <<-END
		previous= out=
		for word; do
			[ "\$previous" != -o ] || out=\$word
			previous=\$word
		done
		case " \$* " in
		*" -DMODULE "*" -c "*) exec $real -c -o "\$out" -x c /dev/null ;;
		esac
		exec $real "\$@"
	END
}

# whole VARIABLE=VALUE... -- OPTION...: a build of fix.patch of the current directory.
whole()
{
	local settings=()
	while [[ $1 != -- ]]; do
		settings+=("$1")
		shift
	done
	shift
	env -u NO_COLOR PATH="$WHOLE/bin:$PATH" XDG_CACHE_HOME="$PWD/cache" TMPDIR="$PWD/tmp" "${settings[@]}" \
		"$WHOLE/top/kpatch-build/kpatch-build" -a "$WHOLE_RELEASE" --launcher none "$@"
}

whole_patch()
{
	printf -- '--- a/fs/proc/one.c\n+++ b/fs/proc/one.c\n@@ -2,4 +2,4 @@\n int one(void)\n {\n-\treturn 1;\n+\treturn 100;\n }\n'
}

# whole_hooks: programs in $WHOLE/hooks, to be found first, that do what the real ones do, but for the one whose call matches
# the pattern in the file "at", "NAME ARGUMENT...", or is the one of that number. What then happens is in the file "what".
# Files, as much of a build runs without its environment.
whole_hooks()
{
	local name hooks=$WHOLE/hooks program
	mkdir -p "$hooks"
	# What becomes of most calls at once is for a shell that starts in a quarter of the time.
	printf '#!/bin/bash\n%s\nhook "$@"\n' "$(declare -f hook)" >"$hooks/.hook"
	chmod +x "$hooks/.hook"
	for name in apt-get dpkg-deb tar make chmod cp mv rm "$WHOLE_CC" ld objcopy sync awk patch diff mktemp; do
		program=$(PATH=$WHOLE/bin:$PATH command -v "$name")
		program "$hooks/$name" <<-END
			read -r at <'$hooks/at'
			case \$at in [0-9]*) at='*' ;; esac
			case "$name \$*" in
			\$at) exec '$hooks/.hook' '$hooks' '$name' '$program' "\$@" ;;
			*) exec '$program' "\$@" ;;
			esac
		END
	done
}

# hook DIR NAME PROGRAM [ARGUMENT]...: becomes the program, at most.
hook()
{
	local dir=$1 name=$2 program=$3 at n=0
	shift 3
	at=$(<"$dir/at")
	if [[ $at == [0-9]* ]]; then
		exec {lock}>>"$dir/count"
		/usr/bin/flock "$lock"
		echo >&"$lock"
		n=$(wc -l <"$dir/count")
		exec {lock}>&-
		((n == at)) || exec "$program" "$@"
	else
		# shellcheck disable=SC2053 # a pattern
		[[ "$name $*" == $at ]] || exec "$program" "$@"
	fi
	# Nobody else's session than the one that was made for this.
	read -r _ _ _ _ _ sid _ </proc/$BASHPID/stat
	[[ $sid == "$(<"$dir/session")" ]] || exec "$program" "$@"
	echo "$name" >"$dir/reached"
	case $(<"$dir/what") in
	wait)
		/usr/bin/sleep 3
		exec "$program" "$@" ;;
	fill)
		head -c 20M /dev/zero >"$TMPDIR/ballast" 2>/dev/null
		exec "$program" "$@" ;;
	kill-before) ;;
	kill-after) "$program" "$@" ;;
	kill-during)
		"$program" "$@" &
		/usr/bin/sleep 0.005 ;;
	interrupt)
		# As a terminal does, which knows nothing of the groups of jobs.
		kill -INT -- "-$sid"
		/usr/bin/sleep 10
		exit 1 ;;
	esac
	# Everybody, this too: nobody has the time to clean up, the driver least of all, whatever its number is.
	# shellcheck disable=SC2046 # words
	kill -KILL "$sid" $(/usr/bin/ps -o pid= -s "$sid")
}

# disturbed AT WHAT: a build with this happening. Sets status and output.
disturbed()
{
	status=0
	# Not through a pipe, which would wait for what a killed driver has started.
	disturbed_start "$1" "$2" >disturbed.out 2>&1 3>&- || status=$?
	output=$(<disturbed.out)
	[[ $2 != kill-* ]] || disturbed_end
}

# disturbed_end: what was started while the hook killed everybody.
disturbed_end()
{
	local session pids
	session=$(<"$WHOLE/hooks/session")
	while pids=$(ps -o pid=,stat= -s "${session:?}" | awk '$2 !~ /^Z/ { print $1 }') && [[ -n $pids ]]; do
		# shellcheck disable=SC2086 # words
		kill -KILL $pids 2>/dev/null || true
	done
}

# disturbed_start AT WHAT: in a session of its own, whose leader the driver becomes.
disturbed_start()
{
	printf '%s\n' "$1" >"$WHOLE/hooks/at"
	printf '%s\n' "$2" >"$WHOLE/hooks/what"
	rm -f "$WHOLE/hooks/count" "$WHOLE/hooks/reached"
	: >"$WHOLE/hooks/session"
	PATH="$WHOLE/hooks:$WHOLE/bin:$PATH" XDG_CACHE_HOME="$PWD/cache" TMPDIR="$PWD/tmp" setsid -w bash -c '
		echo $$ >"$1/session"
		trap - INT
		exec "${@:2}"' bash "$WHOLE/hooks" "$WHOLE/top/kpatch-build/kpatch-build" -a "$WHOLE_RELEASE" --launcher none -j2 fix.patch
}
