#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Which objects a patch touches, and the patches that are refused before anything is compiled.

bats_require_minimum_version 1.5.0
load driver-fixtures

# Of a kernel that is not known yet there would be a warning in each run.
FAKE_RELEASE=6.9.0-1-fake

setup()
{
	fake_profile
	cd "$BATS_TEST_TMPDIR" || return
}

# new_diff FILE: a patch to FILE that would apply if it were there.
new_diff()
{
	printf -- '--- a/%s\n+++ b/%s\n@@ -1 +1 @@\n-x\n+y\n' "$1" "$1"
}

# selected PATCH...: the objects.
selected()
{
	driver_source
	# shellcheck disable=SC2034 # the driver reads them
	RELEASE=$FAKE_RELEASE PATCHES=("$@")
	{ patches_read && select_objects; } 2>&1
	printf 'object %s of %s from %s\n' "${OBJECTS[@]}" "${OBJ_MODULES[${OBJECTS[0]}]}" "${OBJ_SOURCE[${OBJECTS[0]}]}"
}

# refuses MESSAGE FILE: a patch to FILE is refused.
refuses()
{
	new_diff "$1" >fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 2 "kpatch-build: refused: $1: $2"
	[ ! -e livepatch-fix.ko ]
}

@test "a patched .c file selects its object, and the copy is patched, not the profile" {
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	run selected fix.patch
	expect 0 "object fs/proc/one.o of vmlinux from fs/proc/one.c"
	grep -q 'return 100' work/files/patched/fs/proc/one.c
	grep -q 'return 1;' work/files/original/fs/proc/one.c
	grep -q 'return 1;' "$PROFILE/src/fs/proc/one.c"
}

@test "patches are applied in order, the second on top of the first" {
	patch_of fs/proc/one.c 's/1/100/' >first.patch
	printf -- '--- a/fs/proc/one.c\n+++ b/fs/proc/one.c\n@@ -3 +3 @@\n-\treturn 100;\n+\treturn 200;\n' >second.patch
	run selected first.patch second.patch
	expect 0 "object fs/proc/one.o of vmlinux from fs/proc/one.c"
	grep -q 'return 200' work/files/patched/fs/proc/one.c
	run driver -a "$FAKE_RELEASE" second.patch first.patch
		expect 1 "kpatch-build: error: $PWD/second.patch: does not apply to the source of $FAKE_RELEASE: fs/proc/one.c: Hunk #1 does not match at line 3"
}

@test "git's form of patches, with a message before it, is taken" {
	{
		printf 'From 0 Mon Sep 17 00:00:00 2001\nSubject: [PATCH] fix\n\n---\n fs/proc/one.c | 2 +-\n\n'
		printf 'diff --git a/fs/proc/one.c b/fs/proc/one.c\nindex 1..2 100644\n'
		patch_of fs/proc/one.c 's/1/100/'
		printf -- '-- \n2.39.5\n'
	} >fix.patch
	run selected fix.patch
	expect 0 "object fs/proc/one.o of vmlinux from fs/proc/one.c"
}

@test "a .c file that another .c file includes selects the object of the latter" {
	patch_of kernel/sched/rt.c 's/0/7/' >fix.patch
	run selected fix.patch
	expect 0 "object kernel/sched/policy.o of vmlinux from kernel/sched/policy.c"
}

@test "documentation is skipped, with a note" {
	{
		new_diff Documentation/proc.rst
		patch_of fs/proc/one.c 's/1/100/'
		new_diff MAINTAINERS
	} >fix.patch
	run selected fix.patch
	expect 0 "kpatch-build: note: Documentation/proc.rst: not compiled into the kernel; skipped"
	expect 0 "kpatch-build: note: MAINTAINERS: not compiled into the kernel; skipped"
	expect 0 "object fs/proc/one.o of vmlinux from fs/proc/one.c"
}

@test "a file under tools/ is skipped, unless the kernel compiles it" {
	{
		new_diff tools/perf/perf.c
		patch_of tools/lib/relo.c 's/0/7/'
	} >fix.patch
	run selected fix.patch
	expect 0 "kpatch-build: note: tools/perf/perf.c: not compiled into the kernel; skipped"
	expect 0 "object tools/lib/relo.o of vmlinux from tools/lib/relo.c"
}

@test "a patch to documentation alone changes nothing" {
	new_diff Documentation/proc.rst >fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 3 "kpatch-build: note: the patch changes nothing that is compiled"
}

