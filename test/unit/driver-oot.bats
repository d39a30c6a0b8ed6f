#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2034 # variables that the driver reads
#
# Modules that are not part of the kernel's source: the options, where such a module was built, and what make says of it.

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	mkdir tmp source
	: >source/Makefile
	echo 'no patch' >fix.patch
	module 9.9.0-1-fake mine
}

# module RELEASE NAME [TEXT]: mine.ko, with a string.
module()
{
	cat >mine.S <<-EOF
		.section .modinfo, "a"
		.asciz "vermagic=$1 SMP"
		.asciz "name=$2"
		.section .rodata.str1.1, "aMS", @progbits, 1
		.asciz "${3:-nothing}"
		.section .gnu.linkonce.this_module, "aw"
		.skip 1024
	EOF
	gcc -c -o mine.ko mine.S
}

oot()
{
	run driver -o . "$@" fix.patch
}

@test "both options, the module and its directory, are needed" {
	oot --oot-module mine.ko
	expect 1 "kpatch-build: error: --oot-module mine.ko: needs the directory with its source, with --oot-module-src"
	oot --oot-module-src source
	expect 1 "kpatch-build: error: --oot-module-src source: needs the module that was built there, with --oot-module"
	oot --oot-module none.ko --oot-module-src source
	expect 1 "kpatch-build: error: none.ko: not a file that can be read; give the module as it is loaded"
	rm source/Makefile
	oot --oot-module mine.ko --oot-module-src source
	expect 1 "kpatch-build: error: source: has no Makefile and no Kbuild; give the directory that the module was built in"
	oot --oot-module mine.ko --oot-module-src none
	expect 1 "kpatch-build: error: none: has no Makefile and no Kbuild; give the directory that the module was built in"
}

@test "a module of another release, or a file that is none, is an error" {
	oot -a 9.9.0-2-fake --oot-module mine.ko --oot-module-src source
	expect 1 "kpatch-build: error: $BATS_TEST_TMPDIR/mine.ko: is built for 9.9.0-1-fake, not for 9.9.0-2-fake; give the module that 9.9.0-2-fake loads"
	KBUILD_EXTRA_SYMBOLS=" none/Module.symvers" oot --oot-module mine.ko --oot-module-src source
	expect 1 "kpatch-build: error: KBUILD_EXTRA_SYMBOLS: none/Module.symvers: not a file that can be read; it must be the Module.symvers of a module that $BATS_TEST_TMPDIR/mine.ko depends on"
	oot -a 9.9.0-1-fake -a 9.9.0-2-fake --oot-module mine.ko --oot-module-src source
	expect 1 "kpatch-build: error: --oot-module: is built for one release; give at most one -a"
	echo text >mine.ko
	oot --oot-module mine.ko --oot-module-src source
	expect 1 "kpatch-build: error: $BATS_TEST_TMPDIR/mine.ko: not a module"
	[ "$(grep -c error: <<<"$output")" -eq 1 ]
}

@test "without -a the release is that of the module" {
	driver_source
	ui_init
	OOT_MODULE=mine.ko OOT_SOURCE=source
	oot_check
	[ "$RELEASE" = 9.9.0-1-fake ]
	[ "$OOT_MODULE $OOT_SOURCE" = "$BATS_TEST_TMPDIR/mine.ko $BATS_TEST_TMPDIR/source" ]
}

# prefix: the options that oot_prefix adds to the compile commands of a plan.
prefix()
{
	driver_source
	PROFILE=$BATS_TEST_TMPDIR/profile OOT_RAW=mine.ko OOT_SOURCE=/given
	mkdir -p "$PROFILE"
	printf 'oot/%s.o\toot/%s.c\tmine\tc\tgcc -O2\t\n' a a sub/b sub/b >"$PROFILE/plan"
	oot_prefix
	cut -f 5 "$PROFILE/plan" | sort -u | sed 's/^gcc -O2 //'
}

