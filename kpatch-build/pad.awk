# SPDX-License-Identifier: GPL-2.0-only
#
# Makes two versions of a C file have equal line numbers: per hunk, the shorter side gets the missing
# lines at the hunk's end. Then __LINE__ does not differ in code that a patch left alone, so
# that neither WARN, BUG nor any other user of it looks changed.
#
# A line that is added is a lone backslash exactly when the line before it ends in a backslash
# (blanks behind it ignored, as the compiler does), else empty: an empty line would cut a macro,
# and a lone backslash means nothing in macros, conditionals, strings and comments.
#
# Input: the output of "diff" (normal format), then the file to pad. Variables: side=1 for the file
# that diff saw first, side=2 for the other one.

function range(text, bound)
{
	if (split(text, bound, ",") == 1)
		bound[2] = bound[1]
}

# 3a4,5: nothing of the first file, after line 3. 4,5d3: nothing of the second file, after line 3.
NR == FNR {
	if ($0 !~ /^[0-9]/)
		next
	match($0, /[acd]/)
	kind = substr($0, RSTART, 1)
	range(substr($0, 1, RSTART - 1), first)
	range(substr($0, RSTART + 1), second)
	lines1 = kind == "a" ? 0 : first[2] - first[1] + 1
	lines2 = kind == "d" ? 0 : second[2] - second[1] + 1
	missing = side == 1 ? lines2 - lines1 : lines1 - lines2
	if (missing > 0)
		pad[side == 1 ? first[2] + 0 : second[2] + 0] = missing
	next
}

function padding(count, line, filler, end)
{
	end = line ~ /\r$/ ? "\r" : ""
	filler = line ~ /\\[ \t\r\f\v]*$/ ? "\\" : ""
	while (count-- > 0)
		print filler end
}

# Padding before the first line takes its line ending from that line.
FNR == 1 && (0 in pad) {
	began = 1
	padding(pad[0], $0 ~ /\r$/ ? "\r" : "")
}

{
	print
	if (FNR in pad)
		padding(pad[FNR], $0)
}

# An empty file has no first line.
END {
	if ((0 in pad) && !began)
		padding(pad[0], "")
}
