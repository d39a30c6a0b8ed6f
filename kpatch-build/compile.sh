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
	local side object kept=()
	stage_begin compile
	files_pad
	trees_make
	kept_originals
	launcher_mark
	created_mark
	for object in "${OBJECTS[@]}"; do
		printf '%s\t%s\n' original "$object" patched "$object"
		# A header changes the text of many objects and the code of few: of the others, no proof is needed.
		[[ -n ${OBJ_BY_HEADER[$object]:-} ]] || ((${#EXPLAINED[@]})) || printf '%s\t%s\n' proof "$object"
	done >"$WORKDIR/compile"
	pool compile_one "$WORKDIR/compile" || exit
	if ((${#OBJ_BY_HEADER[@]} && !${#EXPLAINED[@]})); then
		printf '%s\n' "${!OBJ_BY_HEADER[@]}" | sort >"$WORKDIR/compare"
		pool object_compare_sides "$WORKDIR/compare" || exit
		for object in "${OBJECTS[@]}"; do
			if [[ -e $WORKDIR/patched/$object.same ]]; then
				log "$object: the same with the patch"
				continue
			fi
			kept+=("$object")
			[[ -z ${OBJ_BY_HEADER[$object]:-} ]] || printf '%s\t%s\n' proof "$object" >&3
		done 3>"$WORKDIR/compile"
		OBJECTS=("${kept[@]}")
		pool compile_one "$WORKDIR/compile" || exit
	fi
	if ((${#OBJECTS[@]} == 0)); then
		stage_end "no object changed"
		unchanged "the patch changes nothing in the compiled code"
	fi
	stage_end "${#OBJECTS[@]} $(plural "${#OBJECTS[@]}" object), original and patched"
}

# object_compare_sides OBJECT: runs beside others. Leaves patched/OBJECT.same if the original and the patched one are the same
# but for debugging information.
object_compare_sides()
{
	local side
	for side in original patched; do
		objcopy --strip-debug "$WORKDIR/$side/$1" "$WORKDIR/$side/$1.bare" 2>>"$LOG" ||
			failed "$WORKDIR" "$1: objcopy failed"
	done
	! cmp -s "$WORKDIR/original/$1.bare" "$WORKDIR/patched/$1.bare" || : >"$WORKDIR/patched/$1.same"
	rm -f "$WORKDIR/original/$1.bare" "$WORKDIR/patched/$1.bare"
}

ORIGINAL_IS_SOURCE=1	# padding left the original files as they are

# files_pad: makes the line numbers of the patched files equal, once.
files_pad()
{
	local file
	[[ ! -e $WORKDIR/hunks ]] || return 0
	: >"$WORKDIR/hunks"
	: >"$WORKDIR/changed-lines"
	while read -r file; do
		# What a patch creates has no other side.
		if [[ ! -e $WORKDIR/files/original/$file ]]; then
			changed_lines_new "$file" >>"$WORKDIR/changed-lines"
			continue
		fi
		pad_pair "$WORKDIR/files/original/$file" "$WORKDIR/files/patched/$file"
		awk -v file="$file" -f "$STAGES/hunk.awk" -f "$STAGES/changed-lines.awk" "$WORKDIR/hunks" >>"$WORKDIR/changed-lines"
		cmp -s "$WORKDIR/files/original/$file" "$PROFILE/src/$file" || ORIGINAL_IS_SOURCE=0
	done < <(printf '%s\n' "${!PATCHED_FILES[@]}" | sort)
}

# changed_lines_new FILE: all of it, for create-diff-object (doc/architecture.md).
changed_lines_new()
{
	local lines
	[[ -e $WORKDIR/files/patched/$1 ]] || return 0
	lines=$(wc -l <"$WORKDIR/files/patched/$1")
	((lines == 0)) || printf '%s\t1\t%d\t1\t0\t1\t%d\n' "$1" "$lines" "$lines"
}

# trees_make: $WORKDIR/tree-original and tree-patched, once.
trees_make()
{
	local side
	[[ ! -d $WORKDIR/tree-original ]] || return 0
	for side in original patched; do
		tree_make "$WORKDIR/tree-$side" "$WORKDIR/files/$side"
	done
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
	diff --text "$1" "$2" >"$WORKDIR/hunks" 2>>"$LOG" || [[ $? -eq 1 ]] || failed "$WORKDIR" "$1: cannot be compared"
	side=1
	for file; do
		awk -v side="$side" -f "$STAGES/hunk.awk" -f "$STAGES/pad.awk" "$WORKDIR/hunks" "$file" >"$WORKDIR/padded" ||
			failed "$WORKDIR" "$file: cannot be padded"
		# An empty list of hunks looks to awk as if there was one file only.
		[[ ! -s $WORKDIR/hunks ]] || cat "$WORKDIR/padded" >"$file"
		side=$((side + 1))
	done
}

# tree_make TREE FILES: a tree of links to the profile's source. Real directories are those that lead to a file in
# FILES, and those that a path to one leaves with "..", as the parent of a link's target is not in the tree. The
# files themselves are copies, so that nothing that is written here reaches the profile.
tree_make()
{
	local tree=$1 files=$2 dir src=$PROFILE/src
	{
		(cd "$files" && find . -mindepth 1 -type d -printf '%P\n')
		[[ ! -e $WORKDIR/real-dirs ]] || cat "$WORKDIR/real-dirs"
	} | awk '{ for (;;) { print; if (!sub(/\/[^\/]*$/, "")) break } }' | sort -u >"$WORKDIR/dirs"
	mkdir "$tree"
	find -H "$src" -mindepth 1 -maxdepth 1 -exec ln -s -t "$tree" {} + 2>>"$LOG" ||
		failed "$WORKDIR" "the tree to compile in cannot be made"
	# Parents come before what is in them.
	while read -r dir; do
		[[ -d $src/$dir || -d $files/$dir ]] || continue
		# It was linked with the other entries of its parent.
		rm -f "$tree/$dir"
		mkdir "$tree/$dir"
		[[ -d $src/$dir ]] || continue
		find "$src/$dir" -mindepth 1 -maxdepth 1 -exec ln -s -t "$tree/$dir" {} + 2>>"$LOG" ||
			failed "$WORKDIR" "the tree to compile in cannot be made"
	done <"$WORKDIR/dirs"
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
	[[ $KERNEL_CC != *gcc* || $2 != *.c ]] || FLAGS+=' -fno-var-tracking -gno-statement-frontiers'
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

CREATED_MARK=		# option that says which files the patch creates

# created_mark: sets CREATED_MARK, as LAUNCH_MARK (launcher.sh), for the files of the patch.
created_mark()
{
	local sum
	((${#CREATED_FILES[@]})) && [[ -n $LAUNCH ]] || return 0
	sum=$(printf '%s\n' "${!CREATED_FILES[@]}" | sort | sha256sum)
	CREATED_MARK=" -DKPATCH_CREATED=${sum:0:16}"
}

# opened_check OBJECT TREE DEPENDENCIES: checks each path that the compiler says it opened.
opened_check()
{
	local name
	while read -r name; do
		path_check "$1" "$2" "$name"
	done < <(tr -s '[:blank:]\134' '\n' <"$3" | grep -F ../ | sort -u)
}

# path_check OBJECT TREE PATH: a path with ".." can leave the tree by way of a link to the profile, where patched files are as
# they were.
path_check()
{
	local file src
	src=$(readlink -f -- "$PROFILE/src")
	file=$(cd -- "$2" && readlink -f -- "$3") || return 0
	file=${file#"$src/"}
	[[ -z ${PATCHED_FILES[$file]:-} ]] ||
		die "$1: $3 leads past the patch, to the original $file; name the file without '..'"
}

# compile_one SIDE OBJECT: runs beside others.
compile_one()
{
	timed_compile "$2 $1" compile_side "$@"
}

compile_side()
{
	local side=$1 object=$2 out=$WORKDIR/$1/$2 source=${OBJ_SOURCE[$2]} tree=$WORKDIR/tree-$1
	local cpp=$WORKDIR/cpp/$2.$1.i
	mkdir -p "${out%/*}"
	KEY=
	if [[ -n ${OBJ_NEW[$object]:-} && $side != patched ]]; then
		compile_nothing "$object" "$out"
		return
	fi
	if [[ $side == proof ]]; then
		# Without -g the code is the same and a third of the time is saved.
		flags_without_debug "${OBJ_COMPILE[$object]}"
		tree=$PROFILE/src
		((!ORIGINAL_IS_SOURCE)) || cpp=$WORKDIR/cpp/$object.original.i
		kept_key "$FLAGS $source"$'\n'"${OBJ_OBJTOOL[$object]}" "$tree/$source"
	else
		flags_for_diff "${OBJ_COMPILE[$object]}" "$source"
		# Where this is compiled must not be seen in what is kept.
		((!KEEP_DEBUG)) || FLAGS+=" -gno-record-gcc-switches"
		# For #include <kpatch-shadow.h>, which only the patch can have added.
		[[ $side != patched ]] || FLAGS+=" -I'$INCLUDE'$CREATED_MARK"
		[[ $side != original || -z $ORIGINALS_SUM ]] ||
			kept_key "$FLAGS $source $ORIGINALS_SUM"$'\n'"${OBJ_OBJTOOL[$object]}"
		FLAGS+=" -fdebug-prefix-map='$tree'=."
	fi
	if kept_take "$out"; then
		COMPILE_KEPT='kept from an earlier build'
		log "$object: the $side object is kept from an earlier build"
		return 0
	fi
	compile_now "$side" "$object" "$tree" "$out" "$source" "$cpp"
	kept_put "$out"
	[[ ! -e $cpp || ($side == original && $ORIGINAL_IS_SOURCE == 1) ]] || rm -f "$cpp"
}

# compile_nothing OBJECT OUT: of an object that the patch adds there is no original.
compile_nothing()
{
	flags_for_diff "${OBJ_COMPILE[$1]}" "${OBJ_SOURCE[$1]}"
	plan_command "$PROFILE/src" "$FLAGS -c -o '$2' -x c /dev/null" "$2.log" && return 0
	cat "$2.log" >>"$LOG"
	failed "$WORKDIR" "$1: an empty object cannot be compiled: $(grep -m 1 -E 'error|Error' "$2.log" || head -n 1 "$2.log")"
}

# compile_now SIDE OBJECT TREE OUT SOURCE CPP, with FLAGS.
compile_now()
{
	local side=$1 object=$2 tree=$3 out=$4 source=$5 text=$4.log status=0 check=0
	# With one patched file it is the source itself.
	[[ $side != patched ]] || ((${#PATCHED_FILES[@]} < 2)) || check=1
	: >"$text"
	if ! compile_text "$tree" "$6" "$out" "$text"; then
		((!check)) || [[ -n $LAUNCH ]] || FLAGS+=" -MD -MF '$out.d'"
		launcher_compile "$tree" "$FLAGS" "$out" "$source" "$text" || status=$?
		if ((check && !status)); then
			[[ -e $out.d ]] || plan_command "$tree" "$FLAGS -M -MF '$out.d' '$source'" "$LOG" || status=$?
			((status)) || opened_check "$object" "$tree" "$out.d"
		fi
	fi
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
		sed "s|$WORKDIR/tree-$side/||g" "$text" >&"$STDERR"
	fi
	cat "$text" >>"$LOG"
}

# compile_text TREE TEXT OUT LOG: from the text that the preprocessor made of a source, if it is there. Fails if the
# compiler says anything: of the source it may say less, and that is what counts. ccache finds texts again as it finds
# sources; of other launchers it is not known.
compile_text()
{
	local launch=
	[[ -e $2 ]] && ((!KEEP_DEBUG)) || return 1
	if [[ -n $LAUNCH ]]; then
		((LAUNCH_CCACHE)) && [[ "$FLAGS " == "$KERNEL_CC "* ]] || return 1
		launch=$LAUNCH
	fi
	if plan_command "$1" "$launch$FLAGS -c -o '$3' '$2'" "$4" "${LAUNCH_ENV[@]}" && [[ ! -s $4 ]]; then
		return 0
	fi
	: >"$4"
	return 1
}

# plan_command TREE COMMAND LOG [VARIABLE=VALUE]...: shell text of the plan, run in the tree's root.
plan_command()
{
	printf '+ %s\n' "$2" >>"$LOG"
	plan_run "$@"
}

# plan_run TREE COMMAND LOG [VARIABLE=VALUE]...: does not say so in the log. A launcher may leave a server behind, as sccache does.
plan_run()
{
	(
		descriptors_close
		exec env -i -C "$1" PATH="$PATH" HOME=/dev/null LC_ALL=C "${@:4}" bash -c "$2"
	) >>"$3" 2>&1 </dev/null
}

# compiler_stopped TEXT: whether what it said is not about the source: it was killed, or had no room.
compiler_stopped()
{
	no_space "$WORKDIR" || grep -qE "terminated program|No space left on device|Cannot allocate memory|out of memory|memory exhausted" "$1"
}

compile_failed()
{
	local side=$1 object=$2 text=$3
	clear_line
	if [[ $side != patched ]]; then
		failed "$WORKDIR" "$object: does not compile even without the patch: $(grep -m 1 -E 'error|Error' "$text" || head -n 1 "$text")"
	fi
	no_space "$WORKDIR" || head -n 40 "$text" >&"$STDERR"
	failed "$WORKDIR" "$object: does not compile with the patch"
}
