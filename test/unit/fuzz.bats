#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The fuzzer of create-diff-object (test/fuzz), for as long as the other tests' patience lasts; "make fuzz"
# runs it with libFuzzer, and longer.

bats_require_minimum_version 1.5.0
load diff-fixtures

@test "damaged and crafted objects and symbol tables: no crash, no hang, no bad access" {
	export ASAN_OPTIONS=detect_leaks=0:exitcode=99:log_path=sanitizer \
		UBSAN_OPTIONS=exitcode=99:print_stacktrace=1:log_path=sanitizer
	"$TOP/test/fuzz/bases" bases
	FUZZ_BASES=$(printf "%s:" "$PWD"/bases/*)
	export FUZZ_BASES=${FUZZ_BASES%:}
	CC=$FIXTURE_CC "$TOP/test/fuzz/build" fuzz-diff || skip "no sanitizers"
	# The good inputs must be good, or nothing behind the first check is tried.
	for base in bases/*; do
		(cd "$base" && options=() && { [[ ! -e proof.o ]] || options=(--proof proof.o --image image); } &&
			"$CDO" -q ${options[@]+"${options[@]}"} orig.o patched.o "$(cat objname 2> /dev/null || echo vmlinux)" \
				symtab symvers name output.o)
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
