# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # the stages share these variables
#
# Applies the patches that patches.sh has written to the copies of the files that they name, and says why one
# does not apply. Used by stage 3, select.sh.

# patches_apply: to the copies in files/patched, a directory of nothing else.
patches_apply()
{
	local i status
	for i in "${!PATCHES[@]}"; do
		[[ -s $WORKDIR/patches/$i ]] || continue
		tree_copy patched before
		status=0
		[[ -z ${PATCH_CREATES[$i]:-} ]] || status=1
		((status)) || patch_run patched "$i" "-F$FUZZ" || status=$?
		((status == 0)) || patch_failed "$i"
		patch_succeeded "$i"
	done
}

# tree_copy FROM TO, both in $WORKDIR/files
tree_copy()
{
	rm -rf "$WORKDIR/files/$2"
	cp -R "$WORKDIR/files/$1" "$WORKDIR/files/$2" || failed "$WORKDIR" "$WORKDIR: cannot be written to"
}

# patch_run TREE N OPTION...: leaves what patch says in patch.out. No rejects, no backups, no questions; and -f,
# as otherwise a first hunk that does not match makes patch try, and skip, the whole file.
patch_run()
{
	local tree=$WORKDIR/files/$1 file=$WORKDIR/patches/$2 status=0
	shift 2
	log "+ patch $* -d $tree -i $file"
	job patch -p1 -f -r - --no-backup-if-mismatch "$@" -d "$tree" -i "$file" >"$WORKDIR/patch.out" 2>&1 || status=$?
	cat "$WORKDIR/patch.out" >>"$LOG"
	return "$status"
}

# patch_succeeded N: says where patch was lenient. A patch that is applied can fit a second time, at code that stands
# twice, or with fewer of the lines around it: if it can be taken back exactly where it says, it is applied.
patch_succeeded()
{
	local line title=${PATCH_TITLES[$1]}
	if grep -q '^Hunk .* succeeded ' "$WORKDIR/patch.out" && [[ -z ${PATCH_BLIND[$1]:-} ]]; then
		cp "$WORKDIR/patch.out" "$WORKDIR/forward.out"
		tree_copy before scratch
		if patch_reversed "$1" scratch && ! grep -q '^Hunk .*(offset ' "$WORKDIR/patch.out"; then
			patch_failed "$1" twice
		fi
		mv "$WORKDIR/forward.out" "$WORKDIR/patch.out"
	fi
	while read -r line; do
		warning "$title: $line; see whether it is the right place"
	done < <(awk '
		/^patching file / { file = $3 }
		/^Hunk #[0-9]+ succeeded at [0-9]+ with fuzz / {
			sub(/\.$/, "")
			printf "%s: hunk %s fits only with fuzz %s, at line %s\n", file, $2, $8, $5
		}' "$WORKDIR/patch.out")
}

# patch_reversed N TREE: takes it back; its diffs are taken back from the last to the first.
patch_reversed()
{
	awk 'NR == FNR { begin[++n] = $1; end[n] = $2; next }
		{ line[FNR] = $0 }
		END { for (; n; n--) for (i = begin[n]; i <= end[n]; i++) print line[i] }' \
		"$WORKDIR/patches/$1.index" "$WORKDIR/patches/$1" >"$WORKDIR/patches/$1.back"
	patch_run "$2" "$1.back" -R -F0 || return
	# What the patch created is all that the file holds.
	[[ -z ${PATCH_CREATES[$1]:-} || ! -s $WORKDIR/files/$2/${PATCH_CREATES[$1]} ]]
}

# patch_failed N [twice]: says why. Patches that the source has already are looked for from the last to the first,
# as each was made on top of those before it. One that did apply is none of them, even if it could be taken back, too.
patch_failed()
{
	local number=$1 i title=${PATCH_TITLES[$1]} all=1 reason where
	local -A already=()
	cp "$WORKDIR/patch.out" "$WORKDIR/forward.out" 2>/dev/null || : >"$WORKDIR/forward.out"
	no_space "$WORKDIR" && failed "$WORKDIR" "$title: does not apply"
	tree_copy original scratch
	for ((i = ${#PATCHES[@]} - 1; i >= 0; i--)); do
		[[ -s $WORKDIR/patches/$i ]] || continue
		if ((i < number)); then
			all=0
			break
		fi
		tree_copy scratch trial
		if [[ -z ${PATCH_BLIND[$i]:-} ]] && patch_reversed "$i" trial; then
			where=''
			! grep -q '^Hunk .*(offset ' "$WORKDIR/patch.out" || where=", at other lines than it says"
			already[$i]="is already applied in $SOURCE_OF$where"
			tree_copy trial scratch
		else
			all=0
		fi
	done
	if ((all)); then
		stage_end "nothing to compile"
		for i in "${!PATCHES[@]}"; do
			[[ -z ${already[$i]:-} ]] ||
				note "${PATCH_TITLES[i]}: ${already[$i]}; nothing is to be done"
		done
		said
		exit "$EXIT_UNCHANGED"
	fi
	if [[ -n ${already[$number]:-} ]]; then
		for i in "${!PATCHES[@]}"; do
			[[ -z ${already[$i]:-} ]] ||
				REASON=applied error "${PATCH_TITLES[i]}: ${already[$i]}; leave it out"
		done
		exit "$EXIT_ERROR"
	fi
	if [[ -n ${2:-} ]]; then
		REASON=applied die "$title: is already applied in $SOURCE_OF, and would apply a second time; leave it out"
	fi
	if [[ -n ${PATCH_CREATES[$number]:-} ]]; then
		die "$title: creates ${PATCH_CREATES[$number]}, which is in $SOURCE_OF; is the patch for this kernel?"
	fi
	tree_copy before scratch
	patch_run scratch "$number" -R -F0 || true
	[[ -z ${PATCH_BLIND[$number]:-} ]] || cp "$WORKDIR/forward.out" "$WORKDIR/patch.out"
	reason=$(hunks_failed "$WORKDIR/patch.out" "$WORKDIR/forward.out")
	if [[ $reason == *"already applied"* ]]; then
		REASON=applied die "$title: $reason in $SOURCE_OF, others are not; make a patch of what is missing"
	fi
	tree_copy before scratch
	if ((FUZZ == 0)) && patch_run scratch "$number" -F2; then
		reason+="; with --fuzz it applies, with fewer of the lines around the change compared"
	fi
	failed "$WORKDIR" "$title: does not apply to $SOURCE_OF: $reason"
}

# hunks_failed BACKWARDS FORWARDS: from what patch said to both, the first hunk that does not match, or
# else those that are applied already.
hunks_failed()
{
	awk '
		FNR == 1 { section = 0; files++ }
		/^patching file / { section++; file = $3 }
		/^Hunk #[0-9]+ FAILED/ {
			sub(/\.$/, "")
			if (FILENAME == ARGV[1]) {
				back[section, $2] = 1
			} else if ((section, $2) in back) {
				if (!reason)
					reason = file ": Hunk " $2 " does not match at line " $NF
			} else if (!there) {
				there = file ": hunk " $2 " is already applied"
			}
		}
		/^patch: \*\*\*\* / && !reason { sub(/^patch: \*+ /, ""); reason = $0 }
		{ last = $0 }
		END { print reason ? reason : there ? there : last }' "$1" "$2"
}
