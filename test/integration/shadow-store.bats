#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Modules that meet in the store: who may join, what counts as a user, what is destroyed when; and all
# of it at once. The modules play livepatches, so that a step takes no transition.
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

@test "users are enabled patches; the last one takes the variables with it" {
	test_module_as fake-a shadow-fake --flags "-DFAKE_SECOND"
	test_module_as fake-b shadow-fake --flags "-DFAKE_REPLACE"
	test_module_as fake-wide shadow-fake --flags "-DFAKE_SIZE=24"
	test_module_as fake-named shadow-fake --flags "-DFAKE_NAME=\\\"other.field\\\""
	rm -rf "$BATS_TEST_TMPDIR/abi"
	cp -r "${SHADOW_CORE:-$TOP/kmod/core}" "$BATS_TEST_TMPDIR/abi"
	sed -i 's/^#define SHADOW_ABI.*/#define SHADOW_ABI 77u/' "$BATS_TEST_TMPDIR/abi/shadow-store.h"
	test_module_as fake-abi shadow-fake --core "$BATS_TEST_TMPDIR/abi"
	guest_script <<-'EOF'
		view=/sys/kernel/debug/kpatch-shadow
		tell() { echo "$2" > "/sys/module/fake_$1/parameters/do"; }
		told() { cat "/sys/module/fake_$1/parameters/do"; }
		field() { cat "$view/parent.$1/users" "$view/parent.$1/variables" | xargs; }
		refused() {
			if insmod "/modules/fake_$1.ko" 2>/dev/null; then fail "fake_$1 was loaded"; fi
			dmesg | grep "fake_$1: " | tail -n 1 | sed 's/^[^:]*: *//'
		}
		large() { awk '$1 == "kmalloc-2k" || $1 == "kmalloc-rcl-2k" { n += $2 } END { print n }' /proc/slabinfo; }
		load fake_a
		tell a "make 5"
		expect "not enabled: nothing is made" "made 0, 0 destructor calls" "$(told a)"
		tell a enable
		tell a enable
		tell a "make 5"
		tell a "second 3"
		expect "enabled" "made 3, 0 destructor calls" "$(told a)"
		expect "one user" "1 5|1 3" "$(field field)|$(field second)"
		expect "enabled once, however often its objects are" 1 "$(cat $view/enabled)"

		# Who may not join.
		expect_match "size" '^fake_wide: field parent.field has 24 bytes .*, but 8 .* in fake_a; give' "$(refused wide)"
		expect_match "name" '^fake_named: the fields other.field and parent.field \(of fake_a\) have the same id' "$(refused named)"
		expect_match "ABI" '^fake_abi: the livepatches that are loaded keep shadow variables of ABI 3 .*, this one.s is 77' "$(refused abi)"
		expect "they left nothing" "1 5 1" "$(field field) $(cat $view/modules)"

		# Atomic replace.
		load fake_b
		tell b enable
		expect "both" "2 5" "$(field field)"
		tell b complete
		expect "only the new one" "1 5" "$(field field)"
		expect "what it does not declare is destroyed" "0 0" "$(field second)"
		expect "by the destructor of the old one" "made 3, 3 destructor calls" "$(told a)"
		tell a "more 5"
		expect "the replaced one still may, as long as there is a user" "1 10" "$(field field)"
		unload fake_a
		expect "it takes nothing with it" "1 10" "$(field field)"

		# Disabled, and still loaded.
		tell b "undeclared 4"
		tell b disable
		expect "no user, no variable" "0 0 0" "$(field field) $(cat $view/variables)"
		expect "its own destructor" "made 4, 10 destructor calls" "$(told b)"
		expect_match "undeclared ones are counted" ": 4 undeclared variables freed, fake_b was the last" "$(dmesg)"
		tell b "make 5"
		tell b "undeclared 5"
		expect "nothing more is made" "made 0 0" "$(told b | cut -d , -f 1) $(cat $view/variables)"
		load fake_wide
		tell wide enable
		tell wide "make 2"
		expect "who is over has no say" "1 2" "$(field field)"
		if echo enable > /sys/module/fake_b/parameters/do; then fail "enabled again"; fi
		unload fake_b
		unload fake_wide
		expect_match "left without being disabled" "parent.field: 2 variables \(48 bytes\) destroyed, fake_wide" "$(dmesg)"
		expect "no store" "" "$(ls -d $view 2>/dev/null || true)"

		# Everything is given back.
		sleep 2
		before=$(large)
		load fake_b
		tell b enable
		tell b "undeclared 3000"
		[ $(($(large) - before)) -ge 1500 ] || fail "no memory was used"
		unload fake_b
		returned() { [ $(($(large) - before)) -lt 200 ]; }
		wait_for 20 "memory comes back" returned
	EOF
	boot --module "${ko%/*}/fake-a.ko" --module "${ko%/*}/fake-b.ko" --module "${ko%/*}/fake-wide.ko" \
		--module "${ko%/*}/fake-named.ko" --module "${ko%/*}/fake-abi.ko" --append slub_debug=FZPU
}

