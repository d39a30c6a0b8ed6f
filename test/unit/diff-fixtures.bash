# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2154 # run --separate-stderr sets stderr, bats sets output and status
#
# Pairs of objects, compiled at test time, for the tests of create-diff-object.
#
# A test says what the two versions are (pair, asm_pair), perhaps what the running kernel knows
# beyond the original (ksyms, symtab), runs the program (cdo CODE), and compares all that came out
# of it: messages, changes, relocs.

export LC_ALL=C
TOP=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
CDO=${CDO:-$TOP/create-diff-object/create-diff-object}

if [[ -z ${FIXTURE_CC-} ]]; then
	FIXTURE_CC=$(command -v gcc-12 || command -v gcc)
fi

# Distribution compilers differ in what they switch on: everything that matters is pinned.
FIXTURE_CFLAGS=(-std=gnu11 -O2 -ffreestanding -w
	-ffunction-sections -fdata-sections -fno-common -fno-strict-aliasing
	-fcf-protection=none -fno-stack-protector -fno-asynchronous-unwind-tables
	-mcmodel=kernel -mno-red-zone -mno-sse -fno-pic -fno-pie
	-fno-jump-tables -falign-functions=16
	-pg -mfentry -mrecord-mcount -D__KERNEL__)

# What the C fixtures have in common.
FIXTURE_PRELUDE='
#define noinline __attribute__((noinline, noclone))
#define __used __attribute__((used))
#define __section(s) __attribute__((section(s)))
#define notrace __attribute__((no_instrument_function))
#define unlikely(x) __builtin_expect(!!(x), 0)
#define barrier() __asm__ volatile("" ::: "memory")
int _printk(const char *, ...);
'

# Structure sizes of the kernel that the fixtures pretend to run on.
FIXTURE_STRUCTS='bug_entry 12
exception_table_entry 12
alt_instr 14
jump_entry 16
static_call_site 8
paravirt_patch_site 16
orc_entry 6'

setup()
{
	cd "$BATS_TEST_TMPDIR" || return 1
	OBJNAME=vmlinux
	CDO_OPTIONS=()
	unset BUG_STRUCT_SIZE EX_STRUCT_SIZE ALT_STRUCT_SIZE JUMP_STRUCT_SIZE \
		STATIC_CALL_STRUCT_SIZE PARA_STRUCT_SIZE ORC_STRUCT_SIZE
	exports
}

# compile OUTPUT SOURCE [FLAGS]: SOURCE as the kernel's build does it.
compile()
{
	local out=$1 src=$2
	shift 2
	"$FIXTURE_CC" "${FIXTURE_CFLAGS[@]}" "$@" -c -o "$out" "$src"
}

# pair [FLAGS]: orig.o and patched.o from the C source on standard input; the patched version has
# PATCHED defined. The symbol table of the running kernel is that of the original.
pair()
{
	{ printf '%s#line 1\n' "$FIXTURE_PRELUDE"; cat; } > file.c
	compile orig.o file.c "$@"
	compile patched.o file.c -DPATCHED "$@"
	symtab_of orig.o > symtab
}

# The same for assembler source, which is preprocessed.
asm_pair()
{
	cat > file.S
	compile orig.o file.S "$@"
	compile patched.o file.S -DPATCHED "$@"
	symtab_of orig.o > symtab
}

# version SIDE [FILE]: a source, file.c if not said, of the original or patched tree, from standard input.
version()
{
	local file=tree-$1/${2:-file.c}
	mkdir -p "$(dirname "$file")"
	cat > "$file"
}

