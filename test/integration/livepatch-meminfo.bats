#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# A changed string of /proc/meminfo: alone, replaced by the next patch, and under a stacked one.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # build sets ko

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
}

@test "a changed string takes effect, goes away, and comes back, in the stock kernel" {
	local more
	build 0 string "$TOP/examples/meminfo-string.patch"
	module_sane "$ko"
	# Other flavours have more in it, newer kernels too.
	case $KPATCH_TEST_RELEASE in
	6.1.*-cloud-*) more= ;;
	6.12.*-cloud-*) more=num_poisoned_pages ;;
	*) more=unknown ;;
	esac
	[[ $more == unknown ]] || [ "$(klp_relocations "$ko" | cut -f 1,3 | sort -u)" = "$(
		for symbol in arch_report_meminfo hugetlb_report_meminfo $more pcpu_nr_pages \
			seq_put_decimal_ull_width si_swapinfo vm_commit_limit vmalloc_nr_pages; do
			printf '.klp.rela.vmlinux..text.meminfo_proc_show\t.klp.sym.vmlinux.%s,0\n' $symbol
		done
	)" ]
	guest_script <<<"example_rounds livepatch_string"
	boot --module "$ko"
}

@test "with --keep-debug the livepatch knows its lines, does not tell where it was made, and loads" {
	build 0 lines --keep-debug "$TOP/examples/meminfo-string.patch"
	module_sane "$ko"
	source=$(kernel_profile)/src/fs/proc/meminfo.c
	line=$(grep -n '^static int meminfo_proc_show(' "$source" | cut -d : -f 1)
	# In its section it stands behind its padding, if it has any.
	at=$(readelf -sW "$ko" | awk '$8 == "meminfo_proc_show" { print $2 }')
	run addr2line -f -e "$ko" -j .text.meminfo_proc_show "0x$at"
	# A function begins at its brace.
	[ "$output" = "meminfo_proc_show
./fs/proc/meminfo.c:$((line + 1))" ]
	strings -a "$ko" | run ! grep -E '/kpatch-build\.|/tree-'
	guest_script <<-'EOF'
		load livepatch_lines
		expect "what is patched" vmlinux/meminfo_proc_show,1 "$(patched_functions livepatch_lines)"
		expect_match loaded 'VmallocChunk \(patched\)' "$(cat /proc/meminfo)"
		disable livepatch_lines
		unload livepatch_lines
	EOF
	boot --module "$ko"
}

@test "only the content of a string literal differs, not one byte of code" {
	build 0 uptime uptime-string.patch
	module_sane "$ko"
	guest_script <<-'EOF'
		expect_match before '^[0-9.]+ [0-9.]+$' "$(cat /proc/uptime)"
		load livepatch_uptime
		expect_match loaded '^[0-9.]+ [0-9.]+ patched$' "$(cat /proc/uptime)"
		disable livepatch_uptime
		expect_match disabled '^[0-9.]+ [0-9.]+$' "$(cat /proc/uptime)"
		unload livepatch_uptime
		expect_match unloaded '^[0-9.]+ [0-9.]+$' "$(cat /proc/uptime)"
	EOF
	# One processor: the kernel then rewrites lock prefixes too.
	boot --cpus 1 --module "$ko"
}

@test "a second livepatch replaces the first, with all that the first changed" {
	build 0 first "$TOP/examples/meminfo-string.patch" version-string.patch
	local first=$ko
	build 0 second meminfo-second.patch
	local second=$ko
	guest_script <<-'EOF'
		names() { cut -d : -f 1 /proc/meminfo; cut -d ' ' -f 1 /proc/version; }
		original=$(names)
		one=$(echo "$original" | sed 's/^VmallocChunk$/VmallocChunk (patched)/
			s/^Linux$/(patched)/')
		two=$(echo "$original" | sed 's/^VmallocUsed$/VmallocUsed (second)/')
		load livepatch_first
		expect "both patches of the first module" "$one" "$(names)"
		expect "what the first patches" "vmlinux/meminfo_proc_show,1
		vmlinux/version_proc_show,1" "$(patched_functions livepatch_first)"
		load livepatch_second
		expect "second instead of first" "$two" "$(names)"
		wait_for 10 "the first leaves sysfs" _is_disabled livepatch_first
		unload livepatch_first
		expect "second alone" "$two" "$(names)"
		disable livepatch_second
		expect "none" "$original" "$(names)"
		unload livepatch_second
		load livepatch_first
		expect "the first again" "$one" "$(names)"
		disable livepatch_first
		unload livepatch_first
		expect "none again" "$original" "$(names)"
	EOF
	boot --module "$first" --module "$second"
}

@test "livepatches stack with --non-replace, and go in any order" {
	build 0 lower --non-replace "$TOP/examples/meminfo-string.patch"
	local lower=$ko
	build 0 upper -R meminfo-second.patch
	local upper=$ko
	build 0 other -R version-string.patch
	local other=$ko
	build 0 all uptime-string.patch
	local all=$ko
	guest_script <<-'EOF'
		names() {
			cut -d : -f 1 /proc/meminfo
			cut -d ' ' -f 3 /proc/uptime
			cut -d ' ' -f 1 /proc/version
		}
		original=$(names)
		in_lower='s/^VmallocChunk$/VmallocChunk (patched)/'
		in_upper='s/^VmallocUsed$/VmallocUsed (second)/'
		in_other='s/^Linux$/(patched)/'
		with() {
			echo "$original" | sed "$1"
		}
		load livepatch_lower
		expect "lower" "$(with "$in_lower")" "$(names)"
		load livepatch_other
		expect "lower, other" "$(with "$in_lower;$in_other")" "$(names)"
		load livepatch_upper
		expect "of one function the newest counts" "$(with "$in_upper;$in_other")" "$(names)"
		for patch in lower other upper; do
			expect "$patch is enabled" 1 "$(livepatch_state livepatch_$patch)"
		done
		disable livepatch_upper
		expect "without upper" "$(with "$in_lower;$in_other")" "$(names)"
		unload livepatch_upper
		load livepatch_upper
		disable livepatch_lower
		expect "without lower, out of order" "$(with "$in_upper;$in_other")" "$(names)"
		unload livepatch_lower
		disable livepatch_other
		expect "without other" "$(with "$in_upper")" "$(names)"
		unload livepatch_other
		disable livepatch_upper
		expect "none" "$original" "$(names)"
		unload livepatch_upper

		load livepatch_lower
		load livepatch_other
		load livepatch_all
		expect "one that replaces, on two that stack" \
			"$(with 's/^$/patched/')" "$(names)"
		for patch in lower other; do
			wait_for 10 "$patch leaves sysfs" _is_disabled livepatch_$patch
			unload livepatch_$patch
		done
		disable livepatch_all
		expect "none in the end" "$original" "$(names)"
		unload livepatch_all
	EOF
	boot --module "$lower" --module "$upper" --module "$other" --module "$all"
}
