# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Linked modules, made at test time, for the tests of create-klp-module.
#
# shellcheck disable=SC2154 # bats sets status and output

TOP=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
CREATE_KLP_MODULE=${CREATE_KLP_MODULE:-$TOP/create-klp-module/create-klp-module}

create-klp-module()
{
	"$CREATE_KLP_MODULE" "$@"
}

# What module() puts into the module; a test changes them before.
module_defaults()
{
	MODINFO=('license=GPL' 'livepatch=Y' 'depends=' 'vermagic=6.1.0-56-cloud-amd64 SMP preempt')
	VERSIONS=('module_layout' 'printk')
	THIS_MODULE=yes
}

# modpost's part of a module, as assembly.
mod_source()
{
	local s
	if [ ${#MODINFO[@]} -gt 0 ]; then
		echo '.section .modinfo,"a"'
		printf '.asciz "%s"\n' "${MODINFO[@]}"
	fi
	if [ "$THIS_MODULE" = yes ]; then
		printf '%s\n' '.section .gnu.linkonce.this_module,"aw"' \
			'.globl __this_module' '__this_module: .zero 64'
	fi
	if [ ${#VERSIONS[@]} -gt 0 ]; then
		echo '.section __versions,"a"'
		for s in "${VERSIONS[@]}"; do
			printf '.quad 0x12345678\n1: .asciz "%s"\n.org 1b + 56\n' "$s"
		done
	fi
}

# module [FILE]: link FILE (default in.ko) of the assembly on standard input and modpost's part.
module()
{
	local file=${1:-in.ko}
	mod_source | gcc -x assembler -c -o mod.o - &&
		gcc -x assembler -c -o code.o - && ld -r -o "$file" code.o mod.o
}

# sections FILE: NAME TYPE FLAGS ENTSIZE ALIGN [LINK INFO], without null, in their order. For tables
# of relocations the names of the sections that LINK and INFO stand for.
sections()
{
	readelf -SW "$1" | sed -nE 's/^ *\[ *[0-9]+\] //p' | awk '
		{ name[NR - 1] = NR == 1 ? "" : $1 }
		NR > 1 {
			flags = NF == 10 ? $7 : "-"
			line[NR - 1] = $1 " " $2 " " flags " " $6 " " $NF
			if ($2 == "RELA") {
				link[NR - 1] = $(NF - 2)
				info[NR - 1] = $(NF - 1)
			}
		}
		END {
			for (i = 1; i < NR; i++)
				print line[i] (i in link ? " " name[link[i]] " " name[info[i]] : "")
		}'
}

# symbols FILE: VALUE SIZE TYPE BIND VISIBILITY SECTION NAME, in their order; sections by name.
symbols()
{
	{
		readelf -SW "$1" | sed -nE 's/^ *\[ *([0-9]+)\] ([^ ]*) .*/section \1 \2/p'
		readelf -sW "$1" | sed -nE 's/OS \[0xff20\]/LIVEPATCH/; s/^ *[1-9][0-9]*: /symbol /p'
	} | awk '
		$1 == "section" { name[$2] = $3; next }
		{ print $2, $3, $4, $5, $6, ($7 in name ? name[$7] : $7), $8 }'
}

# relocs FILE: RELASECTION OFFSET TYPE SYMBOL ADDEND, in their order, numbers in hex.
relocs()
{
	readelf -rW "$1" | awk '
		/^Relocation section/ { sec = $3; gsub("\047", "", sec); next }
		/^[0-9a-f]+ / {
			sub(/^0+/, "", $1)
			print sec, "0x" ($1 == "" ? "0" : $1), $3, $5, ($6 == "-" ? "-" : "") "0x" $7
		}'
}

# expect COMMAND...: its standard output is standard input.
expect()
{
	"$@" > got || return
	diff -u - got
}

# fails_with CODE MESSAGE: converting in.ko ends with CODE, says only MESSAGE and writes nothing.
fails_with()
{
	local code=$1 message=$2
	shift 2
	run create-klp-module "$@" in.ko out.ko
	echo "expected $code: $message"
	echo "got $status: $output"
	[ "$status" -eq "$code" ]
	[ "$output" = "create-klp-module: $message" ]
	[ -z "$(find . -name 'out.ko*')" ]
}
