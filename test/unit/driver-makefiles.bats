#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # text for make
#
# Makefiles that a patch changes, and the new .c files that they add: with a build system of a page that prints what
# the kernel's would. The kernel's own: test/integration/livepatch-files.bats.

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	fake_profile
	cd "$BATS_TEST_TMPDIR" || return
	fake_kbuild
	TREE=$BATS_TEST_TMPDIR/tree
	mkdir "$TREE"
	(cd "$PROFILE/src" && cp -R --no-preserve=mode . "$TREE")
}

# fake_kbuild: makefiles for the fake kernel, and its plan by them.
fake_kbuild()
{
	local src=$PROFILE/src
	mkdir -p "$src/scripts/basic" "$src/include/config" "$src/drivers/mod" "$src/drivers/off"
	printf 'CONFIG_ON=y\nCONFIG_MOD=m\n' >"$src/include/config/auto.conf"
	printf 'build := -f scripts/Makefile.build obj\nall:;false\n' >"$src/Makefile"
	printf 'obj-y += fs/ drivers/\n' >"$src/Kbuild"
	printf 'obj-y += proc/\n' >"$src/fs/Makefile"
	printf 'obj-$(CONFIG_MOD) += mod/\nobj-$(CONFIG_OFF) += off/\n' >"$src/drivers/Makefile"
	cat >"$src/fs/proc/Makefile" <<-'END'
		# The proc filesystem
		obj-y += proc.o

		CFLAGS_special.o := -DSPECIAL
		proc-y := one.o   # the first
		proc-$(CONFIG_ON) += \
			two.o
	END
	printf 'obj-$(CONFIG_MOD) += mod.o\nmod-objs := mod_main.o\n' >"$src/drivers/mod/Makefile"
	printf 'obj-y += off.o\n' >"$src/drivers/off/Makefile"
	printf 'int mod(void)\n{\n\treturn 0;\n}\n' >"$src/drivers/mod/mod_main.c"
	cat >"$src/scripts/Makefile.build" <<-'END'
		.RECIPEPREFIX = ~
		build := -f scripts/Makefile.build obj
		obj-y :=
		obj-m :=
		ccflags-y :=
		include include/config/auto.conf
		include $(or $(wildcard $(obj)/Kbuild),$(obj)/Makefile)
		parts = $(or $(strip $($(1:.o=)-y) $($(1:.o=)-objs)),$(1))
		files-y := $(filter %.o,$(foreach o,$(obj-y),$(call parts,$o)))
		files-m := $(filter %.o,$(foreach o,$(obj-m),$(call parts,$o)))
		subdirs := $(patsubst %/,%,$(filter %/,$(obj-y) $(obj-m)))
		path = $(if $(filter-out .,$(obj)),$(obj)/)
		name = $(or $(strip $(foreach o,$(obj-y) $(obj-m),$(if $(filter $(1),$($(o:.o=)-y) $($(o:.o=)-objs)),$(o:.o=)))),$(1:.o=))
		all: $(addprefix $(path),$(files-y) $(files-m) $(subdirs))
		$(addprefix $(path),$(subdirs)):
		~@$(MAKE) $(build)=$@
		%.o: %.c
		~set -e; echo 'CC'; trap 'rm -f $@; trap - PIPE; kill -s PIPE $$$$' PIPE; gcc -D__KERNEL__ $(if $(filter $(@:$(path)%=%),$(files-m)),-DMODULE) -DKBUILD_BASENAME='"$(*F)"' -DKBUILD_MODNAME='"$(call name,$(@:$(path)%=%))"' $(ccflags-y) $(CFLAGS_$(@F)) -c -o $@ $<; scripts/basic/fixdep D $@ 'CC' > x
		%.o: %.S
		~set -e; echo 'AS'; trap 'rm -f $@; trap - PIPE; kill -s PIPE $$$$' PIPE; gcc -D__KERNEL__ -D__ASSEMBLY__ -c -o $@ $<; scripts/basic/fixdep D $@ 'AS' > x
		.PHONY: all $(addprefix $(path),$(subdirs))
	END
	(
		driver_source
		make -C "$src" --no-print-directory -n -k -f scripts/Makefile.build obj=. >make.out 2>make.err
		plan_parse make.out . >"$PROFILE/plan"
	)
	[ "$(cut -f 1 "$PROFILE/plan" | paste -sd ' ')" = 'drivers/mod/mod_main.o fs/proc/one.o fs/proc/two.o' ]
	fake_includes
}

