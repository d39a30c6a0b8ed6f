#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# New files that a patched makefile of a real kernel adds to the kernel and to a module.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # build sets ko and output

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
	PROFILE=$(kernel_profile)
	cd "$BATS_TEST_TMPDIR" || return
}

@test "a patched function calls one of a new file, which calls one that the patch adds elsewhere, in the stock kernel" {
	build 0 file proc-new-file.patch
	module_sane "$ko"
	output_has '^  changed   vmlinux: meminfo_proc_show\(\): fs/proc/meminfo.c:160 changed$'
	output_has '^  new       vmlinux: proc_patched_show\(\)$'
	output_has '^  new       vmlinux: proc_patched_unit\(\)$'
	# Both new functions are reached inside of the livepatch, and not through the kernel.
	[ "$(readelf -sW "$ko" | awk '$8 ~ /^proc_patched_/ { print $5, $7 != "UND", $8 }' | sort)" = \
		$'GLOBAL 1 proc_patched_show\nGLOBAL 1 proc_patched_unit' ]
	run ! grep 'klp\.sym\..*proc_patched' <<<"$(klp_relocations "$ko")"
	guest_script <<-'EOF'
		names() { cut -d : -f 1 /proc/meminfo; }
		original=$(names)
		load livepatch_file
		expect "what is patched" vmlinux/meminfo_proc_show,1 "$(patched_functions livepatch_file)"
		expect first 'PatchedOdd: 1 proc reads 1' "$(grep Patched /proc/meminfo)"
		expect second 'PatchedEven: 2 proc reads 1' "$(grep Patched /proc/meminfo)"
		expect "nothing else" "$original" "$(names | grep -v Patched)"
		disable livepatch_file
		expect disabled "$original" "$(names)"
		unload livepatch_file
	EOF
	boot --module "$ko"
}

@test "a static function that the patch makes global and changes is called by another file in its new version" {
	build 0 global version-global.patch
	module_sane "$ko"
	# The kernel's own, which leads to the new one.
	grep 'klp\.sym\.vmlinux\.version_proc_show,0' <<<"$(klp_relocations "$ko")"
	guest_script <<-'EOF'
		original=$(cat /proc/version)
		load livepatch_global
		expect "what is patched" 'vmlinux/uptime_proc_show,1 vmlinux/version_proc_show,1' "$(patched_functions livepatch_global | tr '\n' ' ' | sed 's/ $//')"
		expect itself "patched $original" "$(cat /proc/version)"
		expect "by the other" "patched $original" "$(tail -n 1 /proc/uptime)"
		disable livepatch_global
		expect disabled "1 $original" "$(wc -l < /proc/uptime) $(cat /proc/version)"
		unload livepatch_global
	EOF
	boot --module "$ko"
}

@test "a new file of a module of several objects knows the module's name" {
	build 0 zram zram-new-file.patch
	module_sane "$ko"
	guest_script <<-'EOF'
		last() { cut -d ' ' -f 9- /sys/block/zram0/mm_stat | grep -o '[a-z].*' || true; }
		load lzo_rle
		load livepatch_zram
		load zram
		echo 16M > /sys/block/zram0/disksize
		expect "livepatch first" "patched by zram" "$(last)"
		disable livepatch_zram
		expect disabled "" "$(last)"
		unload livepatch_zram
	EOF
	boot --module "$ko" --module zram --module lzo_rle
}

# patch_of FILE SED_SCRIPT: the edit as a patch; of a new FILE with the text on standard input.
patch_of()
{
	local new=$BATS_TEST_TMPDIR/new old=$PROFILE/src/$1
	if [ -e "$old" ]; then
		sed "$2" "$old" >"$new"
		diff -u --label "a/$1" --label "b/$1" "$old" "$new" || [ $? -eq 1 ]
	else
		cat >"$new"
		diff -u --label /dev/null --label "b/$1" /dev/null "$new" || [ $? -eq 1 ]
	fi
}

