#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# A field of struct task_struct, in the kernel's own fork, exit and /proc/PID/status, through the lives of
# several livepatches that declare it.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # build sets ko and output

bats_require_minimum_version 1.5.0
load common
load shadow

setup_file()
{
	local version
	export BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	need_kernel
	for version in v1 v2 v3 wide; do
		build 0 "task-$version" "shadow-task-$version.patch"
	done
	build 0 task-stacked -R shadow-task-v2.patch
	gcc -static -O2 -o "$BATS_FILE_TMPDIR/vfork-hold" "$INTEGRATION/guest/vfork-hold.c"
}

setup()
{
	need_kernel
}

modules()
{
	local name
	for name; do
		printf '%s\n' --module "$BATS_FILE_TMPDIR/livepatch-task-$name.ko"
	done
}

# Since 6.4 a transition replaces all calls of cond_resched(), which may then switch tasks.
switches_in_cond_resched()
{
	local profile
	profile=$(kernel_profile)
	awk -F '\t' '$1 == "sym" && $4 == "__klp_sched_try_switch" { found = 1 } END { exit !found }' "$profile/symtab"
}

# The guest's helpers: a task called "counted" that forks as often as it is told.
guest()
{
	guest_script < <(cat <<-'EOF'
		view=/sys/kernel/debug/kpatch-shadow
		mkfifo /tmp/go /tmp/done
		sh -c 'echo -n counted > /proc/self/comm
			exec 3<>/tmp/go 4<>/tmp/done
			while read -r n <&3; do
				while [ "$n" -gt 0 ]; do ( : ); n=$((n - 1)); done
				echo >&4
			done' &
		counted=$!
		exec 3<>/tmp/go 4<>/tmp/done
		fork() { echo "$1" >&3; read -r _ <&4; }
		forks() { sed -n 's/^Forks:\t//p' /proc/$counted/status; }
		born() { sed -n 's/^Born:\t//p' "/proc/$1/status"; }
		number() { cat "$view/task_struct.$1/$2" 2>/dev/null || echo none; }
		said() { dmesg | grep -Ec "$1" || true; }
		# insmod of busybox tries twice.
		says() { [ "$(said "$1")" = 0 ] && echo no || echo yes; }
		fork 0
	EOF
	cat)
}

