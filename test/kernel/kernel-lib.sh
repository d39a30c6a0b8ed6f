# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034 # who sources this uses them
#
# What "build" and "stock" share. Both leave a directory that common.bash takes as KPATCH_TEST_BUILD:
#
#	vmlinuz		to boot
#	release		as uname -r prints it
#	build/		where "make M=DIR" makes modules for it
#	modules/	what was shipped with it, if there is any
#	complete	written last
#
# They are in $XDG_CACHE_HOME/kpatch-test; what is not there any more is made again.

# shellcheck source=kpatch-build/kpatch-build
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../kpatch-build/kpatch-build"

# kernel_cache NAME: packages come from kpatch-build's own cache.
kernel_cache()
{
	PROGRAM=$1
	cache_find
	KERNELS=$XDG_CACHE_HOME/kpatch-test
	LOG_KEPT=$KERNELS/$1.log
	PACKAGE_DIR=$CACHE/packages
	mkdir -p "$PACKAGE_DIR" "$CACHE/profiles" "$KERNELS"
	ui_init
	workdir_create
}

# kernel_lock DIR: true if it must be made; who comes second waits for the first.
kernel_lock()
{
	exec {KERNEL_LOCK}>>"$1.lock"
	flock -n "$KERNEL_LOCK" || { note "waiting for another run that makes ${1##*/}"; job flock "$KERNEL_LOCK"; }
	[[ ! -e $1/complete ]] || return 1
	remove_tree "$1.new"
	mkdir "$1.new"
}

# kernel_done DIR
kernel_done()
{
	: >"$1.new/complete"
	remove_tree "$1"
	mv "$1.new" "$1"
}

# source_get BASE VERSION: sets SOURCE_DIR, the unpacked source of linux-source-BASE (6.1), not to be written to.
source_get()
{
	# What is complete does not change: a lock of its own, which is not held while a kernel is built from it.
	local KERNEL_LOCK
	SOURCE_DIR=$KERNELS/source-$2
	kernel_lock "$SOURCE_DIR" || { exec {KERNEL_LOCK}>&-; return 0; }
	note "unpacking linux-source-$1 $2"
	package_unpack "linux-source-$1" "$WORKDIR" "$2"
	# configure reads the Kconfig files of all architectures, and one that lies beside the documentation.
	job_logged tar -xJf "$WORKDIR/usr/src/linux-source-$1.tar.xz" -C "$SOURCE_DIR.new" --strip-components=1 \
		--no-same-owner --anchored --wildcards --exclude='*/Documentation/*/*' --exclude='*/tools/testing' \
		--exclude='*/tools/perf' --exclude='*/arch/*/boot/dts' ||
		failed "$KERNELS" "the source cannot be unpacked"
	rm -rf "${WORKDIR:?}/usr"
	chmod -R a-w "$SOURCE_DIR.new"
	chmod u+w "$SOURCE_DIR.new"
	kernel_done "$SOURCE_DIR"
	exec {KERNEL_LOCK}>&-
}
