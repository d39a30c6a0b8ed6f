# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2154 # the stages share these variables
#
# How many directories are to be removed from the names in a patch? Used by patches.sh.

# name_at NAME LEVEL: sets AT, NAME without its first LEVEL directories, counted as patch does it. Fails if
# that is no path inside of a tree.
name_at()
{
	local level=$2
	AT=$1
	while ((level > 0)); do
		[[ $AT == */* ]] || return 1
		AT=${AT#*/}
		level=$((level - 1))
	done
	[[ -n $AT && /$AT/ != *//* && /$AT/ != */./* && /$1/ != */../* ]] || return 1
	! oot_wanted || AT=$OOT_DIR/$AT
}

# target_at INDEX LEVEL: sets TARGET, the file that a diff is of if LEVEL is right, and OTHER, if its
# names are those of two files. Returns 0 if the file is in the source, 1 if it would not be unpacked
# anyway, 2 if not.
target_at()
{
	local name found=
	TARGET='' OTHER=''
	for name in "${news[$1]}" "${olds[$1]}" "${thirds[$1]}"; do
		[[ -n $name && $name != /dev/null ]] || continue
		name_at "$name" "$2" || continue
		: "${TARGET:=$AT}"
		if [[ -f $PROFILE/src/$AT || -n ${NEW_FILES[$AT]:-}${CREATED_FILES[$AT]:-} ]]; then
			if [[ -z $found ]]; then
				found=1
				TARGET=$AT
			elif [[ $AT != "$TARGET" ]]; then
				OTHER=$AT
			fi
		fi
	done
	[[ -z $found ]] || return 0
	case $TARGET in
	Documentation/* | LICENSES/* | MAINTAINERS | CREDITS | COPYING | README | .mailmap | .gitignore | \
		tools/* | samples/*)
		return 1
		;;
	arch/x86/*) ;;
	arch/*/*) return 1 ;;
	esac
	return 2
}

# has_prefixes INDEX: names as git writes them, a/FILE and b/FILE or with other letters.
has_prefixes()
{
	local old=${olds[$1]} new=${news[$1]}
	[[ $old == [a-z]/* || $old == /dev/null ]] && [[ $new == [a-z]/* || $new == /dev/null ]] &&
		[[ ${old%%/*} != "${new%%/*}" ]]
}

# patch_level N: sets LEVEL, how many directories to remove from the names of the patch: as many as are too
# many for every file to be there. Where more than one number would do, the names that git gives decide.
patch_level()
{
	local level i code depth=0 prefixes=1 most=0 slashes there absent missing created fits=()
	LEVEL=${PATCH_LEVELS[$1]:-}
	[[ -z $LEVEL ]] || return 0
	for i in "${!kinds[@]}"; do
		[[ ${kinds[i]} != rename && ${kinds[i]} != copy ]] || continue
		has_prefixes "$i" || prefixes=0
		for slashes in "${olds[i]//[!\/]/}" "${news[i]//[!\/]/}" "${thirds[i]//[!\/]/}"; do
			((${#slashes} <= depth)) || depth=${#slashes}
		done
	done
	((depth <= 20)) || depth=20
	LEVEL=$prefixes
	local outside='' only_new=''
	for ((level = 0; level <= depth; level++)); do
		there=0 absent=0 missing=0 created=0
		for i in "${!kinds[@]}"; do
			[[ ${kinds[i]} != rename && ${kinds[i]} != copy ]] || continue
			code=0
			target_at "$i" "$level" || code=$?
			if [[ $code == 2 && ${kinds[i]} =~ ^(new|link)$ ]]; then
				if [[ $TARGET == */* && -d $PROFILE/src/${TARGET%/*} ]]; then
					created=$((created + 1))
				fi
				continue
			fi
			case $code in
			0) there=$((there + 1)) ;;
			1) absent=$((absent + 1)) ;;
			2) missing=$((missing + 1)) ;;
			esac
		done
		if ((there > most && ${#fits[@]} == 0)); then
			most=$there
			LEVEL=$level
		fi
		if ((missing == 0 && there > 0)); then
			fits+=("$level")
		elif ((missing == 0 && absent > 0 && level <= 1)); then
			: "${outside:=$level}"
		elif ((missing == 0 && created > 0)); then
			: "${only_new:=$level}"
		fi
	done
	case ${#fits[@]} in
	0)
		# What a tree of ours would not have anyway is judged by the first directory only.
		((most > 0)) || LEVEL=${outside:-${only_new:-$prefixes}}
		;;
	1)
		LEVEL=${fits[0]}
		;;
	*)
		LEVEL=${fits[0]}
		for level in "${fits[@]}"; do
			if ((prefixes && level == 1)); then
				LEVEL=1
				return
			fi
		done
		level_choose "$1" "${fits[@]}"
		;;
	esac
}

# level_choose N LEVEL...: sets LEVEL where the names are those of files with any of these. It is 1, as for git and quilt,
# unless the patch does not fit there and does with another one.
level_choose()
{
	local number=$1 level
	shift
	LEVEL=$1
	if [[ " $* " != *" 1 "* ]]; then
		for level in "${@:2}"; do
			level_other "$LEVEL" "$level" ||
				die "${PATCH_TITLES[$number]}: may be for $ONE, with -p$LEVEL, or for $TARGET, with -p$level; put a/ and b/ before the paths"
		done
		return
	fi
	for LEVEL in 1 "$@"; do
		! level_fits "$number" "$LEVEL" || break
		LEVEL=1
	done
	for level; do
		if ((level != LEVEL)) && ! level_other "$LEVEL" "$level"; then
			note "${PATCH_TITLES[$number]}: taken with -p$LEVEL, for $ONE; with -p$level it would be for $TARGET: put a/ and b/ before the paths if that is meant"
			return
		fi
	done
}

# level_fits N LEVEL: whether the patch applies to the source with this level.
level_fits()
{
	local i strip dir=$WORKDIR/files/trial
	rm -rf "$dir"
	: >"$WORKDIR/patches/trial.map"
	for i in "${!kinds[@]}"; do
		if [[ ${places[i]} == 0* ]] || ! target_at "$i" "$2" || [[ ! -f $PROFILE/src/$TARGET ]] || ! path_plain "$TARGET"; then
			continue
		fi
		strip=1
		[[ ${crlf[i]} != "0 "* ]] || strip=0
		mkdir -p "$dir/${TARGET%/*}"
		cp --no-preserve=mode -- "$PROFILE/src/$TARGET" "$dir/$TARGET" || failed "$WORKDIR" "$WORKDIR: cannot be written to"
		printf '%s\037%s\037%s\n' "${places[i]}" "$strip" "$TARGET" >>"$WORKDIR/patches/trial.map"
	done
	[[ -s $WORKDIR/patches/trial.map ]] || return 1
	patch_write trial "${PATCHES[$1]}" || failed "$WORKDIR" "$WORKDIR: cannot be written to"
	patch_run trial trial "-F$FUZZ"
}

# level_other LEVEL LEVEL: fails if some diff is of ONE with the first and of TARGET, another file, with the second.
level_other()
{
	local i
	for i in "${!kinds[@]}"; do
		target_at "$i" "$1" || continue
		ONE=$TARGET
		target_at "$i" "$2" || continue
		[[ $ONE == "$TARGET" ]] || return 1
	done
}
