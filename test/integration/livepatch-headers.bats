#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Patches to headers of a real kernel: all objects that they change are found, which compiling each of them shows, and
# the livepatch does in a running kernel what the header says.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # build sets ko and output

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
	PROFILE=$(kernel_profile)
	cd "$BATS_TEST_TMPDIR" || return
}

# compiled DIRECTORY TREE OUTPUT: each object of the DIRECTORY, compiled in TREE with the command of the kernel's build.
compiled()
{
	local object source compile
	mkdir "$3"
	while IFS=$'\t' read -r object source compile; do
		printf 'cd %q && %s -c -o %q %q && objcopy --strip-debug %q\0' "$2" "$compile" "$3/${object##*/}" "$source" \
			"$3/${object##*/}"
	done < <(awk -F '\t' -v dir="$1/" 'index($1, dir) == 1 && $4 == "c" { print $1 "\t" $2 "\t" $5 }' "$PROFILE/plan") |
		xargs -0 -n 1 -P "$(nproc)" bash -c
}

# diffed: the objects that kpatch-build compared.
diffed()
{
	local dir
	dir=$(sed -n 's/.*temporary files are kept in //p' <<<"$output")
	cut -f 2 "$dir/targets" | sort -u
	rm -rf "$dir"
}

@test "a driver's header: of all objects of its directory, compiled twice, those that differ, and no others" {
	local object
	build 0 fat --skip-cleanup fat-header.patch
	diffed >found
	cp -rs "$PROFILE/src" tree
	rm tree/fs/fat/fat.h
	cp "$PROFILE/src/fs/fat/fat.h" tree/fs/fat/fat.h
	chmod u+w tree/fs/fat/fat.h
	patch -p1 -d tree <"$PATCHES/fat-header.patch"
	compiled fs/fat "$PROFILE/src" "$PWD/original"
	compiled fs/fat "$PWD/tree" "$PWD/patched"
	for object in original/*.o; do
		cmp -s "$object" "patched/${object##*/}" || printf 'fs/fat/%s\n' "${object##*/}"
	done >differ
	[ "$(find original -name '*.o' | wc -l)" -ge 9 ]
	[ "$(wc -l <differ)" -eq 2 ]
	diff differ found
	module_sane "$ko"
}

@test "a header that many include, and an inline function that one uses" {
	local seen=33 line
	line=$(line_of include/linux/virtio_config.h "*virtio_bus_name(")
	# Other flavours have more drivers.
	[[ $KPATCH_TEST_RELEASE == *-cloud-* ]] || seen=52
	build 0 virtio --skip-cleanup virtio-header.patch
	output_has "^headers  1 of $seen objects that see the change may differ "
	output_has "^  changed   virtio_net: virtnet_get_drvinfo\\(\\): virtio_bus_name\\(\\) at include/linux/virtio_config.h:$line is inlined into it\$"
	[ "$(diffed)" = drivers/net/virtio_net.o ]
}

@test "an inline function of a header takes effect wherever it is inlined; the vdso sees it and does not use it" {
	build 0 time time-header.patch
	module_sane "$ko"
	[ "$(grep -c '^  changed ' <<<"$output")" -eq 4 ]
	guest_script <<-'EOF'
		# Seconds since boot as the object of each of two files has it.
		proc() { cut -d . -f 1 /proc/uptime; }
		sysinfo() { uptime | sed -n 's/.* up \([0-9]*\) days.*/\1/p'; }
		[ "$(proc)" -lt 1000000 ] || fail "before: $(proc)"
		expect before "" "$(sysinfo)"
		load livepatch_time
		expect "what is patched" "vmlinux/do_sysinfo.isra.0,1 vmlinux/get_boottime_timespec,1 vmlinux/posix_get_boottime_timespec,1 vmlinux/uptime_proc_show,1" \
			"$(patched_functions livepatch_time | sort | tr '\n' ' ' | sed 's/ $//')"
		[ "$(proc)" -ge 1000000 ] || fail "patched: $(proc)"
		expect patched 11 "$(sysinfo)"
		disable livepatch_time
		[ "$(proc)" -lt 1000000 ] || fail "disabled: $(proc)"
		expect disabled "" "$(sysinfo)"
		unload livepatch_time
	EOF
	boot --module "$ko"
}

@test "a new header beside a file of virt/kvm, which is compiled by another name" {
	local line
	# Two lines are added in front of it.
	line=$(($(line_of virt/kvm/eventfd.c "spin_lock_init(&kvm->irqfds.lock)") + 3))
	build 0 kvm --skip-cleanup kvm-header.patch
	output_has "^  changed   kvm: kvm_eventfd_init\\(\\): virt/kvm/eventfd.c:$line changed\$"
	[ "$(diffed)" = virt/kvm/eventfd.o ]
}
