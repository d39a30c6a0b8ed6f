#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Kernels that are newer than those that the other tests are for (KPATCH_TEST_RELEASE): the patches that still fit their
# source.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # build sets ko and output

bats_require_minimum_version 1.5.0
load ../integration/common
load ../integration/shadow

setup()
{
	need_kernel
}

# probe FILE...: a patch that adds a function that nobody calls to each, in probe.patch.
probe()
{
	local source file lines n=0
	source=$(kernel_profile)/src
	for file; do
		lines=$(wc -l <"$source/$file")
		n=$((n + 1))
		printf -- '--- a/%s\n+++ b/%s\n@@ -%d +%d,2 @@\n' "$file" "$file" "$lines" "$lines"
		tail -n 1 "$source/$file" | sed 's/^/ /'
		printf '+int kpatch_probe_%d(void) { return %d; }\n' "$n" "$n"
	done >"$BATS_TEST_TMPDIR/probe.patch"
}

@test "functions of the kernel and of a module are patched, and are themselves again" {
	build 0 newer uptime-string.patch version-string.patch loop-autoclear.patch
	module_sane "$ko"
	guest_script <<-'EOF'
		dd if=/dev/zero of=/tmp/disk bs=64k count=16 2>/dev/null
		shown() { cut -d ' ' -f 3 /proc/uptime; cut -d ' ' -f 1 /proc/version; }
		original=$(shown)
		patched="patched
		(patched)"
		for round in 1 2; do
			load livepatch_newer
			expect "loaded, $round" "$patched" "$(shown)"
			load loop
			expect "module after it, $round" no "$(loop_autoclear)"
			expect "what is patched, $round" "loop/loop_attr_do_show_autoclear,1
		vmlinux/uptime_proc_show,1
		vmlinux/version_proc_show,1" "$(patched_functions livepatch_newer)"
			disable livepatch_newer
			expect "disabled, $round" "$original" "$(shown)"
			expect "and the module, $round" 0 "$(loop_autoclear)"
			unload livepatch_newer
			load livepatch_newer
			expect "module before it, $round" no "$(loop_autoclear)"
			disable livepatch_newer
			unload livepatch_newer
			unload loop
		done
	EOF
	boot --module "$ko" --module loop
}

@test "objects with tracepoints, warnings and much else are what the kernel was built from" {
	probe kernel/fork.c kernel/exit.c fs/namei.c fs/proc/base.c drivers/net/tun.c
	build 3 probe "$BATS_TEST_TMPDIR/probe.patch"
	output_has '^kpatch-build: note: the patch only adds code, and nothing in the running kernel would call it$'
}

@test "warnings of the new code name their place, with arguments, and come once if they say so" {
	local source
	source=$(kernel_profile)/src/fs/proc/uptime.c
	cd "$BATS_TEST_TMPDIR"
	sed 's/^\tseq_printf(m, "%lu/\tWARN(!strcmp(current->comm, "warn-me"), "%d arguments of %s\\n", 2, current->comm);\n\tWARN_ON_ONCE(!strcmp(current->comm, "warn-once"));\n&/' \
		"$source" >uptime.c
	run -1 diff -u --label a/fs/proc/uptime.c --label b/fs/proc/uptime.c "$source" uptime.c
	printf '%s\n' "$output" >warn.patch
	build 0 warn "$PWD/warn.patch"
	guest_script <<-'EOF'
		read_as() { sh -c "echo -n $1 > /proc/self/comm; read -r line < /proc/uptime"; }
		load livepatch_warn
		read_as nobody
		read_as warn-me
		read_as warn-me
		read_as warn-once
		read_as warn-once
		disable livepatch_warn
		unload livepatch_warn
	EOF
	boot_dirty 3 '2 arguments of warn-me$' 'WARNING: .*fs/proc/uptime.c:[0-9]+ .*uptime_proc_show\+0x[0-9a-f]+/0x[0-9a-f]+ \[livepatch_warn\]'
}
