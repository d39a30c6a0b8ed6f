#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# A patch as it comes by mail, for a real kernel. All other forms: test/unit/driver-patches.bats.

bats_require_minimum_version 1.5.0
load common

@test "a mail of git format-patch with CR LF makes the module that the plain patch makes" {
	local patch=$TOP/examples/meminfo-string.patch
	{
		printf 'From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\n'
		printf 'From: A. Author <author@example.org>\nDate: Mon, 2 Nov 2026 10:00:00 +0100\n'
		printf 'Subject: [PATCH] meminfo: another name\n\nSay so.\n---\n fs/proc/meminfo.c | 2 +-\n'
		printf ' 1 file changed, 1 insertion(+), 1 deletion(-)\n\n'
		sed -n '/^diff --git/,$p' "$patch"
		printf -- '-- \n2.39.5\n\n'
	} | sed 's/$/\r/' >"$BATS_TEST_TMPDIR/0001-meminfo.patch"
	build 0 string "$BATS_TEST_TMPDIR/0001-meminfo.patch"
	output_has "^kpatch-build: note: $BATS_TEST_TMPDIR/0001-meminfo.patch: its lines end in CR LF; taken as LF, as in the source$"
	mv "$ko" "$BATS_TEST_TMPDIR/mail.ko"
	build 0 string "$patch"
	cmp "$ko" "$BATS_TEST_TMPDIR/mail.ko"
	module_sane "$ko"
}
