#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016,SC2034 # text for other shells; variables that the driver reads
#
# Finding what Debian shipped for a release, with stand-ins for apt and dpkg: which version, and one
# clear error for each thing that can be missing.

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	fake_profile
	rm -r "$PROFILE"
	cd "$BATS_TEST_TMPDIR" || return
	printf -- '--- a/fs/proc/one.c\n+++ b/fs/proc/one.c\n@@ -1 +1 @@\n-x\n+y\n' >fix.patch
	mkdir bin lists known installed
	: >lists/debian_Packages
	# Known packages are files "NAME VERSION" in known/, installed ones in installed/.
	stub apt-cache 'case $1 in
	policy) echo "$2:"; for f in known/"$2 "*; do [ -e "$f" ] && echo "  Candidate: ${f##* }"; done ;;
	madison) for f in known/"$2 "*; do [ -e "$f" ] && echo " $2 | ${f##* } | http://archive"; done ;;
	esac; exit 0'
	stub apt-get 'case $1 in
	indextargets) echo "$PWD_OF_TEST/lists/debian_Packages" ;;
	*) echo "E: Could not resolve the archive" >&2; exit 100 ;;
	esac'
	stub dpkg-query 'for f in installed/"$4 "*; do [ -e "$f" ] && echo "ii  ${f##* }" && exit 0; done; exit 1'
	export PWD_OF_TEST=$PWD PATH=$PWD/bin:$PATH
}

# stub NAME TEXT: a program that runs in the test's directory.
stub()
{
	printf '#!/bin/sh\ncd "$PWD_OF_TEST"\n%s\n' "$2" >"bin/$1"
	chmod +x "bin/$1"
}

one_error()
{
	expect 1 "kpatch-build: error: $1"
	[ "$(grep -c '^kpatch-build: error:' <<<"$output")" -eq 1 ]
	[ ! -e "$PROFILE" ]
}

@test "a release that no package belongs to" {
	run driver -a "$FAKE_RELEASE" fix.patch
	one_error "$FAKE_RELEASE: there is no Debian package linux-image-$FAKE_RELEASE; give a release as 'uname -r' prints it with -a, or run 'apt-get update' if it is new"
}