@test "files that livepatch cannot reach are refused, each with the reason" {
	refuses arch/x86/boot/main.c "runs before the kernel does; boot a fixed kernel"
	refuses arch/x86/entry/vdso/vgetcpu.c "is part of the vdso, which runs in user space; boot a fixed kernel"
	refuses arch/x86/purgatory/purgatory.c "runs between two kernels at kexec; boot a fixed kernel"
	refuses arch/x86/realmode/rm/regs.c "is real-mode code, which livepatch cannot reach; boot a fixed kernel"
	refuses drivers/firmware/efi/libstub/x86-stub.c "is part of the EFI stub, which runs before the kernel; boot a fixed kernel"
	refuses arch/x86/lib/copy.S "is assembler code, which livepatch cannot replace; change the C code that calls it"
	refuses arch/x86/kernel/asm-offsets.c "is compiled to make header files, not code; change the code that uses them, or boot a fixed kernel"
	refuses arch/x86/kernel/asm-offsets_64.c "is compiled to make header files, not code; change the code that uses them, or boot a fixed kernel"
	refuses kernel/bounds.c "is compiled to make header files, not code; change the code that uses them, or boot a fixed kernel"
	refuses init/version.c "holds the version strings of one build; there is no code to patch"
	echo x >"$PROFILE/src/fs/proc/Kconfig"
	refuses fs/proc/Kconfig "changes how the kernel is configured or built; leave it out of the patch"
	echo x >"$PROFILE/src/arch/x86/lib/x86-opcode-map.txt"
	refuses arch/x86/lib/x86-opcode-map.txt "is turned into code by the build, not compiled; change C code instead"
	refuses arch/arm64/kernel/x.c "belongs to another architecture; leave it out of the patch"
}

@test "a file that the configuration leaves out is refused by name" {
	patch_of drivers/off/off.c 's/0/7/' >fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 2 "kpatch-build: refused: drivers/off/off.c: is not compiled with the configuration of $FAKE_RELEASE; leave it out of the patch"
}

# copies: plan lines that compile fs/proc/one.c for other places than the kernel.
copies()
{
	local object
	for object in arch/x86/purgatory/one.o drivers/firmware/efi/libstub/lib-one.o \
		arch/x86/entry/vdso/vone.o arch/x86/realmode/rm/one.o arch/x86/boot/compressed/one.o; do
		printf '%s\tfs/proc/one.c\tvmlinux\tc\tgcc\t\n' "$object"
	done
}

@test "copies of the code that do not run in the kernel are left out, each with a warning" {
	local rest="this copy of fs/proc/one.c, which does not run in the kernel, is not patched"
	copies >>"$PROFILE/plan"
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	run selected fix.patch
	expect 0 "kpatch-build: warning: arch/x86/purgatory/one.o: runs between two kernels at kexec; $rest"
	expect 0 "kpatch-build: warning: drivers/firmware/efi/libstub/lib-one.o: is part of the EFI stub, which runs before the kernel; $rest"
	expect 0 "kpatch-build: warning: arch/x86/entry/vdso/vone.o: is part of the vdso, which runs in user space; $rest"
	expect 0 "kpatch-build: warning: arch/x86/realmode/rm/one.o: is real-mode code, which livepatch cannot reach; $rest"
	expect 0 "kpatch-build: warning: arch/x86/boot/compressed/one.o: runs before the kernel does; $rest"
	[ "$(grep '^object ' <<<"$output")" = "object fs/proc/one.o of vmlinux from fs/proc/one.c" ]
}

@test "code of which no copy runs in the kernel is refused" {
	copies | head -n 1 >"$PROFILE/plan"
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 2 "kpatch-build: refused: arch/x86/purgatory/one.o: the code of fs/proc/one.c runs between two kernels at kexec; boot a fixed kernel"
	[[ $output != *warning:* ]]
	[ ! -e livepatch-fix.ko ]
}

@test "kernel code in the directories of the vdso and of the real-mode code is selected" {
	local file
	mkdir -p "$PROFILE/src/arch/x86/realmode"
	for file in arch/x86/entry/vdso/{vma,extable,vdso32-setup} arch/x86/realmode/init; do
		printf 'int x(void)\n{\n\treturn 1;\n}\n' >"$PROFILE/src/$file.c"
		plan_line "$file.o" vmlinux gcc >"$PROFILE/plan"
		patch_of "$file.c" 's/1/100/' >fix.patch
		rm -rf work
		run selected fix.patch
		expect 0 "object $file.o of vmlinux from $file.c"
		[[ $output != *warning:* ]]
	done
}

@test "lib/ is kernel code like any other" {
	printf 'int sort(void)\n{\n\treturn 1;\n}\n' >"$PROFILE/src/lib/sort.c"
	plan_line lib/sort.o vmlinux gcc >>"$PROFILE/plan"
	patch_of lib/sort.c 's/1/100/' >fix.patch
	run selected fix.patch
	expect 0 "object lib/sort.o of vmlinux from lib/sort.c"
	[[ $output != *warning:* && $output != *skipped* ]]
}

