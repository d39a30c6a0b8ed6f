# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2153 # the stages share these variables
#
# With the report, if this machine runs the kernel that the livepatch is for: how many tasks have to go over to the patched
# code, and how many of them are in a function that it replaces right now, as far as the user may see that.

readonly MAX_SHOWN_STACKS=5
PROC=/proc		# the tests have another one

# tasks_note
tasks_note()
{
	local tasks=("$PROC"/[0-9]*/task/[0-9]*) inside
	[[ -z $VMLINUX && $RELEASE == "$(running_release)" && -e ${tasks[0]} ]] || return 0
	inside=$({ grep -sH . "${tasks[@]/%//stack}" || true; } | tasks_inside "$WORKDIR/report")
	note "this machine runs $RELEASE: ${#tasks[@]} $(plural ${#tasks[@]} task) will have to go over to the patched code${inside:+; now in functions that it replaces: $inside}"
}

# tasks_inside REPORT: "poll_wait() 12, ..." of the lines FILE:FRAME of stacks on standard input, "[<0>] poll_wait+0x12/0x40".
tasks_inside()
{
	awk -F '\t' '
		FILENAME == ARGV[1] {
			if ($1 == "function" || $1 == "copy")
				replaced[$1 == "copy" ? $3 : $2] = 1
			next
		}
		match($0, /:\[<[0-9a-f]*>\] [^+]*\+/) {
			file = substr($0, 1, RSTART)
			name = substr($0, RSTART, RLENGTH - 1)
			sub(/.* /, "", name)
			if ((name in replaced) && !((file, name) in seen)) {
				seen[file, name] = 1
				n[name]++
			}
		}
		END { for (name in n) print n[name] "\t" name }' "$1" - | sort -k 1,1nr -k 2 |
		awk -F '\t' -v max="$MAX_SHOWN_STACKS" '
			NR <= max { printf "%s%s() %d", (NR > 1 ? ", " : ""), $2, $1 }
			END { if (NR > max) printf " and %d more functions", (NR - max) }'
}