@test "no package lists: apt-get update is asked for" {
	rm lists/*
	run driver -a "$FAKE_RELEASE" fix.patch
	one_error "apt has no package lists to find linux-image-$FAKE_RELEASE in; run 'apt-get update' as root"
}

@test "compressed package lists are package lists" {
	mv lists/debian_Packages lists/debian_Packages.lz4
	run driver -a "$FAKE_RELEASE" fix.patch
	[[ $output == *"there is no Debian package"* ]]
}

@test "the source of that version is not in the archive: package and version are named" {
	: >"known/linux-image-$FAKE_RELEASE 9.9.1-2"
	: >"known/linux-headers-$FAKE_RELEASE 9.9.1-2"
	: >"known/linux-source-9.9 9.9.2-1"
	: >"installed/linux-image-$FAKE_RELEASE 9.9.1-2"
	: >"installed/linux-headers-$FAKE_RELEASE 9.9.1-2"
	run driver -a "$FAKE_RELEASE" fix.patch
	one_error "linux-source-9.9 version 9.9.1-2 is not in the archive (any more); run 'apt-get update', install a newer kernel and patch that, or add Debian's snapshot archive of that day to apt's sources"
}

@test "the installed version counts, not the newest" {
	: >"known/linux-image-$FAKE_RELEASE 9.9.2-1"
	: >"installed/linux-image-$FAKE_RELEASE 9.9.1-2"
	run driver -a "$FAKE_RELEASE" fix.patch
	[[ $output == *"linux-headers-$FAKE_RELEASE version 9.9.1-2 is not in the archive"* ]]
}

@test "no network: one error with apt's reason" {
	: >"known/linux-image-$FAKE_RELEASE 9.9.1-2"
	run driver -a "$FAKE_RELEASE" fix.patch
	one_error "linux-image-$FAKE_RELEASE version 9.9.1-2 cannot be downloaded: Could not resolve the archive; check the network and apt's sources"
	[ -z "$(find cache/kpatch/packages -mindepth 1)" ]
}

@test "a package that two releases need is downloaded once" {
	: >"known/linux-source-9.9 9.9.1-2"
	stub apt-get 'echo get >>gets; sleep 0.5; cd "$OLDPWD" && echo deb >linux-source-9.9.deb'
	driver_source
	CACHE=$PWD/cache/kpatch PACKAGE_DIR=$PWD/cache/kpatch/packages
	mkdir -p "$PACKAGE_DIR"
	for i in 1 2 3; do
		(package_get linux-source-9.9 9.9.1-2 && cat "$PACKAGE_FILE" >"got$i") 3>&- &
	done
	wait
	[ "$(cat got1 got2 got3)" = $'deb\ndeb\ndeb' ]
	[ "$(cat gets)" = get ]
	[ "$(ls -A "$PACKAGE_DIR")" = linux-source-9.9_9.9.1-2.deb ]
}

@test "a package that has to be downloaded into a cache that cannot be written to" {
	local who=()
	[ "$EUID" -ne 0 ] || who=(setpriv "--bounding-set=-dac_override,-dac_read_search")
	mkdir -p cache/kpatch/profiles cache/kpatch/packages
	chmod -R a-w cache
	run env XDG_CACHE_HOME="$PWD/cache" TMPDIR="$BATS_TEST_TMPDIR" "${who[@]}" bash -c 'source "$1"; ui_init; cache_find; workdir_create
		PACKAGE_DIR=$CACHE/packages STAGE=kernel; package_get linux-source-9.9 9.9.1-2' - "$DRIVER"
	chmod -R u+w cache
	expect 1 "kpatch-build: error: $PWD/cache/kpatch/profiles: cannot be written to, and linux-source-9.9 9.9.1-2 is not in the cache; set XDG_CACHE_HOME to a writable directory"
	[ "$(wc -l <<<"$output")" -eq 1 ]
}

# deb NAME FILE... [-- DEPENDS]: a package of version 9.9.1-2 in the driver's cache.
deb()
{
	local name=$1 tree=$PWD/tree
	mkdir -p "$tree/DEBIAN"
	printf 'Package: %s\nVersion: 9.9.1-2\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: none\n' \
		"$name" >"$tree/DEBIAN/control"
	shift
	while (($#)) && [[ $1 != -- ]]; do
		mkdir -p "$tree/${1%/*}"
		echo "$name" >"$tree/$1"
		shift
	done
	(($# < 2)) || printf 'Depends: %s\n' "$2" >>"$tree/DEBIAN/control"
	dpkg-deb -Znone --root-owner-group -b "$tree" "$PACKAGE_DIR/${name}_9.9.1-2.deb" >/dev/null
	rm -r "$tree"
}

# packages_driver: the driver's functions, for packages of a kernel that are in its cache.
packages_driver()
{
	driver_source
	RELEASE=9.9.1+deb99.1-fake-amd64 KERNEL_VERSION=9.9.1-2 CACHE=$PWD/cache/kpatch PACKAGE_DIR=$PWD/cache/kpatch/packages
	WORKDIR=$PWD/work LOG=$PWD/log PACKAGES=(linux-source-9.9)
	mkdir -p "$PACKAGE_DIR" "$WORKDIR"
}

@test "an image's package that holds image, configuration and modules" {
	packages_driver
	deb "linux-image-$RELEASE" "boot/vmlinuz-$RELEASE" "boot/config-$RELEASE" "lib/modules/$RELEASE/kernel/a.ko" \
		-- "kmod, initramfs-tools (>= 0.120) | linux-initramfs-tool"
	kernel_download "linux-image-$RELEASE"
	[ "$K_IMAGE" = "$WORKDIR/packages/boot/vmlinuz-$RELEASE" ]
	[ "$K_CONFIG" = "$WORKDIR/packages/boot/config-$RELEASE" ]
	[ "$(cat "$K_IMAGE" "$K_CONFIG" "$K_MODULES/kernel/a.ko" | uniq -c | xargs)" = "3 linux-image-$RELEASE" ]
}

@test "an image's package that depends on those of the image, of the modules and of the configuration, beside each other" {
	packages_driver
	deb "linux-base-$RELEASE" "usr/lib/modules/$RELEASE/config"
	deb "linux-binary-$RELEASE" "usr/lib/modules/$RELEASE/vmlinuz" -- "linux-base-$RELEASE (= 9.9.1-2)"
	deb "linux-modules-$RELEASE" "usr/lib/modules/$RELEASE/kernel/a.ko" -- "kmod, linux-base-$RELEASE (= 9.9.1-2)"
	deb "linux-image-$RELEASE" -- "dracut | linux-initramfs-tool, linux-base-$RELEASE (= 9.9.1-2), linux-binary-$RELEASE (= 9.9.1-2), linux-modules-$RELEASE (= 9.9.1-2), x$RELEASE"
	kernel_download "linux-image-$RELEASE"
	[ "$K_MODULES" = "$WORKDIR/packages/usr/lib/modules/$RELEASE" ]
	[ "$(cat "$K_IMAGE")" = "linux-binary-$RELEASE" ]
	[ "$(cat "$K_CONFIG")" = "linux-base-$RELEASE" ]
	[ "$(cat "$K_MODULES/kernel/a.ko")" = "linux-modules-$RELEASE" ]
}

@test "headers that do not say which build tools they need, or which headers they share, are an error" {
	packages_driver
	deb "linux-headers-$RELEASE" -- "linux-headers-9.9.1-common (= 9.9.1-2), gcc-14"
	run kernel_download "linux-headers-$RELEASE"
	expect 1 "kpatch-build: error: linux-headers-$RELEASE 9.9.1-2: does not say which linux-kbuild it needs"
	deb "linux-headers-$RELEASE" -- "linux-kbuild-9.9.1 | other"
	deb linux-kbuild-9.9.1
	kernel_download "linux-headers-$RELEASE"
	[ "$K_KBUILD" = "$WORKDIR/packages/usr/lib/linux-kbuild-9.9.1" ]
	PACKAGES=()
	run kernel_download "linux-headers-$RELEASE"
	expect 1 "kpatch-build: error: linux-headers-$RELEASE 9.9.1-2: does not say which headers it shares with others"
}

@test "missing programs: one error with all the packages to install" {
	local program
	mkdir few
	for program in bash sh env sed awk cat rm mv mkdir mktemp readlink nproc uname cut sort flock find cp \
		chmod printf grep dpkg-deb tar head tail tr stat getent df filterdiff perl ld nm objcopy; do
		ln -s "$(command -v "$program")" few/
	done
	cp bin/* few/
	PATH=$PWD/few run driver -a "$FAKE_RELEASE" fix.patch
	one_error "programs are missing; install them: apt-get install make patch xz-utils"
	# When the kernel was prepared by somebody else, too.
	fake_profile
	rm few/ld
	ln -s "$(command -v gcc)" few/
	PATH=$PWD/few run driver -a "$FAKE_RELEASE" fix.patch
	expect 1 "kpatch-build: error: programs are missing; install them: apt-get install binutils patch"
}

@test "a profile of another version than the installed kernel is not used" {
	fake_profile
	: >"installed/linux-image-$FAKE_RELEASE 9.9.0-2"
	run driver -a "$FAKE_RELEASE" fix.patch
	[ "$status" -eq 1 ]
	[[ $output == *"linux-headers-$FAKE_RELEASE version 9.9.0-2 is not in the archive"* ]]
	: >"installed/linux-image-$FAKE_RELEASE 9.9.0-1"
	rm "installed/linux-image-$FAKE_RELEASE 9.9.0-2"
	run driver -a "$FAKE_RELEASE" fix.patch
	[[ $output == *"does not apply to the source of $FAKE_RELEASE"* ]]
}

@test "a profile that is not complete, or of another format, is not used" {
	fake_profile
	rm "$PROFILE/complete"
	run driver -a "$FAKE_RELEASE" fix.patch
	[[ $output == *"there is no Debian package"* ]]
	echo 'kpatch-profile 0' >"$PROFILE/complete"
	run driver -a "$FAKE_RELEASE" fix.patch
	[[ $output == *"there is no Debian package"* ]]
}

# config_check HEADERS_CONFIG IMAGE_CONFIG
config_check()
{
	driver_source
	K_HEADERS=$PWD K_CONFIG=$PWD/config RELEASE=$FAKE_RELEASE
	printf '%b' "CONFIG_LIVEPATCH=y\nCONFIG_MODULES=y\nCONFIG_KALLSYMS_ALL=y\n$1" >.config
	printf '%b' "CONFIG_LIVEPATCH=y\nCONFIG_MODULES=y\nCONFIG_KALLSYMS_ALL=y\n$2" >config
	profile_config_check
}

@test "configurations that differ only in what packaging removes are the same" {
	run config_check 'CONFIG_BUILD_SALT="x"\nCONFIG_MODULE_SIG_KEY="k"\nCONFIG_MODULE_SIG_ALL=y\n' ''
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "other differences between the configurations are errors that name the options" {
	run config_check 'CONFIG_DEBUG_INFO_BTF=y\nCONFIG_HZ=250\n' 'CONFIG_HZ=1000\n'
	expect 1 "kpatch-build: error: linux-headers-$FAKE_RELEASE was made with another configuration than linux-image-$FAKE_RELEASE: CONFIG_DEBUG_INFO_BTF CONFIG_HZ; install both in the same version"
}

@test "kernels whose configuration rules livepatches out are refused" {
	run config_check 'CONFIG_RANDSTRUCT=y\n' 'CONFIG_RANDSTRUCT=y\n'
	expect 2 "kpatch-build: refused: $FAKE_RELEASE: its configuration has CONFIG_RANDSTRUCT, with which an object compiled alone is not what runs in the kernel"
	driver_source
	K_HEADERS=$PWD K_CONFIG=$PWD/config RELEASE=$FAKE_RELEASE
	: >.config
	: >config
	run profile_config_check
	expect 2 "kpatch-build: refused: $FAKE_RELEASE: its configuration lacks CONFIG_LIVEPATCH; livepatches cannot be made for it"
}

@test "each option that rules livepatches out, and each that they need" {
	local option
	for option in RANDSTRUCT GCC_PLUGIN_RANDSTRUCT GCC_PLUGIN_LATENT_ENTROPY DEBUG_INFO_SPLIT \
		LD_DEAD_CODE_DATA_ELIMINATION LTO_CLANG; do
		run config_check "CONFIG_$option=y\n" "CONFIG_$option=y\n"
		expect 2 "kpatch-build: refused: $FAKE_RELEASE: its configuration has CONFIG_$option, with which an object compiled alone is not what runs in the kernel"
		run config_check "# CONFIG_$option is not set\nCONFIG_${option}_OTHER=y\n" "CONFIG_${option}_OTHER=y\n"
		[ "$status" -eq 0 ]
	done
	driver_source
	K_HEADERS=$PWD K_CONFIG=$PWD/config RELEASE=$FAKE_RELEASE
	for option in LIVEPATCH MODULES KALLSYMS_ALL; do
		printf 'CONFIG_%s=y\n' LIVEPATCH MODULES KALLSYMS_ALL | grep -v "_$option=" >.config
		cp .config config
		run profile_config_check
		expect 2 "kpatch-build: refused: $FAKE_RELEASE: its configuration lacks CONFIG_$option; livepatches cannot be made for it"
	done
}

# known RELEASE [MODULE]
known()
{
	driver_source
	RELEASE=$1
	kernel_known_check
}

@test "a kernel that is older than what is known is refused, one that is newer is warned of" {
	local release
	for release in 5.10.0-33-amd64 5.19.17 6.0 6.0.12-own 4.19.1 2.6.32; do
		run known "$release"
		expect 2 "kpatch-build: refused: $release: is older than 6.1, and other in its image, its build and its livepatches than what is known here; boot a kernel of 6.1 or later"
	done
	for release in 6.1 6.1.0-57-cloud-amd64 6.01 6.9.0 6.12.117+deb12-amd64 6.18.44-rc1; do
		run known "$release"
		[ "$status-$output" = 0- ]
	done
	for release in 6.19-rc1 6.100.1 7.0 10.1; do
		run known "$release"
		expect 0 "kpatch-build: warning: $release: is newer than 6.18, up to which it is known what kernels hold: load the livepatch in a virtual machine first, and see there that it does what it should"
	done
}

@test "an old kernel is refused before anything is looked for, and the report says why" {
	run driver -a 5.10.0-33-amd64 --json report.json fix.patch
	expect 2 "kpatch-build: refused: 5.10.0-33-amd64: is older than 6.1, and other in its image, its build and its livepatches than what is known here; boot a kernel of 6.1 or later"
	[ "$(grep -c '' <<<"$output")" -eq 1 ]
	[ ! -e cache/kpatch/profiles/5.10.0-33-amd64 ]
	grep -qF '"reason":"kernel"' report.json
}

@test "no stage runs as shell text what it reads from a file" {
	local stages=$BATS_TEST_DIRNAME/../../kpatch-build
	# But for the stages themselves and the commands of the plan, which make printed.
	grep -hE '(^|[;&|({]|then|do|else|!)[[:space:]]*(eval|source|\.)[[:space:]]+[^=[:space:]]|\<(bash|sh)[[:space:]]+-c' \
		"$stages"/* | sed 's/^[[:space:]]*//' | sort -u |
		diff - <(printf '%s\n' 'exec env -i -C "$1" PATH="$PATH" HOME=/dev/null LC_ALL=C "${@:4}" bash -c "$2"' \
			'source "$STAGES/'{apply,cache,compile,diff,explain,facts,featureset,headers,kept,kernel,launcher,link,makefiles,many,oot,own,patch-level,patches,pool,profile,select,shadow,sign,tasks,timings,ui}'.sh"' | sort -u)
}

