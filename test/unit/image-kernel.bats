#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# kpatch-image on kernels: what is packed in them, their symbols, structures and release.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2094 # symtab is a subcommand, not the file

bats_require_minimum_version 1.5.0
load image-fixtures

setup()
{
	cd "$BATS_TEST_TMPDIR" || return 1
}

# same_syms FILE: its symbols are those on standard input.
same_syms()
{
	cat > expected
	kpatch-image symtab "$1" > symtab
	grep '^sym' symtab | diff - expected
}

@test "the symbols of 6.1 come in the order of its tables, per-CPU data at 0" {
	vmlinux 6.1
	expected_syms | same_syms vmlinux
	[ "$(head -n 3 symtab)" = $'kpatch-symtab\t1\nobject\tvmlinux\nrelease\t6.1.0-fake' ]
}

@test "6.12 has its offsets behind the tokens" {
	vmlinux 6.12
	expected_syms | same_syms vmlinux
}

@test "7.2 has offsets that are relative to themselves, and 4-byte alignment" {
	vmlinux 7.2
	expected_syms | grep -v $'\t00000000' | same_syms vmlinux
}

@test "without KALLSYMS_ABSOLUTE_PERCPU offsets count from the base" {
	vmlinux base
	expected_syms | grep -v $'\t00000000' | same_syms vmlinux
}

@test "names of more than 127 bytes and a second marker are in the fixture" {
	symbols > list
	[ "$(wc -l < list)" -gt 256 ]
	awk 'length($3) > 127 { found = 1 } END { exit !found }' list
	[ "$(grep -c ' same$' list)" = 3 ]
}

@test "a marker that disagrees with the names is not believed" {
	symbols | sed 's/ last$/ lastly/' | kallsyms 6.1 |
		sed 's/\.long name256 - names/.long name256 - names + 1/' > tables.S
	{ printf '\t.globl _text\n\t.text\n_text:\n\t.fill 4096, 1, 0x90\n'; cat tables.S; } | as -o v.o -
	ld -Ttext=0xffffffff81000000 -e _text -o v v.o
	strip v
	run -1 --separate-stderr kpatch-image symtab v
	[ "$stderr" = "kpatch-image: error: v: no kallsyms tables found; the kernel must have CONFIG_KALLSYMS_ALL=y and be 6.1 or later" ]
}

@test "addresses that fall are not believed" {
	{
		printf '\t.globl _text\n\t.text\n_text:\n\t.fill 4096, 1, 0x90\n'
		symbols | sed 's/^_text+0xfff /_text+0x7ff /' | kallsyms 6.12
	} | as -o v.o -
	ld -Ttext=0xffffffff81000000 -e _text -o v v.o
	strip v
	run -1 --separate-stderr kpatch-image symtab v
	[[ $stderr == *"no kallsyms tables found"* ]]
}

@test "a kernel without tables is read by its symbol table, in the order of kallsyms" {
	cat > v.S <<-'EOT'
		.globl _text, b_strong, __start_it, __under, a_weak, _one
		.weak a_weak
		.text
		_text:
		.skip 16
		a_weak:
		__start_it:
		__under:
		_one:
		b_strong:
		local: ret
		.Lhidden_: ret
		absolute = 7
		.section .rodata, "a"
		ro: .long 0
		.data
		data: .long 0
		.bss
		bss: .skip 4
	EOT
	as -L -o v.o v.S
	ld -Ttext=0xffffffff81000000 -Tdata=0xffffffff81002000 -e _text -o v v.o
	objcopy -N __bss_start -N _edata -N _end v
	kpatch-image symtab v | awk '/^sym/ { print $3, $4 }' > list
	diff list - <<-'EOT'
		T _text
		T b_strong
		t local
		T _one
		T __under
		T __start_it
		W a_weak
		r ro
		d data
		b bss
	EOT
}

@test "every way of packing gives the same ELF file and release" {
	vmlinux 6.12
	for format in lz4 zstd gzip xz lzma; do
		bzimage $format
		kpatch-image unpack vmlinuz -o unpacked
		cmp unpacked vmlinux
		[ "$(kpatch-image release vmlinuz)" = 6.1.0-fake ]
		expected_syms | same_syms vmlinuz
	done
}

@test "an lz4 kernel of several blocks is put together" {
	vmlinux 6.1
	printf '\t.data\n\t.incbin "noise"\n\t.fill 9000000, 1, 7\n' > noise.S
	head -c 100000 /dev/urandom > noise
	as -o noise.o noise.S
	vmlinux 6.1 noise.o
	bzimage lz4
	kpatch-image unpack vmlinuz | cmp - vmlinux
}

@test "the release of a vmlinux is the one in its banner, not in a format string" {
	vmlinux none
	run -1 --separate-stderr kpatch-image release vmlinux
	[ "$stderr" = "kpatch-image: error: vmlinux: it doesn't tell its kernel release; name the release yourself" ]
	vmlinux 6.1
	[ "$(kpatch-image release vmlinux)" = 6.1.0-fake ]
}