# adds MAKEFILE SED_SCRIPT: an edit of a makefile, and fix.patch with all edits of the tree, new files too.
adds()
{
	sed -i "$2" "$TREE/$1"
	patch_all
}

patch_all()
{
	local file
	(
		cd "$TREE" && find . -type f -printf '%P\n' | sort | while read -r file; do
			if [ -e "$PROFILE/src/$file" ]; then
				diff -u --label "a/$file" --label "b/$file" "$PROFILE/src/$file" "$file"
			else
				diff -u --label /dev/null --label "b/$file" /dev/null "$file"
			fi
		done
	) >fix.patch || true
}

# new_c FILE: with a function of its name.
new_c()
{
	printf 'int %s(void)\n{\n\treturn 5;\n}\n' "$(basename "$1" .c)" >"$TREE/$1"
}

# selected: what is selected, a line each, and what the compiler is told.
selected()
{
	local object
	driver_source
	RELEASE=$FAKE_RELEASE PATCHES=(fix.patch)
	KERNEL_CC=gcc JOBS=2
	{ patches_read && select_objects; } 2>&1
	for object in "${OBJECTS[@]}"; do
		printf 'object %s of %s%s: %s\n' "$object" "${OBJ_MODULES[$object]}" "${OBJ_NEW[$object]:+, new}" \
			"$(grep -oE -- "-D(MODULE|SPECIAL|KBUILD_[A-Z]*='\"[a-z_]*\"')" <<<"${OBJ_COMPILE[$object]}" | paste -sd ' ')"
	done
}

refuses()
{
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 2 "kpatch-build: refused: $1"
	[ "$(grep -c 'refused: ' <<<"$output")" -eq "${2:-1}" ]
	[[ $output != *error:* ]]
	[ ! -e livepatch-fix.ko ]
	[ -z "$(find tmp -mindepth 1)" ]
}

readonly REST="only objects can be added to a list: leave the rest out of the patch"

@test "a new file is compiled as the makefile says: the name of its composite, flags of its own" {
	new_c fs/proc/fresh.c
	new_c fs/proc/special.c
	adds fs/proc/Makefile 's/one.o/one.o fresh.o/; $aproc-y += special.o'
	run selected
	expect 0 "object fs/proc/fresh.o of vmlinux, new: -DKBUILD_BASENAME='\"fresh\"' -DKBUILD_MODNAME='\"proc\"'"
	expect 0 "object fs/proc/special.o of vmlinux, new: -DKBUILD_BASENAME='\"special\"' -DKBUILD_MODNAME='\"proc\"' -DSPECIAL"
	[ "$(grep -c '^object ' <<<"$output")" -eq 2 ]
	[[ $output != *note:* ]]
}

@test "a new file of a module, in a list of either kind, and one by itself in a directory that is built in" {
	new_c drivers/mod/more.c
	new_c drivers/mod/most.c
	new_c fs/alone.c
	adds drivers/mod/Makefile 's/mod_main.o/& \\\n\tmore.o/; $amod-$(CONFIG_ON) += most.o'
	sed -i 's/-$(CONFIG_ON) +=/-y +=/' "$TREE/drivers/mod/Makefile"
	adds fs/Makefile '1iobj-$(CONFIG_ON) += alone.o'
	run selected
	expect 0 "object drivers/mod/more.o of mod, new: -DMODULE -DKBUILD_BASENAME='\"more\"' -DKBUILD_MODNAME='\"mod\"'"
	expect 0 "object drivers/mod/most.o of mod, new: -DMODULE -DKBUILD_BASENAME='\"most\"' -DKBUILD_MODNAME='\"mod\"'"
	expect 0 "object fs/alone.o of vmlinux, new: -DKBUILD_BASENAME='\"alone\"' -DKBUILD_MODNAME='\"alone\"'"
}

