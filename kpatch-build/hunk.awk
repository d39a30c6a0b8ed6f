# SPDX-License-Identifier: GPL-2.0-only
#
# Reads the heads of hunks in the output of "diff" (normal format), for pad.awk and changed-lines.awk.

function hunk_range(text, bound)
{
	if (split(text, bound, ",") == 1)
		bound[2] = bound[1]
}

# Whether this line is one: sets hunk_kind, hunk_was and hunk_is (the lines [1] to [2] of each file), and how many they are.
# 3a4,5: nothing of the first file, after line 3. 4,5d3: nothing of the second file, after line 3.
function hunk_head(line)
{
	if (line !~ /^[0-9]/)
		return 0
	match(line, /[acd]/)
	hunk_kind = substr(line, RSTART, 1)
	hunk_range(substr(line, 1, RSTART - 1), hunk_was)
	hunk_range(substr(line, RSTART + 1), hunk_is)
	hunk_lines_was = hunk_kind == "a" ? 0 : hunk_was[2] - hunk_was[1] + 1
	hunk_lines_is = hunk_kind == "d" ? 0 : hunk_is[2] - hunk_is[1] + 1
	return 1
}
