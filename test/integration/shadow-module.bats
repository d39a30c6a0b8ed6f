#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Fields of a structure of a module, in the three ways that the kernel's documentation has examples of:
# following the object's life, with a lock; made at first use in objects that were there before, in
# atomic context; and a flag. And state that belongs to no object.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # build sets ko

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
}

@test "fields of a module's objects live and die with them" {
	build 0 loop shadow-loop.patch
	module_sane "$ko"
	guest_script <<-'EOF'
		view=/sys/kernel/debug/kpatch-shadow
		dd if=/dev/zero of=/tmp/disk bs=64k count=16 2>/dev/null
		variables() { cat "$view/loop_device.shows/variables" "$view/loop_device.made_patched/variables" \
			"$view/kpatch_state.loop_total/variables" | xargs; }
		show() { cat /sys/block/loop0/loop/autoclear; }
		load livepatch_loop
		load loop
		devices=$(ls -d /sys/block/loop* | wc -l)
		expect "new objects have theirs" "$devices $devices 0" "$(variables)"
		losetup /dev/loop0 /tmp/disk
		expect "from the start" "0 shows=1 made_patched=1 total=1" "$(show)"
		losetup -d /dev/loop0
		unload loop
		expect "it went with its objects" "0 0 1" "$(variables)"
		disable livepatch_loop
		expect_match "the total last" "kpatch_state.loop_total: 1 variable \(4 bytes\) destroyed" "$(dmesg)"
		unload livepatch_loop

		load loop
		losetup /dev/loop0 /tmp/disk
		load livepatch_loop
		expect "nothing is made before its time" "0 0 0" "$(variables)"
		expect "an object from before, first use" "0 shows=11 made_patched=0 total=1" "$(show)"
		expect "and again" "0 shows=12 made_patched=0 total=2" "$(show)"
		expect "one variable, and the total" "1 0 1" "$(variables)"
		losetup -d /dev/loop0
		unload loop
		expect "it went with its object" "0 0 1" "$(variables)"
		disable livepatch_loop
		unload livepatch_loop
	EOF
	boot --module "$ko" --module loop --append slub_debug=FZPU
}

@test "with --shadow=kernel the calls go to the kernel's store" {
	build 0 loop --shadow=kernel shadow-loop.patch
	module_sane "$ko"
	run bash -c "readelf -sW '$ko' | awk '\$7 == \"UND\" && /klp_shadow/ { print \$8 }' | sort | xargs"
	[ "$output" = "klp_shadow_alloc klp_shadow_free klp_shadow_get klp_shadow_get_or_alloc" ]
	run modinfo -F kpatch_shadow "$ko"
	[ "$output" = "" ]
	guest_script <<-'EOF'
		view=/sys/kernel/debug/kpatch-shadow
		show() { cat /sys/block/loop0/loop/autoclear; }
		dd if=/dev/zero of=/tmp/disk bs=64k count=16 2>/dev/null
		load livepatch_loop
		load loop
		losetup /dev/loop0 /tmp/disk
		expect "the fields work" "0 shows=1 made_patched=1 total=1" "$(show)"
		expect "as before" "0 shows=2 made_patched=1 total=2" "$(show)"
		expect "none is in our store" 0 "$(cat $view/variables)"
		losetup -d /dev/loop0
		unload loop
		disable livepatch_loop
		unload livepatch_loop
		expect "there is none any more" "" "$(ls -d $view 2>/dev/null || true)"
		load livepatch_loop
		load loop
		losetup /dev/loop0 /tmp/disk
		expect "in the kernel's it outlives the livepatch" "0 shows=1 made_patched=1 total=3" "$(show)"
		losetup -d /dev/loop0
		unload loop
		disable livepatch_loop
		unload livepatch_loop
	EOF
	boot --module "$ko" --module loop --append slub_debug=FZPU
}

@test "a module is the same, byte for byte, when it is built again" {
	build 0 loop shadow-loop.patch
	mv "$ko" "$BATS_TEST_TMPDIR/first.ko"
	build 0 loop shadow-loop.patch
	cmp "$ko" "$BATS_TEST_TMPDIR/first.ko"
}

@test "a destructor that the module could not call is refused by its name" {
	sed 's/\.ctor = loop_shows_ctor)/.ctor = loop_shows_ctor, .dtor = loop_shows_dtor)/
		s/^+static int loop_shows_ctor(.*/+static void loop_shows_dtor(void *obj, void *data) { }\n&/' \
		"$PATCHES/shadow-loop.patch" | recountdiff > "$BATS_TEST_TMPDIR/static.patch"
	build 1 loop "$BATS_TEST_TMPDIR/static.patch"
	output_has "error: loop_device.shows: its destructor loop_shows_dtor\(\) is no global function of the patch; define it without 'static', in one of the patched files"
}
