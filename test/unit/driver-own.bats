#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2034 # variables that the driver reads
#
# Kernels that their user has built: the options, what is taken from the tree and the build, when it is taken
# again, and what is said when they do not belong together. With a tree of one file; test/own has a real kernel.

bats_require_minimum_version 1.5.0
load driver-fixtures
load driver-whole
load driver-own

setup_file()
{
	own_make_driver
}

setup()
{
	own_setup
	own_build "$PWD/linux" "$PWD/linux"
}

@test "a tree that a kernel was built in: the module is made, and the tree stays as it was" {
	find linux -type f -exec sha256sum {} + | sort >before
	find linux -printf '%p %m %T@ %C@\n' | sort >>before
	own -s linux
	expect 0 "$PWD/./livepatch-fix.ko"
	[[ $output == *"kernel   9.9.0-own, $PWD/linux "* ]]
	{ find linux -type f -exec sha256sum {} + | sort; find linux -printf '%p %m %T@ %C@\n' | sort; } | cmp - before
	[[ $(own_profile) == cache/kpatch/profiles/9.9.0-own~???????????? ]]
	[ "$(cat "$(own_profile)/tree")" = "$PWD/linux" ]
}

@test "nothing that was built is taken from the tree, no private key is copied, and headers are generated anew" {
	own -s linux
	[ "$status" -eq 0 ]
	cd "$(own_profile)/src"
	[ "$(find . -type f ! -path './scripts/*' ! -path './tools/*' | sort | tr '\n' ' ')" = "./.config ./Kconfig ./Makefile \
./Module.symvers ./fs/proc/one.c ./fs/proc/one.h ./include/generated/autoconf.h " ]
	[ "$(readlink ../vmlinuz)" = "$BATS_TEST_TMPDIR/linux/vmlinux" ]
	[ "$(cd ../modules && find . -type l)" = ./fs/proc/mod.ko ]
	[ "$(readlink ../modules/fs/proc/mod.ko)" = "$BATS_TEST_TMPDIR/linux/fs/proc/mod.ko" ]
	[ -z "$(find .. ! -type l -perm /222 -path '*/src*')" ]
	[ -w "$BATS_TEST_TMPDIR/linux/fs/proc/mod.ko" ]
}

@test "a directory of make O=: given as such, inside of the source, or by its files" {
	rm -r linux
	own_tree "$PWD/linux"
	own_build "$PWD/linux" "$PWD/out"
	own_build "$PWD/linux" "$PWD/linux/out"
	own -s out
	[ "$status" -eq 0 ]
	own -s linux -c out/.config --vmlinux out/vmlinux --modules out
	[ "$status" -eq 0 ]
	# The same, so it is prepared.
	[[ $output != *preparing* ]]
	[ ! -e "$(own_profile)/src/out" ]
	rm -r cache
	own -s linux/out
	[ "$status" -eq 0 ]
	[ ! -e "$(own_profile)/src/out" ]
}

# prepared OPTION...: whether a build prepares the kernel, or takes what is in the cache.
prepared()
{
	own -s linux "$@"
	[ "$status" -eq 0 ] || { echo "$output"; return 2; }
	[[ $output == *"note: preparing 9.9.0-own;"* ]]
}

@test "what is prepared is used again, until source, configuration, image, exports or modules change" {
	prepared
	run ! prepared
	touch linux/fs/proc/one.o linux/include/generated/stale.h
	run ! prepared
	echo >>linux/fs/proc/one.h
	prepared
	echo >>linux/.config
	prepared
	echo image2 >linux/vmlinux
	prepared
	printf '0x00000000\tone\tmod\tEXPORT_SYMBOL\t\n' >>linux/Module.symvers
	prepared
	echo >linux/modules.order
	prepared
	run ! prepared
	[ "$(own_profile | wc -l)" -eq 1 ]
	[ -z "$(find cache/kpatch/profiles -name '.*.old' -o -name '.*.tmp')" ]
}

@test "the cache tells the tree, and forgets it" {
	prepared
	run env XDG_CACHE_HOME="$PWD/cache" "$DRIVER" cache list
	[[ $output == *"9.9.0-own~"*" $PWD/linux "*today* ]]
	XDG_CACHE_HOME=$PWD/cache "$DRIVER" cache clean "$(basename "$(own_profile)")"
	[ -z "$(own_profile)" ]
	prepared
}