@test "who disagrees about anything else may not join either, and a forced transition destroys nothing" {
	test_module_as fake-a shadow-fake
	test_module_as fake-version shadow-fake --flags "-DFAKE_VERSION=3"
	test_module_as fake-align shadow-fake --flags "-DFAKE_ALIGN=32"
	test_module_as fake-forced shadow-fake --flags "-DFAKE_FORCED"
	cp -r "${SHADOW_CORE:-$TOP/kmod/core}" "$BATS_TEST_TMPDIR/larger"
	# The same ABI, by mistake: the structures say so.
	sed -i 's/^\tu64 view_id;/&\n\tu64 more;/' "$BATS_TEST_TMPDIR/larger/shadow-store.h"
	test_module_as fake-larger shadow-fake --core "$BATS_TEST_TMPDIR/larger"
	test_module shadow-squatter
	guest_script <<-'EOF'
		view=/sys/kernel/debug/kpatch-shadow
		tell() { echo "$2" > "/sys/module/fake_$1/parameters/do"; }
		told() { cat "/sys/module/fake_$1/parameters/do"; }
		refused() {
			if insmod "/modules/fake_$1.ko" 2>/dev/null; then fail "fake_$1 was loaded"; fi
			dmesg | grep "fake_$1: " | tail -n 1 | sed 's/^[^:]*: *//'
		}
		load shadow_squatter
		expect_match "no store" '^fake_a: something else than a store of shadow variables is kept under id 6b7061746368$' "$(refused a)"
		unload shadow_squatter
		load fake_a
		tell a enable
		tell a "make 5"
		expect "version" "fake_version: field parent.field has version 3, but 0 in fake_a; give the changed field a new name" "$(refused version)"
		expect_match "alignment" '^fake_align: field parent.field has 8 bytes \(aligned to 32\), but 8 \(aligned to 8\) in fake_a; give' "$(refused align)"
		expect_match "structures" '^fake_larger: .* of ABI ([0-9]+) \([0-9, ]+ bytes\), this one.s is \1 ' "$(refused larger)"
		tell a disable
		unload fake_a
		load fake_align
		expect_match "alignment, the other way" '^fake_a: field parent.field has 8 bytes \(aligned to 8\), but 8 \(aligned to 32\) in fake_align; give' "$(refused a)"
		unload fake_align

		load fake_forced
		tell forced enable
		tell forced "make 5"
		tell forced "undeclared 2"
		tell forced disable
		tell forced "beside 3"
		expect "tasks may be in its code: it may make more" "made 3" "$(told forced | cut -d , -f 1)"
		expect "nothing is destroyed" "made 3, 0 destructor calls 10" "$(told forced) $(cat $view/variables)"
		expect_match "which is said" "fake_forced: its transition was forced, so that tasks may still use its shadow variables: they are kept" "$(dmesg)"
		load fake_a
		tell a enable
		tell a disable
		expect "nor by what ends later" "made 0, 0 destructor calls 10" "$(told a) $(cat $view/variables)"
	EOF
	boot --module "${ko%/*}/fake-a.ko" --module "${ko%/*}/fake-version.ko" --module "${ko%/*}/fake-align.ko" \
		--module "${ko%/*}/fake-forced.ko" --module "${ko%/*}/fake-larger.ko" --module "$ko" --append slub_debug=FZPU
}

