#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What names alone do not tell: which of several functions of one name is meant, and functions that
# ftrace cannot redirect but whose callers can be replaced with them.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # build sets ko and output

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
}

@test "a static function whose name the kernel has several times, and one that refers to such ones" {
	build 0 kallsyms kallsyms-show.patch
	module_sane "$ko"
	guest_script <<-'EOF'
		# The position that the build found must be that of /proc/kallsyms' own function, not of
		# another s_show: /proc/vmallocinfo has one, too.
		kallsyms() { head -n 1 /proc/kallsyms; }
		count=$(grep -c ' s_show$' /proc/kallsyms)
		[ "$count" -gt 2 ] || fail "s_show is there $count times: not the situation to test"
		vmalloc() { head -n 1 /proc/vmallocinfo; }
		vmalloc_before=$(vmalloc)
		expect_no_match before ' patched$' "$(kallsyms)"
		load livepatch_kallsyms
		expect_match "what is patched" '^vmlinux/s_show,[1-9]$' \
			"$(patched_functions livepatch_kallsyms)"
		expect_match loaded ' patched$' "$(kallsyms)"
		expect "the other s_show" "$vmalloc_before" "$(vmalloc)"
		disable livepatch_kallsyms
		expect_no_match disabled ' patched$' "$(kallsyms)"
		unload livepatch_kallsyms
	EOF
	boot --module "$ko"
}

@test "the body of a system call, which is notrace, is replaced with its entry points" {
	local line
	line=$(($(line_of kernel/sys.c "SYSCALL_DEFINE1(newuname" "memcpy(&tmp") + 1))
	build 0 uname uname-machine.patch
	module_sane "$ko"
	[ "$(grep -E '^  (changed|new|replaced) ' <<< "$output" | sort)" = "$(printf '  %s\n' \
		'changed   vmlinux: __ia32_sys_newuname(): it calls __do_sys_newuname(), which changed and which ftrace cannot redirect' \
		'changed   vmlinux: __x64_sys_newuname(): it calls __do_sys_newuname(), which changed and which ftrace cannot redirect' \
		"replaced  vmlinux: __do_sys_newuname(): kernel/sys.c:$line changed")" ]
	guest_script <<-'EOF'
		expect before x86_64 "$(uname -m)"
		load livepatch_uname
		expect loaded X86_64 "$(uname -m)"
		disable livepatch_uname
		expect disabled x86_64 "$(uname -m)"
		unload livepatch_uname
	EOF
	boot --module "$ko"
}

@test "a function whose section others share, with a branch to a neighbour" {
	local line
	line=$(line_of kernel/time/timer.c "schedule_timeout_killable(signed" "return")
	build 0 killable sched-killable.patch
	module_sane "$ko"
	# The situation: in the kernel both lie in .sched.text.
	[ "$(grep -E '^  (changed|new|replaced) ' <<< "$output")" = "  changed   vmlinux: schedule_timeout_killable(): kernel/time/timer.c:$line changed" ]
	guest_script <<-'EOF'
		# The module loader refuses a relocated field that is not zero.
		load livepatch_killable
		expect "what is patched" vmlinux/schedule_timeout_killable,1 \
			"$(patched_functions livepatch_killable)"
		disable livepatch_killable
		unload livepatch_killable
	EOF
	boot --module "$ko"
}

@test "one changed function of a file is one registered function" {
	local line
	line=$(line_of kernel/fork.c "*copy_process(" "(clone_flags & (CLONE_NEWNS|CLONE_FS))")
	build 0 fork fork-flag.patch
	module_sane "$ko"
	[ "$(grep -E '^  (changed|new|replaced) ' <<< "$output")" = "  changed   vmlinux: copy_process(): kernel/fork.c:$line changed" ]
}
