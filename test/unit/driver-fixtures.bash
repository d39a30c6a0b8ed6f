# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A kernel of three small files, as a complete profile, so that the driver's stages run in
# milliseconds and without a real kernel.

# shellcheck disable=SC2034 # used by the tests
TOP=$BATS_TEST_DIRNAME/../..
DRIVER=$TOP/kpatch-build/kpatch-build
FAKE_RELEASE=9.9.0-1-fake
TAB=$'\t'

# The driver's functions, without running it. Its strict mode is kept off: bats has its own.
driver_source()
{
	# shellcheck source=/dev/null
	source "$DRIVER"
	set +u
	WORKDIR=$BATS_TEST_TMPDIR/work
	PROFILE=$BATS_TEST_TMPDIR/cache/kpatch/profiles/$FAKE_RELEASE
	LOG=$WORKDIR/log
	mkdir -p "$WORKDIR"
	: >"$LOG"
	BOLD='' RED='' YELLOW='' PLAIN='' LIVE=0
}

# Everything that the driver may write to is inside the test's directory.
driver()
{
	env -u NO_COLOR XDG_CACHE_HOME="$BATS_TEST_TMPDIR/cache" TMPDIR="$BATS_TEST_TMPDIR/tmp" \
		"$DRIVER" "$@"
}

# plan_line OBJECT MODULES COMPILE [OBJTOOL]
plan_line()
{
	printf '%s\t%s\t%s\tc\t%s\t%s\n' "$1" "${1%.o}.c" "$2" "$3" "${4:-}"
}

fake_profile()
{
	local src gcc=gcc
	PROFILE=$BATS_TEST_TMPDIR/cache/kpatch/profiles/$FAKE_RELEASE
	src=$PROFILE/src
	mkdir -p "$src/fs/proc" "$src/include" "$src/arch/x86/boot" "$src/arch/x86/entry/vdso" \
		"$src/arch/x86/lib" "$src/drivers/off" "$src/kernel/sched" "$src/lib" "$src/tools/lib" "$PROFILE/modules" \
		"$BATS_TEST_TMPDIR/tmp"
	printf 'int one(void)\n{\n\treturn 1;\n}\n' >"$src/fs/proc/one.c"
	printf '#include "one.h"\nint two(void)\n{\n\treturn 2;\n}\n' >"$src/fs/proc/two.c"
	printf 'int three;\n' >"$src/fs/proc/one.h"
	printf 'int off(void)\n{\n\treturn 0;\n}\n' >"$src/drivers/off/off.c"
	printf 'int rt(void)\n{\n\treturn 0;\n}\n' >"$src/kernel/sched/rt.c"
	printf '#include "rt.c"\n' >"$src/kernel/sched/policy.c"
	printf 'int relo(void)\n{\n\treturn 0;\n}\n' >"$src/tools/lib/relo.c"
	printf 'int boot;\n' >"$src/arch/x86/boot/main.c"
	printf 'int vdso;\n' >"$src/arch/x86/entry/vdso/vma.c"
	printf 'nop\n' >"$src/arch/x86/lib/copy.S"
	printf 'obj-y += one.o\n' >"$src/fs/proc/Makefile"
	{
		plan_line drivers/mod/mod.o mod "$gcc"
		plan_line fs/proc/one.o vmlinux "$gcc"
		plan_line fs/proc/two.o vmlinux "$gcc"
		plan_line kernel/sched/policy.o vmlinux "$gcc"
		plan_line tools/lib/relo.o vmlinux "$gcc"
	} | sort >"$PROFILE/plan"
	fake_includes
	printf 'kpatch-symtab\t1\nobject\tvmlinux\n' >"$PROFILE/symtab"
	: >"$PROFILE/Module.symvers"
	printf '%s\t\n' "$gcc" >"$PROFILE/module-flags"
	printf '9.9.0-1\n' >"$PROFILE/version"
	printf 'gcc\n' >"$PROFILE/cc"
	printf 'kpatch-profile 3\n' >"$PROFILE/complete"
}

# fake_includes: the include graph of what is in the source now.
fake_includes()
{
	(
		# shellcheck source=/dev/null
		source "$DRIVER"
		includes_write "$PROFILE/src" "$PROFILE/plan"
	) >"$PROFILE/includes"
	awk -F '\t' '$2 ~ /\.c$/' "$PROFILE/includes" >"$PROFILE/c-includes"
}

# patch_of FILE SED_SCRIPT: prints the patch that makes the edit.
patch_of()
{
	local new=$BATS_TEST_TMPDIR/new
	sed "$2" "$PROFILE/src/$1" >"$new"
	diff -u --label "a/$1" --label "b/$1" "$PROFILE/src/$1" "$new" || [ $? -eq 1 ]
}

# Exact status and a line of output that is exactly this.
expect()
{
	local want_status=$1 want=$2
	# shellcheck disable=SC2154 # set by bats
	if [[ $status -ne $want_status ]]; then
		printf 'status %s instead of %s:\n%s\n' "$status" "$want_status" "$output"
		return 1
	fi
	if ! grep -qxF -- "$want" <<<"$output"; then
		printf 'no line:\n%s\nin:\n%s\n' "$want" "$output"
		return 1
	fi
}
