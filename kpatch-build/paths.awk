# SPDX-License-Identifier: GPL-2.0-only
#
# Paths, for other awk programs: give this file to awk before theirs.

function directory(path)
{
	return sub(/\/[^\/]*$/, "", path) ? path : "."
}

# normal PATH: without "." and "..". Sets climbed to the directories that ".." was applied to, with ":" between them.
function normal(path,    part, n, i)
{
	climbed = ""
	if (path !~ /(^|\/)\.\.?(\/|$)/ && path !~ /\/(\/|$)/)
		return path
	n = split(path, part, "/")
	path = ""
	for (i = 1; i <= n; i++) {
		if (part[i] == "." || part[i] == "")
			continue
		if (part[i] != "..") {
			path = path (path == "" ? "" : "/") part[i]
			continue
		}
		if (path == "")
			return "/"		# outside
		climbed = climbed (climbed == "" ? "" : ":") path
		if (!sub(/\/[^\/]*$/, "", path))
			path = ""
	}
	return path
}

# include_options COMPILE: sets ndirs and dirs[], the directories of -I and the like, nforced and forced[], the files of
# -include, and climbs, as climbed, for all of them. "-I DIR" and "-IDIR" are the same.
function include_options(compile,    word, n, i, value)
{
	ndirs = nforced = 0
	climbs = ""
	n = split(compile, word, " ")
	for (i = 1; i <= n; i++) {
		value = word[i]
		if (sub(/^-(I|iquote|isystem|idirafter)/, "", value))
			dirs[++ndirs] = option_path(value == "" ? word[++i] : value)
		else if (value == "-include" || value == "-imacros")
			forced[++nforced] = option_path(word[++i])
	}
}

function option_path(path)
{
	path = normal(path)
	if (climbed != "")
		climbs = climbs (climbs == "" ? "" : ":") climbed
	return path
}