@test "options that need a source, and what can be wrong with it" {
	own -c linux/.config
	one_error "-c linux/.config: needs the source that was built with it, with -s"
	own --modules linux
	one_error "--modules linux: needs the source that they were built from, with -s"
	own -s linux -a 9.9.0-own -a 9.9.1-own
	one_error "-s linux: is the source of one release; give at most one -a"
	own -s linux -a 9.9.1-own
	one_error "$PWD/linux/vmlinux: is of release 9.9.0-own, not of 9.9.1-own; give the image of 9.9.1-own or another -a"
	own -s tmp
	one_error "tmp: not the source of a kernel; give the directory that the kernel was built in, or from"
	own -s linux -c none
	one_error "none: cannot be read; give the configuration that the kernel was built with, with -c"
	own -s linux -v none
	one_error "none: cannot be read; give the kernel that was built, with -v"
	own -s linux -v fix.patch
	one_error "$PWD/fix.patch: not the image of a kernel"
	own -s linux --modules none
	one_error "none: not a directory; give the one that the modules are in"
	rm linux/Module.symvers
	own -s linux
	one_error "$PWD/linux/Module.symvers: missing, it says what the kernel exports; give vmlinux where it was built, and run make for its modules there"
	[ ! -e cache/kpatch/profiles ]
}

@test "a source of another version than vmlinux" {
	sed -i 's/^SUBLEVEL = 0/SUBLEVEL = 1/' linux/Makefile
	own -s linux
	one_error "$PWD/linux: is the source of 9.9.1, but $PWD/linux/vmlinux is of release 9.9.0-own; give those that belong together"
	# 9.9.0 is not the beginning of 9.9.01.
	driver_source
	sed -i 's/^SUBLEVEL = 1/SUBLEVEL = 0/' linux/Makefile
	RELEASE=9.9.01-own OWN_SOURCE=$PWD/linux OWN_VMLINUX=vmlinux
	run own_version_check
	expect 1 "kpatch-build: error: $PWD/linux: is the source of 9.9.0, but vmlinux is of release 9.9.01-own; give those that belong together"
	for RELEASE in 9.9.0 9.9.0-own 9.9.0+; do
		own_version_check
	done
	# The first of a series may have no third number.
	sed -i 's/^SUBLEVEL = 0/SUBLEVEL =/' linux/Makefile
	RELEASE=9.9-rc1
	own_version_check
}

@test "a configuration that does not stay as it is with this source and these tools" {
	echo "sed -i '/KALLSYMS_ALL/d; s/gcc/another gcc/' .config; printf 'CONFIG_NEW=y\nCONFIG_AS_VERSION=1\n' >>.config" >linux/scripts/conf
	own -s linux
	one_error "$PWD/linux/.config: becomes another configuration in $PWD/linux, with the tools that are here: CONFIG_KALLSYMS_ALL CONFIG_NEW; it is of another source, or a tool of the build (compiler, binutils, pahole) is missing here or has another version"
	echo "for i in 1 2 3 4 5 6 7 8 9; do echo CONFIG_N\$i=y; done >>.config" >linux/scripts/conf
	own -s linux
	[[ $output == *": CONFIG_N1 CONFIG_N2 CONFIG_N3 CONFIG_N4 CONFIG_N5 CONFIG_N6 CONFIG_N7 CONFIG_N8 and 1 more; "* ]]
	[ -z "$(own_profile)" ]
}

@test "what a configuration says of the versions of tools, and of a compiler of Rust that is not used, is of no matter" {
	printf 'CONFIG_RUSTC_VERSION=107800\nCONFIG_RUSTC_HAS_UNNECESSARY_TRANSMUTES=y\nCONFIG_RUST_IS_AVAILABLE=y\nCONFIG_PAHOLE_VERSION=124\n' >>linux/.config
	echo "sed -i '/RUST/d; s/124/125/; s/gcc/another gcc/' .config; printf 'CONFIG_RUSTC_VERSION=0\n' >>.config" >linux/scripts/conf
	own -s linux
	expect 0 "$PWD/./livepatch-fix.ko"
	echo CONFIG_RUST=y >>linux/.config
	own -s linux
	[[ $output == *"with the tools that are here: CONFIG_RUST; it is of another source"* ]]
}

