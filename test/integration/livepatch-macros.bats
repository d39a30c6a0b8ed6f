#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The macros for authors of patches (include/kpatch-macros.h), each at work in a running kernel.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # build sets ko

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
}

# What the guest scripts share: the messages of the patches since the last call.
LIB='
	seen=0
	messages() {
		dmesg | sed -n "s/.*kpatch-macros: //p" > /tmp/messages
		tail -n "+$((seen + 1))" /tmp/messages
		seen=$(wc -l < /tmp/messages)
	}
'

@test "callbacks of kernel and module, what is left out, messages, keys and static calls" {
	build 0 callbacks macros-callbacks.patch
	module_sane "$ko"
	[[ $(klp_relocations "$ko") == *.klp.sym.vmlinux.__SCK__perf_snapshot_branch_stack,0* ]]
	output_has '^  callback  vmlinux: drop_pre_patch\(\) pre_patch$'
	output_has '^  callback  zram: zram_post_unpatch\(\) post_unpatch$'
	output_has '^  left out  vmlinux: drop_pagecache_sb\(\)$'
	output_has '^  left out  vmlinux: sysctl_drop_caches$'
	[ "$(modinfo -F kpatch_ignored "$ko" | sort)" = "vmlinux: drop_pagecache_sb
vmlinux: sysctl_drop_caches" ]
	{ echo "$LIB"; cat; } <<-'EOF' | guest_script
		check() {
			messages > /tmp/new
			expect "$1" "$2" "$(cat /tmp/new)"
		}
		statistics() { echo "$1" > /proc/sys/kernel/sched_schedstats; }
		panic() { echo "$1" > /proc/sys/kernel/panic; }
		# What is refused is said twice: insmod of busybox tries both system calls.
		twice() { printf '%s\n%s' "$1" "$1"; }
		default=$(cat /proc/sys/kernel/panic)

		load zram
		note "pre-patch fails"
		panic 7
		! insmod /modules/livepatch_callbacks.ko 2> /tmp/error || fail "it loaded"
		expect_match "the error of the callback" 'Device or resource busy|Resource busy' "$(cat /tmp/error)"
		expect "not there" absent "$(livepatch_state livepatch_callbacks)"
		is_unloaded livepatch_callbacks || fail "the module stayed"
		check "what was called for the module is undone" "$(twice "pre-patch zram there
		pre-patch vmlinux stored
		post-unpatch zram 1")"
		expect "the shadow core is gone" "" "$(ls /sys/kernel/debug/kpatch-shadow 2>/dev/null)"

		note "pre-patch returns a positive number"
		panic 8
		! insmod /modules/livepatch_callbacks.ko 2> /tmp/error || fail "it loaded"
		expect_match "an error of ours" 'Invalid argument' "$(cat /tmp/error)"
		is_unloaded livepatch_callbacks || fail "the module stayed"
		check "what was called for the module is undone" "$(twice "pre-patch zram there
		pre-patch vmlinux stored
		post-unpatch zram 1")"

		note "the pre-patch of the module fails"
		panic 9
		! insmod /modules/livepatch_callbacks.ko 2> /tmp/error || fail "it loaded"
		check "no other callback" "$(twice "pre-patch zram there")"
		panic "$default"

		load livepatch_callbacks
		check "in order, loaded" "pre-patch zram there
		pre-patch vmlinux stored
		post-patch zram
		post-patch vmlinux 4"
		expect "one user of the field, enabled once" "1 1" "$(xargs < /sys/kernel/debug/kpatch-shadow/kpatch_state.macros_patched/users) $(cat /sys/kernel/debug/kpatch-shadow/enabled)"
		expect "what is patched" "vmlinux/drop_caches_sysctl_handler,1
		zram/mm_stat_show,1" "$(patched_functions livepatch_callbacks)"
		statistics 0
		echo 1 > /proc/sys/vm/drop_caches
		statistics 1
		echo 1 > /proc/sys/vm/drop_caches
		check "the function that is left out says nothing" "drop 1, statistics off, branches 0
		drop 1, statistics on, branches 0"
		statistics 0

		unload zram
		check "the module goes" "pre-unpatch zram
		post-unpatch zram 1"
		disable livepatch_callbacks
		check "disabled without the module" "pre-unpatch vmlinux
		post-unpatch vmlinux 1"
		unload livepatch_callbacks
		load livepatch_callbacks
		check "without the module" "pre-patch vmlinux stored
		post-patch vmlinux 4"
		load zram
		check "the module comes" "pre-patch zram there
		post-patch zram"
		expect_match "patched" ' patched$' "$(cat /sys/block/zram0/mm_stat)"
		disable livepatch_callbacks
		check "disabled: the module's still finds the shadow variables" "pre-unpatch zram
		pre-unpatch vmlinux
		post-unpatch zram 1
		post-unpatch vmlinux 1"
		unload livepatch_callbacks
		unload zram

		note "the pre-patch refuses a module that comes later"
		load livepatch_callbacks
		messages > /dev/null
		panic 9
		! insmod /modules/zram.ko 2> /tmp/error || fail "it loaded"
		is_unloaded zram || fail "the module stayed"
		# The second try of insmod ends before the callback where the kernel cannot bind a module twice (6.1).
		messages | uniq > /tmp/new
		expect "tried" "pre-patch zram there" "$(cat /tmp/new)"
		expect_match "why" "failed for module 'zram', refusing to load" "$(dmesg)"
	EOF
	boot --module "$ko" --module zram
}

@test "system calls of no to six arguments, for 64-bit and for 32-bit programs" {
	"${CC:-gcc}" -static -O2 -Wall -o "$BATS_TEST_TMPDIR/syscalls" "$INTEGRATION/guest/syscalls.c"
	build 0 syscalls macros-syscalls.patch
	module_sane "$ko"
	guest_script <<-'EOF'
		tracing=/sys/kernel/tracing
		before=$(./syscalls)
		load livepatch_syscalls
		expect "sums" "64: 7 11 21 321 4321 54321 654321
		32: 7 11 21 321 4321 54321 654321" "$(./syscalls)"
		expect "other tasks" "$$" "$(sh -c 'echo $PPID')"
		echo 1 > $tracing/events/syscalls/sys_enter_umask/enable
		./syscalls > /dev/null
		expect_match "described for tracing" 'sys_umask\(mask: 1\)' "$(cat $tracing/trace)"
		echo 0 > $tracing/events/syscalls/sys_enter_umask/enable
		disable livepatch_syscalls
		unload livepatch_syscalls
		expect_no_match "sums no more" 654321 "$(./syscalls)"
	EOF
	boot --module "$ko" --file "$BATS_TEST_TMPDIR/syscalls"
}

@test "a static call and a static key of a module, which comes after the livepatch" {
	build 0 aesni macros-aesni.patch
	module_sane "$ko"
	run klp_relocations "$ko"
	[[ $output == *".klp.rela.aesni_intel."*".klp.sym.aesni_intel.__SCK__aesni_ctr_enc_tfm,1"* ]]
	[[ $output == *".klp.rela.aesni_intel."*".klp.sym.aesni_intel.gcm_use_avx2,1"* ]]
	guest_script <<-'EOF'
		grep -q '^flags.* aes' /proc/cpuinfo || fail "this processor has no AES, the test is void"
		ctr() { awk '$1 == "driver" { on = $3 == "ctr-aes-aesni" } on && $1 == "selftest" { print $3 }' /proc/crypto; }
		load livepatch_aesni
		load aesni_intel
		modprobe_ctr() { [ "$(ctr)" = passed ]; }
		wait_for 20 "self-test of ctr-aes-aesni ($(ctr))" modprobe_ctr
		expect_match "the new code ran" 'kpatch-macros: ctr, avx2 (on|off)' "$(dmesg)"
		disable livepatch_aesni
		unload livepatch_aesni
	EOF
	boot --module "$ko" --module aesni-intel
}
