#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The benchmark that compiles the shadow core for user space, with as little as it takes to see that it does.

bats_require_minimum_version 1.5.0

@test "the shadow core's table runs in user space: each look-up, and the floor, has a figure" {
	run "$BATS_TEST_DIRNAME/../bench/table" 100
	[ "$status" -eq 0 ]
	output=$(awk '{ $NF = ""; $(NF - 1) = ""; print }' <<< "$output" | sed 's/ *$//')
	[ "$output" = "\
call variables ns times get-hit
get-hit 100
get-miss 100
get_or_alloc 100
floor, 1 load 100
floor, 2 loads 100" ] || { echo "$output"; return 1; }
}
