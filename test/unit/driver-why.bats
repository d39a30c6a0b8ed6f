#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What the driver tells of what changed and why: the lines that create-diff-object is given, and the summary of its reports.
#
# shellcheck disable=SC2034 # what the driver reads

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	fake_profile
	driver_source
}

# lines_of ORIGINAL PATCHED: the changed lines of two texts.
lines_of()
{
	printf '%s' "$1" >"$BATS_TEST_TMPDIR/1"
	printf '%s' "$2" >"$BATS_TEST_TMPDIR/2"
	{ diff "$BATS_TEST_TMPDIR/1" "$BATS_TEST_TMPDIR/2" || true; } | awk -v file=f.c -f "$STAGES/hunk.awk" -f "$STAGES/changed-lines.awk"
}

@test "changed lines: as the compiler counts them and as the author does" {
	run lines_of $'a\nb\nc\nd\n' $'a\nB\nc\nd\n'
	[ "$output" = $'f.c\t2\t2\t2\t1\t2\t1' ]
	# Two lines more, then one that changes: in the files of equal length it is at 6.
	run lines_of $'a\nb\nc\nd\n' $'a\nx\ny\nb\nc\nD\n'
	[ "$output" = $'f.c\t2\t3\t2\t0\t2\t2\nf.c\t6\t6\t4\t1\t6\t1' ]
	run lines_of $'a\nb\nc\nd\n' $'a\nD\n'
	[ "$output" = $'f.c\t2\t4\t2\t3\t2\t1' ]
	run lines_of $'a\nb\nc\nd\ne\n' $'a\nd\nE\n'
	[ "$output" = $'f.c\t2\t3\t2\t2\t2\t0\nf.c\t5\t5\t5\t1\t3\t1' ]
	run lines_of $'b\n' $'a\nb\n'
	[ "$output" = $'f.c\t1\t1\t1\t0\t1\t1' ]
}

@test "changed lines of all files of the patch; all lines of a new header" {
	declare -gA PATCHED_FILES=([fs/b.c]=1 [fs/new.h]=1 [fs/a.c]=1)
	mkdir -p "$WORKDIR/files/original/fs" "$WORKDIR/files/patched/fs" "$PROFILE/src/fs"
	printf 'a\nb\n' | tee "$WORKDIR/files/original/fs/a.c" "$WORKDIR/files/original/fs/b.c" "$PROFILE/src/fs/a.c" \
		>"$PROFILE/src/fs/b.c"
	printf 'a\nB\n' >"$WORKDIR/files/patched/fs/a.c"
	printf 'a\nb\nc\n' >"$WORKDIR/files/patched/fs/b.c"
	printf '1\n2\n3\n' >"$WORKDIR/files/patched/fs/new.h"
	files_pad
	diff -u - "$WORKDIR/changed-lines" <<-'EOT'
		fs/a.c	2	2	2	1	2	1
		fs/b.c	3	3	3	0	3	1
		fs/new.h	1	3	1	0	1	3
	EOT
}

@test "the summary has a line for each function, with its kind and the reasons" {
	run awk -f "$STAGES/summary.awk" <<-'EOT'
		kpatch-diff	1
		object	vmlinux
		source	fs/a.c
		new	function	fresh	10
		why	fresh	new	-	-	new
		new	function	foo.part.0	10
		why	foo.part.0	new	foo	-	made by the compiler out of foo()
		function	foo	0	x	20
		why	foo	lines	-	fs/a.c:1-2	fs/a.c:1-2 changed
		why	foo	lines	-	fs/a.c:7	fs/a.c:7 changed
		copy	function	helper	5
		why	helper	lines	-	fs/a.c:3	fs/a.c:3 changed
		new	data	table	16
		moved	same	.text	.text.unlikely
		removed	gone
		klp	vmlinux	x	0
		layout	struct s
		kpatch-diff	1
		object	mod
		source	drivers/b.c
		function	foo	2	x	20
		why	foo	lines	-	a	a
		why	foo	lines	-	b	b
		why	foo	lines	-	c	c
		why	foo	lines	-	d	d
		why	foo	lines	-	e	e
		risk	foo	sleeps	tasks may wait in it
		shadow	task_struct.retries	123	4	4	0	-
	EOT
	diff -u - <(printf '%s\n' "$output") <<-'EOT'
		  new       vmlinux: fresh()
		  new       vmlinux: foo.part.0(): made by the compiler out of foo()
		  changed   vmlinux: foo(): fs/a.c:1-2 changed; fs/a.c:7 changed
		  replaced  vmlinux: helper(): fs/a.c:3 changed
		  new       vmlinux: table
		  moved     vmlinux: same(): from .text to .text.unlikely, the same code: not replaced
		  removed   vmlinux: gone()
		  layout    vmlinux: struct s changes, which the author allows
		  changed   mod: foo(): a; b; c; and 2 more
		  field     task_struct.retries: 4 bytes, id 123
		  note      mod: foo(): tasks may wait in it
	EOT
}