@test "a configuration without livepatches is refused" {
	sed -i /LIVEPATCH/d linux/.config
	own -s linux
	expect 2 "kpatch-build: refused: 9.9.0-own: its configuration lacks CONFIG_LIVEPATCH; livepatches cannot be made for it"
}

@test "a kernel without modules: make is asked how one would be compiled, and for no program that this kernel does not use" {
	sed -n 's/-DMODULE/-DMODULE -DPROBE/; s|fs/fake/m0|kpatch-probe/kpatch_probe|gp' linux/scripts/plan.txt >linux/scripts/probe.txt
	sed -i 's/-DMODULE //' linux/scripts/plan.txt
	printf '%s\n' '.PHONY: all' 'all:' '	+@case "$(obj)" in .) cat scripts/plan.txt ;; kpatch-probe) test -e $(obj)/Kbuild && cat scripts/probe.txt ;; esac' \
		'scripts/module.lds: ;' >linux/scripts/Makefile.build
	own -s linux
	expect 0 "$PWD/./livepatch-fix.ko"
	grep -qE '^[^ ]+ -D__KERNEL__ -DMODULE -DPROBE ' "$(own_profile)/module-flags"
	[ ! -e "$(own_profile)/src/kpatch-probe" ]
	rm livepatch-fix.ko
	# One that it uses is there, or that is an error.
	echo CONFIG_ASN1=m >>linux/.config
	own -s linux
	one_error "the programs that generate source files cannot be built"
}

@test "a kernel with KASAN is refused" {
	echo CONFIG_KASAN=y >>linux/.config
	own -s linux
	expect 2 "kpatch-build: refused: 9.9.0-own: its configuration has CONFIG_KASAN, which gives each object functions and tables of its variables that no livepatch can replace; try the patch on a kernel without it"
	[ -z "$(own_profile)" ]
}

@test "a kernel that clang has built is refused" {
	sed -i 's/^CONFIG_CC_VERSION_TEXT=.*/CONFIG_CC_VERSION_TEXT="Debian clang version 14.0.6"/' linux/.config
	own -s linux
	expect 2 "kpatch-build: refused: 9.9.0-own was built with 'Debian clang version 14.0.6'; only kernels built with gcc can be patched: what is compared is gcc's code"
	[ -z "$(own_profile)" ]
}

@test "a copy that cannot be prepared: what make says of it" {
	echo 'echo "fatal error: gelf.h: No such file" >&2; exit 1' >linux/scripts/prepare
	own -s linux
	one_error "$PWD/linux: 'make modules_prepare' fails in a copy: fatal error: gelf.h: No such file"
	[ -z "$(own_profile)" ]
	[ -z "$(find cache/kpatch/profiles -name '.*.tmp')" ]
}

@test "exports that vmlinux does not have" {
	printf '0x00000000\ttwo\tvmlinux\tEXPORT_SYMBOL\t\n0x00000000\tthree\tmod\tEXPORT_SYMBOL\t\n' >>linux/Module.symvers
	own -s linux
	one_error "$PWD/linux/Module.symvers: lists two, which $PWD/linux/vmlinux does not have; both must be of one build: run make there"
}

@test "a tree that changes while it is copied is not taken" {
	program "$PWD/bin/cp" <<-END
		echo >>"$PWD/linux/fs/proc/one.h"
		exec $(command -v cp) "\$@"
	END
	PATH=$PWD/bin:$PATH own -s linux
	one_error "$PWD/linux: was changed while it was copied; run again when nobody works on it"
	[ -z "$(own_profile)" ]
}

