#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The calls of klp_shadow_* and the macros of kpatch-shadow.h, in the running kernel, against the core.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # test_module sets ko

bats_require_minimum_version 1.5.0
load common
load shadow

setup()
{
	need_kernel
}

@test "the five calls, in both published forms, and the macros do what the manual says" {
	test_module shadow-api
	guest_script <<-'EOF'
		view=/sys/kernel/debug/kpatch-shadow
		field() {
			for file in size version users variables bytes; do
				printf '%s ' "$(cat "$view/$1/$file")"
			done
		}
		expect "no store yet" "" "$(ls -d $view 2>/dev/null || true)"
		load shadow_api
		expect "a field without variables" "4 0 1 0 0 " "$(field parent.counter)"
		expect "a field with variables" "8 0 1 3 24 " "$(field parent.owned)"
		expect "a field of shared state" "8 0 1 1 8 " "$(field kpatch_state.total)"
		expect "its id" "0xe9a135e5b8af6802" "$(cat $view/parent.owned/id)"
		expect "all" "1 1 1 15" "$(cd $view; echo $(cat abi modules enabled variables))"
		expect "it is read-only" "" "$(find $view -type f -perm /222)"
		unload shadow_api
		for line in 'parent.wide: 8 variables \(1024 bytes\) destroyed, shadow_api was' \
			'parent.owned: 3 variables \(24 bytes\) destroyed' \
			'kpatch_state.total: 1 variable \(8 bytes\) destroyed' \
			'1 undeclared variable freed, shadow_api was the last livepatch' \
			'shadow test: 3 destructor calls at the end'; do
			expect_match "what is freed is said, once" "^1$" "$(dmesg | grep -Ec "$line")"
		done
		expect "no store any more" "" "$(ls -d $view 2>/dev/null || true)"
		load shadow_api
		unload shadow_api
	EOF
	boot --module "$ko" --append slub_debug=FZPU
}

@test "what the kernel answers with a WARN and NULL, the core does too" {
	test_module shadow-api
	guest_script <<-'EOF'
		load shadow_api warn=1
		unload shadow_api
	EOF
	boot_dirty 4 'Duplicate shadow variable <' 'Shadow variables of id 1 have 8 bytes, not 16' \
		'Shadow variables of id ba893f45bf797e9f have 4 bytes, not 16'
}
