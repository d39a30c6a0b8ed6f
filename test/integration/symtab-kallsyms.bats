#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What kpatch-image reads from the files is what the running kernel has in /proc/kallsyms.

bats_require_minimum_version 1.5.0
load common

setup()
{
	need_kernel
	cd "$BATS_TEST_TMPDIR" || return 1
}

@test "symbols of the image: names, order, types and addresses are those of the booted kernel" {
	"$TOP/kpatch-image/kpatch-image" symtab "$KPATCH_TEST_KERNEL" |
		awk -F '\t' '$1 == "sym" { print $2, $3, $4 }' > image
	echo "awk 'NF == 3' /proc/kallsyms" > guest.sh
	vm --append nokaslr guest.sh > kernel
	[ "$(wc -l < kernel)" -gt 10000 ]
	cmp image kernel
}

# drbd has two __refcount_add.constprop.0, whose order is not that of their addresses. The kernel
# doesn't tell local from global symbols of modules.
@test "symbols of modules: names, order and types are those of the loaded module" {
	local name
	cat > guest.sh <<-'EOT'
		. ./guest-lib.sh
		load drbd
		load nf_conntrack
		awk 'NF == 4' /proc/kallsyms
	EOT
	vm --module drbd --module nf_conntrack guest.sh > kernel
	for name in drbd nf_conntrack; do
		"$TOP/kpatch-image/kpatch-image" symtab \
			"$(find -H "$KPATCH_TEST_MODULES" -name "$name.ko*" -print -quit)" |
			awk -F '\t' '$1 == "sym" { print tolower($3), $4 }' > image
		awk -v name="[$name]" '$4 == name { print tolower($2), $3 }' kernel > loaded
		[ "$(wc -l < loaded)" -gt 100 ]
		cmp image loaded
	done
}
