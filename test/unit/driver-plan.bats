#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The compile plan, from what "make -n V=1" prints. Each command stands three times on its line, with
# another quoting each time; only the one in the middle is what would run.

bats_require_minimum_version 1.5.0
load driver-fixtures

FLAGS="-nostdinc -I./include -D__KERNEL__ -O2 -g"

setup()
{
	driver_source
	OUT=$BATS_TEST_TMPDIR/make.out
	: >"$OUT"
	: >"$BATS_TEST_TMPDIR/generated"
	: >"$BATS_TEST_TMPDIR/rest"
}

# traps TARGET: what make prints to remove a half-made target.
traps()
{
	local signal
	for signal in HUP INT QUIT TERM PIPE; do
		# shellcheck disable=SC2016 # the dollars are make's
		printf " trap 'rm -f %s; trap - %s; kill -s %s \$\$' %s; " "$1" "$signal" "$signal" "$signal"
	done
}

# compiled OBJECT SOURCE DEFINES [AFTER]: make's line for an object.
compiled()
{
	local command="gcc-12 -Wp,-MMD,${1%/*}/.${1##*/}.d $FLAGS $3 -c -o $1 $2  $4"
	local quoted=${command//\'/\'\\\'\'}
	printf "set -e;  echo '  %s';  %s%s; %sscripts/basic/fixdep %s/.%s.d %s '%s' > %s/.%s.cmd; rm -f x\n" \
		"$quoted" "$(traps "$1")" "$command" "${DOT:-}" "${1%/*}" "${1##*/}" "$1" "$quoted" "${1%/*}" "${1##*/}" >>"$OUT"
}

# generated_line TARGET: make's line for a file that a rule generates.
generated_line()
{
	printf "set -e;  echo '  gen > %s';  %sgen > %s; printf x > y\n" "$1" "$(traps "$1")" "$1" >>"$OUT"
}

built_in() { printf -- "-DKBUILD_MODFILE='\"%s\"' -DKBUILD_BASENAME='\"x\"' -DKBUILD_MODNAME='\"%s\"'" "$1" "${1##*/}"; }
modular() { printf -- "-DMODULE  -DKBUILD_BASENAME='\"x\"' -DKBUILD_MODNAME='\"%s\"' -D__KBUILD_MODNAME=kmod_x" "$1"; }

parse()
{
	plan_parse "$OUT" "$BATS_TEST_TMPDIR"
}

@test "a built-in object: flags without dependency file, output and source; quotes as the shell needs them" {
	compiled fs/proc/meminfo.o fs/proc/meminfo.c "$(built_in fs/proc/proc)" \
		"; ./tools/objtool/objtool --orc --uaccess   fs/proc/meminfo.o"
	run parse
	[ "$status" -eq 0 ]
	[ "$output" = "fs/proc/meminfo.o${TAB}fs/proc/meminfo.c${TAB}vmlinux${TAB}c${TAB}gcc-12 $FLAGS $(built_in fs/proc/proc)${TAB}./tools/objtool/objtool --orc --uaccess" ]
	[ ! -s "$BATS_TEST_TMPDIR/rest" ]
}

@test "newer kernels name the program behind the command with ./" {
	DOT=./ compiled fs/proc/meminfo.o fs/proc/meminfo.c "$(built_in fs/proc/proc)"
	run parse
	[ "$(cut -f 1,2,3 <<<"$output")" = "fs/proc/meminfo.o${TAB}fs/proc/meminfo.c${TAB}vmlinux" ]
	[[ $output != *fixdep* ]]
}

@test "the module of an object, with dashes as underscores, and of one that is in two modules" {
	compiled drivers/a/a.o drivers/a/a.c "$(modular my-mod)" "; ./tools/objtool/objtool --module drivers/a/a.o"
	compiled drivers/b/b.o drivers/b/b.c "$(modular b-one:two)"
	run parse
	[ "$status" -eq 0 ]
	[ "$(cut -f 1,3 <<<"$output")" = "drivers/a/a.o${TAB}my_mod"$'\n'"drivers/b/b.o${TAB}b_one:two" ]
}

@test "objects without objtool, and assembler objects" {
	compiled arch/x86/boot/x.o arch/x86/boot/x.c "$(built_in arch/x86/boot/x)"
	compiled arch/x86/lib/copy.o arch/x86/lib/copy.S "-D__ASSEMBLY__" "; ./tools/objtool/objtool --orc arch/x86/lib/copy.o"
	compiled drivers/m/asm.o drivers/m/asm.S "-D__ASSEMBLY__  -DMODULE"
	run parse
	[ "$(cut -f 1,3,4,6 <<<"$output")" = "arch/x86/boot/x.o${TAB}vmlinux${TAB}c${TAB}
arch/x86/lib/copy.o${TAB}vmlinux${TAB}S${TAB}./tools/objtool/objtool --orc
drivers/m/asm.o${TAB}?${TAB}S${TAB}" ]
}

@test "the plan is sorted, each object once, and other lines are ignored" {
	echo "make -f ./scripts/Makefile.build obj=fs" >>"$OUT"
	compiled z/z.o z/z.c "$(built_in z/z)"
	echo ":" >>"$OUT"
	compiled a/a.o a/a.c "$(built_in a/a)"
	compiled a/a.o a/a.c "$(built_in a/a)"
	printf "set -e; echo '  HOSTCC x'; %sgcc -Wp,-MMD,scripts/.x.d -O2 -c -o scripts/x.o scripts/x.c ; scripts/basic/fixdep a b 'c'\n" \
		"$(traps scripts/x.o)" >>"$OUT"
	run parse
	[ "$(cut -f 1 <<<"$output")" = $'a/a.o\nz/z.o' ]
}

@test "a command with a part that is not understood is put aside, not into the plan" {
	compiled a/a.o a/a.c "$(built_in a/a)" "; something-else a/a.o"
	compiled b/b.o b/b.c "$(built_in b/b)" "; ./tools/objtool/objtool --orc other.o"
	run parse
	[ -z "$output" ]
	[ "$(<"$BATS_TEST_TMPDIR/rest")" = $'a/a.o\nb/b.o' ]
}

@test "generated sources and headers are listed with the directory that makes them" {
	generated_line lib/crc32table.h
	generated_line crypto/x.asn1.c
	generated_line lib/gen_crc32table
	generated_line drivers/x.mod.c
	# shellcheck disable=SC2016 # the dollar is make's
	printf 'set -e; mkdir -p arch/x86/kvm/; trap "rm -f arch/x86/kvm/.offsets.h.tmp" EXIT; { echo; } > arch/x86/kvm/.offsets.h.tmp\n' >>"$OUT"
	run parse
	[ "$status" -eq 0 ]
	[ "$(<"$BATS_TEST_TMPDIR/generated")" = "lib${TAB}lib/crc32table.h
crypto${TAB}crypto/x.asn1.c
arch/x86/kvm${TAB}arch/x86/kvm/offsets.h" ]
}

@test "flags for a module of our own are those that most module objects have" {
	compiled a/a.o a/a.c "-Ia/special $(modular a)" "; ./tools/objtool/objtool --module a/a.o"
	compiled b/b.o b/b.c "$(modular b)" "; ./tools/objtool/objtool --module b/b.o"
	compiled c/c.o c/c.c "$(modular c)" "; ./tools/objtool/objtool --module c/c.o"
	compiled d/d.o d/d.c "$(built_in d/d)" "; ./tools/objtool/objtool d/d.o"
	parse >"$BATS_TEST_TMPDIR/plan"
	run module_flags "$BATS_TEST_TMPDIR/plan"
	[ "$status" -eq 0 ]
	[ "$output" = "gcc-12 $FLAGS -DMODULE ${TAB}./tools/objtool/objtool --module" ]
}

@test "debug information is left out of the flags, and nothing else" {
	flags_without_debug "gcc -O2 -g -gdwarf-5 -gz=zlib -gsplit-dwarf -femit-struct-debug-baseonly -ggnu-pubnames -DX='\"a-g\"' -mgeneral-regs-only"
	[ "$FLAGS" = "gcc -O2 -ggnu-pubnames -DX='\"a-g\"' -mgeneral-regs-only" ]
}

@test "what is compared gets a section for each thing, and, if it is C, types: whatever the plan says of debugging" {
	KERNEL_CC=gcc-12
	flags_for_diff "gcc-12 -O2 -g0 -gsplit-dwarf" a/a.c
	[ "$FLAGS" = "gcc-12 -O2 -ffunction-sections -fdata-sections -g -fno-var-tracking -gno-statement-frontiers" ]
	flags_for_diff "gcc-12 -O2 -g" a/a.S
	[ "$FLAGS" = "gcc-12 -O2 -ffunction-sections -fdata-sections" ]
	KERNEL_CC=clang-14
	flags_for_diff "clang-14 -O2" a/a.c
	[ "$FLAGS" = "clang-14 -O2 -ffunction-sections -fdata-sections -g" ]
}

@test "a section for each function even where the kernel's makefiles switch that off" {
	flags_for_diff "gcc -O2 -fno-function-sections -fno-data-sections"
	printf 'int f(void) { return 1; }\nint v = 1;\n' >"$BATS_TEST_TMPDIR/x.c"
	# shellcheck disable=SC2086 # words
	$FLAGS -c -o "$BATS_TEST_TMPDIR/x.o" "$BATS_TEST_TMPDIR/x.c"
	readelf -SW "$BATS_TEST_TMPDIR/x.o" | grep ' \.text\.f ' >/dev/null
	readelf -SW "$BATS_TEST_TMPDIR/x.o" | grep ' \.data\.v ' >/dev/null
}

@test "the plan is the same with mawk, Debian's default, and with busybox's awk" {
	local awk
	compiled b/b.o b/b.c "$(built_in b/b)" "; ./tools/objtool/objtool --orc   b/b.o"
	compiled a/a.o a/a.c "$(modular a-one:two)" "; ./tools/objtool/objtool --module a/a.o"
	compiled c/c.o c/c.c "$(built_in c/c)" "; something-else c/c.o"
	generated_line lib/crc32table.h
	parse >"$BATS_TEST_TMPDIR/plan"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/plan")" = 2 ]
	mkdir "$BATS_TEST_TMPDIR/bin"
	for awk in mawk busybox; do
		command -v $awk >/dev/null || continue
		ln -sf "$(command -v $awk)" "$BATS_TEST_TMPDIR/bin/awk"
		PATH=$BATS_TEST_TMPDIR/bin:$PATH parse | cmp - "$BATS_TEST_TMPDIR/plan"
		[ "$(<"$BATS_TEST_TMPDIR/rest")" = c/c.o ]
		[ "$(<"$BATS_TEST_TMPDIR/generated")" = "lib${TAB}lib/crc32table.h" ]
	done
	# Nothing that only gawk has, in any of the stages.
	run grep -nE '\<(gensub|strtonum|asorti?|systime|strftime|patsplit|BEGINFILE|ENDFILE|PROCINFO|IGNORECASE|FPAT)\>' \
		"$BATS_TEST_DIRNAME"/../../kpatch-build/*
	[ "$status" -eq 1 ]
}

@test "where objtool runs on what is linked only, each object gets what it does to all" {
	{
		printf 'fs/a.o\tfs/a.c\tvmlinux\tc\tgcc-12 -O2\t\n'
		printf 'fs/b.o\tfs/b.S\tvmlinux\tS\tgcc-12 -O2\t\n'
		printf 'fs/c/c.o\tfs/c/c.c\tc\tc\tgcc-12 -O2\t\n'
		printf 'fs/d.o\tfs/d.c\td\tc\tgcc-12 -O2\t./objtool --hacks=jump_label --ibt --cfi --orc --prefix=16  --link  --module\n'
	} >"$BATS_TEST_TMPDIR/plan"
	plan_objtool <"$BATS_TEST_TMPDIR/plan" | diff -u - <(
		printf 'fs/a.o\tfs/a.c\tvmlinux\tc\tgcc-12 -O2\t./objtool --hacks=jump_label --orc --prefix=16\n'
		printf 'fs/b.o\tfs/b.S\tvmlinux\tS\tgcc-12 -O2\t\n'
		printf 'fs/c/c.o\tfs/c/c.c\tc\tc\tgcc-12 -O2\t./objtool --hacks=jump_label --orc --prefix=16 --module\n'
		printf 'fs/d.o\tfs/d.c\td\tc\tgcc-12 -O2\t./objtool --hacks=jump_label --orc --prefix=16 --module\n'
	)
	# Elsewhere the plan says what runs on each object.
	sed -i 's/ --link//' "$BATS_TEST_TMPDIR/plan"
	plan_objtool <"$BATS_TEST_TMPDIR/plan" | diff -u - "$BATS_TEST_TMPDIR/plan"
}

@test "names of headers in messages of the code are those of a build out of the source, if the kernel's is one" {
	{
		printf 'fs/a.o\tfs/a.c\tvmlinux\tc\tgcc-12 -O2\t./objtool\n'
		printf 'fs/b.o\tfs/b.S\tvmlinux\tS\tgcc-12 -O2\t\n'
		printf 'fs/c.o\tfs/c.c\tvmlinux\tc\tgcc-12 -fmacro-prefix-map=./= -O2\t\n'
	} >"$BATS_TEST_TMPDIR/plan"
	sed '1s/ -O2/& -fmacro-prefix-map=.\/=/' "$BATS_TEST_TMPDIR/plan" >"$BATS_TEST_TMPDIR/mapped"
	plan_names <"$BATS_TEST_TMPDIR/plan" | diff -u - "$BATS_TEST_TMPDIR/mapped"
	# Of a kernel that its user has built: make O= leaves a link to the source beside vmlinux.
	OWN_SOURCE=$BATS_TEST_TMPDIR OWN_VMLINUX=$BATS_TEST_TMPDIR/vmlinux
	plan_names <"$BATS_TEST_TMPDIR/plan" | diff -u - "$BATS_TEST_TMPDIR/plan"
	ln -s . "$BATS_TEST_TMPDIR/source"
	plan_names <"$BATS_TEST_TMPDIR/plan" | diff -u - "$BATS_TEST_TMPDIR/mapped"
}
