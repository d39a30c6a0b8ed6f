#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The fuzzer of create-diff-object (test/fuzz), for as long as the other tests' patience lasts; "make fuzz"
# runs it with libFuzzer, and longer.

bats_require_minimum_version 1.5.0
load diff-fixtures

@test "damaged and crafted objects and symbol tables: no crash, no hang, no bad access" {
	FUZZ_BASES=$PWD/bases/c:$PWD/bases/types:$PWD/bases/tables
	export FUZZ_BASES ASAN_OPTIONS=detect_leaks=0:exitcode=99:log_path=sanitizer \
		UBSAN_OPTIONS=exitcode=99:print_stacktrace=1:log_path=sanitizer
	"$TOP/test/fuzz/bases" bases
	CC=$FIXTURE_CC "$TOP/test/fuzz/build" fuzz-diff || skip "no sanitizers"
	# The good inputs must be good, or nothing behind the first check is tried.
	for base in bases/*; do
		(cd "$base" && "$CDO" -q orig.o patched.o vmlinux symtab symvers name output.o)
	done
	run ./fuzz-diff "${FUZZ_ROUNDS:-8000}" "${FUZZ_SEED:-1}"
	if ((status)); then
		echo "$output"
		cat sanitizer* 2> /dev/null || true
		cp finding-* "$BATS_FILE_TMPDIR"
		return 1
	fi
	[[ $output == *" inputs, 0 findings" ]]
}
