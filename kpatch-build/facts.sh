# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2317 # the stages share these variables; not seen: who calls dry_run
#
# What is known of a run at its end, for programs (--json) and for people (--html): the facts, as lines of fields with tabs
# between them, which kpatch-report turns into either. A run for several releases has the facts of each.

JSON=			# --json: file, or "-"
HTML=			# --html: file
FACTS=${KPATCH_BUILD_FACTS:-}	# directory to leave them in, for the driver that started this one (many.sh)
REASON=			# of the next message, if it is not the one of the stage
REPORT_FD=1
readonly MAX_SHOWN_FUNCTIONS=200	# of the page: it has to be read by somebody

# The words of "reason" in the report that are ours; the others are those of lib/reason.h.
readonly FACTS_REASONS='applied compile file kernel link not-built not-kernel patch shadow sign space'
declare -grA STAGE_REASON=([kernel]=kernel [select]=file [headers]=compile [compile]=compile [diff]=input [link]=link [sign]=sign)

facts_wanted()
{
	[[ -n $JSON || -n $HTML || -n $FACTS ]]
}

# other_kind FILE: whether it must not be replaced: a device, a pipe, a link.
other_kind()
{
	[[ -L $1 || ( -e $1 && ! -f $1 ) ]]
}

# facts_check: what can be wrong with the options, before any work is done.
facts_check()
{
	local file dir
	for file in "$JSON" "$HTML"; do
		[[ -n $file && $file != - ]] || continue
		dir=.
		[[ $file != */* ]] || dir=${file%/*}
		[[ ! -d $file ]] || die "$file: is a directory; name a file for the report"
		# What is there and no file of its own, such as a pipe, is written to as it is.
		if other_kind "$file"; then
			[[ -w $file || ! -e $file ]] || die "$file: cannot be written to; choose another file for the report"
			continue
		fi
		[[ -d ${dir:=/} && -w $dir ]] ||
			die "$dir: not a directory that can be written to; create it or choose another file for the report"
	done
	[[ $HTML != - ]] || usage_error "--html -: must be a file"
	if [[ $JSON == - ]]; then
		# What people read goes where messages go.
		exec {REPORT_FD}>&1 1>&"$STDERR"
	fi
	if facts_wanted; then
		TIMED=1
	fi
}

# finding SEVERITY TEXT: a message of the driver.
finding()
{
	local reason=$REASON
	REASON=
	[[ -n $WORKDIR && -d $WORKDIR ]] || return 0
	case $1 in
	error | refused)
		if [[ -z $reason && $2 == "internal error"* ]]; then
			reason=internal
		elif [[ -z $reason && $1 == error && $STAGE == select ]]; then
			reason="patch"
		fi
		: "${reason:=${STAGE_REASON[${STAGE:-none}]:-patch}}" ;;
	*) reason=- ;;
	esac
	{ printf '%s\t%s\t%s\t-\t%s\n' "$1" "$reason" "$PROGRAM" "${2//[[:cntrl:]]/ }" >>"$WORKDIR/findings" || true; } 2>/dev/null
}

# findings_of PROGRAM OBJECT FILE: those of one of the programs.
findings_of()
{
	[[ -s $3 ]] || return 0
	awk -F '\t' -v OFS='\t' -v program="$1" -v object="$2" '{ print $1, $2, program, object, $3 }' "$3" >>"$WORKDIR/findings"
}

# facts_print STATUS
facts_print()
{
	local result=error file i
	case $1 in
	0) result="done" ;;
	"$EXIT_REFUSED") result=refused ;;
	"$EXIT_UNCHANGED") result=unchanged ;;
	esac
	printf 'build\t%s\t%d\t%s\n' "$result" "$1" "$VERSION"
	printf 'kernel\t%s\t%s\t%s\t%s\n' "$RELEASE" "${KERNEL_VERSION:--}" "${KERNEL_CC:--}" "$(facts_build_id)"
	printf 'options\t%s\t%d\t%s\t%d\t%d\t%d\n' "$NAME" "$REPLACE" "$SHADOW" "$SKIP_IMAGE_CHECK" "$FUZZ" "$DRY_RUN"
	for i in "${!PATCHES[@]}"; do
		facts_input patch "${PATCHES[i]}"
	done
	if [[ -n ${PROFILE:-} && -e ${PROFILE:-}/complete ]]; then
		facts_input image "$(readlink -f -- "${VMLINUX:-$PROFILE/vmlinuz}")"
		facts_input config "$(readlink -f -- "$PROFILE/config")"
		if oot_wanted; then
			facts_input image "$OOT_MODULE"
		else
			facts_input symvers "$PROFILE/Module.symvers"
		fi
	fi
	facts_objects
	[[ ! -s $WORKDIR/shadow-lines ]] || cat "$WORKDIR/shadow-lines"
	[[ ! -s $WORKDIR/findings ]] || sed 's/^/finding\t/' "$WORKDIR/findings"
	if ((status == 0 && !DRY_RUN)); then
		file=$(sha256sum <"$RESULT")
		printf 'module\t%s\t%s\t%d\t%s\n' "$RESULT" "$MODNAME" "$(stat -c %s "$RESULT")" "${file%% *}"
		[[ -z $SIGNATURE ]] || printf 'signature\t%s\n' "$SIGNATURE"
	fi
	timed_stage
	for file in "${TIMED_STAGES[@]}"; do
		printf 'stage\t%s\t%d\t%d\n' "$file" "${TIMED_WALL[$file]}" "${TIMED_CPU[$file]}"
	done
	[[ ! -s $WORKDIR/timed ]] || awk -F '\t' -v OFS='\t' '{ print "compile", $1, $2, $3, $4 == "" ? "-" : $4 }' "$WORKDIR/timed"
	facts_texts
}

facts_build_id()
{
	local id=
	if [[ -n ${PROFILE:-} && -e ${PROFILE:-}/complete ]]; then
		id=$("$(tool kpatch-image)" build-id "${VMLINUX:-$PROFILE/vmlinuz}" 2>/dev/null) || id=
	fi
	printf '%s\n' "${id:--}"
}

# facts_input KIND FILE
facts_input()
{
	local sum file=$2
	[[ $file != - ]] || file=$WORKDIR/patches/stdin
	[[ -r $file ]] || return 0
	sum=$(sha256sum <"$file")
	printf 'input\t%s\t%s\t%s\n' "$1" "$2" "${sum%% *}"
}

# facts_objects: the report of each object, behind a line of ours.
facts_objects()
{
	local target object out result
	[[ -s $WORKDIR/targets ]] || return 0
	while IFS=$'\t' read -r target object; do
		out=$WORKDIR/diff/$target/$object
		case $(cat "$out.status" 2>/dev/null) in
		0) result=changed ;;
		2) result=refused ;;
		3) result=unchanged ;;
		*) result=error ;;
		esac
		printf 'object\t%s\t%s\t%s\t%s\n' "$target" "$object" "${OBJ_FILE[$object]:-$object}" "$result"
		[[ ! -s $out.report ]] || awk -F '\t' '$1 != "object"' "$out.report"
	done <"$WORKDIR/targets"
}

# facts_texts: what is shown in the page as it is.
facts_texts()
{
	local i n=0 file target object name
	[[ -n $HTML || -n $FACTS ]] || return 0
	for i in "${!PATCHES[@]}"; do
		file=${PATCHES[i]}
		[[ $file != - ]] || file=$WORKDIR/patches/stdin
		[[ -r $file ]] || continue
		n=$((n + 1))
		cp "$file" "$FACTS_DIR/text$n" && printf 'text\tpatch\t%s\t%s\n' "${PATCHES[i]}" "$FACTS_DIR/text$n"
	done
	facts_functions | head -n "$MAX_SHOWN_FUNCTIONS" | while IFS=$'\t' read -r name object target; do
		n=$((n + 1))
		COLUMNS=0 explain_one "$name" "$object" "$target" >"$FACTS_DIR/function$n" 2>>"$LOG" &&
			printf 'text\tfunction\t%s() of %s\t%s\n' "$name" "${OBJ_FILE[$object]}" "$FACTS_DIR/function$n"
	done
}

# facts_functions: the changed functions, lines of NAME OBJECT TARGET.
facts_functions()
{
	local target object
	[[ -s $WORKDIR/targets ]] || return 0
	while IFS=$'\t' read -r target object; do
		[[ ! -s $WORKDIR/diff/$target/$object.report ]] ||
			awk -F '\t' -v OFS='\t' -v object="$object" -v target="$target" '
				$1 == "function" { print $2, object, target }
				$1 == "copy" { print $3, object, target }' "$WORKDIR/diff/$target/$object.report"
	done <"$WORKDIR/targets"
}

# facts_leave STATUS: at the end of the run, whatever its status. Returns what the status is then.
facts_leave()
{
	local files=() release status=$1
	facts_wanted || return "$status"
	FACTS_DIR=${FACTS:-$WORKDIR/facts}
	mkdir -p "$FACTS_DIR" || return "$EXIT_ERROR"
	if ((${#RELEASES[@]} > 1)); then
		for release in "${RELEASES[@]}"; do
			[[ ! -s $WORKDIR/many/$release/facts/facts ]] || files+=("$WORKDIR/many/$release/facts/facts")
		done
	fi
	if ((!${#files[@]})); then
		facts_print "$status" >"$FACTS_DIR/facts" || return "$EXIT_ERROR"
		files=("$FACTS_DIR/facts")
	fi
	if [[ -n $JSON ]]; then
		facts_report json "$JSON" "${files[@]}" || status=$EXIT_ERROR
	fi
	if [[ -n $HTML ]]; then
		facts_report html "$HTML" "${files[@]}" || status=$EXIT_ERROR
	fi
	return "$status"
}

# report_put FROM FILE: gives the report its name; what is no file of its own gets all of it at once.
report_put()
{
	if other_kind "$2"; then
		cat "$1" >"$2"
	else
		mv -f "$1" "$2"
	fi
}

# facts_report FORM FILE FACTS...: what has the right name is whole.
facts_report()
{
	local form=$1 file=$2 tmp said=0
	shift 2
	if [[ $file == - ]]; then
		"$(tool kpatch-report)" "$form" "$@" 1>&"$REPORT_FD" 2>&"$STDERR"
		return $?	# without it, the status from before the trap in which this runs
	fi
	[[ $file == */* ]] || file=./$file
	tmp=$file.$$.tmp
	if other_kind "$file"; then
		tmp=$WORKDIR/report.$form
	fi
	if { : >"$tmp"; } 2>/dev/null; then
		if ! "$(tool kpatch-report)" "$form" "$@" >"$tmp" 2>&"$STDERR"; then
			said=1
		elif { report_put "$tmp" "$file"; } 2>/dev/null; then
			return 0
		fi
		rm -f "$tmp"
	fi
	if no_space "$(dirname "$file")"; then
		error "$file: no space left on the device; free some and run again"
	elif ((!said)); then
		error "$file: cannot be written to; choose another file for the report"
	fi
	return 1
}

# dry_run: what the module would hold, and the end.
dry_run()
{
	report_collect
	report
	exit 0
}