# tree_pair [FLAGS]: orig.o and patched.o from the sources that version() wrote, as the driver does it: made equally long
# first, and with a list of the lines that differ.
tree_pair()
{
	local file side awk=$TOP/kpatch-build
	printf '%s' "$FIXTURE_PRELUDE" > prelude.h
	: > changed-lines
	for file in $(cd tree-original && find . -type f -printf '%P\n' | sort); do
		diff "tree-original/$file" "tree-patched/$file" > hunks && continue
		awk -v file="$file" -f "$awk/hunk.awk" -f "$awk/changed-lines.awk" hunks >> changed-lines
		awk -v side=1 -f "$awk/hunk.awk" -f "$awk/pad.awk" hunks "tree-original/$file" > padded
		awk -v side=2 -f "$awk/hunk.awk" -f "$awk/pad.awk" hunks "tree-patched/$file" > "tree-patched/$file.new"
		mv padded "tree-original/$file"
		mv "tree-patched/$file.new" "tree-patched/$file"
	done
	for side in original patched; do
		(cd "tree-$side" && compile "../$side.o" file.c -include ../prelude.h -g "-fdebug-prefix-map=$PWD=." "$@")
	done
	mv original.o orig.o
	symtab_of orig.o > symtab
	CDO_OPTIONS+=(--changed-lines changed-lines --trees tree-)
}

# ksym_lines: "TYPE NAME" per line on standard input becomes sym lines, one address after the other.
ksym_lines()
{
	awk -v at="${1:-1048576}" '{
		printf "sym\t%016x\t%s\t%s\n", at, $1, $2
		at += 16
	}'
}

symtab_header()
{
	printf 'kpatch-symtab\t1\nobject\t%s\n' "$OBJNAME"
	[[ $OBJNAME != vmlinux ]] || awk '{ print "struct\t" $1 "\t" $2 }' <<< "$FIXTURE_STRUCTS"
}

# symtab_of OBJECT: a symbol table with what OBJECT defines, as if it were all of the kernel.
symtab_of()
{
	symtab_header
	readelf -SW "$1" | sed -n 's/^ *\[ *\([0-9]*\)\] \([^ ]*\).*/\1 \2/p' > sections
	readelf -sW "$1" | awk '
		FILENAME == "sections" { percpu[$1] = $2 ~ /^\.data\.\.percpu/; next }
		$1 ~ /^[0-9]+:$/ && $4 !~ /SECTION|FILE/ && $7 != "UND" && $8 != "" && $8 !~ /^\.L/ {
			letter = $4 == "OBJECT" ? "d" : "t"
			if ($5 == "WEAK")
				letter = letter == "d" ? "V" : "W"
			else if ($5 == "GLOBAL")
				letter = toupper(letter)
			print percpu[$7] ? "A" : letter, $8
		}' sections - | ksym_lines
}

# symtab: the whole symbol table, lines "TYPE NAME" on standard input.
symtab()
{
	{ symtab_header; ksym_lines; } > symtab
}

