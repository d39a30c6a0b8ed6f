# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # the stages share these variables
#
# With --explain, instead of the stages behind compile: shows functions as they were and as they are, side by side, on
# standard output.

# explain_functions: and exit.
explain_functions()
{
	local name target object status=0 shown code
	stage_begin explain
	explain_find
	vmlinux_symtab
	clear_line
	for name in "${EXPLAINED[@]}"; do
		shown=0
		while IFS=$'\t' read -r object target <&3; do
			code=0
			explain_one "$name" "$object" "$target" 2>"$WORKDIR/explain.messages" || code=$?
			if ((code == 0)); then
				shown=1
			elif ((code == EXIT_PIPE)); then
				exit "$code"	# who reads it, head perhaps, has seen enough
			elif grep -E '() has no code of its own, ' "$WORKDIR/explain.messages" >&"$STDERR"; then
				shown=1 status=$EXIT_ERROR
				said
			elif ! grep -qE ': has no function ' "$WORKDIR/explain.messages"; then
				cat "$WORKDIR/explain.messages" >&"$STDERR"
				said
				exit "$EXIT_ERROR"
			fi
			cat "$WORKDIR/explain.messages" >>"$LOG"
		done 3< <(awk -F '\t' -v name="$name" '$1 == name { print $2 "\t" $3 }' "$WORKDIR/explain")
		((shown)) || die "$name(): nothing that the patch compiles has code of this function; give one that is in ${OBJ_FILE[${OBJECTS[0]}]}$(
			((${#OBJECTS[@]} == 1)) || printf ' or in one of %d more files' $((${#OBJECTS[@]} - 1)))"
	done
	exit "$status"
}

# explain_find: writes to $WORKDIR/explain lines of NAME OBJECT TARGET. A function that no object has by this name may be
# inlined in any.
explain_find()
{
	local side name object
	for side in original patched; do
		(cd "$WORKDIR/$side" && printf '%s\0' "${OBJECTS[@]}" | xargs -0 -r nm -A --defined-only --) 2>>"$LOG" ||
			failed "$WORKDIR" "the symbols of the compiled objects cannot be read"
	done | awk '
		{
			file = $1
			sub(/:[^:]*$/, "", file)
			name = $3
			if ($2 !~ /^[tTwW]$/)
				next
			print name "\t" file
			sub(/\..*/, "", name)
			print name "\t" file
		}' | sort -u >"$WORKDIR/functions"
	for name in "${EXPLAINED[@]}"; do
		# Without the parentheses that people write behind it.
		name=${name%"()"}
		for object in "${OBJECTS[@]}"; do
			printf '%s\t%s\t%s\n' "$name" "$object" "${OBJ_MODULES[$object]%%:*}"
		done
	done | awk -F '\t' '
		FILENAME == ARGV[1] { there[$1, $2] = 1; known[$1] = 1; next }
		!($1 in known) || (($1, $2) in there)' "$WORKDIR/functions" - >"$WORKDIR/explain"
	EXPLAINED=("${EXPLAINED[@]%"()"}")
}

# explain_one NAME OBJECT TARGET
explain_one()
{
	local options=(--source "${OBJ_FILE[$2]}" --same-lines --changed-lines "$WORKDIR/changed-lines" --trees "$WORKDIR/tree-")
	if [[ $3 != vmlinux ]]; then
		[[ -n ${SYMTABS[$3]:-} ]] || target_read "$3"
		options+=(--vmlinux-symtab "$VMLINUX_SYMTAB")
	else
		SYMTABS[vmlinux]=$VMLINUX_SYMTAB
	fi
	log "+ create-diff-object --explain $1 $2"
	"$(tool create-diff-object)" "${options[@]}" --explain "$1" "$WORKDIR/original/$2" "$WORKDIR/patched/$2" "$3" \
		"${SYMTABS[$3]}" "$PROFILE/Module.symvers" "$MODNAME" /dev/null
}
