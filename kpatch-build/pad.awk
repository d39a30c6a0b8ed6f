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

NR == FNR {
	if (!hunk_head($0))
		next
	missing = side == 1 ? hunk_lines_is - hunk_lines_was : hunk_lines_was - hunk_lines_is
	if (missing > 0)
		pad[side == 1 ? hunk_was[2] + 0 : hunk_is[2] + 0] = missing
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
