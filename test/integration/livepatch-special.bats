#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Functions that come with entries in special sections: each entry is shown to work in the module.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # build sets ko

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
}

# entries KO SECTION: how many relocations that section of the module has.
entries()
{
	readelf -rW "$1" | awk -v section="'.rela$2'" '
		/^Relocation section/ { on = $3 == section }
		on && /R_X86_64/ { n++ }
		END { print n + 0 }'
}

@test "trace events, jump labels, static calls, alternatives and the exception table work" {
	local fault=$BATS_TEST_TMPDIR/getdents-fault section
	"${CC:-gcc}" -static -O2 -Wall -o "$fault" "$INTEGRATION/guest/getdents-fault.c"
	build 0 special task-comm.patch sched-debug.patch readdir-hide.patch
	module_sane "$ko"
	for section in __jump_table .static_call_sites __ex_table .altinstructions; do
		[ "$(entries "$ko" "$section")" -gt 0 ] || {
			echo "the module has no $section: the test is void, or the entries are lost"
			false
		}
	done
	guest_script <<-'EOF'
		rename() { sh -c 'echo -n kpatch-x > /proc/self/comm; read -r name < /proc/self/comm; echo $name'; }
		tracing=/sys/kernel/tracing
		traced() {
			echo > $tracing/trace
			rename > /dev/null
			grep -c 'task_rename:.*newcomm=kpatch-x' $tracing/trace || true
		}
		trace() { echo "$1" > $tracing/events/task/task_rename/enable; }
		statistics() { echo "$1" > /proc/sys/kernel/sched_schedstats; }
		sched() { echo $(awk '$1 == "patched" || $1 == "wait_max" { print $1 }' /proc/self/sched); }
		touch /tmp/kpatch-hidden /tmp/kpatch-visible
		names() { echo $(ls /tmp | grep kpatch); }
		faults="bad: Bad address
		good: entries"

		statistics 0
		expect "comm, before" kpatch-x "$(rename)"
		expect "sched, before" "" "$(sched)"
		expect "names, before" "kpatch-hidden kpatch-visible" "$(names)"
		expect "faults, before" "$faults" "$(./getdents-fault)"
		trace 1
		expect "trace, before" 1 "$(traced)"

		# The trace event is on while the module arrives, the statistics are off.
		load livepatch_special
		expect "what is patched" "vmlinux/__set_task_comm,1
		vmlinux/filldir64,1
		vmlinux/proc_sched_show_task,1" "$(patched_functions livepatch_special)"
		expect "comm, loaded" kpatch+x "$(rename)"
		expect "names, loaded" kpatch-visible "$(names)"
		expect "faults, loaded" "$faults" "$(./getdents-fault)"
		expect "trace, loaded while on" 1 "$(traced)"
		trace 0
		expect "trace, off" 0 "$(traced)"
		trace 1
		expect "trace, on again" 1 "$(traced)"
		expect "statistics, loaded while off" patched "$(sched)"
		statistics 1
		expect "statistics, on" "patched wait_max" "$(sched)"
		statistics 0
		expect "statistics, off again" patched "$(sched)"

		statistics 1
		trace 0
		disable livepatch_special
		expect "comm, disabled" kpatch-x "$(rename)"
		expect "sched, disabled" wait_max "$(sched)"
		expect "names, disabled" "kpatch-hidden kpatch-visible" "$(names)"
		expect "faults, disabled" "$faults" "$(./getdents-fault)"
		expect "trace, disabled" 0 "$(traced)"
		unload livepatch_special
		# The entries of the module are gone: switching must not touch its memory any more.
		statistics 0
		trace 1
		expect "trace, unloaded" 1 "$(traced)"
		expect "sched, unloaded" "" "$(sched)"

		# The other way round: statistics on, trace event off.
		statistics 1
		trace 0
		load livepatch_special
		expect "statistics, loaded while on" "patched wait_max" "$(sched)"
		expect "trace, loaded while off" 0 "$(traced)"
		trace 1
		expect "trace, on later" 1 "$(traced)"
	EOF
	boot --module "$ko" --file "$fault"
}

@test "a new warning names the source file, the line and the function" {
	build 0 warn version-warn.patch
	module_sane "$ko"
	guest_script <<-'EOF'
		provoke() { sh -c 'echo -n provoke > /proc/self/comm; read -r line < /proc/version; echo $line'; }
		original=$(provoke)
		load livepatch_warn
		expect "other readers" "$original" "$(cat /proc/version)"
		note "silent so far"
		expect "the reader that is warned about" "$original" "$(provoke)"
		expect "the second time" "$original" "$(provoke)"
		disable livepatch_warn
		unload livepatch_warn
		expect "unloaded" "$original" "$(provoke)"
		echo survived
	EOF
	local line log=$BATS_TEST_TMPDIR/kernel.log
	run -126 vm --log "$log" --module "$ko" "$BATS_TEST_TMPDIR/guest.sh"
	[[ $output == survived* ]]
	# The line in the patched file: the first of the hunk and what precedes WARN_ONCE in it.
	line=$(awk '/^@@/ { split($3, at, /[+,]/); line = at[2] - 1 } /^[ +]/ && line { line++ }
		line && /WARN_ONCE/ { print line; exit }' "$PATCHES/version-warn.patch")
	[ "$(grep -c 'WARNING: CPU' "$log")" -eq 1 ]
	grep -E "WARNING: CPU: [0-9]+ PID: [0-9]+ at fs/proc/version.c:$line version_proc_show\+.* \[livepatch_warn\]" "$log"
	grep -q 'version: read by provoke' "$log"
	# Nothing before it was dirty.
	sed "/silent so far/,\$d" "$log" > "$log.before"
	vm --check-log "$log.before"
}
