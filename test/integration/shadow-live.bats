#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Real livepatches with the shadow core come and go, on any kernel: "make soak" runs this on a self-built one
# with KASAN and lockdep, and on PREEMPT_RT, too, which kpatch-build itself does not patch.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # test_module_as sets ko

bats_require_minimum_version 1.5.0
load common
load shadow

setup()
{
	need_kernel
}

@test "what a livepatch of another builder has replaced leaves nothing for the next one of ours" {
	local version
	test_module shadow-foreign --no-core
	for version in 1 2; do
		test_module_as "live-v$version" shadow-live --livepatch cmdline_proc_show=live_cmdline_proc_show \
			--flags "-DLIVE_VERSION=$version"
	done
	guest_script <<-'EOF'
		view=/sys/kernel/debug/kpatch-shadow
		number() { cat "$view/inode.$1/$2"; }
		load live_v1
		cat /proc/cmdline > /dev/null
		expect "v1 counts" "reads=2" "$(cat /proc/cmdline)"
		load shadow_foreign
		expect "replaced" foreign "$(cat /proc/cmdline)"
		wait_for 10 "v1 is over" _is_disabled live_v1
		expect "nobody has said so" "1 1" "$(number reads users) $(cat $view/enabled)"
		load live_v2
		expect_match "now it is known" 'inode.reads: 1 variable \([0-9]+ bytes\) destroyed, live_v1 was the last' "$(dmesg)"
		expect_match "with the destructor of v1" 'live: destructor, 2 reads' "$(dmesg)"
		expect "v2 starts clean" "reads=1 second=101" "$(cat /proc/cmdline)"
		expect "one user" "1 1" "$(number reads users) $(cat $view/enabled)"
		unload live_v1
		unload shadow_foreign
		expect "v2 goes on" "reads=2 second=102" "$(cat /proc/cmdline)"
		disable live_v2
		unload live_v2
		expect "no store any more" "" "$(ls -d $view 2>/dev/null || true)"
	EOF
	boot --module "$ko" --module "${ko%/*}/shadow-foreign.ko" --module "${ko%/*}/live-v1.ko"
}

@test "real livepatches replace each other while tasks read, all calls run, and a module with only the core comes and goes" {
	local version
	test_module shadow-stress --flags -DSTRESS_REPLACED
	test_module_as core-a shadow-core
	for version in 1 2; do
		test_module_as "live-v$version" shadow-live --livepatch cmdline_proc_show=live_cmdline_proc_show \
			--flags "-DLIVE_VERSION=$version"
	done
	guest_script <<-'EOF'
		cycles=3
		view=/sys/kernel/debug/kpatch-shadow
		said() { dmesg | grep -Ec "$1" || true; }
		number() { cat "$view/inode.$1/$2"; }
		# What is read is the old version, or one of the new ones, and never anything else.
		touch /tmp/go_on
		reader() {
			n=0
			while [ -e /tmp/go_on ]; do
				text=$(cat /proc/cmdline) || fail "cannot read"
				case $text in
				*console=ttyS0* | reads=[1-9]* | 'reads='[1-9]*' second='[1-9]*) ;;
				*) fail "read: $text" ;;
				esac
				n=$((n + 1))
			done
			echo "$n" > "/tmp/reads_$1"
		}
		core() {
			n=0
			while [ -e /tmp/go_on ]; do
				insmod /modules/core_a.ko || fail "core_a cannot join"
				rmmod core_a || fail "core_a cannot leave"
				n=$((n + 1))
			done
			echo "$n" > /tmp/reads_core
		}
		load shadow_stress
		pids=
		for who in a b; do
			reader $who & pids="$pids $!"
		done
		core & pids="$pids $!"
		i=0
		while [ "$i" -lt "$cycles" ]; do
			dmesg -c > /dev/null
			load live_v1
			cat /proc/cmdline > /dev/null
			first=$(sed -n 's/^reads=//p' /proc/cmdline)
			[ "$first" -ge 2 ] || fail "v1 counts: $first"
			load live_v2
			unload live_v1
			second=$(sed -n 's/^reads=\(.*\) second=.*/\1/p' /proc/cmdline)
			[ "$second" -gt "$first" ] || fail "v2 goes on: $second, after $first"
			expect "their users" "1 1" "$(number reads users) $(number second users)"
			expect "one inode" "1 1" "$(number reads variables) $(number second variables)"
			disable live_v2
			expect "nothing is left" "0 0" "$(number reads variables) $(number second variables)"
			expect "destroyed with the destructor, once" "1 1 1" "$(said 'live: destructor, [0-9]+ reads') $(
				said 'inode.reads: 1 variable \([0-9]+ bytes\) destroyed, live_v2 was') $(
				said 'inode.second: 1 variable \(8 bytes\) destroyed, live_v2 was')"
			unload live_v2
			i=$((i + 1))
		done
		rm /tmp/go_on
		for pid in $pids; do
			wait "$pid" || fail "one of the others has failed"
		done
		dmesg -c > /dev/null
		unload shadow_stress
		expect_match "no failure" "shadow test: [0-9]+ calls, .* 0 failures" "$(dmesg)"
		locks_watched
		expect "no store any more" "" "$(ls -d $view 2>/dev/null || true)"
		for who in a b core; do
			[ "$(cat /tmp/reads_$who)" -gt "$cycles" ] || fail "only $(cat /tmp/reads_$who) rounds of $who"
		done
		echo "$cycles real cycles; beside them $(cat /tmp/reads_core) cycles of the core, $(cat /tmp/reads_a) and $(cat /tmp/reads_b) reads, $(dmesg | sed -n 's,.*shadow test: ,,p')"
	EOF
	sed -i "s/^cycles=.*/cycles=${SHADOW_REAL_CYCLES:-3}/" "$BATS_TEST_TMPDIR/guest.sh"
	run boot --module "${ko%/*}/core-a.ko" --module "${ko%/*}/live-v1.ko" --module "${ko%/*}/live-v2.ko" \
		--module "${ko%/*}/shadow-stress.ko" --append slub_debug=FZPU --timeout "${SHADOW_TIMEOUT:-600}"
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "${SHADOW_REAL_CYCLES:-}" ] || echo "# $output" >&3
}
