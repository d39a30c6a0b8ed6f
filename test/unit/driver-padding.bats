#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Line padding: whatever a patch adds or removes, the lines that it leaves alone keep their numbers
# on both sides, and the padding means nothing to the compiler.

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	driver_source
}

# pad ORIGINAL PATCHED, given with \n escapes; afterwards files a and b are padded.
pad()
{
	printf '%b' "$1" >a
	printf '%b' "$2" >b
	pad_pair "$PWD/a" "$PWD/b"
}

# is FILE TEXT, with escapes.
is()
{
	printf '%b' "$2" >"$1.expected"
	if ! cmp "$1.expected" "$1"; then
		diff <(cat -A "$1.expected") <(cat -A "$1")
		return 1
	fi
}

# Each __LINE__ of both files, with the name that stands before it.
lines_of()
{
	gcc -E -P -x c "$1" | grep -o '[a-z]* = [0-9]*'
}

same_lines()
{
	lines_of a >a.lines
	lines_of b >b.lines
	[ -s a.lines ]
	diff a.lines b.lines
}

@test "equal files stay as they are" {
	pad 'one\ntwo\n' 'one\ntwo\n'
	is a 'one\ntwo\n'
	is b 'one\ntwo\n'
}

@test "a changed line needs no padding" {
	pad 'a\nb\nc\n' 'a\nX\nc\n'
	is a 'a\nb\nc\n'
	is b 'a\nX\nc\n'
}

@test "the original gets the lines that the patch adds, at the hunk's end" {
	pad 'a\nb\nc\n' 'a\nX\nY\nZ\nc\n'
	is a 'a\nb\n\n\nc\n'
	is b 'a\nX\nY\nZ\nc\n'
}

@test "a hunk that changes some lines and adds others is padded behind the changed ones" {
	pad 'a\nb\nc\nd\n' 'a\nX\nY\nZ\nd\n'
	is a 'a\nb\nc\n\nd\n'
	pad 'a\nX\nY\nZ\nd\n' 'a\nb\nc\nd\n'
	is b 'a\nb\nc\n\nd\n'
}

@test "the patched side gets the lines that the patch removes" {
	pad 'a\nb\nc\nd\n' 'a\nd\n'
	is a 'a\nb\nc\nd\n'
	is b 'a\n\n\nd\n'
}

@test "several hunks, longer on either side, are each padded by themselves" {
	pad 'one = __LINE__\nx\ntwo = __LINE__\ny\ny\ny\nthree = __LINE__\nfour = __LINE__\n' \
		'one = __LINE__\nX\nX\nX\ntwo = __LINE__\nthree = __LINE__\nnew\nfour = __LINE__\n'
	is a 'one = __LINE__\nx\n\n\ntwo = __LINE__\ny\ny\ny\nthree = __LINE__\n\nfour = __LINE__\n'
	is b 'one = __LINE__\nX\nX\nX\ntwo = __LINE__\n\n\n\nthree = __LINE__\nnew\nfour = __LINE__\n'
	same_lines
}

@test "lines added before the first and after the last one" {
	pad 'a\n' 'X\nY\na\nZ\n'
	is a '\n\na\n\n'
	is b 'X\nY\na\nZ\n'
}

@test "within a macro the padding is a lone backslash" {
	pad '#define M \\\n\tone \\\n\ttwo\nend = __LINE__\nM\n' \
		'#define M \\\n\tone \\\n\tadded \\\n\ttwo\nend = __LINE__\nM\n'
	is a '#define M \\\n\tone \\\n\\\n\ttwo\nend = __LINE__\nM\n'
	same_lines
	[ "$(gcc -E -P -x c a | tail -n 1)" = "one two" ]
	[ "$(gcc -E -P -x c b | tail -n 1)" = "one added two" ]
}

@test "lines removed from a macro leave lone backslashes" {
	pad '#define M \\\n\tone \\\n\tgone \\\n\ttwo\nend = __LINE__\nM\n' \
		'#define M \\\n\tone \\\n\ttwo\nend = __LINE__\nM\n'
	is b '#define M \\\n\tone \\\n\\\n\ttwo\nend = __LINE__\nM\n'
	same_lines
	[ "$(gcc -E -P -x c b | tail -n 1)" = "one two" ]
}

@test "a macro that grows at its end is padded with empty lines" {
	pad '#define M \\\n\tone\nend = __LINE__\nM\n' '#define M \\\n\tone \\\n\tmore\nend = __LINE__\nM\n'
	is a '#define M \\\n\tone\n\nend = __LINE__\nM\n'
	same_lines
	[ "$(gcc -E -P -x c a | tail -n 1)" = "one" ]
}

@test "blanks behind a backslash do not hide that the line goes on" {
	pad '#define M \\ \t\n\tone\nend = __LINE__\nM\n' '#define M \\ \t\n\tadded \\\n\tone\nend = __LINE__\nM\n'
	is a '#define M \\ \t\n\\\n\tone\nend = __LINE__\nM\n'
}

@test "padding has the line endings of the line before it" {
	pad 'a\r\nb\r\n' 'a\r\nX\r\nb\r\n'
	is a 'a\r\n\r\nb\r\n'
	pad '#define M \\\r\n one\r\n' '#define M \\\r\n new \\\r\n one\r\n'
	is a '#define M \\\r\n\\\r\n one\r\n'
	pad 'a\r\n' 'X\r\na\r\n'
	is a '\r\na\r\n'
}

@test "a missing newline at the end of the file is added before comparing" {
	pad 'a\nb' 'a\nb\n'
	is a 'a\nb\n'
	is b 'a\nb\n'
	pad 'a\nb' 'a\nX\nb'
	is a 'a\n\nb\n'
	is b 'a\nX\nb\n'
}

@test "an empty original is padded to the length of the patched file" {
	pad '' 'a\nb\n'
	[ "$(wc -l <a)" -eq 2 ]
	is b 'a\nb\n'
}

@test "comments, conditionals and strings that go over lines survive the padding" {
	pad '/* a\n   b */\n#if defined(X) || \\\n    1\nchar *s = "x\\\ny";\n#endif\nend = __LINE__\n' \
		'/* a\n   new\n   b */\n#if defined(X) || \\\n    defined(Y) || \\\n    1\nchar *s = "x\\\nz\\\ny";\n#endif\nend = __LINE__\n'
	same_lines
	gcc -E -P -x c a | grep -F 'char *s = "xy";' >/dev/null
}