@test "what is in the store waits for who is in it" {
	test_module_as fake-a shadow-fake
	test_module_as fake-b shadow-fake --flags "-DFAKE_REPLACE"
	guest_script <<-'EOF'
		tell() { echo "$2" > "/sys/module/fake_$1/parameters/do"; }
		said() { dmesg | grep -q "shadow test: $1"; }
		waits() {
			dmesg -c > /dev/null
			tell a "hold 700" & holder=$!
			wait_for 10 "fake_a holds the store" said held
			"$@"
			said "given back" || fail "$* does not wait"
			wait $holder
		}
		load fake_a
		waits insmod /modules/fake_b.ko
		waits tell b enable
		waits tell b complete
		waits tell b disable
		waits rmmod fake_b
	EOF
	boot --module "${ko%/*}/fake-a.ko" --module "${ko%/*}/fake-b.ko"
}

@test "an id is nobody's when all that declare it are over" {
	test_module_as fake-a shadow-fake
	test_module_as fake-b shadow-fake --flags "-DFAKE_ID=99 -DFAKE_NAME=\\\"other.field\\\""
	guest_script <<-'EOF'
		view=/sys/kernel/debug/kpatch-shadow
		tell() { echo "$2" > "/sys/module/fake_$1/parameters/do"; }
		told() { cat "/sys/module/fake_$1/parameters/do" | cut -d , -f 1; }
		load fake_a
		load fake_b
		tell b enable
		tell a enable
		tell a "make 2"
		tell b "more 2"
		expect "declared by an enabled patch: they are the field's" "made 2 4" "$(told b) $(cat $view/parent.field/variables)"
		tell a disable
		expect "they go with it" "0" "$(cat $view/variables)"
		tell b "raw 3"
		expect "any size may be made then" "made 3 3" "$(told b) $(cat $view/variables)"
		tell a "more 1"
		expect "but not by who is over" "made 0" "$(told a)"
		unload fake_a
		if insmod /modules/fake_a.ko 2>/dev/null; then fail "fake_a was loaded"; fi
		expect_match "the size of what is there counts" 'fake_a: field parent.field has 8 bytes \(aligned to 8\), but 40 \(aligned to 8\) in undeclared variables' "$(dmesg)"
		tell b disable
		expect_match "freed with the last" ": 3 undeclared variables freed, fake_b was the last" "$(dmesg)"
		load fake_a
		tell a enable
		tell a "make 2"
		expect "and free for declarations" "made 2" "$(told a)"
		unload fake_a
		unload fake_b
	EOF
	boot --module "${ko%/*}/fake-a.ko" --module "${ko%/*}/fake-b.ko" --append slub_debug=FZPU
}

@test "who finds a store that its last module is taking down waits, and makes another one" {
	local core=$BATS_TEST_TMPDIR/core
	test_module_as fake-a shadow-fake
	cp -r "${SHADOW_CORE:-$TOP/kmod/core}" "$core"
	sed -i -E 's/^\tshadow_view_destroy\(root\);$/\tmsleep(2000);\n&/' "$core/shadow-store.c"
	# Of whatever ABI it is.
	sed -i 's/^#define SHADOW_ABI.*/#define SHADOW_ABI 77u/' "$core/shadow-store.h"
	[ "$(grep -c 'msleep(2000)' "$core/shadow-store.c")" -eq 1 ]
	test_module_as fake-slow shadow-fake --core "$core"
	guest_script <<-'EOF'
		view=/sys/kernel/debug/kpatch-shadow
		dying() { [ "$(cat $view/modules)" = 0 ]; }
		load fake_slow
		rmmod fake_slow & slow=$!
		wait_for 10 "the store is going" dying
		load fake_a
		wait $slow
		expect "one module, in a store of its own" 1 "$(cat $view/modules)"
		echo enable > /sys/module/fake_a/parameters/do
		echo "make 5" > /sys/module/fake_a/parameters/do
		expect "which works" 5 "$(cat $view/variables)"
		unload fake_a
	EOF
	boot --module "${ko%/*}/fake-a.ko" --module "${ko%/*}/fake-slow.ko" --append slub_debug=FZPU
}

