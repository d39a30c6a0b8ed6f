# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034 # the stages share these variables
#
# Stage 4: compiles the selected objects three times: original and patched, into $WORKDIR/original
# and $WORKDIR/patched, each in a tree that looks like the kernel's and consists of links to the
# profile, but for the patched files and the directories that lead to them; and
# the untouched source as the distribution compiled it, into $WORKDIR/proof, to be found again in
# what the kernel runs.

compile_objects()
{
	local side file object
	stage_begin compile "making line numbers equal"
	while read -r file; do
		pad_pair "$WORKDIR/files/original/$file" "$WORKDIR/files/patched/$file"
	done < <(printf '%s\n' "${!PATCHED_FILES[@]}" | sort)
	for side in original patched; do
		tree_make "$WORKDIR/tree-$side" "$WORKDIR/files/$side"
	done
	kept_originals
	for object in "${OBJECTS[@]}"; do
		printf '%s\t%s\n' original "$object" patched "$object" proof "$object"
	done >"$WORKDIR/compile"
	pool compile_one "$WORKDIR/compile" || exit
	stage_end "${#OBJECTS[@]} $(plural "${#OBJECTS[@]}" object), original and patched"
}

# pad_pair ORIGINAL PATCHED: see pad.awk. Assembler files are never padded.
pad_pair()
{
	local side file
	for file; do
		if [[ -s $file && -n $(tail -c 1 "$file") ]]; then
			printf '\n' >>"$file"
		fi
	done
	diff --text "$1" "$2" >"$WORKDIR/hunks" || [[ $? -eq 1 ]] || failed "$WORKDIR" "$1: cannot be compared"
	side=1
	for file; do
		awk -v side="$side" -f "$STAGES/pad.awk" "$WORKDIR/hunks" "$file" >"$WORKDIR/padded" ||
			failed "$WORKDIR" "$file: cannot be padded"
		# An empty list of hunks looks to awk as if there was one file only.
		[[ ! -s $WORKDIR/hunks ]] || cat "$WORKDIR/padded" >"$file"
		side=$((side + 1))
	done
}

# tree_make TREE FILES: a tree of links to the profile's source. The directories that lead to a
# file in FILES are real, so that an #include "../x.h" there does not leave the tree; the files
# themselves are copies, so that nothing that is written here reaches the profile.
tree_make()
{
	local tree=$1 files=$2 dir src=$PROFILE/src
	while read -r dir; do
		dir=${dir#.}
		mkdir -p "$tree$dir"
		# A later, deeper directory replaces the link to it.
		if [[ -n $dir && -L $tree$dir ]]; then
			die "internal error: $dir is a link"
		fi
		find "$src$dir" -mindepth 1 -maxdepth 1 -exec ln -s -t "$tree$dir" {} + 2>>"$LOG" ||
			failed "$WORKDIR" "the tree to compile in cannot be made"
		while read -r sub; do
			rm "$tree$dir/${sub##*/}"
			mkdir "$tree$dir/${sub##*/}"
		done < <(find "$files$dir" -mindepth 1 -maxdepth 1 -type d)
	done < <(cd "$files" && find . -type d | sort)
	while read -r file; do
		rm -f "$tree/$file"
		cp "$files/$file" "$tree/$file"
	done < <(cd "$files" && find . -type f -printf '%P\n' | sort)
}

# flags_for_diff COMPILE SOURCE: a section for each function and object, and of debugging information only
# what create-diff-object reads, the types of variables. Where variables are while code runs would take
# the compiler twice the time that types take. None of this changes the code.
flags_for_diff()
{
	flags_without_debug "$1"
	FLAGS+=' -ffunction-sections -fdata-sections'
	[[ $2 != *.c ]] || FLAGS+=' -g'
	[[ $KERNEL_CC != gcc* || $2 != *.c ]] || FLAGS+=' -fno-var-tracking -gno-statement-frontiers'
}

flags_without_debug()
{
	local word words
	FLAGS=
	# Split at spaces only: quotes in the plan never hold any.
	read -r -a words <<<"$1"
	for word in "${words[@]}"; do
		case $word in
		-g | -g[0-3] | -ggdb* | -gdwarf* | -gsplit-dwarf | -gz* | -femit-struct-debug-*) ;;
		*) FLAGS+="${FLAGS:+ }$word" ;;
		esac
	done
}