@test "a kernel says in its banner what it was compiled with, a module in its comment" {
	vmlinux 6.1
	[ "$(kpatch-image compiler vmlinux)" = "gcc-12 (Debian 12.2.0-14, patched) 12.2.0" ]
	bzimage lz4
	[ "$(kpatch-image compiler vmlinuz)" = "gcc-12 (Debian 12.2.0-14, patched) 12.2.0" ]
	vmlinux none
	run -1 --separate-stderr kpatch-image compiler vmlinux
	[ "$stderr" = "kpatch-image: error: vmlinux: it doesn't tell its compiler" ]
	module m
	objcopy --remove-section .comment m.ko
	run -1 --separate-stderr kpatch-image compiler m.ko
	[ "$stderr" = "kpatch-image: error: m.ko: it doesn't tell its compiler" ]
	printf '\0GCC: (Debian 12.2.0-14) 12.2.0\0GCC: other\0' > comment
	objcopy --add-section .comment=comment m.ko
	[ "$(kpatch-image compiler m.ko)" = "GCC: (Debian 12.2.0-14) 12.2.0" ]
}

@test "structure sizes come from BTF, and only what the kernel has is listed" {
	btf
	vmlinux 6.1 btf.o
	kpatch-image symtab vmlinux | grep '^struct' | diff - <(printf 'struct\talt_instr\t14\nstruct\tbug_entry\t12\n')
	run -0 kpatch-image struct vmlinux either u16_type bug_entry
	[ "$output" = $'struct\teither\t8\nstruct\tu16_type\t2\nstruct\tbug_entry\t12' ]
}

@test "a structure that the kernel lacks is named, and nothing is written" {
	btf
	vmlinux 6.1 btf.o
	run -1 --separate-stderr kpatch-image struct vmlinux bug_entry nosuch -o sizes
	[ "$stderr" = "kpatch-image: error: vmlinux: struct nosuch: not in this kernel's BTF; check the name" ]
	[ ! -e sizes ]
}

@test "a kernel without BTF has symbols but no sizes" {
	vmlinux 6.1
	expected_syms | same_syms vmlinux
	run -1 grep '^struct' symtab
	run -1 --separate-stderr kpatch-image struct vmlinux bug_entry
	[ "$stderr" = "kpatch-image: error: vmlinux: no .BTF section; the kernel must have CONFIG_DEBUG_INFO_BTF=y" ]
}

@test "what cannot be unpacked is named" {
	vmlinux 6.1
	bzimage bzip2
	run -1 --separate-stderr kpatch-image release vmlinuz
	[ "$stderr" = "kpatch-image: error: vmlinuz: packed as bzip2, which is not supported; unpack it first" ]
}

@test "a bzImage that is cut short, or announces another size, is an error" {
	vmlinux 6.1
	bzimage zstd
	head -c 2500 vmlinuz > short
	run -1 --separate-stderr kpatch-image unpack short -o out
	[ "$stderr" = "kpatch-image: error: short: the file ends before its kernel does; get the file again" ]

	end=$((1536 + 64 + $(stat -c %s payload)))
	le32 12345 | poke vmlinuz $((end - 4))
	run -1 --separate-stderr kpatch-image unpack vmlinuz -o out
	[ "$stderr" = "kpatch-image: error: vmlinuz: the kernel in it has $(stat -c %s vmlinux) bytes, 12345 were announced; get the file again" ]
	[ ! -e out ]
}

@test "a stream that ends early is an error in every format" {
	vmlinux 6.1
	for format in lz4 zstd gzip xz lzma; do
		bzimage $format
		le32 $(($(stat -c %s payload) / 2)) | poke vmlinuz 0x24c
		run -1 --separate-stderr kpatch-image unpack vmlinuz -o out
		[[ $stderr == "kpatch-image: error: vmlinuz: $format data: "*" is cut short; get the file again" ]]
		[ ! -e out ]
	done
}

@test "more than 1 GiB is refused" {
	head -c 1100000000 /dev/zero | zstd -q -1 -c > zeros.zst
	run -1 --separate-stderr kpatch-image symtab zeros.zst
	[ "$stderr" = "kpatch-image: error: zeros.zst: unpacks to more than 1024 MiB; give a kernel image or a module" ]
}

@test "functions that lose their ENDBR at boot are listed by their addresses" {
	vmlinux none
	run -1 grep '^seal' <(kpatch-image symtab vmlinux)
	echo '.section .ibt_endbr_seal, "a"; .long _text + 0x20 - ., _text + 0x800 - .' | as -o seal.o
	vmlinux 6.1 seal.o
	kpatch-image symtab vmlinux | grep '^seal' | diff - <(printf 'seal\t%016x\n' 0xffffffff81000020 0xffffffff81000800)
	# Half an entry is none.
	echo '.section .ibt_endbr_seal, "a"; .long _text + 0x20 - .; .short 5' | as -o seal.o
	vmlinux 6.1 seal.o
	kpatch-image symtab vmlinux | grep '^seal' | diff - <(printf 'seal\t%016x\n' 0xffffffff81000020)
}
