#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# kpatch-build cache: shows what is kept between runs, and removes what is old, left or asked for, but
# nothing that a build uses.
#
# shellcheck disable=SC2034,SC2317 # what the driver reads and calls

bats_require_minimum_version 1.5.0
load driver-fixtures

OLD=9.9.0-1-fake NEW=9.9.0-2-fake

setup()
{
	local release
	cd "$BATS_TEST_TMPDIR" || return
	for release in "$OLD" "$NEW"; do
		FAKE_RELEASE=$release
		fake_profile
		chmod -R a-w "$PROFILE/src"
		: >"cache/kpatch/profiles/.$release.lock"
		mkdir -p "cache/kpatch/objects/$release"
		echo object >"cache/kpatch/objects/$release/key.o"
	done
	touch -d '40 days ago' "cache/kpatch/profiles/.$OLD.lock" "cache/kpatch/objects/$OLD/key.o"
	mkdir -p cache/kpatch/packages cache/kpatch/log cache/kpatch/work
	echo package >cache/kpatch/packages/linux-image_1.deb
	echo log >cache/kpatch/log/livepatch-x.log
}

teardown()
{
	chmod -R u+w "$BATS_TEST_TMPDIR/cache"
}

# What there is, but for locks.
there()
{
	(cd cache/kpatch && find . -mindepth 2 -maxdepth 3 ! -name '*.lock' ! -path './profiles/*/*' -printf '%P\n' |
		grep -v '/.*/.*/' | sort | tr '\n' ' ')
}

everything="log/livepatch-x.log objects/$OLD objects/$OLD/key.o objects/$NEW objects/$NEW/key.o packages/linux-image_1.deb profiles/$OLD profiles/$NEW "

# hold LOCK -s|-x COMMAND...: while somebody else has that lock.
hold()
{
	local lock status=0
	exec {lock}<>"$1"
	flock "$2" "$lock"
	"${@:3}" || status=$?
	exec {lock}>&-
	return "$status"
}

@test "list shows each release with version, sizes and last use, and what else there is" {
	run -0 driver cache list
	[ "${lines[0]}" = "RELEASE                            VERSION               PROFILE  OBJECTS  LAST USE" ]
	[[ ${lines[1]} =~ ^$OLD\ +9\.9\.0-1\ +[0-9.]+K\ +[0-9.]+K\ \ 40\ days\ ago$ ]]
	[[ ${lines[2]} =~ ^$NEW\ +9\.9\.0-1\ +[0-9.]+K\ +[0-9.]+K\ \ today$ ]]
	[[ ${lines[3]} =~ ^packages\ +[0-9.]+K$ ]]
	[[ ${lines[4]} =~ ^logs\ +[0-9.]+K$ ]]
	[[ ${lines[5]} =~ ^temporary\ directories\ +[0-9.]+K$ ]]
	[[ ${lines[6]} =~ ^all\ of\ .*/cache/kpatch\ +[0-9.]+K$ ]]
	[ "${#lines[@]}" -eq 7 ]
	[ "$(there)" = "$everything" ]
}

@test "list of an empty cache, and of an object directory without a profile" {
	run -0 env XDG_CACHE_HOME="$PWD/nothing" "$DRIVER" cache list
	[ "${lines[0]}" = "no release is prepared" ]
	[ ! -e nothing ]
	chmod -R u+w "cache/kpatch/profiles/$OLD"
	rm -r "cache/kpatch/profiles/$OLD"
	run -0 driver cache list
	[[ ${lines[1]} =~ ^$OLD\ +-\ +0\ +[0-9.]+K\ \ 40\ days\ ago$ ]]
}

@test "prune removes the releases that were not used for 30 days, or as many as are said" {
	run -0 driver cache prune
	[[ $output =~ ^removed\ $OLD,\ [0-9.]+K$ ]]
	[ "$(there)" = "log/livepatch-x.log objects/$NEW objects/$NEW/key.o packages/linux-image_1.deb profiles/$NEW " ]
	run -0 driver cache prune
	[ "$output" = "" ]
}

@test "prune with a number of days" {
	run -0 driver cache prune --days 41
	[ "$output" = "" ]
	touch -d '5 days ago' "cache/kpatch/objects/$NEW/key.o" cache/kpatch/log/livepatch-x.log
	run -0 driver cache prune --days=4
	[[ ${lines[0]} =~ ^removed\ $OLD,\ [0-9.]+K$ ]]
	[ "${lines[1]}" = "removed 1 file of objects, 7" ]
	[ "${lines[2]}" = "removed 1 file of log, 4" ]
	[ "$(there)" = "objects/$NEW packages/linux-image_1.deb profiles/$NEW " ]
	run -0 driver cache prune --days 0
	[ "$(there)" = "" ]
}

