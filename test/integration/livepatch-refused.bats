#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Patches that must not become a livepatch, on real source: exit code, message, and no module.

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_release
}

no_module()
{
	[ -z "$(find "$BATS_TEST_TMPDIR" -name '*.ko')" ]
}

@test "comments change nothing, not even behind warnings that record their line" {
	build 3 comment comment-only.patch
	output_has 'nothing changed|no change'
	no_module
}

@test "a function that ran at boot and is gone" {
	build 2 init meminfo-init.patch
	output_has 'refused: fs/proc/meminfo\.c: proc_meminfo_init\(\): '
	no_module
}

@test "one change that is possible does not carry another that is not" {
	build 2 both "$TOP/examples/meminfo-string.patch" meminfo-init.patch
	output_has 'refused: fs/proc/meminfo\.c: proc_meminfo_init\(\): '
	no_module
}

@test "a weak function that another object overrides" {
	build 2 weak meminfo-weak.patch
	output_has 'refused: fs/proc/meminfo\.c: arch_report_meminfo\(\): '
	no_module
}

@test "a function without an ftrace entry" {
	build 2 notrace sched-clock-notrace.patch
	output_has 'refused: arch/x86/kernel/tsc\.c: native_sched_clock\(\): '
	no_module
}

@test "another initial value of existing data" {
	build 2 value dcache-initial-value.patch
	output_has 'refused: fs/dcache\.c: sysctl_vfs_cache_pressure: '
	no_module
}