# compile_one SIDE OBJECT: runs beside others.
compile_one()
{
	timed_compile "$2 $1" compile_side "$@"
}

compile_side()
{
	local side=$1 object=$2 out=$WORKDIR/$1/$2 source=${OBJ_SOURCE[$2]} tree=$WORKDIR/tree-$1
	mkdir -p "${out%/*}"
	KEY=
	if [[ $side == proof ]]; then
		# Without -g the code is the same and a third of the time is saved.
		flags_without_debug "${OBJ_COMPILE[$object]}"
		tree=$PROFILE/src
		kept_key "$FLAGS $source"$'\n'"${OBJ_OBJTOOL[$object]}" "$tree/$source"
	else
		flags_for_diff "${OBJ_COMPILE[$object]}" "$source"
		# Where this is compiled must not be seen in what is kept.
		((!KEEP_DEBUG)) || FLAGS+=" -gno-record-gcc-switches"
		# For #include <kpatch-shadow.h>, which only the patch can have added.
		[[ $side != patched ]] || FLAGS+=" -I'$INCLUDE'"
		[[ $side != original || -z $ORIGINALS_SUM ]] ||
			kept_key "$FLAGS $source $ORIGINALS_SUM"$'\n'"${OBJ_OBJTOOL[$object]}"
		FLAGS+=" -fdebug-prefix-map='$tree'=."
	fi
	if kept_take "$out"; then
		COMPILE_KEPT='kept from an earlier build'
		log "$object: the $side object is kept from an earlier build"
		return 0
	fi
	compile_now "$side" "$object" "$tree" "$out" "$source"
	kept_put "$out"
}

# compile_now SIDE OBJECT TREE OUT SOURCE, with FLAGS.
compile_now()
{
	local side=$1 object=$2 tree=$3 out=$4 source=$5 text=$4.log status=0
	: >"$text"
	launcher_compile "$tree" "$FLAGS" "$out" "$source" "$text" || status=$?
	if ((status)); then
		cat "$text" >>"$LOG"
		compile_failed "$side" "$object" "$text"
	fi
	if [[ -n ${OBJ_OBJTOOL[$object]} ]]; then
		plan_command "$tree" "${OBJ_OBJTOOL[$object]} '$out'" "$text" || status=$?
		if ((status)); then
			cat "$text" >>"$LOG"
			failed "$WORKDIR" "$object: objtool failed on the $side object"
		fi
	fi
	# Warnings: of the patch, if it is the patched file that has them.
	if [[ $side == patched && -s $text ]]; then
		message '' note: "$object: the compiler says:"
		sed "s|$WORKDIR/tree-$side/||g" "$text" >&2
	fi
	cat "$text" >>"$LOG"
}

# plan_command TREE COMMAND LOG [VARIABLE=VALUE]...: shell text of the plan, run in the tree's root.
plan_command()
{
	printf '+ %s\n' "$2" >>"$LOG"
	env -i -C "$1" PATH="$PATH" HOME=/nonexistent LC_ALL=C "${@:4}" bash -c "$2" >>"$3" 2>&1 </dev/null
}

compile_failed()
{
	local side=$1 object=$2 text=$3
	clear_line
	if [[ $side != patched ]]; then
		failed "$WORKDIR" "$object: does not compile even without the patch: $(grep -m 1 -E 'error|Error' "$text" || head -n 1 "$text")"
	fi
	head -n 40 "$text" >&2
	failed "$WORKDIR" "$object: does not compile with the patch"
}