@test "a build marks its release as used, and an object as used when it takes it" {
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	touch -d '40 days ago' "cache/kpatch/profiles/.$NEW.lock"
	run driver -a "$NEW" --launcher none fix.patch
	find cache/kpatch/objects -name '*.o' -exec touch -d '40 days ago' {} +
	run driver -a "$NEW" --launcher none fix.patch
	run -0 driver cache prune
	[ "$(find "cache/kpatch/objects/$NEW" -name '*.o' | wc -l)" -eq 2 ]
	[ -d "cache/kpatch/profiles/$NEW" ]
}

@test "prune leaves a release that a build uses, and says so" {
	touch "cache/kpatch/objects/$OLD/key.o"
	run -0 hold "cache/kpatch/profiles/.$OLD.lock" -s driver cache prune
	[ "$output" = "kpatch-build: note: $OLD: in use by another kpatch-build; left" ]
	[ "$(there)" = "$everything" ]
}

@test "prune removes what killed runs left, and nothing of runs that go on" {
	mkdir cache/kpatch/work/kpatch-build.{dead00,lives0,fresh0,older0,older1} cache/kpatch/work/other \
		cache/kpatch/profiles/.9.9.0-3-fake.tmp "cache/kpatch/profiles/.$NEW.old" cache/kpatch/packages/.get.x
	touch cache/kpatch/work/kpatch-build.{dead00,lives0}/lock "cache/kpatch/objects/$NEW/.key.7"
	touch -d '1 hour ago' cache/kpatch/work/kpatch-build.{dead00,lives0,older0}
	touch -d '3 days ago' cache/kpatch/work/kpatch-build.older1 cache/kpatch/work/other
	run -0 hold cache/kpatch/work/kpatch-build.lives0/lock -x driver cache prune --days 100
	[ "$(ls cache/kpatch/work | tr '\n' ' ')" = "kpatch-build.fresh0 kpatch-build.lives0 kpatch-build.older0 other " ]
	[ "$(find cache/kpatch/profiles -maxdepth 1 -name '.*' ! -name '*.lock' | wc -l)" -eq 0 ]
	# What is being written now has such names as well.
	[ -e "cache/kpatch/objects/$NEW/.key.7" ]
	[ -e cache/kpatch/packages/.get.x ]
	# Somebody prepares a release.
	mkdir "cache/kpatch/profiles/.$NEW.tmp"
	run -0 hold "cache/kpatch/profiles/.$NEW.lock" -x driver cache prune --days 100
	[ -e "cache/kpatch/profiles/.$NEW.tmp" ]
}

@test "a running build's temporary directory is not taken for a dead one's" {
	local pid i
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	plan_line fs/proc/one.o vmlinux "echo >>$PWD/began; sleep 10; true" >"$PROFILE/plan"
	driver -a "$NEW" fix.patch >/dev/null 2>&1 3>&- &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		[ ! -e began ] || break
		sleep 0.1
	done
	touch -d '3 days ago' tmp/kpatch-build.*
	run -0 driver cache prune --days 100
	[ "$output" = "" ]
	[ -n "$(find tmp -name log)" ]
	kill "$pid"
	wait "$pid" || true
}

@test "packages are left while a profile may be made" {
	run -0 hold "cache/kpatch/profiles/.$NEW.lock" -x driver cache prune --days 0
	[ -e cache/kpatch/packages/linux-image_1.deb ]
	run hold "cache/kpatch/profiles/.$NEW.lock" -x driver cache clean
	expect 1 "kpatch-build: error: $NEW: in use by another kpatch-build; run again when that is done"
	expect 1 "kpatch-build: error: packages: another kpatch-build may use them; run again when that is done"
	[ "$(there)" = "objects/$NEW packages/linux-image_1.deb profiles/$NEW " ]
}

@test "clean removes all of some releases, or everything" {
	run -0 driver cache clean "$NEW"
	[[ $output =~ ^removed\ $NEW,\ [0-9.]+K$ ]]
	[ "$(there)" = "log/livepatch-x.log objects/$OLD objects/$OLD/key.o packages/linux-image_1.deb profiles/$OLD " ]
	run -0 driver cache clean
	[ "$(there)" = "" ]
	run -0 driver cache clean
	[ "$output" = "" ]
}

@test "mistakes are errors" {
	run driver cache
	expect 1 "kpatch-build: error: cache: say what to do: list, prune or clean"
	run driver cache delete
	expect 1 "kpatch-build: error: cache delete: must be list, prune or clean"
	run driver cache list x
	expect 1 "kpatch-build: error: cache list: takes no arguments"
	run driver cache prune --days x
	expect 1 "kpatch-build: error: --days x: not a number of days"
	run driver cache prune --days
	expect 1 "kpatch-build: error: option --days needs a value"
	run driver cache prune now
	expect 1 "kpatch-build: error: cache prune now: must be --days N"
	run driver cache clean ../x
	expect 1 "kpatch-build: error: -a ../x: not a kernel release; write it as 'uname -r' prints it"
	run driver cache clean 1.0-none
	expect 1 "kpatch-build: error: 1.0-none: nothing is kept of it"
	run -0 driver cache --help
	grep -qx "       kpatch-build cache clean \[RELEASE...\]" <<<"$output"
	[ "$(there)" = "$everything" ]
}
