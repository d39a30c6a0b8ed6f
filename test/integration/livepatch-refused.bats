#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Patches that must not become a livepatch, on real source: exit code, message, and no module.

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_release
}

# refuses PATCH... REGEXP: exit code 2, no module, and REGEXP is the one whole line that says so.
refuses()
{
	local expected=${*: -1} refusals
	build 2 refused "${@:1:$#-1}"
	[ -z "$(find "$BATS_TEST_TMPDIR" -name '*.ko')" ]
	refusals=$(grep 'refused: ' <<< "$output")
	if ! grep -Eqx -- "$expected" <<< "$refusals"; then
		printf '%s\n' "expected $expected, got:" "$refusals"
		return 1
	fi
	[ "$(wc -l <<< "$refusals")" -eq 1 ]
}

readonly INIT='create-diff-object: refused: fs/proc/meminfo\.c: proc_meminfo_init\(\): changed initialisation code, which the running kernel has run and freed; do what it does in a pre-patch callback, or leave this part out'

@test "comments change nothing, not even behind warnings that record their line" {
	build 3 comment comment-only.patch
	output_has '^kpatch-build: note: the patch changes nothing in the compiled code$'
	[ -z "$(find "$BATS_TEST_TMPDIR" -name '*.ko')" ]
}

@test "a function that ran at boot and is gone" {
	refuses meminfo-init.patch "$INIT"
}

@test "one change that is possible does not carry another that is not" {
	refuses "$TOP/examples/meminfo-string.patch" meminfo-init.patch "$INIT"
}

@test "a weak function that another object overrides" {
	refuses meminfo-weak.patch 'create-diff-object: refused: fs/proc/meminfo\.c: arch_report_meminfo\(\): weak, and the kernel runs another object'\''s definition of it instead, at [0-9a-f]{16} between [a-z_]+ and [a-z_]+; patch that one'
	output_has 'arch_report_meminfo\(\): other definition: arch/x86/mm/pat/set_memory\.c$'
}

@test "a function without an ftrace entry" {
	refuses sched-clock-notrace.patch 'create-diff-object: refused: arch/x86/kernel/tsc\.c: native_sched_clock\(\): changed, but it has no ftrace entry \(notrace, noinstr, or assembler\), so that it cannot be redirected; patch its callers instead'
}

@test "another initial value of existing data" {
	refuses dcache-initial-value.patch 'create-diff-object: refused: fs/dcache\.c: sysctl_vfs_cache_pressure: the initial value of existing data changed, which has no effect on the running kernel; set the new value in a pre-patch callback'
}

@test "a header that the vdso sees, and others that see it" {
	build 2 header vdso-header.patch
	local rest="is changed by what it includes, and is part of the vdso, which runs in user space; boot a fixed kernel"
	[ "$(grep refused: <<<"$output")" = "kpatch-build: refused: arch/x86/entry/vdso/vclock_gettime.o: $rest
kpatch-build: refused: arch/x86/entry/vdso/vdso32/vclock_gettime.o: $rest" ]
	[ ! -e "$ko" ]
}

@test "a new member of a structure: refused, unless the author says that no object outlives a call" {
	refuses pagemap-member.patch 'create-diff-object: refused: fs/proc/task_mmu\.c: struct pagemapread changes \(new member stop \("_Bool"\), 24 bytes instead of 24\), and objects in memory have the old layout; keep what is new in a shadow field \(man kpatch-shadow\.h\), or say --allow-layout='\''struct pagemapread'\'' if no object outlives a call'
	build 0 member --allow-layout 'struct pagemapread' pagemap-member.patch
	[ "$(modinfo -F kpatch_layout "$ko")" = 'struct pagemapread' ]
	output_has '^  layout    vmlinux: struct pagemapread changes, which the author allows$'
	build 0 allowed pagemap-allowed.patch
	[ "$(modinfo -F kpatch_layout "$ko")" = 'struct pagemapread' ]
}
