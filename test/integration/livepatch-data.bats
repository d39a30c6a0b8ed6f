#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What a patch adds, what it must share with the running kernel, and what lies in cold parts.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # build sets ko

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
}

@test "new functions and variables in two files, and a static local that keeps its value" {
	build 0 report drop-caches-report.patch
	module_sane "$ko"
	run klp_relocations "$ko"
	# The kernel's own static local, and not a copy.
	[[ $output == *".klp.sym.vmlinux.stfu."* ]]
	guest_script <<-'EOF'
		drop() { echo "$1" > /proc/sys/vm/drop_caches; }
		messages() { dmesg | grep -c ': drop_caches: ' || true; }
		report() { grep '^Drop' /proc/meminfo | tr -s ' \n' ' ' || true; }
		quiet() { awk '$1 == "DropQuiet:" { print $2 }' /proc/meminfo; }

		expect "no report" "" "$(report)"
		drop 1
		expect "the kernel says so" 1 "$(messages)"
		load livepatch_report
		expect "what is patched" "vmlinux/drop_caches_sysctl_handler,1
		vmlinux/drop_pagecache_sb,1
		vmlinux/meminfo_proc_show,1" "$(patched_functions livepatch_report)"
		for symbol in note_drop_request drop_caches_report; do
			expect "$symbol is a function of the module" 1 \
				"$(grep -c " [tT] $symbol.*\[livepatch_report\]" /proc/kallsyms)"
		done
		expect "initial values" "DropRequests: 0 DropQuiet: -1 DropInodes: 0 " "$(report)"
		drop 2
		expect "one request" "DropRequests: 1 DropQuiet: 0 DropInodes: 0 " "$(report)"
		expect "the patched code says so" 2 "$(messages)"
		drop 1
		expect "still said" 3 "$(messages)"
		expect_match "inodes were seen" '^DropRequests: 2 DropQuiet: 0 DropInodes: [1-9][0-9]* $' \
			"$(report)"
		drop 4
		expect "the last one said" 4 "$(messages)"
		drop 1
		expect "silent from now on" 4 "$(messages)"
		expect "the value that it read" 4 "$(quiet)"
		disable livepatch_report
		expect "no report again" "" "$(report)"
		drop 1
		expect "the original code reads what the patched code wrote" 4 "$(messages)"
		unload livepatch_report
		load livepatch_report
		expect "new variables start anew" "DropRequests: 0 DropQuiet: -1 DropInodes: 0 " \
			"$(report)"
		drop 1
		expect "the static local does not" 4 "$(quiet)"
		expect "silent in the second round" 4 "$(messages)"
		disable livepatch_report
		unload livepatch_report
	EOF
	boot --module "$ko"
}

@test "a change in the cold part only patches the function that it is a part of" {
	build 0 cold drop-caches-cold.patch
	module_sane "$ko"
	guest_script <<-'EOF'
		drop() { echo 1 > /proc/sys/vm/drop_caches; }
		messages() { dmesg | grep -c ": $1: 1" || true; }
		grep -q ' drop_caches_sysctl_handler.cold$' /proc/kallsyms ||
			fail "this kernel has no such cold part, the test is void"
		drop
		expect "before" "1 0" "$(messages drop_caches) $(messages 'dropped caches')"
		load livepatch_cold
		expect "what is patched" vmlinux/drop_caches_sysctl_handler,1 \
			"$(patched_functions livepatch_cold)"
		drop
		expect "loaded" "1 1" "$(messages drop_caches) $(messages 'dropped caches')"
		disable livepatch_cold
		drop
		expect "disabled" "2 1" "$(messages drop_caches) $(messages 'dropped caches')"
		unload livepatch_cold
		drop
		expect "unloaded" "3 1" "$(messages drop_caches) $(messages 'dropped caches')"
	EOF
	boot --module "$ko"
}
