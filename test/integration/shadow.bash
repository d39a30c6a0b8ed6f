# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2154 # INTEGRATION is set by common.bash
#
# What the tests of shadow variables share.

# test_module NAME [KMOD-BUILD OPTION...]: builds shadow/NAME.c; sets $ko. The core is that of
# $SHADOW_CORE, if set: how the mutants come in.
test_module()
{
	local name=$1 options=()
	shift
	need_release
	ko=$BATS_TEST_TMPDIR/$name.ko
	[[ -z ${SHADOW_CORE:-} ]] || options+=(--core "$SHADOW_CORE")
	"$INTEGRATION/kmod-build" "${options[@]}" "$@" "${KPATCH_TEST_BUILD:-$KPATCH_TEST_RELEASE}" "$ko" "$INTEGRATION/shadow/$name.c" 3>&-
}

# boot_dirty COUNT REGEXP...: boot, but the kernel log must have COUNT warnings, each of which is
# preceded or followed by a line that matches the next REGEXP.
boot_dirty()
{
	local count=$1 status=0 log=$BATS_TEST_TMPDIR/kernel.log
	shift
	"$INTEGRATION/vm" --log "$log" --module "$ko" "$BATS_TEST_TMPDIR/guest.sh" 3>&- 2>"$BATS_TEST_TMPDIR/err" || status=$?
	if [[ $status -ne 126 || $(grep -c 'WARNING: ' "$log") -ne $count ]]; then
		echo "status $status, warnings:"
		grep -A 3 'WARNING: ' "$log"
		grep FAILED "$BATS_TEST_TMPDIR/err"
		return 1
	fi
	! grep -E 'BUG|Oops|not true' "$log" "$BATS_TEST_TMPDIR/err" || return 1
	for line; do
		grep -Eq -- "$line" "$log" || { echo "no line matches /$line/"; return 1; }
	done
}

# test_module_as NAME SOURCE [KMOD-BUILD OPTION...]: the same, under another name.
test_module_as()
{
	local name=$1 source=$2 options=()
	shift 2
	need_release
	ko=$BATS_TEST_TMPDIR/$name.ko
	[[ -z ${SHADOW_CORE:-} || $* == *--core* ]] || options+=(--core "$SHADOW_CORE")
	"$INTEGRATION/kmod-build" "${options[@]}" "$@" "${KPATCH_TEST_BUILD:-$KPATCH_TEST_RELEASE}" "$ko" "$INTEGRATION/shadow/$source.c" 3>&-
}
