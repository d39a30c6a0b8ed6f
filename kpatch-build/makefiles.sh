# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # the stages share these variables
#
# Stage 3, third part: patched makefiles, and the new .c files that they add to lists of objects. Nothing else in a
# makefile can be taken: a changed flag is one of objects that are not compiled again.
#
# 1. makefile.awk compares the two versions of each makefile, and finds the words that the patch adds to lists.
# 2. Make is asked what it would compile in the directories of these makefiles, as it was for the profile's plan, but in
#    a tree with the patch. So conditions, names of modules and flags of new objects are what the kernel's own rules say;
#    and what they say of all other objects must be what the plan has.
# 3. An object that is not in the plan is new: nothing is its original, and all that it holds is new.

# is_list_makefile FILE: whether it is one that lists objects of its directory.
is_list_makefile()
{
	[[ $1 == */Makefile || $1 == */Kbuild ]] && [[ -f $PROFILE/src/$1 ]] || return 1
	case $1 in
	scripts/* | arch/x86/Makefile | include/* | certs/* | usr/*) return 1 ;;
	esac
}

# new_files_check: a new .c file is nothing without a makefile that can list it, in its directory or above.
new_files_check()
{
	local file dir
	while read -r file; do
		[[ $file == *.c && -n ${PATCHED_FILES[$file]:-} ]] || continue
		dir=$file
		while [[ $dir == */* ]]; do
			dir=${dir%/*}
			[[ -z ${MAKEFILES[$dir/Makefile]:-}${MAKEFILES[$dir/Kbuild]:-} ]] || continue 2
		done
		new_file_refuse "$file"
	done < <(printf '%s\n' "${!CREATED_FILES[@]}" | sort)
}

new_file_refuse()
{
	refuse_file "$1" "is a new file that no makefile of the patch adds to a list of objects; add it to one, or add the code to a file that the kernel already builds"
}

# makefiles_select: adds to OBJECTS what is new. The makefiles themselves are no part of what is compiled.
makefiles_select()
{
	local file side
	((${#MAKEFILES[@]})) || return 0
	stage_doing "asking make what the patched makefiles add"
	: >"$WORKDIR/added-words"
	while read -r file; do
		makefile_words "$file"
	done < <(printf '%s\n' "${!MAKEFILES[@]}" | sort)
	((!REFUSED)) || return 0
	if [[ -s $WORKDIR/added-words ]]; then
		makefiles_plan
		makefiles_compare
		((!REFUSED)) || return 0
	else
		: >"$WORKDIR/make.plan"
		: >"$WORKDIR/new-objects"
	fi
	makefiles_explain
	((!REFUSED)) || return 0
	[[ ! -s $WORKDIR/new-objects ]] || plan_read new "$WORKDIR/new-objects" "$WORKDIR/make.plan"
	for file in "${!MAKEFILES[@]}"; do
		for side in original patched; do
			rm -f "$WORKDIR/files/$side/$file"
		done
		unset "PATCHED_FILES[$file]"
	done
}

# makefile_words FILE: appends lines "FILE LIST WORD" to added-words.
makefile_words()
{
	local what number list word
	while IFS=$'\t' read -r what number list word; do
		case $what in
		add)
			printf '%s\t%s\t%s\n' "$1" "$list" "$word" >>"$WORKDIR/added-words" ;;
		other)
			refuse_file "$1" "changes more than lists of objects, at line $number (${list:0:60}); only objects can be added to a list: leave the rest out of the patch" ;;
		gone)
			refuse_file "$1" "loses line $number (${list:0:60}); only objects can be added to a list: leave the rest out of the patch" ;;
		esac
	done < <(awk -f "$STAGES/makefile.awk" "$WORKDIR/files/original/$1" "$WORKDIR/files/patched/$1")
	[[ -n ${REFUSED_FILES[$1]:-} ]] || cut -f 1 "$WORKDIR/added-words" | grep -xF -- "$1" >/dev/null ||
		skip_file "$1" "adds no object; there is nothing to compile"
}

# makefiles_plan: writes $WORKDIR/make.plan, the plan of the directories of the patched makefiles and of those above. Make
# goes down into no other. It is not asked whether the configuration is up to date, as it would then write.
makefiles_plan()
{
	local status=0
	mkdir "$WORKDIR/bin"
	cat >"$WORKDIR/bin/kpatch-make" <<-'END'
		#!/bin/bash
		for word; do
			[[ $word == obj=* ]] || continue
			for dir in $KPATCH_DIRECTORIES; do
				[[ ${word#obj=} != . && $dir/ != "${word#obj=}"/* ]] || exec make "$@"
			done
			exit 0
		done
		exec make "$@"
	END
	chmod +x "$WORKDIR/bin/kpatch-make"
	tree_make "$WORKDIR/tree-make" "$WORKDIR/files/patched"
	# shellcheck disable=SC2016 # make's
	printf 'include Makefile\n.PHONY: kpatch\nkpatch:\n\t+$(MAKE) $(build)=. need-builtin=1 need-modorder=1\n' \
		>"$WORKDIR/kpatch.mk"
	job env -i PATH="$WORKDIR/bin:$PATH" HOME=/dev/null LC_ALL=C \
		KPATCH_DIRECTORIES="$(printf '%s\n' "${!MAKEFILES[@]}" | sed 's|/[^/]*$||' | sort -u | paste -s -d ' ')" \
		make -C "$WORKDIR/tree-make" --no-print-directory -f "$WORKDIR/kpatch.mk" V=1 CC="$KERNEL_CC" \
		HOSTCC="$KERNEL_CC" ARCH=x86 KERNELRELEASE="$RELEASE" MAKE=kpatch-make may-sync-config= need-compiler=1 \
		-n -k -j1 KBUILD_MODULES=1 KBUILD_BUILTIN=1 kpatch >"$WORKDIR/make.out" 2>"$WORKDIR/make.err" || status=$?
	cat "$WORKDIR/make.err" >>"$LOG"
	log "make -n: exit status $status"
	mkdir "$WORKDIR/make"
	plan_parse "$WORKDIR/make.out" "$WORKDIR/make" >"$WORKDIR/make.raw" ||
		failed "$WORKDIR" "the compile plan of the patched makefiles cannot be written"
	makefiles_objtool <"$WORKDIR/make.raw" >"$WORKDIR/make.plan"
	rm -r "$WORKDIR/tree-make" "$WORKDIR/make.out"
}

# makefiles_objtool: with IBT objtool is run otherwise than make says, see plan_objtool: as on all other objects.
makefiles_objtool()
{
	if grep -qx CONFIG_X86_KERNEL_IBT=y "$PROFILE/src/include/config/auto.conf" 2>/dev/null; then
		awk -F '\t' -v OFS='\t' '
			NR == FNR { if ($4 == "c" && $6 != "") objtool[$3 == "vmlinux"] = $6; next }
			{ $6 = $4 == "c" ? objtool[$3 == "vmlinux"] : ""; print }' "$PROFILE/plan" -
	else
		cat
	fi
}

# makefiles_compare: writes what is new to $WORKDIR/new-objects. Everything else must be as it was.
makefiles_compare()
{
	local what object makefile=
	makefile=$(printf '%s\n' "${!MAKEFILES[@]}" | sort | sed -n 1p)
	: >"$WORKDIR/new-objects"
	while IFS=$'\t' read -r what object; do
		case $what in
		new)
			printf '%s\n' "$object" >>"$WORKDIR/new-objects" ;;
		changed)
			refuse_file "$makefile" "changes how $object is compiled; only objects can be added to a list: leave the rest out of the patch" ;;
		gone)
			refuse_file "$makefile" "takes $object out of the kernel; only objects can be added to a list: leave the rest out of the patch" ;;
		esac
	done < <(awk -F '\t' '
		function directory(path)
		{
			sub(/\/[^\/]*$/, "", path)
			return path
		}
		FILENAME == ARGV[1] { patched[directory($1)] = 1; next }
		FILENAME == ARGV[2] { plan[$1] = $0; next }
		{ seen[$1] = 1 }
		!($1 in plan) { print "new\t" $1; next }
		plan[$1] != $0 { print "changed\t" $1 }
		END {
			for (object in plan)
				if (directory(object) in patched && !(object in seen))
					print "gone\t" object
		}' <(printf '%s\n' "${!MAKEFILES[@]}") "$PROFILE/plan" "$WORKDIR/make.plan" | sort)
}

# makefiles_explain: what the patch adds and no list of this configuration has, and what cannot be part of a livepatch.
makefiles_explain()
{
	local file makefile list word object source modules kind module option
	local -A is_new=() known=() planned=()
	while read -r object; do
		is_new[$object]=1
	done <"$WORKDIR/new-objects"
	while read -r object; do
		planned[$object]=1
	done < <(cut -f 1,3 "$PROFILE/plan" | tr ':\t' '\n' | sort -u)
	while IFS=$'\t' read -r makefile list word; do
		object=${makefile%/*}/$word
		file=${object%.o}.c
		[[ -z ${is_new[$object]:-} ]] || continue
		if [[ -e $PROFILE/src/$file || -n ${CREATED_FILES[$file]:-} ]]; then
			option=$(list_option "$list")
			[[ -n ${planned[$object]:-} ]] ||
				REASON=not-built refuse_file "$file" "is not compiled with the configuration of $RELEASE, as $makefile adds it to $list${option:+, and $option is not set}; leave it out of the patch"
		elif [[ -e $PROFILE/src/${object%.o}.S || -e $WORKDIR/files/patched/${object%.o}.S ]]; then
			refuse_file "${object%.o}.S" "is assembler code, which livepatch cannot replace; change the C code that calls it"
		elif ! makefile_composite "$makefile" "${word%.o}"; then
			refuse_file "$makefile" "adds $word, of which there is no source; is the patch complete?"
		fi
		known[$file]=1
	done <"$WORKDIR/added-words"
	while read -r file; do
		[[ $file != *.c || -z ${PATCHED_FILES[$file]:-} || -n ${is_new[${file%.c}.o]:-}${known[$file]:-} ]] ||
			new_file_refuse "$file"
	done < <(printf '%s\n' "${!CREATED_FILES[@]}" | sort)
	while IFS=$'\t' read -r object source modules kind _; do
		[[ -n ${is_new[$object]:-} ]] || continue
		if [[ $kind != c ]]; then
			refuse_file "$source" "is assembler code, which livepatch cannot replace; change the C code that calls it"
			continue
		fi
		for module in ${modules//:/ }; do
			[[ -n ${planned[$module]:-} ]] ||
				refuse_file "$source" "would be part of $module, a module that $RELEASE does not have; build and load that by itself"
		done
	done <"$WORKDIR/make.plan"
}

# list_option LIST: the option in obj-$(CONFIG_X) that is not set.
list_option()
{
	[[ $1 =~ (CONFIG_[A-Za-z0-9_]+) ]] || return 0
	grep -qE "^${BASH_REMATCH[1]}=[ym]$" "$PROFILE/src/include/config/auto.conf" || printf '%s\n' "${BASH_REMATCH[1]}"
}

# makefile_composite MAKEFILE NAME: whether NAME.o is linked from objects that the makefile lists.
makefile_composite()
{
	grep -qE "^[[:blank:]]*${2//[.+]/.}-(objs|y|m|\\$)" "$WORKDIR/files/patched/$1"
}
