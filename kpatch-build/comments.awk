# SPDX-License-Identifier: GPL-2.0-only
#
# Removes the comments of a C file; all else stays in its line. Fails if it is not certain what is a comment: after
# a quote that is not closed.

function fail()
{
	failed = 1
	exit 1
}

{
	line = $0
	out = ""
	while (line != "") {
		if (state == "/*") {
			end = index(line, "*/")
			if (!end) {
				line = ""
				break
			}
			line = substr(line, end + 2)
			state = ""
			out = out " "
		} else if (state == "//") {
			if (line !~ /\\[ \t\r]*$/)
				state = ""
			line = ""
		} else if (state != "") {
			# Within quotes: up to the next backslash or the closing one.
			if (!match(line, state == "\"" ? "[\\\\\"]" : "[\\\\']"))
				fail()
			mark = substr(line, RSTART, 1)
			out = out substr(line, 1, RSTART)
			line = substr(line, RSTART + 1)
			if (mark == state)
				state = ""
			else if (line == "")
				break			# the string goes on in the next line
			else {
				out = out substr(line, 1, 1)
				line = substr(line, 2)
			}
		} else if (!match(line, /\/\*|\/\/|"|'/)) {
			out = out line
			line = ""
		} else {
			out = out substr(line, 1, RSTART - 1)
			state = substr(line, RSTART, RLENGTH)
			if (RLENGTH == 1)
				out = out state
			line = substr(line, RSTART + RLENGTH)
			if (line == "") {
				if (RLENGTH == 1)
					fail()
				if (state == "//")
					state = ""
			}
		}
	}
	sub(/[ \t\r]+$/, "", out)
	print out
}

END {
	if (failed || state != "")
		exit 1
}