# unproven: as create-diff-object ends when the proof fails.
unproven()
{
	whole_driver "$PWD/top"
	cp "$WHOLE/top/kpatch-image/kpatch-image" "$PWD/top/kpatch-image/"
	program "$PWD/top/create-diff-object/create-diff-object" <<-'END'
		while [ $# -gt 7 ]; do
			[ "$1" != --findings ] || printf 'error\tproof\tone(): differs\n' >"$2"
			shift
		done
		echo "create-diff-object: error: one(): differs"
		exit 1
	END
	run env -u NO_COLOR PATH="$WHOLE/bin:$PATH" XDG_CACHE_HOME="$PWD/cache" TMPDIR="$PWD/tmp" \
		"$PWD/top/kpatch-build/kpatch-build" --launcher none -s linux fix.patch
}

@test "a proof that fails: files newer than the image, one that is patched first" {
	touch -d '1 hour ago' linux/vmlinux
	find linux \( -name '*.c' -o -name '*.h' \) -exec touch -d '2 hours ago' {} +
	touch linux/fs/proc/one.c linux/arch/x86/a.h
	find linux \( -path '*/scripts/*' -o -name Makefile -o -name Kconfig -o -path '*/tools/*' \) -exec touch -d '2 hours ago' {} +
	unproven
	expect 1 "create-diff-object: error: one(): differs"
	expect 1 "kpatch-build: note: $PWD/linux: 2 files are newer than $PWD/linux/vmlinux (fs/proc/one.c): give the source as it was when that was built, or build, boot and patch a new kernel"
}

@test "a proof that fails, and no file is newer: what else it can be" {
	touch -d '1 hour' linux/vmlinux
	unproven
	expect 1 "kpatch-build: note: $PWD/linux/vmlinux is not what $PWD/linux, $PWD/linux/.config and $WHOLE_CC make: look if another version is checked out there now, if the configuration is the kernel's (scripts/extract-ikconfig prints it), and if make was given flags (KCFLAGS) or another compiler"
}

@test "modules are found as each version of the kernel lists them" {
	driver_source
	mkdir -p modules/kernel/fs modules/net
	touch modules/kernel/fs/a.ko.xz modules/net/b.ko modules/net/c.ko.zst modules/stale.ko
	OWN_MODULES=$PWD/modules
	printf 'kernel/fs/a.ko\nkernel/net/b.ko\nnet/c.o\nnet/none.ko\n' >modules/modules.order
	[ "$(own_modules_list | tr '\n' ' ')" = "kernel/fs/a.ko.xz net/b.ko net/c.ko.zst " ]
	rm modules/modules.order
	[ "$(own_modules_list | tr '\n' ' ')" = "kernel/fs/a.ko.xz net/b.ko net/c.ko.zst stale.ko " ]
	: >modules/modules.order
	[ -z "$(own_modules_list)" ]
}

@test "sizes of structures come from the headers, if the image has none" {
	driver_source
	PROFILE_TMP=$PWD/made
	mkdir -p made/src/include/linux made/src/include/asm
	echo '#define MODULE' >made/src/include/linux/module.h
	echo 'struct bug_entry { int a; short b; };' >made/src/include/linux/bug.h
	echo 'struct orc_entry { short a, b, c; };' >made/src/include/asm/orc_types.h
	echo 'struct jump_entry;' >made/src/include/linux/jump_label.h
	printf '%s -Iinclude\t\n' "$WHOLE_CC" >made/module-flags
	printf 'kpatch-symtab\t1\nsym\tff\tT\tone\n' >made/symtab
	own_structs
	[ "$(cat made/symtab)" = $'kpatch-symtab\t1\nsym\tff\tT\tone\nstruct\tbug_entry\t8\nstruct\torc_entry\t6' ]
	[ "$(ls made)" = $'module-flags\nsrc\nsymtab' ]
	own_structs
	[ "$(grep -c ^struct made/symtab)" -eq 2 ]
}

@test "another build of the release that runs, unless its image is given, or nobody can tell" {
	driver_source
	tool() { echo "$PWD/tool"; }
	RELEASE=9.9.0-own OWN_SOURCE=$PWD/linux OWN_VMLINUX=$PWD/linux/vmlinux VMLINUX=
	running_release() { echo 9.9.0-own; }
	running_build() { echo '#1 SMP Debian 9.9.1-1'; }
	running_notes() { echo 0400474e550012ab34cd00; }
	echo 'echo 12ab34ce' | program "$PWD/tool"
	run kernel_running_check
	expect 1 "kpatch-build: error: $PWD/linux/vmlinux: is not the 9.9.0-own that runs, but another build; boot this one, or give what runs, or what is to be patched elsewhere, with -v"
	OWN_VMLINUX_GIVEN=1 run kernel_running_check
	[ "$status-$output" = 0- ]
	running_release() { echo 9.9.1-own; }
	run kernel_running_check
	[ "$status-$output" = 0- ]
	running_release() { echo 9.9.0-own; }
	running_notes() { :; }
	run kernel_running_check
	[ "$status-$output" = 0- ]
	running_notes() { echo 0400474e550012ab34cd00; }
	echo 'echo 12ab34cd' | program "$PWD/tool"
	run kernel_running_check
	[ "$status-$output" = 0- ]
}