@test "a new file with other files of the patch: its original is empty, and what it defines is there for them" {
	new_c fs/proc/fresh.c
	sed -i 's/return 1/return fresh()/; 1iint fresh(void);' "$TREE/fs/proc/one.c"
	adds fs/proc/Makefile '$aproc-y += fresh.o'
	selected >said
	[ "${OBJECTS[*]}" = "fs/proc/one.o fs/proc/fresh.o" ]
	kept_init
	compile_objects 2>>said
	[ -z "$(nm "$WORKDIR/original/fs/proc/fresh.o" 2>&1 | grep -v 'no symbols')" ]
	[ -z "$(nm "$WORKDIR/proof/fs/proc/fresh.o" 2>&1 | grep -v 'no symbols')" ]
	[ "$(nm "$WORKDIR/patched/fs/proc/fresh.o" | cut -c 18-)" = "T fresh" ]
	printf 'vmlinux\t%s\n' "${OBJECTS[@]}" >"$WORKDIR/targets"
	added_globals
	[ "$(new_globals vmlinux fs/proc/one.o)" = fresh ]
	[ -z "$(new_globals vmlinux fs/proc/fresh.o)" ]
	# The makefile is no file to be compiled, padded or seen.
	[ ! -e "$WORKDIR/files/original/fs/proc/Makefile" ]
	[ ! -e "$WORKDIR/files/patched/fs/proc/Makefile" ]
}

@test "nothing is written to the profile" {
	find "$PROFILE" -type f -exec md5sum {} + | sort >before
	new_c fs/proc/fresh.c
	adds fs/proc/Makefile '$aproc-y += fresh.o'
	selected >said
	find "$PROFILE" -type f -exec md5sum {} + | sort | cmp - before
}

@test "a second patch of a series may change the file that the first one adds" {
	new_c fs/proc/fresh.c
	adds fs/proc/Makefile '$aproc-y += fresh.o'
	printf -- '--- a/fs/proc/fresh.c\n+++ b/fs/proc/fresh.c\n@@ -3 +3 @@\n-\treturn 5;\n+\treturn 6;\n' >>fix.patch
	selected >said
	[ "${OBJECTS[*]}" = fs/proc/fresh.o ]
	grep -q 'return 6' "$WORKDIR/files/patched/fs/proc/fresh.c"
}

@test "options that are not set: the file is refused by name, and so is one without any makefile" {
	new_c fs/proc/fresh.c
	new_c fs/proc/other.c
	adds fs/proc/Makefile '$aproc-$(CONFIG_OFF) += fresh.o'
	refuses "fs/proc/other.c: is a new file that no makefile of the patch adds to a list of objects; add it to one, or add the code to a file that the kernel already builds" 2
	expect 2 "kpatch-build: refused: fs/proc/fresh.c: is not compiled with the configuration of $FAKE_RELEASE, as fs/proc/Makefile adds it to proc-\$(CONFIG_OFF), and CONFIG_OFF is not set; leave it out of the patch"
}

@test "a new file without a makefile above it" {
	new_c drivers/off/lost.c
	new_c fs/proc/fresh.c
	adds fs/proc/Makefile '$aproc-y += fresh.o'
	refuses "drivers/off/lost.c: is a new file that no makefile of the patch adds to a list of objects; add it to one, or add the code to a file that the kernel already builds"
}

@test "a new file beside a makefile that adds nothing" {
	new_c fs/proc/three.c
	adds fs/proc/Makefile '1s/proc/processes/'
	run selected
	expect 2 "kpatch-build: refused: fs/proc/three.c: is a new file that no makefile of the patch adds to a list of objects; add it to one, or add the code to a file that the kernel already builds"
}

@test "a list of a directory that the configuration leaves out" {
	new_c drivers/off/more.c
	adds drivers/off/Makefile '$aobj-y += more.o'
	refuses "drivers/off/more.c: is not compiled with the configuration of $FAKE_RELEASE, as drivers/off/Makefile adds it to obj-y; leave it out of the patch"
}

