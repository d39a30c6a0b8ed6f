#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The VM harness itself: what it must notice, and that it tells one failure from another.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # run --separate-stderr sets stderr

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
	cd "$BATS_TEST_TMPDIR" || return 1
}

guest()
{
	printf '%s\n' '. ./guest-lib.sh' "$@" > guest.sh
}

@test "passes on the script's exit status, arguments and output, with output and errors apart" {
	guest 'echo "out $*"' 'printf "a\\r\\tb\\n"' 'echo err >&2' 'note in the kernel log' 'exit 7'
	run -7 --separate-stderr vm --log log guest.sh one two
	[ "$output" = $'out one two\na\r\tb' ]
	[ "$stderr" = err ]
	grep -q 'guest: in the kernel log' log
}

@test "an output of half a megabyte arrives whole" {
	guest 'seq 1 75000'
	run -0 vm guest.sh
	[ "$output" = "$(seq 1 75000)" ]
}

@test "a failed expectation prints the difference and fails" {
	guest 'expect "two lines" "$(printf "a\\nb")" "$(printf "a\\nc")"' 'echo not reached'
	run -1 vm guest.sh
	[[ $output == *"guest: FAILED: two lines"* ]]
	[[ $output == *$'\n-b\n+c'* ]]
	[[ $output != *"not reached"* ]]
}

@test "a warning in the kernel log fails a script that returned 0" {
	guest 'echo "WARNING: CPU: 0 PID: 1 at fs/x.c:1 f+0x1/0x2" > /dev/kmsg'
	run -126 vm guest.sh
	[[ $output == *"vm: kernel log of the guest is not clean:"* ]]
	[[ $output == *"at fs/x.c:1"* ]]
}

@test "a crash of the kernel is a dirty log, and takes no longer than the crash" {
	guest 'echo c > /proc/sysrq-trigger' 'sleep 100'
	SECONDS=0
	run -126 vm --timeout 90 guest.sh
	[[ $output == *"Kernel panic"* ]]
	[ "$SECONDS" -lt 60 ]
}

@test "each kind of splat is recognized, harmless lines are not" {
	local line splats=(
		'BUG: kernel NULL pointer dereference, address: 0000000000000000'
		'kernel BUG at mm/slub.c:400!'
		'Oops: 0002 [#1] PREEMPT SMP NOPTI'
		'general protection fault, probably for non-canonical address'
		'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:'
		'watchdog: BUG: soft lockup - CPU#0 stuck for 22s!'
		'INFO: task cat:77 blocked for more than 120 seconds.'
		'WARNING: possible circular locking dependency detected'
		'BUG: sleeping function called from invalid context at x.c:1'
		'Kernel panic - not syncing: Fatal exception'
	)
	for line in "${splats[@]}"; do
		echo "[    1.0] $line" > log
		run -126 vm --check-log log
		[[ $output == *"$line"* ]]
	done
	printf '%s\n' 'livepatch_x: tainting kernel with TAINT_LIVEPATCH' \
		'livepatch_x: module verification failed: signature and/or required key missing' \
		"livepatch: enabling patch 'livepatch_x'" 'ACPI: debug: no bug' \
		'Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on' > log
	run -0 vm --check-log log
	[ "$output" = "" ]
	# However much trouble there is.
	yes "[    1.0] BUG: x" | head -n 100000 > log
	run -126 vm --check-log log
}

@test "a guest that does not end is a timeout" {
	guest 'echo before' 'sleep 1000'
	run -124 vm --timeout 12 guest.sh
	[[ $output == *"before"* ]]
	[[ $output == *"vm: guest did not end within 12 s"* ]]
}

@test "a guest that goes down without a status is neither passed nor failed" {
	guest 'poweroff -f' 'sleep 100'
	run -125 vm guest.sh
	[[ $output == *"vm: guest died without reporting a status"* ]]
}

@test "a guest whose init does not start is not passed" {
	guest 'exit 0'
	run -126 vm --append rdinit=/nothing guest.sh
	[[ $output == *"Kernel panic"* ]]
}

