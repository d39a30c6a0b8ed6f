# SPDX-License-Identifier: GPL-2.0-only
#
# Which lines of a file does the patch change? For create-diff-object, which tells people why a function changed.
#
# Input: the output of "diff" (normal format) from the original to the patched file, before pad.awk made them equally long.
# Variable: file, its name. Output, tab-separated: FILE FIRST LAST ORIGINAL LINES PATCHED LINES. FIRST and LAST count as the
# compiler does, in files of equal length; ORIGINAL and PATCHED are the hunk's first line as the author knows it.

BEGIN { OFS = "\t" }

hunk_head($0) {
	# "3a4,5" is behind line 3, "4,5d3" too.
	at_was = hunk_kind == "a" ? hunk_was[1] + 1 : hunk_was[1]
	at_is = hunk_kind == "d" ? hunk_is[1] + 1 : hunk_is[1]
	lines = hunk_lines_was > hunk_lines_is ? hunk_lines_was : hunk_lines_is
	print file, at_was + padded, at_was + padded + lines - 1, at_was, hunk_lines_was, at_is, hunk_lines_is
	padded += lines - hunk_lines_was
}
