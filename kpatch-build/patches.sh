# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # the stages share these variables
#
# Patches as people have them: mails, git's and quilt's, series, with any number of directories
# before the paths and either kind of line ends. Used by stage 3, select.sh. A patch is read once,
# before any work is done, and written again as $WORKDIR/patches/N: hunks for files that are there, named
# a/FILE and b/FILE, and no more. So nothing that a patch holds beside them
# reaches patch, which has many more forms than are wanted here and would guess at names.

# Path of each patched file -> 1. The files lie in $WORKDIR/files/original and $WORKDIR/files/patched.
declare -gA PATCHED_FILES=()

PATCH_LEVELS=()		# for each of PATCHES: directories to remove, if its series says so
PATCH_TITLES=()		# what messages call it
declare -gA PATCH_BLIND=()	# N -> 1: has hunks that could be taken back anywhere
declare -gA PATCH_CREATES=()	# N -> a file that it would create, but that is there
declare -gA NEW_FILES=()	# files that patches create, and that were refused for it
declare -gA CREATED_FILES=()	# files that patches create, and that are taken -> 1
declare -gA MAKEFILES=()	# patched makefiles that list objects -> 1
declare -gA REFUSED_FILES=() SKIPPED_FILES=()	# each is named once

# ---- the command line ----

# patches_list: PATCHES becomes the list of files that its words stand for.
patches_list()
{
	local word words=("${PATCHES[@]}")
	PATCHES=()
	PATCH_LEVELS=()
	for word in "${words[@]}"; do
		if [[ $word == - ]]; then
			[[ " ${PATCHES[*]} " != *" - "* ]] || usage_error "-: standard input can be read only once"
			PATCHES+=(-)
			PATCH_LEVELS+=("")
		elif [[ -d $word ]]; then
			series_list "$word"
		else
			patch_listed "$word" ""
		fi
	done
}

# patch_listed FILE LEVEL
patch_listed()
{
	[[ -e $1 ]] || die "$1: no such file"
	[[ -f $1 ]] || die "$1: not a file"
	[[ -r $1 ]] || die "$1: cannot be read; see to its permissions"
	PATCHES+=("$(readlink -f -- "$1")")
	PATCH_LEVELS+=("$2")
}

