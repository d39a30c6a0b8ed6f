#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The proof: a kernel that was not built from this source is noticed, whatever the difference is.
#
# shellcheck disable=SC2154 # build sets output and ko

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
	vmlinux=$BATS_TEST_TMPDIR/vmlinux
	"$TOP/kpatch-image/kpatch-image" unpack "$KPATCH_TEST_KERNEL" -o "$vmlinux"
}

# file_offset SYMBOL OFFSET: where OFFSET bytes behind the function lie in the unpacked image.
file_offset()
{
	local address
	address=$(awk -F '\t' -v name="$1" '$4 == name { print $2 }' \
		"$(kernel_profile)/symtab")
	readelf -SW "$vmlinux" | sed 's/^ *\[ *[0-9]*\]//' | while read -r name _ start offset _; do
		[[ $name == .text ]] || continue
		echo $((0x$address - 0x$start + 0x$offset + $2))
	done
}

# poke SYMBOL OFFSET BYTE (as two hexadecimal digits)
poke()
{
	printf "%b" "\\x$3" | dd of="$vmlinux" bs=1 seek="$(file_offset "$1" "$2")" conv=notrunc status=none
}

# peek SYMBOL OFFSET: 8 bytes
peek()
{
	od -An -tx1 -j "$(file_offset "$1" "$2")" -N 8 "$vmlinux" | sed 's/^ //'
}

@test "the unpacked image proves as much as the packed one, and the module is the same" {
	build 0 packed "$TOP/examples/meminfo-string.patch"
	mv "$ko" "$BATS_TEST_TMPDIR/packed.ko"
	build 0 packed --vmlinux="$vmlinux" "$TOP/examples/meminfo-string.patch"
	cmp "$ko" "$BATS_TEST_TMPDIR/packed.ko"
}

@test "one byte of a function differs: an error that names it" {
	local before after
	before=$(peek meminfo_proc_show 5)
	poke meminfo_proc_show 5 cc
	after=$(peek meminfo_proc_show 5)
	build 1 other -v "$vmlinux" "$TOP/examples/meminfo-string.patch"
	[[ ${before%% *} != cc ]]
	output_has "^create-diff-object: error: fs/proc/meminfo\.c: meminfo_proc_show\+0x5: the kernel has $after here, the compiled source $before; usual causes: another compiler version, another configuration, source of another version\$"
	[ ! -e "$ko" ]
}

@test "a call that goes to another function: an error that names both" {
	local offset
	# The first call of meminfo_proc_show behind its ftrace entry: to si_meminfo.
	offset=$(objdump -d --no-show-raw-insn "$vmlinux" --start-address="0x$(awk -F '\t' \
		'$4 == "meminfo_proc_show" { print $2 }' \
		"$(kernel_profile)/symtab")" |
		awk '/^ *[0-9a-f]+:/ { sub(":", "", $1); if (!start) start = strtonum_hex($1)
			if ($2 == "call" && ++n == 2) { print strtonum_hex($1) - start; exit } }
		function strtonum_hex(s,   i, v) {
			s = substr(s, length(s) - 6)
			for (i = 1; i <= length(s); i++) v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
			return v
		}')
	poke meminfo_proc_show $((offset + 2)) 99
	build 1 call -v "$vmlinux" "$TOP/examples/meminfo-string.patch"
	output_has "^create-diff-object: error: fs/proc/meminfo\.c: meminfo_proc_show\+0x[0-9a-f]+: the kernel refers to [A-Za-z0-9_]+\+0x[0-9a-f]+ here, the compiled source to si_meminfo\+0x0; usual causes: "
	[ ! -e "$ko" ]
}

@test "--skip-image-check makes a warning of it" {
	poke meminfo_proc_show 5 cc
	build 0 skipped --skip-image-check -v "$vmlinux" "$TOP/examples/meminfo-string.patch"
	output_has '^create-diff-object: warning: fs/proc/meminfo\.c: meminfo_proc_show\+0x5: the kernel has '
	module_sane "$ko"
}

@test "an image of another release, and a file that is no image" {
	build 1 release -v "$TOP/README.md" "$TOP/examples/meminfo-string.patch"
	output_has "^kpatch-build: error: $TOP/README\.md: not the image of a kernel\$"
	sed "s/$KPATCH_TEST_RELEASE/9${KPATCH_TEST_RELEASE:1}/g" "$vmlinux" > "$vmlinux.other"
	build 1 release -v "$vmlinux.other" "$TOP/examples/meminfo-string.patch"
	output_has "^kpatch-build: error: $vmlinux\.other: is of release 9${KPATCH_TEST_RELEASE:1}, not of $KPATCH_TEST_RELEASE; "
}
