#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The generated registration of the patch, from the reports of the changed objects.

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	driver_source
	# shellcheck disable=SC2034 # the driver reads them
	MODNAME=livepatch_a_b NAME=a-b RELEASE=9.9.0-1-fake VERSION=1.2.3 REPLACE=1
	REPORT=$BATS_TEST_TMPDIR/report
	{
		printf 'kpatch-diff\t1\nobject\tvmlinux\n'
		printf 'function\tfoo\t0\t__kpatch_new.vmlinux.foo.0\t100\n'
		printf 'function\tbar.isra.0\t2\t__kpatch_new.vmlinux.bar.isra.0.2\t50\n'
		printf 'part\tfoo.cold\tfoo\t10\nnamespace\tDMA_BUF\n'
		printf 'kpatch-diff\t1\nobject\tmy_mod\nfunction\tfoo\t1\t__kpatch_new.my_mod.foo.1\t100\n'
		printf 'kpatch-diff\t1\nobject\tvmlinux\nfunction\tbaz\t0\t__kpatch_new.vmlinux.baz.0\t9\nnamespace\tDMA_BUF\n'
	} >"$REPORT"
}

generate()
{
	registration_write "$KMOD/livepatch.c.in" "$REPORT"
}

# between FIRST LAST: lines of the output, from the one to the other.
between()
{
	sed -n "/$1/,/$2/p" <<<"$output"
}

@test "functions are grouped by kernel object, whatever the order of the reports" {
	run generate
	[ "$status" -eq 0 ]
	[ "$(between 'funcs_vmlinux\[\]' '^};' | grep -o 'old_name = .*,')" = $'old_name = "foo",\nold_name = "bar.isra.0",\nold_name = "baz",' ]
	[ "$(between 'funcs_vmlinux\[\]' '^};' | grep -o 'old_sympos = .*,')" = $'old_sympos = 0,\nold_sympos = 2,\nold_sympos = 0,' ]
	[ "$(between 'funcs_my_mod\[\]' '^};' | grep -o 'old_[a-z]* = .*,')" = $'old_name = "foo",\nold_sympos = 1,' ]
}

@test "the new code is named by the symbol that the report gives" {
	run generate
	expect 0 'extern void new_1_foo(void) asm("__kpatch_new.vmlinux.foo.0");'
	expect 0 'extern void new_2_bar_isra_0(void) asm("__kpatch_new.vmlinux.bar.isra.0.2");'
	expect 0 'extern void new_3_foo(void) asm("__kpatch_new.my_mod.foo.1");'
	expect 0 "$(printf '\t\t.new_func = new_2_bar_isra_0,')"
}

@test "vmlinux has no name, a module has its own" {
	run generate
	[ "$(between 'klp_object objects' '^};')" = "static struct klp_object objects[] = {
$(printf '\t{\n\t\t.funcs = funcs_vmlinux,\n\t},\n\t{\n\t\t.name = "my_mod",\n\t\t.funcs = funcs_my_mod,\n\t},\n\t{ }\n};')" ]
}

@test "each namespace is imported once, in both spellings" {
	run generate
	[ "$(grep -c 'MODULE_IMPORT_NS(DMA_BUF);' <<<"$output")" -eq 1 ]
	[ "$(grep -c 'MODULE_IMPORT_NS("DMA_BUF");' <<<"$output")" -eq 1 ]
}

@test "replace is on, and off with --non-replace" {
	run generate
	expect 0 "$(printf '\t.replace = true,')"
	# shellcheck disable=SC2034 # the driver reads it
	REPLACE=0
	run generate
	expect 0 "$(printf '\t.replace = false,')"
}

@test "licence, livepatch mark and description" {
	run generate
	expect 0 'MODULE_LICENSE("GPL");'
	expect 0 'MODULE_INFO(livepatch, "Y");'
	expect 0 'MODULE_DESCRIPTION("livepatch a-b for 9.9.0-1-fake");'
	[ "$(grep -c '@[A-Z]*@' <<<"$output")" -eq 0 ]
}

@test "a report without a function is an error: the livepatch would fix nothing" {
	printf 'kpatch-diff\t1\nobject\tvmlinux\nnew\tdata\tx\t4\n' >"$REPORT"
	run generate
	[ "$status" -eq 1 ]
}
