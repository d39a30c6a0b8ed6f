# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # the stages share these variables
#
# What the user sees, and the end of the program: messages, progress, the log, running commands
# so that an interrupt reaches them, and cleaning up. Used by all stages.

PROGRAM=kpatch-build
readonly EXIT_ERROR=1 EXIT_REFUSED=2 EXIT_UNCHANGED=3
readonly EXIT_PIPE=$((128 + 13))	# killed by SIGPIPE

WORKDIR=			# temporary directory of this run
LOG=				# log of this run, in WORKDIR until it is needed
STDERR=2			# what the user reads; whatever else writes to standard error, of a full disk say, is for the log
LOG_KEPT=			# where the log goes when the run fails
KEEP_WORKDIR=0			# --skip-cleanup
DEBUG=0				# --debug
RUN_PID=			# process group of the command that is running
STAGE=				# name of the running stage
STAGE_BEGAN=0
TMP_FILES=()			# removed at the end, whatever happens

# Colour and rewritten lines only for a terminal that wants them (https://no-color.org).
ui_init()
{
	BOLD='' RED='' YELLOW='' PLAIN='' LIVE=0
	if [[ -t 2 && ${TERM:-dumb} != dumb ]]; then
		LIVE=1
		if [[ -z ${NO_COLOR:-} ]]; then
			BOLD=$'\e[1m' RED=$'\e[31m' YELLOW=$'\e[33m' PLAIN=$'\e[0m'
		fi
	fi
	exec {STDERR}>&2
	trap ui_exit EXIT
	trap 'ui_signal 130' INT
	trap 'ui_signal 143' TERM
	trap 'ui_signal 129' HUP
}

clear_line()
{
	if ((LIVE)); then
		printf '\r\e[K' >&"$STDERR"
	fi
}

log()
{
	if [[ -n $LOG && -e $LOG ]]; then
		# Of a full disk the step that fails tells.
		printf '%s\n' "$*" >>"$LOG" || true
	fi 2>/dev/null
}

message()
{
	local colour=$1 kind=$2
	shift 2
	clear_line
	printf '%s: %s%s%s %s\n' "$PROGRAM" "$colour" "$kind" "$PLAIN" "$*" >&"$STDERR"
	log "$kind $*"
	finding "${kind%:}" "$*"
}

note()    { message '' note: "$@"; }
warning() { message "$YELLOW" warning: "$@"; }
error()   { message "$RED" error: "$@"; said; }
refused() { message "$RED" refused: "$@"; said; }

# Remembers, for subshells too, that the user knows why the program does not make a module.
said()
{
	if [[ -n $WORKDIR && -d $WORKDIR ]]; then
		: >"$WORKDIR/said" || true
	fi 2>/dev/null
}

# An error that ends the program. In a subshell it ends only that: callers pass the code on.
die()    { error "$@"; exit "$EXIT_ERROR"; }
refuse() { refused "$@"; exit "$EXIT_REFUSED"; }

# The end of a run that found nothing to do.
unchanged() { note "$@"; said; exit "$EXIT_UNCHANGED"; }

usage_error()
{
	error "$@"
	printf "Try '%s --help'.\n" "$PROGRAM" >&"$STDERR"
	exit "$EXIT_ERROR"
}