@test "ten notes are shown, the others are counted" {
	run awk -f "$STAGES/summary.awk" <<-EOT
		object	vmlinux
		source	fs/a.c
		function	foo	0	x	20
		$(for n in 1 2 3 4 5 6 7 8 9 10 11 12; do printf 'risk\tfoo\ttrace\t%s\n' "$n"; done)
	EOT
	diff -u - <(printf '%s\n' "$output") <<-EOT
		  changed   vmlinux: foo()
		$(printf '  note      vmlinux: foo(): %s\n' 1 2 3 4 5 6 7 8 9 10)
		  note      and 2 more, in the report (--json, --html)
	EOT
}

@test "a function that is gone in one file and new in another has moved" {
	run awk -f "$STAGES/summary.awk" <<-'EOT'
		object	vmlinux
		source	fs/a.c
		removed	foo
		removed	bar
		object	vmlinux
		source	fs/b.c
		new	function	foo	10
		why	foo	new	-	-	new
		object	mod
		source	drivers/b.c
		new	function	bar	10
		why	bar	new	-	-	new
	EOT
	diff -u - <(printf '%s\n' "$output") <<-'EOT'
		  removed   vmlinux: bar()
		  new       vmlinux: foo(): moved here from fs/a.c
		  new       mod: bar()
	EOT
}

@test "an inline function that reached several files is told with all that it was inlined into" {
	run awk -f "$STAGES/summary.awk" <<-'EOT'
		object	vmlinux
		source	fs/a.c
		function	a1	0	x	20
		why	a1	inline	helper	include/h.h:3	helper() at include/h.h:3 is inlined into it
		why	a1	inline	local	fs/a.c:3	local() at fs/a.c:3 is inlined into it
		function	a2	0	x	20
		why	a2	inline	helper	include/h.h:3	helper() at include/h.h:3 is inlined into it
		object	mod
		source	drivers/b.c
		function	b1	0	x	20
		why	b1	inline	helper	include/h.h:3	helper() at include/h.h:3 is inlined into it through mid() at drivers/b.c:9
	EOT
	diff -u - <(printf '%s\n' "$output") <<-'EOT'
		  changed   vmlinux: a1(): helper() at include/h.h:3 is inlined into it; local() at fs/a.c:3 is inlined into it
		  changed   vmlinux: a2(): helper() at include/h.h:3 is inlined into it
		  changed   mod: b1(): helper() at include/h.h:3 is inlined into it through mid() at drivers/b.c:9
		  helper() at include/h.h:3 is inlined into functions of 2 files:
		    fs/a.c: a1(), a2()
		    drivers/b.c: b1()
	EOT
}

# stack TASK FRAME...: of a task of this machine.
stack()
{
	mkdir -p "$BATS_TEST_TMPDIR/proc/$1/task/$1"
	printf '[<0>] %s\n' "${@:2}" >"$BATS_TEST_TMPDIR/proc/$1/task/$1/stack"
}

# note_of RUNNING [VMLINUX]: what is said of the tasks while this kernel runs.
note_of()
{
	PROC=$BATS_TEST_TMPDIR/proc RELEASE=$FAKE_RELEASE VMLINUX=${2:-}
	eval "running_release() { echo '$1'; }"
	run tasks_note
}

@test "if the machine runs the kernel, its tasks are counted, and those in replaced functions" {
	printf 'function\tfoo\t0\tx\t20\nfunction\tbar\t0\tx\t20\ncopy\tfunction\tcarried\t5\nnew\tfunction\tfresh\t5\n' >"$WORKDIR/report"
	stack 1 'schedule+0x1/0x2' 'foo+0x10/0x20' 'do_syscall_64+0x3a/0x90'
	stack 22 'bar+0x1/0x2' 'foo+0x10/0x20' 'foo+0x12/0x20'
	stack 333 'carried+0x1/0x2' 'foobar+0x10/0x20' 'fresh+0x1/0x2'
	note_of "$FAKE_RELEASE"
	[ "$output" = "kpatch-build: note: this machine runs $FAKE_RELEASE: 3 tasks will have to go over to the patched code; now in functions that it replaces: foo() 2, bar() 1, carried() 1" ]
	rm -r "$BATS_TEST_TMPDIR"/proc/{1,22,333/task/333/stack}
	note_of "$FAKE_RELEASE"
	[ "$output" = "kpatch-build: note: this machine runs $FAKE_RELEASE: 1 task will have to go over to the patched code" ]
	note_of 9.9.0-2-other
	[ -z "$output" ]
	note_of "$FAKE_RELEASE" vmlinux
	[ -z "$output" ]
}

@test "five functions that tasks are in are shown, the others are counted" {
	printf 'function\tf%s\t0\tx\t20\n' 1 2 3 4 5 6 7 >"$WORKDIR/report"
	stack 1 f1+0x1/0x2 f2+0x1/0x2 f3+0x1/0x2 f4+0x1/0x2 f5+0x1/0x2 f6+0x1/0x2 f7+0x1/0x2
	note_of "$FAKE_RELEASE"
	[[ $output == *": f1() 1, f2() 1, f3() 1, f4() 1, f5() 1 and 2 more functions" ]]
}