# ksyms TYPE NAME ...: more symbols of the running kernel, at its end.
ksyms()
{
	while (($#)); do
		printf '%s %s\n' "$1" "$2"
		shift 2
	done | ksym_lines 4194304 >> symtab
}

# ksyms_first TYPE NAME ...: the same in front of all others.
ksyms_first()
{
	sed '/^sym/d' symtab > symtab.new
	while (($#)); do
		printf '%s %s\n' "$1" "$2"
		shift 2
	done | ksym_lines 4096 >> symtab.new
	sed -n '/^sym/p' symtab >> symtab.new
	mv symtab.new symtab
}

# Module.symvers of the pretended kernel.
exports()
{
	sed 's/ /\t/g' > symvers <<-'EOT'
		0x00000001 __fentry__ vmlinux EXPORT_SYMBOL 
		0x00000002 _printk vmlinux EXPORT_SYMBOL 
		0x00000003 kmalloc vmlinux EXPORT_SYMBOL 
		0x00000004 gpl_export vmlinux EXPORT_SYMBOL_GPL 
		0x00000005 cxl_export vmlinux EXPORT_SYMBOL_NS_GPL CXL
		0x00000006 dma_export vmlinux EXPORT_SYMBOL_NS_GPL DMA_BUF
		0x00000007 other_export drivers/net/other-mod EXPORT_SYMBOL 
		0x00000008 other_second drivers/net/other-mod EXPORT_SYMBOL 
		0x00000009 mod_export drivers/net/patched-mod EXPORT_SYMBOL_GPL 
		0x0000000a vmlinux_data vmlinux EXPORT_SYMBOL 
		0x0000000b __x86_return_thunk vmlinux EXPORT_SYMBOL 
		0x0000000c third_export drivers/third EXPORT_SYMBOL 
	EOT
}

# cdo CODE [OPTIONS]: compare the pair, expect this exit code. After a failure nothing may be left
# behind; after a success the output must be an object that the other tools understand.
cdo()
{
	local code=$1
	shift
	rm -f output.o report
	run --separate-stderr "$CDO" --report report --source file.c "${CDO_OPTIONS[@]}" "$@" \
		orig.o patched.o "$OBJNAME" symtab symvers livepatch_test output.o
	if ((status != code)); then
		echo "exit status $status, expected $code"
		echo "$stderr"
		echo "$output"
		return 1
	fi
	if ((code)); then
		nothing_left_behind
	else
		well_formed output.o
	fi
	case $code in
	0) [[ $stderr != *error:* && $stderr != *refused:* ]] ;;
	1) [[ $stderr == *error:* ]] ;;
	2) [[ $stderr == *refused:* && $stderr != *error:* ]] ;;
	3) [[ $stderr != *error:* && $stderr != *refused:* &&
	      $output == *"file.c: nothing changed" ]] ;;
	esac
}

nothing_left_behind()
{
	[[ ! -e report ]] || { echo "a report was left behind"; return 1; }
	if compgen -G 'output.o*' > /dev/null; then
		echo "left behind: $(echo output.o*)"
		return 1
	fi
}

well_formed()
{
	local complaints
	complaints=$({ readelf -aW "$1" > /dev/null; ld -r -o /dev/null "$1"; } 2>&1) || true
	[[ -z $complaints ]] || { echo "$1: $complaints"; return 1; }
	# Local symbols come first, and the section header says where they end.
	readelf -SsW "$1" | awk '
		/ SYMTAB +[0-9a-f]+ / { info = $(NF - 1) }
		/^ *[0-9]+: / { n++; if ($5 == "LOCAL") last = n }
		END { if (info != last) { print "sh_info is " info ", not " last; exit 1 } }'
}

# messages: compare all of standard error with standard input.
messages()
{
	diff -u - <(printf '%s\n' "$stderr" | sed 's/^create-diff-object: //')
}

# refusals: compare what is refused with standard input, without the details behind it: see diff-picture.bats.
refusals()
{
	diff -u - <(printf '%s\n' "$stderr" | sed -n 's/^create-diff-object: //p')
}

no_messages()
{
	[[ -z $stderr ]] || { printf 'unexpected: %s\n' "$stderr"; return 1; }
}

# Everything that was said to people, without the last line, which counts bytes.
infos()
{
	diff -u - <(printf '%s\n' "$output" |
		sed 's/^create-diff-object: //; /: [0-9]* bytes, [0-9]* livepatch relocations$/d')
}

