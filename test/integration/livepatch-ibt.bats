#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# A kernel with X86_KERNEL_IBT, call padding and call depth tracking: Debian's 6.12 for Debian 12.
#
# shellcheck disable=SC2154 # build sets ko and output

bats_require_minimum_version 1.5.0
load common

setup()
{
	KPATCH_TEST_RELEASE=${KPATCH_TEST_IBT_RELEASE:-$(newest_release 6.12)}
	PROFILE=$(kernel_profile)
	export KPATCH_TEST_RELEASE
}

# function_bytes SECTION: the first bytes of a section of the module.
function_bytes()
{
	objcopy -O binary --only-section="$1" "$ko" /dev/stdout | od -An -v -tx1 -N "$2" | tr -d ' \n'
}

@test "a changed string takes effect and goes away again in a kernel with IBT" {
	build 0 ibt "$TOP/examples/meminfo-string.patch"
	module_sane "$ko"
	grep -qx CONFIG_X86_KERNEL_IBT=y "$PROFILE/config"
	# 16 bytes of padding, and the landing pad behind them; nothing of ours is to be sealed.
	[ "$(function_bytes .text.meminfo_proc_show 20)" = 90909090909090909090909090909090f30f1efa ]
	[ "$(readelf -sW "$ko" | awk '$8 == "meminfo_proc_show" { print $2, $4 }')" = "0000000000000010 FUNC" ]
	[ "$(readelf -sW "$ko" | awk '$8 == "__pfx_meminfo_proc_show"')" = "" ]
	run -1 grep -F .ibt_endbr_seal <(readelf -SW "$ko")
	# Each call of the new code is in the table that call depth tracking reads.
	[ "$(readelf -rW "$ko" | awk '/^Relocation section/ { s = $3 } s ~ /\.rela\.call_sites/ && $5 == "meminfo_proc_show"' |
		wc -l)" -gt 20 ]
	guest_script <<<"example_rounds livepatch_ibt"
	boot --kernel "$PROFILE/vmlinuz" --modules "$PROFILE/modules" --module "$ko"
}

@test "who would be the first to take the address of a function without ENDBR is refused" {
	build 2 sealed meminfo-sealed.patch
	output_has '^create-diff-object: refused: fs/proc/meminfo\.c: meminfo_proc_show\(\): takes the address of vm_commit_limit\(\), which nothing in the kernel does: a call through a pointer would end in a trap \(IBT\); take the address of a new function that calls it$'
	[ ! -e "$ko" ]
}
