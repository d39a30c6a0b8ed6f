# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2119,SC2120 # timed_stage without a name stops the clock
#
# Where the time goes (--timings): wall-clock and CPU time of each stage, and of each compile. CPU time is that of this
# program and of all that it waited for. Used by all stages.

TIMINGS=0			# --timings: they are printed
TIMED=0			# they are taken
TIMED_STAGES=()			# names, in order; the others by name, in milliseconds
declare -gA TIMED_WALL=() TIMED_CPU=()
TIMED_LAST=			# stage that the clock runs for
TIMED_FROM_WALL=0 TIMED_FROM_CPU=0

# times_now: sets WALL and CPU, in milliseconds, of this shell.
times_now()
{
	local word words
	WALL=$((${EPOCHREALTIME//[!0-9]/} / 1000))
	CPU=0
	# In a subshell "times" would tell of that.
	times >"$WORKDIR/times.$BASHPID"
	read -r -d '' -a words <"$WORKDIR/times.$BASHPID" || true
	for word in "${words[@]}"; do
		# 1m2.345s, without the dot in milliseconds
		word=${word%s}
		word=${word/./}
		CPU=$((CPU + ${word%%m*} * 60000 + 10#${word#*m}))
	done
}

# timed_stage [NAME]: the clock runs for this stage from now on, or for none.
timed_stage()
{
	local name=$TIMED_LAST
	((TIMED)) && [[ -d $WORKDIR ]] || return 0
	times_now
	if [[ -n $name ]]; then
		[[ -n ${TIMED_WALL[$name]:-} ]] || TIMED_STAGES+=("$name")
		TIMED_WALL[$name]=$((${TIMED_WALL[$name]:-0} + WALL - TIMED_FROM_WALL))
		TIMED_CPU[$name]=$((${TIMED_CPU[$name]:-0} + CPU - TIMED_FROM_CPU))
	fi
	TIMED_LAST=${1:-}
	TIMED_FROM_WALL=$WALL
	TIMED_FROM_CPU=$CPU
}

# timed_compile NAME COMMAND...: in a subshell of its own, whose time it is.
timed_compile()
{
	local name=$1 began
	shift
	if ((!TIMED)); then
		"$@"
		return
	fi
	times_now
	began=$WALL
	COMPILE_KEPT=
	"$@"
	times_now
	printf '%d\t%d\t%s\t%s\n' $((WALL - began)) "$CPU" "$name" "$COMPILE_KEPT" >>"$WORKDIR/timed"
}

# timings_report: on standard error, as the stages are.
timings_report()
{
	local name
	((TIMINGS)) || return 0
	timed_stage
	{
		for name in "${TIMED_STAGES[@]}"; do
			printf 'stage\t%d\t%d\t%s\n' "${TIMED_WALL[$name]}" "${TIMED_CPU[$name]}" "$name"
		done
		[[ ! -e $WORKDIR/timed ]] || sort -t $'\t' -k 1,1nr -k 3 "$WORKDIR/timed" | sed 's/^/compile\t/'
	} | awk -F '\t' '
		function line(name, wall, cpu)
		{
			printf "%-56s %8.2f %8.2f\n", name, wall / 1000, cpu / 1000
		}
		function heading(name)
		{
			printf "%-56s %8s %8s\n", name, "wall s", "CPU s"
		}
		$1 == "stage" {
			if (!stages++)
				heading("time of each stage")
			line("  " $4, $2, $3)
			wall += $2
			cpu += $3
			next
		}
		stages && !compiles++ {
			line("  all", wall, cpu)
			heading("time of each compile, the longest first")
		}
		compiles <= 40 { line("  " $4 ($5 == "" ? "" : ", " $5), $2, $3); next }
		{ rest++; wall_rest += $2; cpu_rest += $3 }
		END {
			if (stages && !compiles)
				line("  all", wall, cpu)
			if (rest)
				line("  " rest " more", wall_rest, cpu_rest)
		}' >&"$STDERR"
}