@test "when the last module is gone nothing that any of them has allocated is left" {
	test_module_as fake-a shadow-fake
	test_module_as fake-b shadow-fake --flags "-DFAKE_REPLACE"
	test_module_as fake-wide shadow-fake --flags "-DFAKE_SIZE=24"
	guest_script <<-'EOF'
		tell() { echo "$2" > "/sys/module/fake_$1/parameters/do"; }
		# With slub_debug=U the kernel knows who has allocated each object: "  12 function+0x../0x.. [module] age=..."
		# Code of a module that is gone has no name any more.
		ours() { cat /sys/kernel/debug/slab/kmalloc-*/alloc_traces | grep -E '^ +[0-9]+ (0x|.*\[fake_)' || true; }
		nothing() { [ -z "$(ours)" ]; }
		expect "before" "" "$(ours)"
		load fake_a
		tell a enable
		tell a "make 2000"
		tell a "undeclared 10"
		if insmod /modules/fake_wide.ko 2>/dev/null; then fail "fake_wide was loaded"; fi
		expect_match "variables are seen" '2000 .*fake_a' "$(ours)"
		load fake_b
		tell b enable
		tell b complete
		unload fake_a
		tell b "more 10"
		unload fake_b
		wait_for 20 "all is freed; there is: $(ours)" nothing
	EOF
	boot --module "${ko%/*}/fake-a.ko" --module "${ko%/*}/fake-b.ko" --module "${ko%/*}/fake-wide.ko" \
		--append slub_debug=FZPU
}

@test "what is enabled later is not replaced, and does not come before what it is stacked on" {
	test_module_as fake-one shadow-fake --flags "-DFAKE_REPLACE"
	test_module_as fake-two shadow-fake
	test_module_as fake-three shadow-fake
	guest_script <<-'EOF'
		tell() { echo "$2" > "/sys/module/fake_$1/parameters/do"; }
		users() { cat /sys/kernel/debug/kpatch-shadow/parent.field/users; }
		load fake_one
		load fake_two
		tell two enable
		tell one enable
		tell one complete
		expect "two, enabled first, is replaced by one, loaded first" 1 "$(users)"
		load fake_three
		tell three enable
		tell one complete
		expect "one is told again, as a module comes: three is not replaced" 2 "$(users)"
		unload fake_three
		unload fake_two
		expect "one goes on" 1 "$(users)"
		unload fake_one
	EOF
	boot --module "${ko%/*}/fake-one.ko" --module "${ko%/*}/fake-two.ko" --module "${ko%/*}/fake-three.ko"
}

