# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Small kernels and modules, made at test time, for the tests of kpatch-image.

TOP=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
KPATCH_IMAGE=${KPATCH_IMAGE:-$TOP/kpatch-image/kpatch-image}

kpatch-image()
{
	"$KPATCH_IMAGE" "$@"
}

# le16 N, le32 N: N in that many bits, little-endian, as bytes on standard output.
le16()
{
	local hex
	printf -v hex '\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255))
	# shellcheck disable=SC2059
	printf "$hex"
}

le32()
{
	le16 $(($1 & 0xffff))
	le16 $(($1 >> 16))
}

# poke FILE OFFSET: overwrite with standard input.
poke()
{
	dd of="$1" bs=1 seek=$(($2)) conv=notrunc status=none
}

# Lines "ADDRESS TYPE NAME". Addresses: 0x..., for per-CPU data, or _text+0x... . 'LONG' in a name
# is packed as one byte. Two markers' worth of symbols, a name of more than 127 bytes, one name
# three times, one address with four names.
symbols()
{
	local long i
	printf -v long '%0150d' 7
	echo '0x0 A fixed_percpu_data'
	echo '0x1000 A cpu_LONG_info'
	echo '_text+0x0 T _stext'
	echo '_text+0x0 T _text'
	echo '_text+0x10 t same'
	echo '_text+0x20 t same'
	echo '_text+0x20 T __same'
	echo '_text+0x20 W a_weak_one'
	echo "_text+0x30 t f_$long"
	for ((i = 0; i < 300; i++)); do
		printf '_text+0x%x t LONGf%d.isra.0\n' $((0x40 + i)) $i
	done
	echo '_text+0x800 D data_LONG'
	echo '_text+0x800 d same'
	echo '_text+0xfff B last'
}

# What "symtab" must print for symbols(): the sym lines.
expected_syms()
{
	symbols | awk '{
		gsub(/LONG/, "_a_piece_of_a_name_", $3)
		if (sub(/^_text\+0x/, "", $1))
			$1 = "ffffffff81" sprintf("%6s", $1)
		else
			$1 = sprintf("%16s", substr($1, 3))
		gsub(/ /, "0", $1)
		printf "sym\t%s\t%s\t%s\n", $1, $2, $3
	}'
}

# kallsyms LAYOUT: assembler source of the tables for the symbols on standard input.
# LAYOUT: 6.1, 6.12, 7.2, or base: as 6.12, without KALLSYMS_ABSOLUTE_PERCPU.
kallsyms()
{
	awk -v layout="$1" '
	function label(name)	{ print "\t.balign " align "\n" name ":" }
	function offsets(i)
	{
		label("offsets")
		for (i = 0; i < n; i++)
			if (layout == "7.2")
				print "\t.long " addr[i] " - ."
			else if (layout == "base")
				print "\t.long " addr[i] " - _text"
			else if (addr[i] ~ /^0x/)
				print "\t.long " addr[i]
			else
				print "\t.long _text - 1 - (" addr[i] ")"
	}
	function base()		{ label("relative_base"); print "\t.quad _text" }
	function seqs(i)
	{
		label("seqs_of_names")
		for (i = 0; i < n; i++)
			print "\t.byte 0, " int(i / 256) ", " i % 256
	}
	function names(i, text, len)
	{
		label("num_syms"); print "\t.long " n
		label("names")
		for (i = 0; i < n; i++) {
			text = name[i]
			gsub(/LONG/, "\001", text)
			len = length(text)
			gsub(/\001/, "\\001", text)
			if (i % 256 == 0)
				print "name" i ":"
			if (len < 128)
				print "\t.byte " len
			else
				print "\t.byte " 128 + len % 128 ", " int(len / 128)
			print "\t.ascii \"" text "\""
		}
		label("markers")
		for (i = 0; i < n; i += 256)
			print "\t.long name" i " - names"
	}
	function tokens(i)
	{
		label("token_table")
		for (i = 0; i < 256; i++) {
			print "token" i ":"
			if (i == 1)
				print "\t.asciz \"_a_piece_of_a_name_\""
			else if (i > 32 && i < 127)
				printf "\t.asciz \"\\%03o\"\n", i
			else
				print "\t.byte 0"
		}
		label("token_index")
		for (i = 0; i < 256; i++)
			print "\t.short token" i " - token0"
	}
	BEGIN { n = 0 }
	{ addr[n] = $1; name[n++] = $2 $3 }
	END {
		align = layout == "7.2" ? 4 : 8
		print "\t.section .rodata, \"a\"\n\t.balign 8"
		# Something in front, so that nothing is found by being first.
		print "\t.asciz \"Linux version %s (%s)\"\n\t.fill 100, 4, 1"
		print "\t.asciz \"Linux version 5.0.0-other without a builder\""
		print "\t.asciz \"Linux version 6.1.0-fake (builder (of it)@host) (gcc-12 (Debian 12.2.0-14, patched) 12.2.0, GNU ld (GNU Binutils) 2.40) #1 SMP\""
		if (layout == "6.1") { offsets(); base() }
		names()
		if (layout == "6.1") seqs()
		tokens()
		if (layout == "7.2") offsets()
		if (layout == "6.12" || layout == "base") { offsets(); base() }
		if (layout != "6.1") seqs()
		print "\t.balign 8\n\t.quad 1, 2, 3"
	}'
}