# One line per stage: its name, what came out, the time it took. On a terminal the line is there
# from the start and counts.
stage_begin()
{
	STAGE=$1
	STAGE_BEGAN=${EPOCHREALTIME//[!0-9]/}
	timed_stage "$1"
	log "=== $STAGE"
	stage_doing "${2:-}"
}

stage_doing()
{
	if ((LIVE)); then
		printf '\r\e[K%s%-8s%s %s' "$BOLD" "$STAGE" "$PLAIN" "$*" >&"$STDERR"
	fi
	log "--- $*"
}

stage_end()
{
	local now=${EPOCHREALTIME//[!0-9]/} tenths
	tenths=$(((now - STAGE_BEGAN) / 100000))
	clear_line
	printf '%s%-8s%s %-56s %4d.%d s\n' "$BOLD" "$STAGE" "$PLAIN" "$*" \
		$((tenths / 10)) $((tenths % 10)) >&"$STDERR"
	log "$STAGE: $*"
}

# job COMMAND...: runs it in a process group of its own and waits, so that an interrupt is
# handled at once and takes everything that COMMAND started with it. Returns its status.
job()
{
	local status=0
	set -m
	{ set +m; "$@"; } </dev/null &
	RUN_PID=$!
	set +m
	wait "$RUN_PID" || status=$?
	RUN_PID=
	return "$status"
}

job_logged()
{
	log "+ $*"
	job "$@" >>"$LOG" 2>&1
}

# descriptors_close: in a subshell that runs what may outlive this program: or a lock would be held as long, and who reads from
# this program wait as long for the end.
descriptors_close()
{
	local fd
	for fd in "$STDERR" "$REPORT_FD" "$SLOTS" "${WORKDIR_LOCK:-}" "${PROFILE_LOCK:-}"; do
		[[ -z $fd ]] || ((fd <= 2)) || exec {fd}>&-
	done
}

ui_signal()
{
	trap '' INT TERM HUP
	if [[ -n $RUN_PID ]]; then
		kill -TERM -- "-$RUN_PID" 2>/dev/null || kill -TERM "$RUN_PID" 2>/dev/null || true
		wait "$RUN_PID" 2>/dev/null || true
		RUN_PID=
	fi
	clear_line
	printf '%s: interrupted\n' "$PROGRAM" >&"$STDERR"
	exit "$1"
}

# The only way out. The log survives a failure, the temporary directory only if asked for.
ui_exit()
{
	local status=$? file
	trap '' INT TERM HUP
	set +e
	for file in "${TMP_FILES[@]}"; do
		remove_tree "$file"
	done
	[[ -n $WORKDIR ]] || exit "$status"
	slot_give
	timings_report
	# A step that failed unawares may have any status, or have been killed alone.
	case $status in
	0 | 129 | 130 | 143 | "$EXIT_PIPE") ;;
	*)
		if [[ ! -e $WORKDIR/said ]]; then
			! no_space "$WORKDIR" || no_room "$WORKDIR"
			if [[ ! -e $WORKDIR/said && ! -e $WORKDIR/full ]]; then
				tail -n 5 "$LOG" >&"$STDERR" || true
				error "internal error in stage ${STAGE:-1} (status $status)"
			fi
			status=$EXIT_ERROR
		fi
		((status <= EXIT_UNCHANGED)) || status=$EXIT_ERROR ;;
	esac
	if ((status == EXIT_ERROR)) && [[ -s $LOG ]]; then
		if mkdir -p "${LOG_KEPT%/*}" 2>/dev/null && cp "$LOG" "$LOG_KEPT" 2>/dev/null; then
			printf '%s: the log is %s\n' "$PROGRAM" "$LOG_KEPT" >&"$STDERR"
		fi
	fi
	if ((status < 128)); then
		facts_leave "$status"
		status=$?
	fi
	if ((KEEP_WORKDIR)); then
		# Not to be taken for what a run that was killed has left.
		rm -f "$WORKDIR/lock"
		printf '%s: temporary files are kept in %s\n' "$PROGRAM" "$WORKDIR" >&"$STDERR"
	else
		remove_tree "$WORKDIR"
	fi
	exit "$status"
}

# Directories of a prepared tree are read-only.
remove_tree()
{
	[[ -e $1 || -L $1 ]] || return 0
	if [[ -d $1 && ! -L $1 ]]; then
		find "$1" -type d ! -perm -u+w -exec chmod u+w {} +
	fi
	rm -rf "$1"
}

