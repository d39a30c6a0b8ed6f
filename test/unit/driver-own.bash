# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2154 # bats sets them
#
# A kernel that its user built: the source of driver-whole, with the goals of make that the driver asks for, and what a
# build leaves in it. In $WHOLE are the driver's copy and the compiler; each test has a tree of its own.

# own_tree DIR: the source, as it is unpacked.
own_tree()
{
	whole_source "$1"
	printf '%s\n' 'VERSION = 9' 'PATCHLEVEL = 9' 'SUBLEVEL = 0' '.PHONY: mrproper olddefconfig modules_prepare' \
		'mrproper:' "	rm -f fs/proc/made.c" \
		'olddefconfig:' "	sh scripts/conf .config" \
		'modules_prepare:' "	sh scripts/prepare" >>"$1/Makefile"
	echo : >"$1/scripts/conf"
	echo 'mkdir -p include/generated && echo >include/generated/autoconf.h' >"$1/scripts/prepare"
	echo exit | program "$1/scripts/sign-file"
	: >"$1/Kconfig"
}

# own_build SOURCE DIR: what is there when it was built in DIR, the same one or one for make O=.
own_build()
{
	mkdir -p "$2/include/generated" "$2/include/config" "$2/fs/proc" "$2/certs"
	printf 'CONFIG_%s=y\n' LIVEPATCH MODULES KALLSYMS_ALL >"$2/.config"
	printf 'CONFIG_CC_VERSION_TEXT="%s"\n' "$("$WHOLE_CC" --version | sed -n 1p)" >>"$2/.config"
	echo image >"$2/vmlinux"
	printf '0x00000000\tone\tvmlinux\tEXPORT_SYMBOL\t\n' >"$2/Module.symvers"
	printf 'fs/proc/mod.ko\n' >"$2/modules.order"
	touch "$2/fs/proc/mod.ko" "$2/fs/proc/one.o" "$2/fs/proc/.one.o.cmd" "$2/fs/proc/made.c" "$2/certs/signing_key.pem" \
		"$2/include/generated/stale.h" "$2/include/config/auto.conf" "$2/System.map"
	[[ $1 == "$2" ]] || ln -s "$1" "$2/source"
}

# own OPTION...: a build of fix.patch. Sets status and output.
own()
{
	run env -u NO_COLOR PATH="$WHOLE/bin:$PATH" XDG_CACHE_HOME="$PWD/cache" TMPDIR="$PWD/tmp" \
		"$WHOLE/top/kpatch-build/kpatch-build" --launcher none "$@" fix.patch
}

# own_profile: the directory of the only profile, or nothing.
own_profile()
{
	find cache/kpatch/profiles -mindepth 1 -maxdepth 1 -type d
}

# one_error TEXT: it is said, nothing else is, and there is no module.
one_error()
{
	expect 1 "kpatch-build: error: $1"
	[ "$(grep -c '^kpatch-build: error:' <<<"$output")" -eq 1 ]
	[ ! -e livepatch-fix.ko ]
}

own_setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	mkdir tmp
	own_tree "$PWD/linux"
	whole_patch >fix.patch
}

# own_make_driver: once for a file of tests, in $WHOLE. No packages: apt and dpkg are those of a machine that has none.
own_make_driver()
{
	export WHOLE=$BATS_FILE_TMPDIR/whole
	mkdir "$WHOLE"
	whole_driver "$WHOLE/top"
	whole_apt "$WHOLE/bin"
	rm "$WHOLE/bin/apt-get" "$WHOLE/bin/apt-cache" "$WHOLE/bin/dpkg-query"
	program "$WHOLE/top/kpatch-image/kpatch-image" <<-'END'
		case $1 in
		symtab) printf 'kpatch-symtab\t1\nobject\tvmlinux\nsym\tff\tT\tone\n' ;;
		release) grep -q image "$2" && echo 9.9.0-own ;;
		*) exit 1 ;;
		esac
	END
}