# vmlinux LAYOUT [OBJECT]: a linked, stripped kernel in the file vmlinux.
vmlinux()
{
	{
		printf '\t.globl _text\n\t.text\n_text:\n\t.fill 4096, 1, 0x90\n'
		if [[ $1 == base || $1 == 7.2 ]]; then
			symbols | grep -v '^0x' | kallsyms "$1"
		elif [[ $1 != none ]]; then
			symbols | kallsyms "$1"
		fi
	} > vmlinux.S
	as -o vmlinux.o vmlinux.S
	ld -Ttext=0xffffffff81000000 -e _text -o vmlinux vmlinux.o "${@:2}"
	strip vmlinux
}

# pack FORMAT: the file vmlinux, packed as the kernel build does, on standard output.
pack()
{
	case $1 in
	lz4)	lz4 -l -9 -c -q vmlinux ;;
	zstd)	zstd -q -19 -c vmlinux ;;
	gzip)	gzip -n -9 -c vmlinux; return ;;	# ends with the size by itself
	xz)	xz --check=crc32 --x86 --lzma2=,dict=1MiB -c vmlinux ;;
	lzma)	xz --format=lzma -c vmlinux ;;
	*)	"$1" -c vmlinux ;;
	esac
	le32 "$(stat -c %s vmlinux)"
}

# bzimage FORMAT: the file vmlinux as a bzImage in the file vmlinuz.
bzimage()
{
	pack "$1" > payload
	head -c 1536 /dev/zero > vmlinuz
	printf '\x02' | poke vmlinuz 0x1f1
	le16 0xaa55 | poke vmlinuz 0x1fe
	printf HdrS | poke vmlinuz 0x202
	le16 0x20f | poke vmlinuz 0x206
	le16 0x100 | poke vmlinuz 0x20e
	le32 64 | poke vmlinuz 0x248
	le32 "$(stat -c %s payload)" | poke vmlinuz 0x24c
	printf '6.1.0-fake (builder@host) #1 SMP' | poke vmlinuz 0x300
	{
		head -c 64 /dev/zero
		cat payload
		echo 'something behind the payload'
	} >> vmlinuz
}

# module [NAME]: a module in the file NAME.ko, with symbols of all kinds that the kernel keeps or drops.
# Three of them are called "twice": in .init.text, .text and .text.unlikely, in this order.
module()
{
	local name=${1:-some-module} part
	local parts=(init main unlikely)
	cat > macros.S <<-'EOT'
		.macro object name, size=8
		.type \name, @object
		.size \name, \size
		\name: .skip \size
		.endm
		.macro function name
		.type \name, @function
		\name: ret
		.size \name, . - \name
		.endm
	EOT
	cat > init.S <<-'EOT'
		.section .init.text, "ax"
		function twice
		function only_init
		.globl init_module
		function init_module
		.section .init.data, "aw"
		object idata
	EOT
	cat > main.S <<-EOT
		.file "module.c"
		.section .exit.text, "ax"
		function cleanup
		.text
		function first
		function twice
		call undefined
		.globl global
		function global
		.weak weak
		function weak
		.data
		object data
		.globl gdata
		object gdata
		.weak wdata
		object wdata
		.section .data..percpu, "aw"
		object percpu
		.section .rodata, "a"
		object ro
		.bss
		object bss
		.section .modinfo, "a"
		info: .asciz "license=GPL"
		.asciz "name=$name"
		.asciz "vermagic=6.1.0-fake SMP mod_unload "
		.section __versions, "a"
		object ____versions 64
		.section .discard.x
		object discarded
		.section .gnu.linkonce.this_module, "aw"
		.globl __this_module
		.type __this_module, @object
		__this_module: .skip 24
		.ascii "$name"
		.skip 100
		absolute = 42
	EOT
	cat > unlikely.S <<-'EOT'
		.section .text.unlikely, "ax"
		.skip 5
		function twice
	EOT
	for part in "${parts[@]}"; do
		cat macros.S "$part.S" | as -o "$part.o" -
	done
	ld -r -o "$name.ko" "${parts[@]/%/.o}"
}

# btf: an object with the type information of a few structures in btf.o.
btf()
{
	cat > btf.c <<-'EOT'
		struct bug_entry { int addr, file; unsigned short line, flags; };
		struct alt_instr { int a, b; unsigned short c, d, e; } __attribute__((packed));
		typedef unsigned short u16_type;
		union either { char c; long l; };
		struct bug_entry bug;
		struct alt_instr alt;
		u16_type u;
		union either e;
	EOT
	"${CC:-gcc}" -gbtf -c -o btf.o btf.c
	# As the kernel's build does, so that it stays when the rest of the debug data goes.
	objcopy --set-section-flags .BTF=alloc,readonly,data btf.o
}