@test "the build and modinfo list the fields" {
	run modinfo -F kpatch_shadow "$BATS_FILE_TMPDIR/livepatch-task-v2.ko"
	[ "$output" = "task_struct.forks id=860c485abdfdb111 size=4 align=4 version=0
task_struct.born id=d756f685be905bcd size=0 align=1 version=0" ] ||
	[ "$output" = "task_struct.born id=d756f685be905bcd size=0 align=1 version=0
task_struct.forks id=860c485abdfdb111 size=4 align=4 version=0" ]
	# No call goes to the kernel's store, but for the two with which the core finds its own.
	run bash -c "readelf -sW '$BATS_FILE_TMPDIR/livepatch-task-v2.ko' | awk '\$7 == \"UND\" && /klp_shadow/ { print \$8 }' | sort"
	[ "$output" = "klp_shadow_free
klp_shadow_get_or_alloc" ]
}

@test "data outlive the livepatch that made them, until the last enabled one that uses them" {
	guest <<-'EOF'
		load livepatch_task_v1
		expect "a task from before has the default" 0 "$(forks)"
		fork 3
		expect "v1 counts" 3 "$(forks)"
		expect "one user" 1 "$(number forks users)"

		load livepatch_task_v2
		expect "v2 reads what v1 wrote" 3 "$(forks)"
		fork 2
		expect "v2 goes on counting" 5 "$(forks)"
		expect "made by old code" 0 "$(born $counted)"
		sleep 100 &
		expect "made by new code" 1 "$(born $!)"
		expect "v1 is loaded" 2 "$(cat $view/modules)"
		expect "but no user" "1 1" "$(number forks users) $(cat $view/enabled)"
		unload livepatch_task_v1
		expect "v1 leaves it alone" 5 "$(forks)"
		expect "nothing was destroyed" 0 "$(said 'variables? .*destroyed')"

		load livepatch_task_v3
		expect "v3 has no such field" "" "$(forks)"
		expect "it was purged" "0 0" "$(number forks users) $(number forks variables)"
		expect "which is said" 1 "$(said 'task_struct.forks: [0-9]+ variables \([0-9]+ bytes\) destroyed, livepatch_task_v2 was the last')"
		expect "with the destructor of v2" 1 "$(said 'destructor: counted made 5 children')"
		expect "the other field is kept" 1 "$(born $!)"
		unload livepatch_task_v2
		expect "its view is gone" none "$(number forks users)"
		disable livepatch_task_v3
		expect "the last one purges the flags" 1 "$(said 'task_struct.born: [0-9]+ variables? .*destroyed, livepatch_task_v3 was')"
		expect "disabled and loaded, it keeps nothing" "0 0" "$(number born variables) $(cat $view/variables)"
		unload livepatch_task_v3
		expect "the last one out frees the store" "" "$(ls -d $view 2>/dev/null || true)"

		load livepatch_task_v1
		expect "v1 again starts clean" 0 "$(forks)"
		fork 1
		expect "and counts" 1 "$(forks)"
		disable livepatch_task_v1
		unload livepatch_task_v1
	EOF
	# shellcheck disable=SC2046
	boot $(modules v1 v2 v3)
}

@test "a livepatch that disagrees about a field's size does not load" {
	guest <<-'EOF'
		load livepatch_task_v1
		fork 4
		if insmod /modules/livepatch_task_wide.ko 2>/dev/null; then
			fail "it was loaded"
		fi
		expect "why" yes "$(says 'livepatch_task_wide: field task_struct.forks has 8 bytes \(aligned to 8\), but 4 \(aligned to 4\) in livepatch_task_v1; give the changed field a new name')"
		expect "v1 goes on" "1 4 1" "$(number forks users) $(forks) $(cat $view/modules)"
		disable livepatch_task_v1
		# Loaded, but it can never be enabled again: it has no say any more.
		load livepatch_task_wide
		fork 2
		expect "the wide one" "8 1 2" "$(number forks size) $(number forks users) $(forks)"
		unload livepatch_task_v1
		expect "is not harmed when v1 goes" "8 1 2" "$(number forks size) $(number forks users) $(forks)"
		disable livepatch_task_wide
		unload livepatch_task_wide
	EOF
	# shellcheck disable=SC2046
	boot $(modules v1 wide)
}

@test "stacked livepatches share a field, and each keeps what it declares" {
	guest <<-'EOF'
		load livepatch_task_v1
		fork 3
		load livepatch_task_stacked
		expect "two users" 2 "$(number forks users)"
		fork 2
		expect "the upper one reads what the lower one wrote" 5 "$(forks)"
		sleep 100 &
		disable livepatch_task_stacked
		expect "one user" 1 "$(number forks users)"
		expect "the lower one keeps it" 5 "$(forks)"
		expect "what only the upper one declared is gone" "1 0" \
			"$(said 'task_struct.born: .* livepatch_task_stacked was the last') $(number born variables)"
		unload livepatch_task_stacked
		disable livepatch_task_v1
		expect "then the rest" 1 "$(said 'task_struct.forks: .* livepatch_task_v1 was the last')"
		unload livepatch_task_v1
	EOF
	# shellcheck disable=SC2046
	boot $(modules v1 stacked)
}

@test "a livepatch that is refused, and one whose transition is reversed, leave nothing" {
	guest <<-'EOF'
		sysfs=/sys/kernel/livepatch/livepatch_task_v1
		mkfifo /tmp/hold
		exec 5<>/tmp/hold
		/test/vfork-hold </tmp/hold &
		hold=$!
		asleep() { grep -q kernel_clone "/proc/$hold/stack"; }
		wait_for 10 "a task sleeps in kernel_clone" asleep
		insmod /modules/livepatch_task_v1.ko
		fork 3
		wait_for 10 "tasks make variables" test "$(number forks variables)" != 0
		expect "the transition is held up" 1 "$(cat $sysfs/transition)"
		expect "it is a user on its way" 1 "$(number forks users)"
		if insmod /modules/livepatch_task_v2.ko 2>/dev/null; then
			fail "two transitions at once"
		fi
		expect "the refused one has left" "1 1 1" \
			"$(number forks users) $(cat $view/modules) $(cat $view/enabled)"
		echo 0 > $sysfs/enabled
		echo >&5
		wait_for 30 "the transition is reversed" _is_disabled livepatch_task_v1
		expect "what it made is destroyed" 1 "$(said 'task_struct.forks: .* livepatch_task_v1 was the last')"
		expect "all of it" "0 0" "$(number forks variables) $(cat $view/variables)"
		unload livepatch_task_v1
	EOF
	# shellcheck disable=SC2046
	boot $(modules v1 v2) --file "$BATS_FILE_TMPDIR/vfork-hold"
}

@test "a livepatch that goes by force stays a user for ever" {
	guest <<-'EOF'
		sysfs=/sys/kernel/livepatch/livepatch_task_v2
		load livepatch_task_v1
		fork 3
		mkfifo /tmp/hold
		exec 5<>/tmp/hold
		/test/vfork-hold </tmp/hold &
		hold=$!
		asleep() { grep -q kernel_clone "/proc/$hold/stack"; }
		wait_for 10 "a task sleeps in the new kernel_clone" asleep
		insmod /modules/livepatch_task_v2.ko
		expect "the transition is held up" 1 "$(cat $sysfs/transition)"
		echo 1 > $sysfs/force
		wait_transition livepatch_task_v2
		expect "v2 goes on" 3 "$(forks)"
		expect "v1 is a user for ever" "2 2" "$(number forks users) $(cat $view/enabled)"
		expect "which is said" 1 "$(said 'livepatch_task_v1: its transition was forced, .*: they are kept')"
		echo >&5
		disable livepatch_task_v2
		expect "v1 uses it" "1 0" "$(number forks users) $(said 'task_struct.forks: .* destroyed')"
		[ "$(number forks variables)" -gt 0 ] || fail "nothing is left"
		expect "what it did not declare is gone" 0 "$(number born variables)"
		unload livepatch_task_v2
		! rmmod livepatch_task_v1 2>/dev/null || fail "the kernel lets it go"
	EOF
	# shellcheck disable=SC2046
	boot $(modules v1 v2) --file "$BATS_FILE_TMPDIR/vfork-hold"
}

@test "real livepatches come and go again and again, while all calls run and a module with only the core comes and goes" {
	if [[ ${KPATCH_TEST_ACCEL:-} != kvm ]] && switches_in_cond_resched; then
		skip "each transition changes thousands of calls in this kernel's code, and tells all processors of each: minutes, while they are busy"
	fi
	test_module shadow-core
	core=$ko
	test_module shadow-stress --flags -DSTRESS_REPLACED
	guest <<-'EOF'
		load shadow_stress
		touch /tmp/go_on
		(
			n=0
			while [ -e /tmp/go_on ]; do
				insmod /modules/shadow_core.ko || fail "shadow_core cannot join"
				rmmod shadow_core || fail "shadow_core cannot leave"
				n=$((n + 1))
			done
			echo "$n" > /tmp/core_cycles
		) & core=$!
		cycles=3
		i=0
		while [ "$i" -lt "$cycles" ]; do
			load livepatch_task_v1
			fork 3
			expect "v1 starts clean and counts" 3 "$(forks)"
			load livepatch_task_v2
			unload livepatch_task_v1
			fork 1
			expect "v2 goes on" 4 "$(forks)"
			disable livepatch_task_v2
			expect "what they made is gone" 0 "$(cat "$view/task_struct.forks/variables")"
			unload livepatch_task_v2
			i=$((i + 1))
		done
		rm /tmp/go_on
		wait $core
		unload shadow_stress
		expect_match "no failure" "shadow test: [0-9]+ calls, .* 0 failures" "$(dmesg)"
		expect "no store any more" "" "$(ls -d $view 2>/dev/null || true)"
		[ "$(cat /tmp/core_cycles)" -gt "$cycles" ] || fail "only $(cat /tmp/core_cycles) cycles beside them"
		echo "$cycles real cycles, $(cat /tmp/core_cycles) cycles of the core beside them, $(dmesg | sed -n 's,.*shadow test: ,,p')"
	EOF
	sed -i "s/^cycles=.*/cycles=${SHADOW_REAL_CYCLES:-3}/" "$BATS_TEST_TMPDIR/guest.sh"
	# shellcheck disable=SC2046
	run boot $(modules v1 v2) --module "$core" --module "$ko" --append slub_debug=FZPU --timeout "${SHADOW_TIMEOUT:-600}"
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "${SHADOW_REAL_CYCLES:-}" ] || echo "# $output" >&3
}