@test "where the source lay is in the module's strings, if it has the name of one of its files" {
	module 9.9.0-1-fake mine /home/me/module/sub/b.c
	[ "$(prefix)" = "-fmacro-prefix-map=oot/=/home/me/module/ -DKPATCH_OOT_PREFIX=/home/me/module/" ]
	module 9.9.0-1-fake mine 'see /home/me/sub/b.c'
	[ "$(prefix)" = "-fmacro-prefix-map=oot/=/given/ -DKPATCH_OOT_PREFIX=/given/" ]
	module 9.9.0-1-fake mine /home/me/other.c
	[ "$(prefix)" = "-fmacro-prefix-map=oot/=/given/ -DKPATCH_OOT_PREFIX=/given/" ]
}

# plan: what oot_plan makes of what make prints for the module.
plan()
{
	driver_source
	PROFILE=$BATS_TEST_TMPDIR/profile OOT_RAW=mine.ko OOT_MODULE=mine.ko OOT_NAME=mine OOT_SOURCE=$BATS_TEST_TMPDIR/source
	mkdir -p "$PROFILE/src"
	: >"$WORKDIR/make.err"
	includes_write() { :; }
	oot_make() { if [[ $1 == *-probe ]]; then compiled oot-probe/kpatch_probe kpatch_probe; else cat source/make; fi; }
	oot_plan
}

# compiled PATH MODULE [FLAGS]: a line of make -n V=1.
compiled()
{
	local command="gcc -D__KERNEL__ -O2 ${3:-}-DMODULE -DKBUILD_MODFILE='\"$1\"' -DKBUILD_MODNAME='\"$2\"' -c -o $1.o $1.c "
	printf "set -e; echo x; trap 'kill -s PIPE \$\$' PIPE; %s; scripts/basic/fixdep x\n" "$command"
}

@test "the plan has the objects of the module, and no others; a module of our own has no special flags" {
	{
		compiled oot/a mine '-DMINE '
		compiled oot/b other
	} >source/make
	plan
	[ "$(cut -f 1-4 "$PROFILE/plan")" = "oot/a.o${TAB}oot/a.c${TAB}mine${TAB}c" ]
	[[ $(cut -f 5 "$PROFILE/plan") == "gcc -D__KERNEL__ -O2 -DMINE -DMODULE "* ]]
	[ "$(cat "$PROFILE/module-flags")" = "gcc -D__KERNEL__ -O2 -DMODULE$TAB" ]
}

# compiled_there OBJECT SOURCE [FLAGS] [OBJTOOL]: the same from 6.13 on, in the module's directory.
compiled_there()
{
	local command="gcc -I/k/include -I/k/arch/x86/include -include /k/include/linux/kconfig.h -D__KERNEL__ -O2 ${3:-} -DMODULE -DKBUILD_MODNAME='\"mine\"' -c -o $1 $2 ${4:-}"
	printf "set -e; echo '%s'; trap 'kill -s PIPE \$\$' PIPE; %s; /k/scripts/basic/fixdep ./.x.d $1 '%s'\n" "$command" "$command" "$command"
}

@test "what make says in the directory of the module is as if it were said in the tree, for all that is relative" {
	driver_source
	{
		compiled_there a.o a.c '-I. -I ./include -Isub/include -include own.h -I/opt/include' \
			'; /k/tools/objtool/objtool --orc --link --module a.o'
		compiled_there sub/b.o /k/oot/sub/b.c
		compiled oot/c mine
		echo 'ld -r -o mine.o @mine.mod'
	} >said
	awk -v dir=oot -v relative=relative -f "$STAGES/oot-paths.awk" said | sed 's|/k/||g' >out
	[ -e relative ]
	: >generated
	: >rest
	plan_parse out . >plan
	diff -u plan - <<-EOF
		oot/a.o	oot/a.c	mine	c	gcc -Iinclude -Iarch/x86/include -include include/linux/kconfig.h -D__KERNEL__ -O2 -Ioot/. -I oot/./include -Ioot/sub/include -include oot/own.h -I/opt/include -DMODULE -DKBUILD_MODNAME='"mine"'	tools/objtool/objtool --orc --link --module
		oot/c.o	oot/c.c	mine	c	$(compiled oot/c mine | sed "s/.*PIPE; //; s/ -c -o.*//")	
		oot/sub/b.o	oot/sub/b.c	mine	c	gcc -Iinclude -Iarch/x86/include -include include/linux/kconfig.h -D__KERNEL__ -O2  -DMODULE -DKBUILD_MODNAME='"mine"'	
	EOF
	[ ! -s rest ]
	# Before 6.13.
	compiled oot/c mine >said
	awk -v dir=oot -v relative=none -f "$STAGES/oot-paths.awk" said | cmp - said
	[ ! -e none ]
}

