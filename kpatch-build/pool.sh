# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the stages share these variables
#
# Work that runs beside other work: JOBS pieces at once. Where several releases are built (many.sh), their
# drivers share one budget: a FIFO that holds a byte for each piece that may still be started. Who starts one takes a
# byte, and puts it back at its end. Used by all stages.

SLOTS=			# file descriptor of that FIFO; empty: none
SLOT_HELD=0		# this process has taken one
SLOT_WAIT=60		# seconds after which somebody may have died with the bytes

# slots_open FIFO: for reading and writing, so that neither ever waits for the other side.
slots_open()
{
	exec {SLOTS}<>"$1" || die "$1: cannot be opened"
}

# slot_take RUNNING: waits for a byte. Fails if none comes in time; but who has nothing running goes on without one then, as
# what was killed does not put its byte back.
slot_take()
{
	local byte
	SLOT_HELD=0
	[[ -n $SLOTS ]] || return 0
	if read -r -N 1 -t "$SLOT_WAIT" -u "$SLOTS" byte; then
		SLOT_HELD=1
	elif (($1 > 0)); then
		return 1
	fi
}

slot_give()
{
	((SLOT_HELD)) || return 0
	SLOT_HELD=0
	printf x >&"$SLOTS"
}

# slot_job COMMAND...: job() as a piece of work.
slot_job()
{
	local status=0
	slot_take 0
	job "$@" || status=$?
	slot_give
	return "$status"
}

# pool FUNCTION FILE: FUNCTION for each line of FILE, whose tab-separated fields are its arguments, JOBS of them at once.
# Starts no more after one that fails, and returns its status.
pool()
{
	job pool_run "$@"
}

# pool_run: in the background, as a process group of its own.
pool_run()
{
	local fields running=0 done=0 total status=0
	local -A pids=()
	total=$(wc -l <"$2")
	trap - EXIT INT TERM HUP
	# Starts no more if the driver was killed.
	while IFS=$'\t' read -r -a fields && ((status == 0)) && kill -0 $$ 2>/dev/null; do
		if ((running >= JOBS)); then
			pool_wait
			((status == 0)) || break
		fi
		until slot_take "$running"; do
			pool_wait
		done
		((status == 0)) || break
		pool_piece "$1" "${fields[@]}" &
		pids[$!]=1
		SLOT_HELD=0
		running=$((running + 1))
	done <"$2"
	while ((running > 0)); do
		pool_wait
	done
	return "$status"
}

# pool_piece COMMAND...: however it ends.
pool_piece()
{
	trap slot_give EXIT
	"$@"
}

# pool_wait: for one piece. Bash 5.2 can lose one from "wait -n" that ends just before, and then names none, or one that was
# named before; its status is still known.
pool_wait()
{
	local code=0 pid='' one
	wait -n -p pid || code=$?
	if [[ -z ${pid:-} || -z ${pids[$pid]:-} ]]; then
		for one in "${!pids[@]}"; do
			pid=$one
			kill -0 "$pid" 2>/dev/null || break
		done
		code=0
		wait "$pid" || code=$?
	fi
	unset "pids[$pid]"
	((code == 0)) || status=$code
	running=$((running - 1))
	done=$((done + 1))
	((total == 1)) || stage_doing "$done of $total"
}