@test "two guests at once do not see each other" {
	printf '%s\n' 'echo first; sleep 1; exit 3' > first.sh
	printf '%s\n' 'echo second; sleep 1; exit 4' > second.sh
	vm first.sh > first.out & local first=$!
	vm second.sh > second.out & local second=$!
	local rc=0
	wait $first || rc=$?
	[ $rc -eq 3 ]
	rc=0
	wait $second || rc=$?
	[ $rc -eq 4 ]
	[ "$(cat first.out)" = first ]
	[ "$(cat second.out)" = second ]
}

@test "an interrupted run leaves neither a process nor a file behind" {
	guest 'sleep 1000'
	mkdir tmp
	TMPDIR=$PWD/tmp "$INTEGRATION/vm" guest.sh > /dev/null 2>&1 3>&- &
	local pid=$!
	local i
	for ((i = 0; i < 100; i++)); do
		pgrep -f "qemu-system.*$PWD/tmp" > /dev/null && break
		sleep 0.1
	done
	[ "$i" -lt 100 ]
	kill -TERM $pid
	if wait $pid; then false; fi
	run -1 pgrep -f "$PWD/tmp"
	[ -z "$(ls tmp)" ]
}

@test "modules come with the ones that they depend on, and load" {
	guest 'load vxlan' 'is_loaded udp_tunnel' 'unload vxlan' 'is_unloaded vxlan'
	run -0 vm --module vxlan guest.sh
}

# module FILE LINE...: one that has nothing but these lines of modinfo.
module()
{
	local file=$1
	shift
	mkdir -p "${file%/*}"
	printf '%s\0' "$@" > modinfo
	"${CC:-gcc}" -x c -c -o "$file" - < /dev/null
	objcopy --add-section .modinfo=modinfo "$file"
}

@test "modules come with what they only say that they need, by its name or an alias, and after it" {
	local name
	guest 'load xt_LOG' 'is_loaded nf_log_syslog'
	run -0 vm --module xt_LOG guest.sh
	module modules/user.ko 'softdep=pre: one two_x three four-y' 'softdep=post: after' 'softdep=pre: five' depends=symbols
	module modules/a/three-fast.ko alias=three depends=
	module modules/b/three_generic.ko alias=three depends=
	module modules/c/three-other.ko alias=three depends=
	module modules/one-fast.ko alias=one depends=
	printf '%s\0' one_generic.alias=one > modules/modules.builtin.modinfo
	module modules/four-x.ko alias=four-y depends=deeper
	for name in two-x after deeper symbols; do
		module "modules/$name.ko" depends=
	done
	vm --modules modules --module user --initramfs initramfs guest.sh
	mkdir tree
	cpio --quiet -id -D tree 'modules/*' < initramfs
	[ "$(< tree/modules/user.depends)" = "two_x three_generic four_x symbols" ]
	[ "$(cd tree/modules && echo *.ko)" = "deeper.ko four_x.ko symbols.ko three_generic.ko two_x.ko user.ko" ]
}

@test "the initramfs is the same for the same inputs" {
	guest 'exit 0'
	vm --initramfs one --file guest.sh:/a/b guest.sh
	touch guest.sh
	sleep 1
	vm --initramfs two --file guest.sh:/a/b guest.sh
	cmp one two
}

@test "what cannot be started is told apart from what failed" {
	guest 'exit 0'
	run -127 vm --kernel /nonexistent guest.sh
	[ "$output" = "vm: error: cannot read kernel image /nonexistent" ]
	run -127 vm nothing.sh
	[ "$output" = "vm: error: cannot read guest script nothing.sh" ]
	run -127 vm --module no_such_module guest.sh
	[[ $output == "vm: error: module no_such_module is not below "* ]]
	run -127 vm --bogus
	[ "$output" = "vm: error: unknown option --bogus (try --help)" ]
	run -127 vm --check-log nothing
	[ "$output" = "vm: error: cannot read log nothing" ]
	run -127 vm --kernel guest.sh guest.sh
	[[ $output == *"vm: error: the guest printed nothing at all" ]]
}