# running RELEASE BUILD [VMLINUX]: the check of a profile of 6.1.192-2 against this running kernel.
running()
{
	driver_source
	RELEASE=$FAKE_RELEASE KERNEL_VERSION=6.1.192-2 VMLINUX=${3:-}
	eval "running_release() { echo '$1'; }; running_build() { echo '$2'; }"
	kernel_running_check
}

@test "the running kernel is of another version than the installed one" {
	run running "$FAKE_RELEASE" '#1 SMP PREEMPT_DYNAMIC Debian 6.1.191-1 (2026-08-01)'
	expect 1 "kpatch-build: error: $FAKE_RELEASE: version 6.1.191-1 runs, but the patch would be made for 6.1.192-2; boot the installed kernel, or give the image that runs with -v"
	run running "$FAKE_RELEASE" '#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2~bpo11+1 (2026-08-01)'
	[ "$status" -eq 1 ]
}

@test "the running kernel's version does not matter if it is the same, unknown, of another release, or -v is given" {
	local old='#1 SMP PREEMPT_DYNAMIC Debian 6.1.191-1 (2026-08-01)' build
	for build in '#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-09-01)' '#1 SMP PREEMPT_DYNAMIC @0' ''; do
		run running "$FAKE_RELEASE" "$build"
		[ "$status" -eq 0 ]
		[ -z "$output" ]
	done
	run running 9.9.0-2-other "$old"
	[ "$status" -eq 0 ]
	run running "$FAKE_RELEASE" "$old" vmlinux
	[ "$status" -eq 0 ]
}