# series_list DIRECTORY: quilt's list of patches, "NAME [-pN]" in each line.
series_list()
{
	local series=$1/series line words word level count=${#PATCHES[@]}
	[[ -f $series && -r $series ]] ||
		die "$1: a directory without a readable file 'series'; name the patches themselves"
	while IFS= read -r line || [[ -n $line ]]; do
		line=${line%$'\r'}
		[[ $line == '#'* ]] || line=${line%%[[:blank:]]#*}
		read -r -a words <<<"$line"
		[[ ${#words[@]} -gt 0 && ${words[0]} != '#'* ]] || continue
		level=
		for word in "${words[@]:1}"; do
			[[ $word != -R ]] ||
				die "$series: ${words[0]} -R: nothing is reverted here; make a patch of the reverse, with interdiff ${words[0]} /dev/null, and list that"
			[[ $word =~ ^-p[0-9]{1,2}$ ]] ||
				die "$series: ${words[0]} $word: only -pN can follow the name of a patch; apply this one by hand"
			level=$((10#${word#-p}))
		done
		patch_listed "$1/${words[0]}" "$level"
	done <"$series"
	((${#PATCHES[@]} > count)) || die "$series: names no patch"
}

# ---- reading ----

patches_read()
{
	local i
	mkdir -p "$WORKDIR/patches"
	for i in "${!PATCHES[@]}"; do
		patch_read "$i"
	done
}

# patch_read N: writes the list of its diffs to $WORKDIR/patches/N.list, see patch-list.awk.
patch_read()
{
	local file=${PATCHES[$1]} list=$WORKDIR/patches/$1.list text whole=1
	PATCH_TITLES[$1]=$file
	if [[ $file == - ]]; then
		PATCH_TITLES[$1]="standard input"
		file=$WORKDIR/patches/stdin
		stdin_save "$file"
		PATCHES[$1]=$file
	fi
	text=${PATCH_TITLES[$1]}
	[[ -s $file ]] || die "$text: empty, not a patch"
	[[ -z $(tr -cd '\0' <"$file" | tr '\0' x | head -c 1) ]] ||
		die "$text: not text; unpack it if it is compressed, convert it if it is UTF-16"
	[[ -z $(tail -c 1 "$file") ]] || whole=0
	patch_list "$file" "$list" "$whole"
	if [[ $(tail -n 1 "$list") == context ]]; then
		programs_check filterdiff:patchutils
		filterdiff --format=unified -- "$file" >"$WORKDIR/patches/$1.unified" 2>>"$LOG" ||
			failed "$WORKDIR" "$text: not a patch that can be read; make it with diff -u or git diff"
		PATCHES[$1]=$WORKDIR/patches/$1.unified
		patch_list "${PATCHES[$1]}" "$list" "$whole"
	fi
	[[ -s $list ]] || die "$text: changes no file; make it with diff -u or git diff"
	text=$(tail -n 1 "$list")
	[[ $text != error$'\037'* ]] || die "${PATCH_TITLES[$1]}: ${text#*$'\037'}"
}

patch_list()
{
	awk -v whole="$3" -f "$STAGES/patch-list.awk" "$1" >"$2" 2>>"$LOG" ||
		failed "$WORKDIR" "$1: cannot be read as a patch"
}

# stdin_save FILE: beside the shell, so that an interrupt does not wait for the end of the input, but
# in its process group, so that a terminal can be read.
stdin_save()
{
	local status=0
	cat <&0 >"$1" &
	RUN_PID=$!
	wait "$RUN_PID" || status=$?
	RUN_PID=
	((status == 0)) || failed "$WORKDIR" "standard input: cannot be read"
}

# ---- which files ----

# patch_files N: adds the files that it changes, and makes copies of them and $WORKDIR/patches/N.
patch_files()
{
	local number=$1 kind old new third first last crs lfs blind i
	local kinds=() olds=() news=() thirds=() places=() crlf=() blinds=() taken=()
	while IFS=$'\037' read -r kind old new third first last crs lfs blind; do
		kinds+=("$kind")
		olds+=("$old")
		news+=("$new")
		thirds+=("$third")
		places+=("$first"$'\037'"$last")
		crlf+=("$crs $lfs")
		blinds+=("$blind")
	done <"$WORKDIR/patches/$number.list"
	patch_level "$number"
	log "${PATCH_TITLES[number]}: taken with -p$LEVEL"
	: >"$WORKDIR/patches/$number.map"
	for i in "${!kinds[@]}"; do
		diff_take "$number" "$i"
	done
	files_copy
	: >"$WORKDIR/patches/$number"
	if [[ -s $WORKDIR/patches/$number.map ]]; then
		patch_write "$number" "${PATCHES[$number]}" || failed "$WORKDIR" "$WORKDIR: cannot be written to"
	fi
}

# refuse_file FILE REASON: refuses a file, once, and goes on, so that all refusals are seen in one run.
refuse_file()
{
	REFUSED=1
	[[ -z ${REFUSED_FILES[$1]:-} ]] || return 0
	REFUSED_FILES[$1]=1
	refused "$1: $2"
}

skip_file()
{
	[[ -z ${SKIPPED_FILES[$1]:-} ]] || return 0
	SKIPPED_FILES[$1]=1
	note "$1: $2"
}

# diff_take N INDEX: one diff of a patch.
diff_take()
{
	local i=$2 title=${PATCH_TITLES[$1]} kind=${kinds[$2]} file there=1 strip=0
	if [[ $kind == rename || $kind == copy ]]; then
		if is_documentation "${olds[i]}" && is_documentation "${news[i]}"; then
			skip_file "${olds[i]}" "not compiled into the kernel; skipped"
		elif [[ $kind == rename ]]; then
			refuse_file "${olds[i]}" "is renamed to ${news[i]}; patch the file under its old name"
		else
			refuse_file "${olds[i]}" "is copied to ${news[i]}; add the code to a file that the kernel already builds"
		fi
		NEW_FILES[${news[i]}]=1
		return
	fi
	target_at "$i" "$LEVEL" || there=0
	file=$TARGET
	if [[ -z $file ]]; then
		diff_outside "$title" "$i"
	elif [[ -n ${NEW_FILES[$file]:-} ]]; then
		return 0
	elif is_documentation "$file"; then
		skip_file "$file" "not compiled into the kernel; skipped"
		return 0
	elif [[ -n $OTHER ]]; then
		die "$title: one diff for two files, $file and $OTHER; compare each file with its own original"
	fi
	path_plain "$file" ||
		die "$title: $file: leads through a symbolic link of the source; patch the file that is meant"
	case $kind in
	binary)
		refuse_file "$file" "is a binary file; only C source can be patched"
		return ;;
	link)
		refuse_file "$file" "is a symbolic link or a submodule, now or with the patch; patch a file"
		NEW_FILES[$file]=1
		return ;;
	removed)
		refuse_file "$file" "is removed; a livepatch cannot take code away"
		return ;;
	mode)
		skip_file "$file" "only its mode changes; there is nothing to compile"
		return ;;
	new)
		if ((!there)) && created_file "$file"; then
			CREATED_FILES[$file]=1
		elif ((!there)); then
			refuse_file "$file" "is a new file; add the code to a file that the kernel already builds"
			NEW_FILES[$file]=1
			return
		else
			PATCH_CREATES[$1]=$file
		fi ;;
	esac
	file_refusal "$file"
	if [[ -n $WHY ]]; then
		refuse_file "$file" "$WHY"
		return
	fi
	! is_list_makefile "$file" || MAKEFILES[$file]=1
	# Git's diff of a new file without content.
	if [[ ${places[i]} == 0* ]]; then
		if [[ -n ${CREATED_FILES[$file]:-} ]]; then
			PATCHED_FILES[$file]=1
			mkdir -p "$WORKDIR/files/patched/${file%/*}"
			: >"$WORKDIR/files/patched/$file"
		fi
		return 0
	fi
	line_ends "$title" "$file" "${crlf[i]}"
	if [[ -z ${PATCHED_FILES[$file]:-} ]]; then
		PATCHED_FILES[$file]=1
		[[ -n ${CREATED_FILES[$file]:-} ]] || taken+=("$file")
	fi
	[[ ${blinds[i]} == 0 ]] || PATCH_BLIND[$1]=1
	printf '%s\037%s\037%s\n' "${places[i]}" "$strip" "$file" >>"$WORKDIR/patches/$1.map"
}

# created_file FILE: whether it can be taken although it is not in the source: a header, which is nothing by itself, or a
# .c file, if a makefile lists it (makefiles.sh).
created_file()
{
	[[ $1 == *.[ch] && $1 == */* && -d $PROFILE/src/${1%/*} ]]
}

# diff_outside TITLE INDEX: none of the names can be used.
diff_outside()
{
	local name=${news[$2]}
	[[ -n $name && $name != /dev/null ]] || name=${olds[$2]}
	if [[ $name == /* || /$name/ == */../* ]]; then
		die "$1: $name: names a file outside the source tree; make the patch inside of it, as with git diff"
	fi
	die "$1: $name: has no $LEVEL directories to remove; correct -p$LEVEL in the series"
}

# path_plain FILE: whether no part of it is a symbolic link.
path_plain()
{
	local path=$1
	while [[ ! -L $PROFILE/src/$path ]]; do
		[[ $path == */* ]] || return 0
		path=${path%/*}
	done
	return 1
}

# line_ends TITLE FILE "CRS LFS": sets strip if the CRs that a mail program added are to be removed.
line_ends()
{
	[[ $3 != "0 "* ]] || return 0
	# A source that has them itself is compared as it is.
	[[ -z ${CREATED_FILES[$2]:-} ]] || { strip=1; return 0; }
	! grep -q $'\r' "$PROFILE/src/$2" || return 0
	[[ $3 == *" 0" ]] ||
		die "$1: $2: some lines end in CR LF and some in LF; take the patch as its author sent it"
	strip=1
	skip_file "$1" "its lines end in CR LF; taken as LF, as in the source"
}

# files_copy: of each file that was taken from a patch. Copies, never links, as patch writes to one of them. The
# source is read-only, the copies are not.
files_copy()
{
	local side file
	((${#taken[@]})) || return 0
	for side in original patched; do
		printf '%s\0' "${taken[@]}" | (cd "$PROFILE/src" &&
			xargs -0 cp --parents --no-preserve=mode -t "$WORKDIR/files/$side" --) 2>>"$LOG" ||
			failed "$WORKDIR" "$WORKDIR: cannot be written to"
	done
}

# patch_write N INPUT: the diffs that are left of it, and in N.index the lines that each takes.
patch_write()
{
	awk -F '\037' -v list="$WORKDIR/patches/$1.index" '
		NR == FNR { first[++n] = $1; last[n] = $2; strip[n] = $3; file[n] = $4; next }
		FNR == 1 { i = 1 }
		i <= n && FNR == first[i] {
			# The tab ends a name with spaces.
			printf "--- a/%s\t\n+++ b/%s\t\n", file[i], file[i]
			begin = lines + 1
			lines += 2
		}
		i <= n && FNR >= first[i] {
			if (strip[i])
				sub(/\r$/, "")
			print
			lines++
			if (FNR == last[i]) {
				print begin, lines >list
				i++
			}
		}' "$WORKDIR/patches/$1.map" "$2" >"$WORKDIR/patches/$1"
}