# changes: compare the report with standard input, without its head, sizes, link names, reasons and notes. Fields
# are separated by a blank. Names of which the compiler chooses the number: see the tests.
changes()
{
	diff -u - <(sed -n '4,$p' report | awk -F '\t' '
		$1 ~ /^(why|risk|moved|removed)$/ { next }
		$1 == "function" { print $1, $2, $3; next }
		$1 == "part" { print $1, $2, $3; next }
		$1 == "new" { print $1, $2, $3; next }
		$1 == "copy" { print $1, $2, $3; next }
		{ gsub(/\t/, " "); print }')
}

# reasons: compare what the report says of why functions changed, moved or are gone. Fields are separated by a blank.
reasons()
{
	diff -u - <(sed -n -E '/^(why|moved|removed)\t/s/\t/ /gp' report)
}

# reloc_list OBJECT: "SECTION OFFSET TYPE SYMBOL ADDEND", the addend as a signed decimal.
reloc_list()
{
	readelf -rW "$1" | awk '
		/^Relocation section/ { section = substr($3, 7, length($3) - 7) }
		length($1) == 16 && $1 ~ /^[0-9a-f]+$/ {
			sign = NF == 7 ? ($6 == "+" ? "" : "-") : ""
			print section, $1, $3, $5, sign (NF == 7 ? $7 : 0)
		}' | while read -r section offset type symbol addend; do
		if [[ $addend == -* ]]; then
			addend=-$((16#${addend#-}))
		else
			addend=$((16#$addend))
		fi
		printf '%s 0x%x %s %s %d\n' "$section" "$((16#$offset))" "${type#R_X86_64_}" \
			"$symbol" "$addend"
	done
}

# relocs [SECTION...]: compare the relocations of the output's sections with standard input.
# Without arguments all of them, but not the ftrace table and the calls of __fentry__.
relocs()
{
	if (($#)); then
		diff -u - <(reloc_list output.o | awk -v want=" $* " 'index(want, " " $1 " ")')
	else
		diff -u - <(reloc_list output.o | grep -v -e '^__mcount_loc ' -e ' __fentry__ -4$')
	fi
}

# code_relocs SECTION...: the same without offsets, for code of the compiler. These must be the
# ones of the patched object.
code_relocs()
{
	local section
	for section in "$@"; do
		if reloc_list patched.o | grep "^$section " > /dev/null; then
			diff -u <(reloc_list patched.o | awk -v s="$section" '$1 == s { print $2, $3 }') \
				<(reloc_list output.o | awk -v s="$section" '$1 == s { print $2, $3 }')
		fi
	done
	diff -u - <(reloc_list output.o | grep -v ' __fentry__ -4$' |
		awk -v want=" $* " 'index(want, " " $1 " ") { print $1, $3, $4, $5 }')
}

has_section()
{
	readelf -SW "$1" | sed -n 's/^ *\[ *[0-9]*\] \([^ ]*\) .*/\1/p' | grep -xF -e "$2" > /dev/null
}

# sections: compare the names of the output's sections, those of relocations and of the symbol and
# string tables aside.
sections()
{
	diff -u - <(readelf -SW output.o | sed -n 's/^ *\[ *[1-9][0-9]*\] \([^ ]*\) .*/\1/p' |
		grep -v -e '^\.rela' -e '^\.symtab$' -e '^\.strtab$' -e '^\.shstrtab$')
}

has_symbol()
{
	readelf -sW "$1" | awk -v name="$2" '$8 == name { found = 1 } END { exit !found }'
}

# symbols: compare "NAME BIND TYPE" of the output's defined symbols with standard input.
symbols()
{
	diff -u - <(readelf -sW output.o | awk '
		$1 ~ /^[0-9]+:$/ && $7 != "UND" && $4 != "SECTION" { print $8, $5, $4 }' | sort)
}

# bytes OBJECT SECTION: its contents in hexadecimal.
bytes()
{
	local contents
	contents=$(mktemp section.XXXXXX)
	objcopy -O binary --only-section="$2" --set-section-flags "$2"=alloc,contents,load \
		"$1" "$contents"
	od -An -v -tx1 "$contents" | tr -d ' \n'
	echo
}

# given OBJECT SYMBOL...: fail, saying so, when the compiler did not produce what a test is about.
given_symbols()
{
	local object=$1 name
	shift
	for name in "$@"; do
		has_symbol "$object" "$name" ||
			{ echo "the compiler made no $name in $object: test something else"; return 1; }
	done
}

given_not()
{
	! "$@" || { echo "not the situation that this test is about: not $*"; return 1; }
}

given()
{
	"$@" || { echo "not the situation that this test is about: $*"; return 1; }
}
