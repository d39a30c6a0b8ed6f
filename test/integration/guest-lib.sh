# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Helpers for scripts that run inside the guest (busybox sh): . ./guest-lib.sh
# Every failure ends the script at once, with a message on standard error and status 1.

set -eu

# How long a transition may take. A task that sleeps in a patched function needs a signal or a
# second look, which the kernel gives it every second.
TRANSITION_LIMIT=30

fail()
{
	echo "guest: FAILED: $*" >&2
	exit 1
}

# Narrate: what the script is about to do, into the kernel log, between the kernel's own messages.
note()
{
	echo "guest: $*" > /dev/kmsg
}

# expect DESCRIPTION EXPECTED ACTUAL
expect()
{
	[ "$2" != "$3" ] || return 0
	printf '%s\n' "$2" > /tmp/expected
	printf '%s\n' "$3" > /tmp/actual
	echo "guest: FAILED: $1" >&2
	diff -U 100 -L expected -L actual /tmp/expected /tmp/actual >&2 || true
	exit 1
}

# expect_match DESCRIPTION EXTENDED_REGEXP TEXT
expect_match()
{
	if ! printf '%s\n' "$3" | grep -Eq -- "$2"; then
		fail "$1: no match for /$2/ in: $3"
	fi
}

# expect_no_match DESCRIPTION EXTENDED_REGEXP TEXT
expect_no_match()
{
	if printf '%s\n' "$3" | grep -Eq -- "$2"; then
		fail "$1: unexpected match for /$2/ in: $3"
	fi
}

# wait_for SECONDS DESCRIPTION COMMAND...
wait_for()
{
	_limit=$(($1 * 10)) _what=$2
	shift 2
	while ! "$@"; do
		_limit=$((_limit - 1))
		[ $_limit -gt 0 ] || fail "timeout: $_what"
		usleep 100000
	done
}

is_loaded()
{
	[ -d "/sys/module/$1" ]
}

is_unloaded()
{
	[ ! -d "/sys/module/$1" ]
}

# Stable: the patch is gone from sysfs, or in no transition.
_is_stable()
{
	[ ! -e "/sys/kernel/livepatch/$1/transition" ] ||
		[ "$(cat "/sys/kernel/livepatch/$1/transition" 2>/dev/null || echo 0)" = 0 ]
}

_is_disabled()
{
	[ ! -d "/sys/kernel/livepatch/$1" ]
}

# wait_transition NAME: until no task is half way between old and new code.
wait_transition()
{
	wait_for $TRANSITION_LIMIT "transition of $1 ($(_stuck))" _is_stable "$1"
}

# The tasks that are not patched yet, for a message.
_stuck()
{
	grep -l 0 /proc/*/patch_state 2>/dev/null | tr '\n' ' ' || true
}

# load NAME|FILE.ko [PARAMETER]...: insert a module (with those that it depends on, when they were
# given to vm too); for a livepatch, wait until it is in effect.
load()
{
	case $1 in
	*/*) _ko=$1 ;;
	*) _ko=/modules/$1.ko ;;
	esac
	shift
	[ -r "$_ko" ] || fail "no module $_ko in this guest"
	_name=$(basename "$_ko" .ko | tr - _)
	[ ! -e "${_ko%.ko}.depends" ] || for _dep in $(xargs < "${_ko%.ko}.depends"); do
		is_loaded "$_dep" || (load "$_dep")
	done
	note "load $_name"
	insmod "$_ko" "$@" || fail "cannot load $_name: $(dmesg | tail -n 3)"
	if [ -d "/sys/kernel/livepatch/$_name" ]; then
		expect "$_name is enabled" 1 "$(cat "/sys/kernel/livepatch/$_name/enabled")"
		wait_transition "$_name"
	fi
}

# disable NAME: back to the original code.
disable()
{
	note "disable $1"
	[ -d "/sys/kernel/livepatch/$1" ] || fail "$1 is no enabled livepatch"
	echo 0 > "/sys/kernel/livepatch/$1/enabled" || fail "cannot disable $1"
	wait_for $TRANSITION_LIMIT "disabling $1" _is_disabled "$1"
}

_rmmod()
{
	rmmod "$1" 2>/dev/null
}

# unload NAME: remove a module. A livepatch drops its last reference a moment after it has left
# sysfs, so this tries more than once.
unload()
{
	note "unload $1"
	wait_for 10 "unloading $1" _rmmod "$1"
	is_unloaded "$1" || fail "$1 is still there"
}

# Whether NAME is there and enabled: 1, 0, or absent.
livepatch_state()
{
	cat "/sys/kernel/livepatch/$1/enabled" 2>/dev/null || echo absent
}

# patched_functions NAME: what the kernel itself says the livepatch replaces, one
# OBJECT/FUNCTION,POSITION per line, sorted.
patched_functions()
{
	(cd "/sys/kernel/livepatch/$1" && find . -mindepth 2 -maxdepth 2 -name '*,*' | sed 's,^\./,,' | sort)
}

# locks_watched: lockdep, if this kernel has it, has not switched itself off.
locks_watched()
{
	[ ! -e /proc/lockdep_stats ] || expect_match "lockdep watches to the end" "debug_locks: +1$" "$(cat /proc/lockdep_stats)"
}

# example_rounds NAME: the livepatch of examples/meminfo-string.patch takes effect and goes away, twice.
example_rounds()
{
	_original=$(_meminfo_names)
	_patched=$(echo "$_original" | sed 's/^VmallocChunk$/VmallocChunk (patched)/')
	[ "$_original" != "$_patched" ] || fail "this kernel shows no VmallocChunk"
	for _round in 1 2; do
		expect "before loading, $_round" "$_original" "$(_meminfo_names)"
		load "$1"
		expect "what is patched" vmlinux/meminfo_proc_show,1 "$(patched_functions "$1")"
		expect "loaded, $_round" "$_patched" "$(_meminfo_names)"
		disable "$1"
		expect "disabled, $_round" "$_original" "$(_meminfo_names)"
		unload "$1"
		expect "unloaded, $_round" "$_original" "$(_meminfo_names)"
	done
}

_meminfo_names()
{
	cut -d : -f 1 /proc/meminfo
}

# loop_autoclear: what the module loop says of a device that is attached to /tmp/disk meanwhile.
loop_autoclear()
{
	losetup /dev/loop0 /tmp/disk
	cat /sys/block/loop0/loop/autoclear
	losetup -d /dev/loop0
}