# more LINE TEXT SED_SCRIPT [MAKEFILE]: is refused for this line.
more()
{
	cp "$PROFILE/src/fs/proc/Makefile" "$TREE/fs/proc/Makefile"
	new_c fs/proc/fresh.c
	adds fs/proc/Makefile '$aproc-y += fresh.o'
	adds fs/proc/Makefile "$3"
	refuses "fs/proc/Makefile: changes more than lists of objects, at line $1 ($2); $REST"
}

@test "anything else in a makefile is refused, with its line" {
	more 8 'ccflags-y += -DX' '7accflags-y += -DX'
	more 1 'CFLAGS_fresh.o := -O1' '1s/.*/CFLAGS_fresh.o := -O1/'
	more 9 'proc-y += dir/' '$aproc-y += dir/'
	more 9 'extra-y += fresh.o' '$aextra-y += fresh.o'
	more 9 'always-y += fresh.o' '$aalways-y += fresh.o'
	more 9 'proc-y := fresh.o' '$aproc-y := fresh.o'
	more 3 'ifdef CONFIG_ON' '3iifdef CONFIG_ON'
	more 9 'proc-y += ../up.o' '$aproc-y += ../up.o'
	more 9 'hostprogs-y += fresh.o' '$ahostprogs-y += fresh.o'
	more 9 '$(eval proc-y += fresh.o)' '$a$(eval proc-y += fresh.o)'
}

