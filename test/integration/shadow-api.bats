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
		expect "all" "3 1 1 15" "$(cd $view; echo $(cat abi modules enabled variables))"
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

@test "interrupts are never off for more than one variable, while the table grows neither" {
	local core=$BATS_TEST_TMPDIR/core
	cp -r "${SHADOW_CORE:-$TOP/kmod/core}" "$core"
	sed -i -E 's/^\tlocal_irq_save\(flags\);$/&\n\tsection_begin();/
		s/^\tlocal_irq_restore\(flags\);$/\tsection_end();\n&/
		s/^(\tnode->next = before->next;|\tWRITE_ONCE\(before->next, node->next\);)$/&\n\tsection_node(node);/
		s/^#include <linux\/types.h>$/&\n#include "shadow-sections.h"/' "$core"/*.[ch]
	test_module shadow-sections --core "$core"
	guest_script <<-'EOF'
		load shadow_sections
		unload shadow_sections
		dmesg | sed -n 's/.*one section: //p'
		expect_match "no failure" "shadow test: 0 failures" "$(dmesg)"
	EOF
	run boot --module "$ko"
	echo "$output"
	[ "$output" = "\
enable: 2 variables in 2, at most 1; 0 callbacks, at most 0; buckets at most 0; 8 others
alloc, 100: 100 variables in 100, at most 1; 100 callbacks, at most 1; buckets at most 1; 0 others
alloc, 100,000: 99900 variables in 99900, at most 1; 99900 callbacks, at most 1; buckets at most 1; 0 others
get_or_alloc, there: 0 variables in 0, at most 0; 0 callbacks, at most 0; buckets at most 0; 0 others
get_or_alloc, new: 1000 variables in 1000, at most 1; 1000 callbacks, at most 1; buckets at most 1; 0 others
constructor fails: 0 variables in 0, at most 0; 500 callbacks, at most 1; buckets at most 1; 500 others
free, every other pair there: 50000 variables in 50000, at most 1; 50000 callbacks, at most 1; buckets at most 0; 50000 others
undeclared: 3001 variables in 3001, at most 1; 3000 callbacks, at most 1; buckets at most 1; 0 others
free_all: 3001 variables in 3001, at most 1; 3000 callbacks, at most 1; buckets at most 0; 3002 others
undeclared again: 2001 variables in 2001, at most 1; 2000 callbacks, at most 1; buckets at most 0; 0 others
disable: 53001 variables in 53001, at most 1; 51000 callbacks, at most 1; buckets at most 0; 53005 others
leave: 2 variables in 2, at most 1; 0 callbacks, at most 0; buckets at most 0; 2 others" ]
	# Nothing switches them off in a way that is not counted.
	run grep -rhE '^[^/*#]*(irq|_bh\(|preempt_disable)|section_' "$core"
	output=$(grep -v '^#' <<< "$output" | sort | uniq -c | sed -E 's/^ *([0-9]+)[[:space:]]*/\1 /')
	[ "$output" = "\
2 local_irq_restore(flags);
2 local_irq_save(flags);
2 section_begin();
2 section_end();
2 section_node(node);" ] || { echo "FAILED: sections that are not counted: $output"; return 1; }
}