workdir_create()
{
	local base=${TMPDIR:-$CACHE/work} new
	# The names of its files stand between such marks in commands.
	[[ $base != *\'* ]] ||
		die "$base: has a quotation mark in its name, which cannot be part of the compiler's command; set TMPDIR to another directory"
	mkdir -p "$base" 2>/dev/null || failed "$(existing "$base")" "$base: cannot be created; set TMPDIR or XDG_CACHE_HOME to a writable directory"
	workdirs_clean "$base"
	! no_space "$base" || { no_room "$base"; exit "$EXIT_ERROR"; }
	new=$(mktemp -d "$base/.kpatch-build.$$.XXXXXX" 2>/dev/null) ||
		failed "$base" "$base: no temporary directory can be made there; set TMPDIR to a writable directory"
	WORKDIR=$new
	# It gets its name when it is locked: what has the name, and a lock that nobody holds, is of a run that was killed.
	{ exec {WORKDIR_LOCK}>"$new/lock"; } 2>/dev/null || failed "$base" "$base: cannot be written to"
	flock -n "$WORKDIR_LOCK" || true
	WORKDIR=$base/kpatch-build.${new##*.}
	mv -T "$new" "$WORKDIR"
	LOG=$WORKDIR/log
	exec 2>>"$LOG"
}

# existing PATH: the deepest directory of it that is there.
existing()
{
	local path=$1
	until [[ -d $path ]]; do
		[[ $path == */?* ]] || { echo .; return; }
		path=${path%/*}
		: "${path:=/}"
	done
	printf '%s\n' "$path"
}

# workdirs_clean BASE: removes what runs of this user have left that were killed.
workdirs_clean()
{
	local file pid
	while IFS= read -r -d '' file; do
		if [[ ${file##*/} == .* ]]; then
			pid=${file##*/.kpatch-build.}
			! process_lives "${pid%%.*}" || continue
		elif [[ ! -e $file/lock ]]; then
			continue
		fi
		! workdir_locked "$file" || continue
		remove_tree "$file" 2>/dev/null || true
	done < <(find "$1" -mindepth 1 -maxdepth 1 \( -name 'kpatch-build.??????' -o -name '.kpatch-build.*.??????' \) \
		-type d -user "$EUID" -print0 2>/dev/null)
}

# workdir_locked DIRECTORY: whether somebody works there: the driver, or what it started and did not live to wait for.
workdir_locked()
{
	local lock locked=1
	{ exec {lock}<"$1/lock"; } 2>/dev/null || return 1
	! flock -n -x "$lock" || locked=0
	exec {lock}<&-
	((locked))
}

# temporary_clean SUFFIX FILE...: removes those called NAME.PIDSUFFIX whose process is no more.
temporary_clean()
{
	local suffix=$1 file pid
	shift
	for file; do
		pid=${file%"$suffix"}
		pid=${pid##*.}
		[[ ! $pid =~ ^[0-9]+$ ]] || process_lives "$pid" || rm -f -- "$file"
	done
}

# process_lives PID: one that nobody has waited for yet, as in a container where nobody does, is dead.
process_lives()
{
	local stat
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	[[ ${stat##*)} != " Z "* ]]
}

# no_space DIRECTORY: whether the file system of DIRECTORY is full. What fails then fails in
# many ways, so the one true reason is looked for afterwards.
no_space()
{
	local free
	free=$(df --output=avail -k -- "$1" 2>/dev/null | tail -n 1) || return 1
	((${free:-0} < 1024))
}

# no_room DIRECTORY: says that it is full; once, however many pieces of work fail of that.
no_room()
{
	if [[ -n $WORKDIR ]]; then
		# One of those that come at once makes it. Where none can, each says it.
		(set -C; : >"$WORKDIR/full") 2>/dev/null || [[ ! -e $WORKDIR/full ]] || return 0
	fi
	REASON=space error "$1: no space left on the device; free some and run again"
}

# failed DIRECTORY TEXT: the error of a step that wrote to DIRECTORY.
failed()
{
	if no_space "$1"; then
		no_room "$1"
		exit "$EXIT_ERROR"
	fi
	shift
	die "$@"
}