@test "what a new file registers at start is refused, all of it in one run" {
	local said
	{
		patch_of fs/proc/Makefile '$aproc-y += fresh.o'
		patch_of fs/proc/fresh.c <<-'EOT'
			#include <linux/init.h>
			#include <linux/module.h>
			int fresh(void);
			int fresh(void) { return 1; }
			EXPORT_SYMBOL_GPL(fresh);
			static int __init start(void) { return fresh(); }
			late_initcall(start);
			void vfree(const void *);
			void vfree(const void *p) { }
		EOT
	} >fix.patch
	build 2 fix "$PWD/fix.patch"
	said=$(grep '^create-diff-object: ' <<<"$output" | sed 's/__kmod_proc__[0-9_]*/__/' | sort)
	diff -u <(sort <<-'EOT'
		create-diff-object: refused: fs/proc/fresh.c: __ksymtab_fresh: new EXPORT_SYMBOL; a livepatch cannot export or hide a symbol of the kernel: leave this part out
		create-diff-object: refused: fs/proc/fresh.c: __initcall__start7: new initcall (section .initcall7.init), which nobody would ever call; do what it does in a pre-patch callback, or leave this part out
		create-diff-object: refused: fs/proc/fresh.c: start(): new initialisation code, which would never run, as the kernel, or the module, has started without it; do what it does in a pre-patch callback, or leave this part out
		create-diff-object: refused: fs/proc/fresh.c: vfree(): new, but vmlinux has this name already, from another file, and whoever uses it goes on using that; patch it there, or give the new one another name
	EOT
	) - <<<"$said"
}

@test "the kernel's own makefiles decide: flags of one object, lists of options, directories that are not built" {
	local file
	{
		patch_of fs/proc/Makefile 's/^proc-$(CONFIG_PROC_VMCORE)\t+= vmcore.o/& task_none.o/; $aproc-$(CONFIG_PREEMPT_RT) += rt.o'
		patch_of fs/proc/task_none.c <<<'int task_none;'
		patch_of fs/proc/rt.c <<<'int rt;'
	} >fix.patch
	build 2 fix "$PWD/fix.patch"
	output_has "^kpatch-build: refused: fs/proc/rt.c: is not compiled with the configuration of $KPATCH_TEST_RELEASE, as fs/proc/Makefile adds it to proc-\\$\\(CONFIG_PREEMPT_RT\\), and CONFIG_PREEMPT_RT is not set; leave it out of the patch$"
	{
		patch_of fs/proc/Makefile '/^CFLAGS_task_mmu/aproc-y += fresh.o\nCFLAGS_fresh.o += -DX'
		patch_of fs/proc/fresh.c <<<'int fresh;'
	} >fix.patch
	build 2 fix "$PWD/fix.patch"
	output_has '^kpatch-build: refused: fs/proc/Makefile: changes more than lists of objects, at line [0-9]+ \(CFLAGS_fresh.o \+= -DX\); only objects can be added to a list: leave the rest out of the patch$'
	# Of each kind of directory: without a change, make says of all objects what the plan has.
	while read -r file list; do
		{
			patch_of "$file" "\$a$list += kpatch_fresh.o"
			patch_of "${file%/*}/kpatch_fresh.c" <<<'int kpatch_fresh;'
		} >fix.patch
		build 3 fix "$PWD/fix.patch"
		output_has '^kpatch-build: note: the patch only adds code, and nothing in the running kernel would call it$'
	done <<-'EOT'
		drivers/block/zram/Makefile zram-objs
		arch/x86/kvm/Makefile kvm-intel-y
		arch/x86/kernel/cpu/Makefile obj-y
		net/ipv4/Makefile obj-$(CONFIG_INET)
		lib/Makefile lib-y
		kernel/sched/Makefile obj-y
		fs/Makefile obj-y
	EOT
}
