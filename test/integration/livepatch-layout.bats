#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What the layout guard says of structures, enumerations, arrays, prototypes and locking annotations of the real kernel. Line
# numbers differ between versions of 6.1; all else is compared word by word.

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_release
}

# guarded STATUS PATCH: what is refused or warned of, with its details, is standard input, where N stands for a line.
guarded()
{
	build "$1" layout --dry-run "$2"
	diff -u - <(sed -nE '/^create-diff-object: (refused|warning): /{s/^create-diff-object: //;p;d}; /^    /p' <<< "$output" |
		sed -E 's/(\.[ch]):[0-9]+/\1:N/g')
}

# build expects a module where there is none to be.
build()
{
	local expected=$1 name=$2
	shift 2
	status=0
	output=$("$TOP/kpatch-build/kpatch-build" -a "$KPATCH_TEST_RELEASE" -n "$name" \
		"${@:1:$#-1}" "$PATCHES/${*: -1}" 2>&1 3>&-) || status=$?
	[[ $status -eq $expected ]] || { printf '%s\n' "ended with $status:" "$output"; return 1; }
}

readonly OLD="and objects in memory have the old layout; keep what is new in a shadow field (man kpatch-shadow.h), or say"

@test "a structure of a driver gets a member: the picture, who uses it, what to write instead, where it is used" {
	guarded 2 zram-member.patch <<-EOT
		refused: drivers/block/zram/zram_drv.c: struct zram changes (new member resets ("unsigned int"), 424 bytes instead of 416), $OLD --allow-layout='struct zram' if no object outlives a call
		    struct zram is defined at drivers/block/zram/zram_drv.h:N
		    offset  size  original                        offset  size  patched
		         ...                                           ...
		        24     8  struct gendisk *disk                24     8  struct gendisk *disk
		                                                >     32     4  unsigned int resets
		        32    40  struct rw_semaphore init_lock |     40    40  struct rw_semaphore init_lock
		         ...                                           ...
		             416  in all                        |          424  in all
		    13 more members at another place or of another type
		    changed functions that use it: free_block_bdev() at drivers/block/zram/zram_drv.c:N, zram_free_page() at drivers/block/zram/zram_drv.c:N, zram_open() at drivers/block/zram/zram_drv.c:N, disksize_show() at drivers/block/zram/zram_drv.c:N, debug_stat_show() at drivers/block/zram/zram_drv.c:N, bd_stat_show() at drivers/block/zram/zram_drv.c:N, io_stat_show() at drivers/block/zram/zram_drv.c:N, writeback_limit_enable_show() at drivers/block/zram/zram_drv.c:N and 25 more
		    as a shadow field, behind the includes (#include <kpatch-shadow.h>):
		        KPATCH_SHADOW_FIELD(zram, resets, unsigned int);
		    to be read as, and written through (NULL: no memory):
		        kpatch_field_read(zram, resets, OBJECT), *kpatch_field_get_or_alloc(zram, resets, OBJECT, GFP_ATOMIC)
		    accesses to resets on the lines of the patch:
		        drivers/block/zram/zram_drv.c:N in zram_reset_device(): zram->resets++;
	EOT
}

@test "each function that the layout changes says so, if the author lets it change" {
	build 0 layout --dry-run --allow-layout 'struct zram' zram-member.patch
	[ "$(grep -c '^  changed ' <<< "$output")" -eq 33 ]
	grep -qF '  changed   zram: zram_open(): it uses struct zram (drivers/block/zram/zram_drv.h:' <<< "$output"
	grep -qE '^  changed   zram: zram_reset_device\(\): drivers/block/zram/zram_drv.c:[0-9]+ changed$' <<< "$output"
	# All but the one or two with the new line, whose code differs for it.
	[ "$(grep -cE '^  changed .*: it uses struct zram \(.*\), whose layout changed$' <<< "$output")" -ge 30 ]
	[[ $output != *'outside of functions'* ]]
	grep -qxF '  layout    zram: struct zram changes, which the author allows' <<< "$output"
}

@test "a state in front of others: the enumeration is renumbered" {
	guarded 2 loop-state.patch <<-'EOT'
		refused: drivers/block/loop.c: enum { Lo_unbound, ... } changes (enum {...}: Lo_bound was 1, is 2), and objects in memory hold the old values; put new ones behind the others, or say --allow-layout='enum { Lo_unbound, ... }' if no object holds one
		    enum { Lo_unbound, ... } is defined at drivers/block/loop.c:N
		     value  original            value  patched
		         0  Lo_unbound              0  Lo_unbound
		                             >      1  Lo_starting
		         1  Lo_bound         |      2  Lo_bound
		         ...                        ...
		    2 more enumerators of another value
	EOT
}

@test "a macro that is the size of arrays grows: each structure that has one" {
	build 2 layout --dry-run loop-name-size.patch
	diff -u - <(sed -n 's/^create-diff-object: refused: //p' <<< "$output") <<-EOT
		drivers/block/loop.c: cleanup_module(): changed exit code, which cannot be patched; leave this part out
		drivers/block/loop.c: struct loop_info changes (struct loop_info: member lo_name was "char[64]", is "char[128]"), $OLD --allow-layout='struct loop_info' if no object outlives a call
		drivers/block/loop.c: struct loop_info64 changes (struct loop_info64: member lo_file_name was "unsigned char[64]", is "unsigned char[128]"), $OLD --allow-layout='struct loop_info64' if no object outlives a call
		drivers/block/loop.c: struct loop_device changes (struct loop_device: member lo_file_name was "char[64]", is "char[128]"), $OLD --allow-layout='struct loop_device' if no object outlives a call
		drivers/block/loop.c: struct compat_loop_info changes (struct compat_loop_info: member lo_name was "char[64]", is "char[128]"), $OLD --allow-layout='struct compat_loop_info' if no object outlives a call
	EOT
	grep -qxF '        28    64  char lo_file_name[64]        |     28   128  char lo_file_name[128]' <<< "$output"
}

@test "a prototype changes, and callers in other files" {
	guarded 2 fat-prototype.patch <<-'EOT'
		refused: fs/fat/misc.c: fat_chain_add(): its type changed from "int (struct inode *, int, int)" to "int (struct inode *, int, long int)", and callers in other files still use the old one; give the new function another name
		    fat_chain_add() is defined at fs/fat/misc.c:N
	EOT
}

@test "a locking annotation is taken off: a warning" {
	guarded 0 conntrack-annotation.patch <<-'EOT'
		warning: net/netfilter/nf_conntrack_core.c: nf_conntrack_lock(): its locking annotations were __acquires(lock), are none, and callers in other files may still go by the old ones; see that they agree about who holds the locks
	EOT
}
