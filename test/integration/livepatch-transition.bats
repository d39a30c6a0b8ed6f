#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The kernel moves a sleeping task to other code only when it can read its stack, which has
# patched functions in it: the module's unwind tables must be right.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # build sets ko

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
}

@test "a transition waits for a task that sleeps in the function, and reads its stack" {
	build 0 pipe pipe-read.patch
	module_sane "$ko"
	guest_script <<-'EOF'
		mkfifo /tmp/fifo
		exec 5<>/tmp/fifo
		sysfs=/sys/kernel/livepatch/livepatch_pipe
		refused() {
			echo word | sh -c 'echo -n no-pipes > /proc/self/comm
				read -r word && echo "got $word" || echo failed'
		}
		asleep() { grep -q pipe_read "/proc/$1/stack"; }
		sleeper() {
			head -n 1 < /tmp/fifo > /tmp/result &
			wait_for 10 "a task sleeps in pipe_read" asleep $!
		}
		wake() {
			echo "$1" >&5
			wait $!
			expect "the sleeper got its line" "$1" "$(cat /tmp/result)"
		}

		expect "before" "got word" "$(refused)"
		sleeper
		insmod /modules/livepatch_pipe.ko
		sleep 3
		expect "loading waits for the sleeper in the original" 1 "$(cat $sysfs/transition)"
		expect "which is not moved yet" 0 "$(cat /proc/$!/patch_state)"
		wake first
		wait_transition livepatch_pipe
		expect "loaded" failed "$(refused)"

		sleeper
		echo 0 > $sysfs/enabled
		sleep 3
		expect "disabling waits for the sleeper in the patched one" 1 "$(cat $sysfs/transition)"
		expect "which is not moved back yet" 1 "$(cat /proc/$!/patch_state)"
		wake second
		wait_for 30 "disabling" _is_disabled livepatch_pipe
		unload livepatch_pipe
		expect "unloaded" "got word" "$(refused)"
	EOF
	boot --append 'dyndbg="file kernel/livepatch/transition.c +p"' --module "$ko"
	local log=$BATS_TEST_TMPDIR/kernel.log
	# Twice it was the function on the stack that held the task back, never an unreadable stack.
	grep -c 'is sleeping on function pipe_read' "$log"
	[ "$(grep -c 'is sleeping on function pipe_read' "$log")" -ge 2 ]
	run -1 grep 'has an unreliable stack' "$log"
}