@test "the check of the running kernel is made on a profile that is ready, without -a too" {
	fake_profile
	stub uname 'case $1 in -r) echo 9.9.0-1-fake ;; -v) echo "#1 SMP Debian 9.8.0-7 (2026-08-01)" ;; esac'
	run driver fix.patch
	expect 1 "kpatch-build: error: $FAKE_RELEASE: version 9.8.0-7 runs, but the patch would be made for 9.9.0-1; boot the installed kernel, or give the image that runs with -v"
	stub uname 'case $1 in -r) echo 9.9.0-1-fake ;; -v) echo "#1 SMP Debian 9.9.0-1 (2026-08-01)" ;; esac'
	run driver fix.patch
	[[ $output == *"does not apply to the source of $FAKE_RELEASE"* ]]
}

# lock_against HELD WANTED: takes the lock while somebody holds it for a moment.
lock_against()
{
	local file=$BATS_TEST_TMPDIR/lock held=$BATS_TEST_TMPDIR/held
	driver_source
	RELEASE=$FAKE_RELEASE
	rm -f "$held"
	: >"$file"
	flock "$1" "$file" sh -c ': >"$1"; sleep 0.5' sh "$held" 3>&- &
	until [ -e "$held" ]; do sleep 0.02; done
	exec {PROFILE_LOCK}>"$file"
	profile_lock "$2" 2>&1
	flock -n "$file" true && echo "free"
	flock -n -s "$file" true && echo "shared"
	wait
}

@test "who waits for the lock is told what the other one does" {
	mkdir -p "$PROFILE"
	run lock_against -s -x
	[ "$output" = "kpatch-build: note: another kpatch-build uses the old profile of $FAKE_RELEASE; waiting for it" ]
	run lock_against -x -x
	[ "$output" = "kpatch-build: note: another kpatch-build prepares $FAKE_RELEASE; waiting for it" ]
	run lock_against -x -s
	[ "$output" = "kpatch-build: note: another kpatch-build prepares $FAKE_RELEASE; waiting for it
shared" ]
	run lock_against -s -s
	[ "$output" = "shared" ]
}

