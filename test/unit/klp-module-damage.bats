#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-klp-module: damaged input, failing output, wrong usage. MUTATIONS=n in the environment
# tries n damaged files instead of 150.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr

bats_require_minimum_version 1.5.0
load klp-module-fixtures

# One build with the sanitizers for the whole file.
setup_file()
{
	local lib=$TOP/lib libs
	libs=$(sed -n 's/^LIBS.*:= //p' "$TOP/Makefile")
	# shellcheck disable=SC2086 # several options
	gcc -std=gnu11 -D_GNU_SOURCE -DKPATCH_VERSION='"test"' -I"$lib" -O1 -g \
		-fsanitize=address,undefined -fno-sanitize-recover=all \
		-o "$BATS_FILE_TMPDIR/create-klp-module" "$TOP"/create-klp-module/*.c \
		"$lib"/*.c $libs
}

setup()
{
	cd "$BATS_TEST_TMPDIR" || return 1
	module_defaults
	CREATE_KLP_MODULE=$BATS_FILE_TMPDIR/create-klp-module
	# Not the exit codes of the program's own.
	export ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=exitcode=99
}

# A module with some of everything.
rich_module()
{
	printf '%s\n' .data '.quad __kpatch_new.vmlinux.foo.0' | gcc -x assembler -c -o klp.o -
	module code.ko <<-'END'
	.weak ".kpatch.sym.vmlinux.vmlinux.bar,0"
	.weak ".kpatch.sym.ext4.jbd2.data,1"
	.section .text.foo,"ax"
	.globl __kpatch_new.vmlinux.foo.0
	.type foo,@function
	foo:
	__kpatch_new.vmlinux.foo.0:
		call ".kpatch.sym.vmlinux.vmlinux.bar,0"
		call printk
		mov ".kpatch.sym.ext4.jbd2.data,1"(%rip), %eax
	.size foo, .-foo
	.section .ordered,"ao",@progbits,.data
	.quad foo
	.section .rodata.str,"aMS",@progbits,1
	.asciz "text"
	.section __version_ext_crcs,"a"
	.long 1
	.section __version_ext_names,"a"
	.asciz "other"
	.bss
	.zero 100
	END
	ld -r -o "$1" code.ko klp.o
}

# survives FILE: the program ends by itself, says why if it does not convert FILE, and leaves
# nothing but the whole output.
survives()
{
	local status=0
	rm -f out.ko
	timeout 20 "$CREATE_KLP_MODULE" "$1" out.ko 2> err || status=$?
	case $status in
	0)	[ ! -s err ] && [ -s out.ko ] ;;
	1)	[ ! -e out.ko ] && grep -q '^create-klp-module: error: ' err ;;
	2)	[ ! -e out.ko ] && grep -q '^create-klp-module: refused: ' err ;;
	*)	false ;;
	esac && ! grep -q 'Sanitizer\|runtime error' err && return
	echo "exit code $status"
	cat err
	cp "$1" "${KEEP:-/dev/null}" || true
	return 1
}

# bytes N: decimal N, 4 bytes, little-endian, as printf's escapes.
bytes()
{
	printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255))
}

@test "the undamaged module converts, without a leak" {
	rich_module in.ko
	survives in.ko
	[ -e out.ko ]
	expect relocs out.ko <<-'END'
	.rela.text.foo 0x6 R_X86_64_PLT32 printk -0x4
	.rela.ordered 0x0 R_X86_64_64 .text.foo 0x0
	.rela.data 0x0 R_X86_64_64 foo 0x0
	.klp.rela.vmlinux..text.foo 0x1 R_X86_64_PLT32 .klp.sym.vmlinux.bar,0 -0x4
	.klp.rela.ext4..text.foo 0xc R_X86_64_PC32 .klp.sym.jbd2.data,1 -0x4
	END
}

@test "truncated modules are errors" {
	rich_module in.ko
	size=$(stat -c %s in.ko)
	for ((n = 0; n < 30; n++)); do
		head -c $((size * n / 30)) in.ko > cut.ko
		survives cut.ko
		[ ! -e out.ko ]
	done
}

@test "damaged modules never crash" {
	rich_module in.ko
	size=$(stat -c %s in.ko)
	shoff=$(readelf -h in.ko | sed -n 's/.*Start of section headers: *\([0-9]*\).*/\1/p')
	values=(0 1 7 8 255 65280 65535 65536 2147483647 2147483648 4294967295 4294967288)
	RANDOM=1
	converted=0 failed=0
	for ((n = 0; n < ${MUTATIONS:-150}; n++)); do
		cp in.ko bad.ko
		# One third in the section headers, which steer everything.
		if ((n % 3)); then
			at=$(((RANDOM << 15 | RANDOM) % (size - 4)))
		else
			at=$((shoff + RANDOM % ((size - shoff) / 4) * 4))
		fi
		if ((n % 2)); then
			# shellcheck disable=SC2059
			printf "$(bytes "${values[RANDOM % ${#values[@]}]}")"
		else
			# shellcheck disable=SC2059
			printf "\\x$(printf %02x $((RANDOM & 255)))"
		fi | dd of=bad.ko bs=1 seek=$at conv=notrunc status=none
		echo "mutation $n at $at"
		survives bad.ko
		if [ -e out.ko ]; then converted=$((converted + 1)); else failed=$((failed + 1)); fi
	done
	# Or the damage was not where it matters.
	((converted > 10 && failed > 10))
}

@test "an output that can't be made is an error and leaves nothing" {
	rich_module in.ko
	run create-klp-module in.ko none/out.ko
	[ "$status" -eq 1 ]
	[[ $output =~ ^"create-klp-module: error: none/out.ko.tmp"[0-9]+": No such file or directory; can the directory be written?"$ ]]
	run create-klp-module in.ko /dev/null
	[ "$status" -eq 1 ]
	[ "$output" = "create-klp-module: error: /dev/null: not a regular file; name another output" ]
	[ -c /dev/null ]
	mkdir out.ko
	run create-klp-module in.ko out.ko
	[ "$status" -eq 1 ]
	[ "$output" = "create-klp-module: error: out.ko: not a regular file; name another output" ]
	[ "$(find out.ko* | wc -l)" -eq 1 ]
}

@test "a disk that fills up is an error, leaves nothing and spares the old output" {
	rich_module in.ko
	echo old > out.ko
	# The same as a full disk, for a program: the file stops growing at 1024 bytes.
	run bash -c 'trap "" XFSZ; ulimit -f 1; exec "$@"' - "$CREATE_KLP_MODULE" in.ko out.ko
	[ "$status" -eq 1 ]
	[[ $output = "create-klp-module: error: out.ko: cannot write: "*"; is the disk full?" ]]
	[ "$(cat out.ko)" = old ]
	[ "$(echo out.ko*)" = out.ko ]
}

@test "an input that is not a linked module is an error" {
	run create-klp-module none.ko out.ko
	[ "$status" -eq 1 ]
	[ "$output" = "create-klp-module: error: none.ko: No such file or directory; is the path right?" ]
	echo text > in.ko
	run create-klp-module in.ko out.ko
	[ "$status" -eq 1 ]
	[[ $output = "create-klp-module: error: in.ko: not an ELF file; give an object file" ]]
	[ ! -e out.ko ]
}

@test "wrong usage is an error that says where to look" {
	run create-klp-module
	[ "$status" -eq 1 ]
	[ "$output" = "create-klp-module: error: IN.ko is missing; see create-klp-module --help" ]
	run create-klp-module in.ko
	[ "$status" -eq 1 ]
	[ "$output" = "create-klp-module: error: OUT.ko is missing; see create-klp-module --help" ]
	run create-klp-module in.ko out.ko third
	[ "$status" -eq 1 ]
	[ "$output" = "create-klp-module: error: third: one argument too many; see create-klp-module --help" ]
	run create-klp-module --no-such-option in.ko out.ko
	[ "$status" -eq 1 ]
	[[ ${lines[0]} = *"unrecognized option '--no-such-option'" ]]
}

@test "-h and -V print to standard output" {
	for option in -h --help; do
		run --separate-stderr create-klp-module $option
		[ "$status" -eq 0 ]
		[ "${lines[0]}" = "Usage: create-klp-module [OPTION...] IN.ko OUT.ko" ]
		[ -z "$stderr" ]
	done
	run --separate-stderr create-klp-module -V
	[ "$status" -eq 0 ]
	[ "$output" = "create-klp-module test" ]
}