@test "from 6.13 on the name of a source is what it is in the module's directory" {
	mkdir -p work
	: >work/oot.relative
	[ "$(prefix)" = "-fmacro-prefix-map=oot/= -DKPATCH_OOT_PREFIX=" ]
	module 9.9.0-1-fake mine /home/me/module/sub/b.c
	[ "$(prefix)" = "-fmacro-prefix-map=oot/=/home/me/module/ -DKPATCH_OOT_PREFIX=/home/me/module/" ]
}

@test "a directory that builds other modules, or none" {
	{
		compiled oot/b other
		compiled oot/c third
	} >source/make
	run plan
	expect 1 "kpatch-build: error: $BATS_TEST_TMPDIR/source: builds other third, not mine; give the directory that mine.ko was built in"
	: >source/make
	run plan
	expect 1 "kpatch-build: error: $BATS_TEST_TMPDIR/source: make builds no module there: it lists nothing to compile"
}

@test "what was built in the directory is not taken for up to date, and nothing is written there" {
	driver_source
	PROFILE=$BATS_TEST_TMPDIR/profile OOT_SOURCE=$BATS_TEST_TMPDIR/source
	mkdir -p base/src/include source/sub base/modules
	printf '0x1\tkernel\tvmlinux\n' >base/Module.symvers
	printf '0x2\tmine\t/x/mine\n' >source/Module.symvers
	touch source/{a.c,a.o,.a.o.cmd,mine.ko,mine.mod,mine.mod.c,modules.order,sub/b.h}
	ln -s a.c source/linked.c
	ls -lR source >before
	oot_symvers
	oot_tree "$BATS_TEST_TMPDIR/base"
	[ "$(cd "$PROFILE/src/oot" && find . -type f | sort | tr '\n' ' ')" = "./Makefile ./Module.symvers ./a.c ./linked.c ./sub/b.h " ]
	[ "$(cut -f 2 "$PROFILE/Module.symvers")" = $'kernel\nmine' ]
	ls -lR source | cmp - before
}

@test "what several files list of modules that this one depends on is taken once, as modpost takes nothing twice" {
	driver_source
	PROFILE=$BATS_TEST_TMPDIR/profile OOT_SOURCE=$BATS_TEST_TMPDIR/source OOT_MODULE=$BATS_TEST_TMPDIR/mine.ko
	mkdir -p base/src both
	printf '0x1\tkernel\tvmlinux\tEXPORT_SYMBOL\t\n' >base/Module.symvers
	printf '0x2\tmine\t/x/mine\tEXPORT_SYMBOL\t\n' >source/Module.symvers
	printf '0x3\tfirst\t/x/first\tEXPORT_SYMBOL\t\n0x4\tmine\t/x/mine\tEXPORT_SYMBOL\t\n0x5\tfirst\t/x/other\tEXPORT_SYMBOL\t\n' >both/Module.symvers
	KBUILD_EXTRA_SYMBOLS=$'source/Module.symvers\n\tboth/Module.symvers both/../both/Module.symvers' oot_symvers
	oot_tree "$BATS_TEST_TMPDIR/base"
	[ "$(cut -f 1-3 "$PROFILE/Module.symvers")" = "$(printf '%s\t%s\t%s\n' 0x1 kernel vmlinux 0x2 mine /x/mine 0x3 first /x/first 0x5 first /x/other)" ]
}