@test "the same file name in two directories, and a bare #include in two, are each themselves" {
	mkdir -p "$PROFILE/src/fs/other"
	printf 'int one(void)\n{\n\treturn 1;\n}\n' >"$PROFILE/src/fs/other/one.c"
	plan_line fs/other/one.o other gcc >>"$PROFILE/plan"
	printf '#include "rt.c"\n' >"$PROFILE/src/fs/other/policy.c"
	plan_line fs/other/policy.o other gcc >>"$PROFILE/plan"
	fake_includes
	sort -o "$PROFILE/plan" "$PROFILE/plan"
	{
		patch_of fs/other/one.c 's/1/100/'
		patch_of kernel/sched/rt.c 's/0/7/'
	} >fix.patch
	selected fix.patch >said
	[ "${OBJECTS[*]}" = "fs/other/one.o kernel/sched/policy.o" ]
	[ "${OBJ_MODULES[fs/other/one.o]}" = other ]
	grep -q 'return 1;' "$PROFILE/src/fs/proc/one.c"
	[ ! -e work/files/patched/fs/proc ]
}

@test "what is written in the tree to compile in does not reach the profile" {
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	selected fix.patch >said
	chmod -R u+w "$PROFILE/src"
	(cd "$PROFILE/src" && find . -type f | sort | xargs md5sum) >before
	tree_make "$WORKDIR/tree" "$WORKDIR/files/patched"
	# Of the patched file and of the directories that lead to it there are no links of any kind.
	[ -z "$(find "$WORKDIR/tree/fs" -maxdepth 0 -type l)$(find "$WORKDIR/tree/fs/proc" -maxdepth 0 -type l)" ]
	[ "$(stat -c %h-%F "$WORKDIR/tree/fs/proc/one.c")" = '1-regular file' ]
	grep -q 'return 100;' "$WORKDIR/tree/fs/proc/one.c"
	grep -q 'return 2;' "$WORKDIR/tree/fs/proc/two.c"
	echo changed >"$WORKDIR/tree/fs/proc/one.c"
	: >"$WORKDIR/tree/fs/proc/one.o"
	(cd "$PROFILE/src" && find . -type f | sort | xargs md5sum) | cmp - before
}

@test "new, removed and renamed files are refused" {
	printf -- '--- /dev/null\n+++ b/fs/proc/new.c\n@@ -0,0 +1 @@\n+int x;\n' >new.patch
	run driver -a "$FAKE_RELEASE" new.patch
	expect 2 "kpatch-build: refused: fs/proc/new.c: is a new file that no makefile of the patch adds to a list of objects; add it to one, or add the code to a file that the kernel already builds"
	{
		printf -- '--- a/fs/proc/one.h\n+++ /dev/null\n@@ -1 +0,0 @@\n-int three;\n'
	} >gone.patch
	run driver -a "$FAKE_RELEASE" gone.patch
	expect 2 "kpatch-build: refused: fs/proc/one.h: is removed; a livepatch cannot take code away"
	printf 'diff --git a/fs/proc/one.c b/fs/proc/uno.c\nsimilarity index 100%%\nrename from fs/proc/one.c\nrename to fs/proc/uno.c\n' >move.patch
	run driver -a "$FAKE_RELEASE" move.patch
	expect 2 "kpatch-build: refused: fs/proc/one.c: is renamed to fs/proc/uno.c; patch the file under its old name"
}

@test "what is no patch is an error that names the file" {
	: >empty.patch
	run driver -a "$FAKE_RELEASE" empty.patch
	expect 1 "kpatch-build: error: $PWD/empty.patch: empty, not a patch"
	echo 'some text' >text.patch
	run driver -a "$FAKE_RELEASE" text.patch
	expect 1 "kpatch-build: error: $PWD/text.patch: changes no file; make it with diff -u or git diff"
}

@test "a patch that does not apply names file and hunk; fuzz is not tried" {
	patch_of fs/proc/one.c 's/1/100/' | sed 's/^ int one(void)/ int uno(void)/' >fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 1 "kpatch-build: error: $PWD/fix.patch: does not apply to the source of $FAKE_RELEASE: fs/proc/one.c: Hunk #1 does not match at line 1; with --fuzz it applies, with fewer of the lines around the change compared"
	[ ! -e livepatch-fix.ko ]
}

@test "a file that does not exist is an error that names it" {
	new_diff fs/proc/none.c >fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 1 "kpatch-build: error: fs/proc/none.c: no such file in the source of $FAKE_RELEASE; is the patch for this kernel?"
}

@test "a patch cannot reach outside the source tree" {
	new_diff ../../../victim.c >fix.patch
	echo x >victim.c
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 1 "kpatch-build: error: $PWD/fix.patch: b/../../../victim.c: names a file outside the source tree; make the patch inside of it, as with git diff"
	[ "$(<victim.c)" = x ]
}
