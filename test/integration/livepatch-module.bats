#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Functions of loadable modules: the module there first, the livepatch there first, the module
# unloaded and loaded again under the livepatch.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # build sets ko

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
}

@test "a function of a module is patched in whatever order module and livepatch are loaded" {
	build 0 loop loop-autoclear.patch
	module_sane "$ko"
	guest_script <<-'EOF'
		dd if=/dev/zero of=/tmp/disk bs=64k count=16 2>/dev/null
		load loop
		expect "module alone" 0 "$(loop_autoclear)"
		load livepatch_loop
		expect_match "what is patched" '^loop/loop_attr_[a-z_]*autoclear[a-z_]*,1$' \
			"$(patched_functions livepatch_loop)"
		expect "module first" no "$(loop_autoclear)"
		unload loop
		expect "the livepatch stays" 1 "$(livepatch_state livepatch_loop)"
		load loop
		expect "module again" no "$(loop_autoclear)"
		disable livepatch_loop
		expect "disabled" 0 "$(loop_autoclear)"
		unload livepatch_loop
		expect "unloaded" 0 "$(loop_autoclear)"
		unload loop

		load livepatch_loop
		load loop
		expect "livepatch first" no "$(loop_autoclear)"
		disable livepatch_loop
		expect "disabled again" 0 "$(loop_autoclear)"
		unload livepatch_loop
		unload loop
	EOF
	boot --module "$ko" --module loop
}

@test "a patched function of a module calls the exports of another module that no patch touches" {
	local compression=()
	build 0 zram zram-mm-stat.patch
	module_sane "$ko"
	# The calls into zsmalloc are bound when zram arrives, or they would never be.
	run klp_relocations "$ko"
	[[ $output == *".klp.rela.zram."*".klp.sym.zsmalloc.zs_get_total_pages,"* ]]
	[[ $output == *".klp.rela.zram."*".klp.sym.zsmalloc.zs_pool_stats,"* ]]
	[[ $output != *".klp.rela.zsmalloc."* ]]
	run modinfo -F depends "$ko"
	[ "$output" = "" ]
	guest_script <<-'EOF'
		fill() {
			echo 16M > /sys/block/zram0/disksize
			dd if=/dev/urandom of=/dev/zram0 bs=64k count=16 2>/dev/null
			sync
		}
		# original size, memory used, what follows the last number
		stat() {
			awk '{ print $1, ($3 >= 1000000 && $3 < 2000000) ? "about a megabyte" : $3, $10 }' \
				/sys/block/zram0/mm_stat
		}
		[ ! -e /modules/lzo_rle.ko ] || load lzo_rle
		load zram
		fill
		original=$(stat)
		expect "module alone" "1048576 about a megabyte " "$original"
		load livepatch_zram
		expect "what is patched" zram/mm_stat_show,1 "$(patched_functions livepatch_zram)"
		expect "module first" "1048576 about a megabyte patched" "$(stat)"
		disable livepatch_zram
		expect "disabled" "$original" "$(stat)"
		unload livepatch_zram
		unload zram
		unload zsmalloc

		load livepatch_zram
		load zram
		fill
		expect "livepatch first" "1048576 about a megabyte patched" "$(stat)"
		unload zram
		unload zsmalloc
		load zsmalloc
		# Before 6.3 the kernel leaves the relocations of a patched module that goes in place,
		# and refuses that module when it comes again.
		if insmod /modules/zram.ko 2>/dev/null; then
			fill
			expect "both modules again" "1048576 about a megabyte patched" "$(stat)"
			unload zram
		else
			expect "which kernel does that" 6.1 "$(uname -r | cut -d . -f 1-2)"
			expect_match "why" "Skipping invalid relocation target, existing value is nonzero" \
				"$(dmesg | tail -n 5)"
		fi
		disable livepatch_zram
		unload livepatch_zram
		load zram
		fill
		expect "unloaded" "$original" "$(stat)"
	EOF
	# Newer kernels have the compression in zram itself.
	if [[ -n $(find -H "$KPATCH_TEST_MODULES" -name 'lzo-rle.ko*') ]]; then
		compression=(--module lzo_rle)
	fi
	boot --module "$ko" --module zram "${compression[@]}"
}

@test "one livepatch for the kernel and for two modules, of which one never comes" {
	build 0 three "$TOP/examples/meminfo-string.patch" loop-autoclear.patch zram-mm-stat.patch
	module_sane "$ko"
	guest_script <<-'EOF'
		load livepatch_three
		expect "kernel" 1 "$(grep -c '^VmallocChunk (patched): ' /proc/meminfo)"
		load loop
		dd if=/dev/zero of=/tmp/disk bs=64k count=16 2>/dev/null
		losetup /dev/loop0 /tmp/disk
		expect "module" no "$(cat /sys/block/loop0/loop/autoclear)"
		disable livepatch_three
		expect "module, disabled" 0 "$(cat /sys/block/loop0/loop/autoclear)"
		expect "kernel, disabled" 1 "$(grep -c '^VmallocChunk:  ' /proc/meminfo)"
		losetup -d /dev/loop0
		unload livepatch_three
	EOF
	boot --module "$ko" --module loop
}
