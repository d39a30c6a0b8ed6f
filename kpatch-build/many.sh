# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2154 # the stages share these variables
#
# Several releases in one call: the driver runs itself once for each, with a temporary directory and a log of its
# own. They share one budget of jobs (pool.sh), so that one's compiles run while another links. What they say
# is shown at once, with the release before each line; what they made is told at the end, in the order of the -a.
#
# The drivers get in their environment KPATCH_BUILD_SLOTS, the FIFO of the budget, and KPATCH_BUILD_FACTS, a directory for
# their part of a report.

# many_check: what only several releases can be given, or cannot.
many_check()
{
	local release
	local -A seen=()
	for release in "${RELEASES[@]}"; do
		release_check "$release"
		[[ -z ${seen[$release]:-} ]] || usage_error "-a $release: given twice"
		seen[$release]=1
	done
	[[ -z $VMLINUX ]] || usage_error "-v $VMLINUX: is the image of one release; build for each of them by itself"
	[[ $OUTPUT != *.ko ]] || usage_error "-o $OUTPUT: must be a directory when there are several releases"
	[[ $OUTPUT == /* ]] || OUTPUT=$PWD/$OUTPUT
	[[ -d $OUTPUT && -w $OUTPUT ]] ||
		die "$OUTPUT: not a directory that can be written to; create it or choose another with -o"
	OUTPUT=$(readlink -f -- "$OUTPUT")
}

# many_build: builds for all RELEASES, and exits with the worst status.
many_build()
{
	local release i
	KEEP_WORKDIR=0
	mkfifo "$WORKDIR/slots" || failed "$WORKDIR" "$WORKDIR: cannot be written to"
	slots_open "$WORKDIR/slots"
	for ((i = 0; i < JOBS; i++)); do
		printf x >&"$SLOTS"
	done
	for release in "${RELEASES[@]}"; do
		mkdir -p "$OUTPUT/$release" "$WORKDIR/many/$release" ||
			failed "$OUTPUT" "$OUTPUT/$release: cannot be created"
	done
	job many_run
	for release in "${RELEASES[@]}"; do
		cat "$WORKDIR/many/$release/out"
		rmdir --ignore-fail-on-non-empty "$OUTPUT/$release"
	done
	many_table
	# What is wrong was said by who found it, in a log of its own.
	said
	LOG=
	exit "$(many_worst)"
}

# many_run: in the background, as a process group of its own. A signal reaches all drivers, and whoever waits for one goes
# on until it has cleaned up. There is one more of them than there may be jobs, as each has moments in which it starts none.
many_run()
{
	local release running=0 most=$((JOBS > 1 ? JOBS + 1 : 1))
	trap - EXIT INT HUP
	trap 'wait; exit 143' TERM
	for release in "${RELEASES[@]}"; do
		if ((running >= most)); then
			wait -n || true
			running=$((running - 1))
		fi
		many_one "$release" &
		running=$((running + 1))
	done
	wait
}

many_one()
{
	trap : TERM
	many_driver "$1" 2>&1 >"$WORKDIR/many/$1/out" | many_show "$1"
}

# many_driver RELEASE: its status goes to a file.
many_driver()
{
	local status=0 input=/dev/null facts=
	trap : TERM
	# It has its own.
	descriptors_close
	# Read once, for all.
	[[ ! -e $WORKDIR/patches/stdin ]] || input=$WORKDIR/patches/stdin
	if facts_wanted; then
		facts=$WORKDIR/many/$1/facts
	fi
	KPATCH_BUILD_SLOTS=$WORKDIR/slots KPATCH_BUILD_FACTS=$facts "$SELF" "${PASSED[@]}" -a "$1" -o "$OUTPUT/$1" -n "$NAME" -j "$JOBS" \
		-- "${PATCH_WORDS[@]}" <"$input" || status=$?
	printf '%d\n' "$status" >"$WORKDIR/many/$1/status"
}

# many_show RELEASE: what is said to the end, also of an interrupted run.
many_show()
{
	trap '' TERM
	tee "$WORKDIR/many/$1/said" | sed -u "s|^|$1: |" >&"$STDERR"
}

many_status()
{
	cat "$WORKDIR/many/$1/status" 2>/dev/null || echo "$EXIT_ERROR"
}

# many_table: what became of each release, on standard output.
many_table()
{
	local release width=0 status result why
	for release in "${RELEASES[@]}"; do
		((${#release} <= width)) || width=${#release}
	done
	for release in "${RELEASES[@]}"; do
		status=$(many_status "$release")
		case $status in
		0) result="done" ;;
		"$EXIT_REFUSED") result=refused ;;
		"$EXIT_UNCHANGED") result=unchanged ;;
		*) result=failed ;;
		esac
		if ((status == 0 && DRY_RUN)); then
			why='no module was made: --dry-run'
		elif ((status == 0)); then
			read -r why <"$WORKDIR/many/$release/out" || true
		else
			why=$(many_why "$result" "$WORKDIR/many/$release/said")
			: "${why:=ended with status $status}"
		fi
		printf '%-*s  %-9s  %s\n' "$width" "$release" "$result" "$why"
	done
}

# many_why RESULT MESSAGES: the first of those that say it, and how many more there are.
many_why()
{
	awk -v result="$1" '
		BEGIN {
			kind = result == "refused" ? "refused" : result == "unchanged" ? "note" : "error"
		}
		$0 ~ "^[a-z-]+: " kind ": " {
			sub(/^[a-z-]+: [a-z]+: /, "")
			if (n++ == 0 || kind == "note")
				why = $0
		}
		END {
			if (n > 1 && kind != "note")
				why = why " (and " n - 1 " more)"
			print why
		}' "$2"
}

# many_worst: an error is worse than a refusal, and that is worse than nothing to do.
many_worst()
{
	local release status worst=0
	for release in "${RELEASES[@]}"; do
		status=$(many_status "$release")
		case $status-$worst in
		0-* | *-1) ;;
		"$EXIT_UNCHANGED"-0) worst=$EXIT_UNCHANGED ;;
		"$EXIT_UNCHANGED"-*) ;;
		"$EXIT_REFUSED"-*) worst=$EXIT_REFUSED ;;
		*) worst=$EXIT_ERROR ;;
		esac
	done
	printf '%d\n' "$worst"
}