@test "no command in a makefile is run" {
	local list ran=$PWD/ran
	for list in 'proc-$(shell touch RAN; echo y)' 'proc-$(shell touch${IFS}RAN)' 'proc-$(file >RAN)' \
		'proc-$(subst m,y,$(shell touch RAN))' 'proc-$(shell touch RAN)-$(CONFIG_ON)' 'proc-$(CONFIG_ON)$(shell touch RAN)'; do
		list=${list//RAN/$ran}
		cp "$PROFILE/src/fs/proc/Makefile" "$TREE/fs/proc/Makefile"
		new_c fs/proc/fresh.c
		adds fs/proc/Makefile "\$a$list += fresh.o"
		run driver -a "$FAKE_RELEASE" fix.patch
		[ "$status" -eq 2 ]
		[[ $output == *"changes more than lists of objects, at line 8 (proc-"* ]]
		[ ! -e ran ]
	done
	# What is written so often is taken.
	cp "$PROFILE/src/fs/proc/Makefile" "$TREE/fs/proc/Makefile"
	adds fs/proc/Makefile '$aproc-$(subst m,y,$(CONFIG_MOD)) += fresh.o'
	run selected
	expect 0 "object fs/proc/fresh.o of vmlinux, new: -DKBUILD_BASENAME='\"fresh\"' -DKBUILD_MODNAME='\"proc\"'"
}

# less LINE TEXT SED_SCRIPT
less()
{
	cp "$PROFILE/src/fs/proc/Makefile" "$TREE/fs/proc/Makefile"
	new_c fs/proc/fresh.c
	adds fs/proc/Makefile '$aproc-y += fresh.o'
	adds fs/proc/Makefile "$3"
	refuses "fs/proc/Makefile: loses line $1 ($2); $REST"
}

@test "a line or a word that is missing is refused" {
	less 2 'obj-y += proc.o' 2d
	less 5 'proc-y := one.o' 's/one.o/fresh.o/'
	less 6 'proc-$(CONFIG_ON) += two.o' '7s/two/three/'
	less 4 'CFLAGS_special.o := -DSPECIAL' 's/-DSPECIAL/& -DMORE/'
}

@test "conditions in the makefile may not change what there is" {
	printf 'ifneq ($(filter fresh.o,$(proc-y)),)\nccflags-y += -DFRESH\nendif\n' >>"$PROFILE/src/fs/proc/Makefile"
	cp "$PROFILE/src/fs/proc/Makefile" "$TREE/fs/proc/Makefile"
	new_c fs/proc/fresh.c
	adds fs/proc/Makefile 's/one.o/one.o fresh.o/'
	refuses "fs/proc/Makefile: changes how fs/proc/one.o is compiled; $REST"
	printf 'ifneq ($(filter fresh.o,$(proc-y)),)\nproc-y := fresh.o\nendif\n' >>"$PROFILE/src/fs/proc/Makefile"
	sed -i 's/-DFRESH/-DNONE/; s/^ccflags-y += -DNONE$/x := 1/' "$PROFILE/src/fs/proc/Makefile"
	cp "$PROFILE/src/fs/proc/Makefile" "$TREE/fs/proc/Makefile"
	adds fs/proc/Makefile 's/one.o/one.o fresh.o/'
	refuses "fs/proc/Makefile: takes fs/proc/one.o out of the kernel; $REST"
}

@test "comments and blanks in a makefile are nothing to compile" {
	adds fs/proc/Makefile 's/# The proc/# A/; s/proc-y := one.o.*/proc-y   :=   one.o # 1/; 3d; 2s/$/ # two/'
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 3 "kpatch-build: note: fs/proc/Makefile: adds no object; there is nothing to compile"
	expect 3 "kpatch-build: note: the patch changes nothing that is compiled"
}

@test "an object without a source, assembler, and a new module are refused" {
	adds fs/proc/Makefile '$aproc-y += gone.o'
	refuses "fs/proc/Makefile: adds gone.o, of which there is no source; is the patch complete?"
	cp "$PROFILE/src/arch/x86/lib/copy.S" "$PROFILE/src/fs/proc/gone.S"
	refuses "fs/proc/gone.S: is assembler code, which livepatch cannot replace; change the C code that calls it"
	cp "$PROFILE/src/fs/proc/Makefile" "$TREE/fs/proc/Makefile"
	new_c drivers/mod/second.c
	adds drivers/mod/Makefile '$aobj-m += second.o'
	refuses "drivers/mod/second.c: would be part of second, a module that $FAKE_RELEASE does not have; build and load that by itself"
}

@test "a new composite of new files, in a directory that is built in" {
	new_c fs/left.c
	new_c fs/right.c
	adds fs/Makefile '$aobj-y += both.o\nboth-y := left.o \\\n\tright.o'
	run selected
	expect 0 "object fs/left.o of vmlinux, new: -DKBUILD_BASENAME='\"left\"' -DKBUILD_MODNAME='\"both\"'"
	expect 0 "object fs/right.o of vmlinux, new: -DKBUILD_BASENAME='\"right\"' -DKBUILD_MODNAME='\"both\"'"
}

@test "a source that was there and was not built is new in its list" {
	printf 'int spare(void)\n{\n\treturn 5;\n}\n' >"$PROFILE/src/fs/proc/spare.c"
	cp "$PROFILE/src/fs/proc/spare.c" "$TREE/fs/proc/spare.c"
	adds fs/proc/Makefile '$aproc-y += spare.o'
	run selected
	expect 0 "object fs/proc/spare.o of vmlinux, new: -DKBUILD_BASENAME='\"spare\"' -DKBUILD_MODNAME='\"proc\"'"
}

@test "makefiles that list no objects of the kernel are refused as a whole" {
	local file
	for file in Makefile scripts/Makefile.build; do
		cp -R "$PROFILE/src/." "$TREE"
		adds "$file" '1iobj-y += x.o'
		refuses "$file: changes how the kernel is configured or built; leave it out of the patch"
	done
}

@test "with IBT a new object gets the objtool command that all others have" {
	awk -F '\t' -v OFS='\t' '{ $6 = $3 == "vmlinux" ? "objtool --ibt" : "objtool --ibt --module"; print }' \
		"$PROFILE/plan" >plan && mv plan "$PROFILE/plan"
	printf 'CONFIG_X86_KERNEL_IBT=y\n' >>"$PROFILE/src/include/config/auto.conf"
	cp "$PROFILE/src/include/config/auto.conf" "$TREE/include/config/auto.conf"
	new_c fs/proc/fresh.c
	new_c drivers/mod/more.c
	adds fs/proc/Makefile '$aproc-y += fresh.o'
	adds drivers/mod/Makefile 's/mod_main.o/& more.o/'
	selected >said
	[ "${OBJ_OBJTOOL[fs/proc/fresh.o]}" = "objtool --ibt" ]
	[ "${OBJ_OBJTOOL[drivers/mod/more.o]}" = "objtool --ibt --module" ]
}