@test "variables that are aligned less than a declaration needs are not its own" {
	test_module_as fake-raw shadow-fake --flags "-DFAKE_ID=99 -DFAKE_NAME=\\\"other.field\\\""
	test_module_as fake-low shadow-fake --flags "-DFAKE_SIZE=64 -DFAKE_ALIGN=8"
	test_module_as fake-high shadow-fake --flags "-DFAKE_SIZE=64 -DFAKE_ALIGN=64"
	test_module_as fake-wide shadow-fake --flags "-DFAKE_SIZE=128 -DFAKE_ALIGN=128"
	guest_script <<-'EOF'
		tell() { echo "$2" > "/sys/module/fake_$1/parameters/do"; }
		refused() {
			if insmod "/modules/fake_$1.ko" 2>/dev/null; then fail "fake_$1 was loaded"; fi
			dmesg | grep "fake_$1: " | tail -n 1 | sed 's/^[^:]*: *//'
		}
		load fake_raw
		tell raw enable
		load fake_low
		tell raw "sized 64"
		unload fake_low
		expect_match "made as one declared them that is gone" '^fake_high: field parent.field has 64 bytes \(aligned to 64\), but 64 \(aligned to 8\) in undeclared variables; give' "$(refused high)"
		tell raw "sized 0"
		tell raw "sized 128"
		expect_match "made as their size has it" '^fake_wide: field parent.field has 128 bytes \(aligned to 128\), but 128 \(aligned to 64\) in undeclared variables; give' "$(refused wide)"
		tell raw "sized 0"
		tell raw "sized 64"
		load fake_high
		tell high enable
		expect "aligned enough" "made 4, 0 destructor calls" "$(cat /sys/module/fake_raw/parameters/do)"
	EOF
	boot --module "${ko%/*}/fake-raw.ko" --module "${ko%/*}/fake-low.ko" --module "${ko%/*}/fake-high.ko" --module "${ko%/*}/fake-wide.ko"
}

@test "a look-up that has begun sees the store to its end" {
	local core=$BATS_TEST_TMPDIR/core
	cp -r "${SHADOW_CORE:-$TOP/kmod/core}" "$core"
	sed -i -E 's/^\troot = READ_ONCE\(shadow_root\);$/&\n\tlate_point();/
		s/^#include "shadow-store.h"$/&\nvoid late_point(void);/' "$core/shadow-var.c"
	[ "$(grep -c late_point "$core/shadow-var.c")" -eq 2 ]
	test_module shadow-late --core "$core"
	guest_script <<-'EOF'
		load shadow_late
		expect_match "no failure" "shadow test: late, 0 failures" "$(dmesg)"
		expect "no store any more" "" "$(ls -d /sys/kernel/debug/kpatch-shadow 2>/dev/null || true)"
		unload shadow_late
	EOF
	boot --module "$ko" --append slub_debug=FZPU
}

@test "all calls at once, in threads and interrupts, while modules join and leave" {
	test_module_as core-a shadow-core
	test_module_as core-b shadow-core
	test_module shadow-stress
	guest_script <<-'EOF'
		cycles=10
		cycle() {
			i=0
			while [ $i -lt $((cycles * $2)) ]; do
				insmod /modules/core_$1.ko || fail "core_$1 cannot join"
				rmmod core_$1 || fail "core_$1 cannot leave"
				i=$((i + 1))
			done
			echo "$i" > /tmp/cycles_$1
		}
		both() {
			cycle a $1 & pid=$!
			cycle b $1
			wait $pid
			expect "cycles" "$((cycles * $1)) $((cycles * $1))" "$(cat /tmp/cycles_a) $(cat /tmp/cycles_b)"
		}
		# The store comes and goes with them.
		both 2
		expect "no store" "" "$(ls -d /sys/kernel/debug/kpatch-shadow 2>/dev/null || true)"
		load shadow_stress
		both 1
		rmmod shadow_stress
		expect_match "no failure" "shadow test: [0-9]+ calls, .* 0 failures" "$(dmesg)"
		expect_no_match "no wrong variable" "not true" "$(dmesg)"
		locks_watched
		echo "$((cycles * 6)) cycles; $(dmesg | sed -n 's/.*shadow test: //p')"
	EOF
	sed -i "s/^cycles=.*/cycles=${SHADOW_CYCLES:-10}/" "$BATS_TEST_TMPDIR/guest.sh"
	run boot --module "${ko%/*}/core-a.ko" --module "${ko%/*}/core-b.ko" --module "$ko" \
		--append slub_debug=FZPU --timeout "${SHADOW_TIMEOUT:-600}"
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "${SHADOW_CYCLES:-}" ] || echo "# $output" >&3
}
