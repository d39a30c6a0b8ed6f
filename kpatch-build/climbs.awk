# SPDX-License-Identifier: GPL-2.0-only
#
# From which directories may paths in the patched files go up with ".."? The profile's graph knows only what was in them
# before. Needs paths.awk. Input: the plan, then "FILE:LINE" for new lines of them with ".." in it. Output: the
# directories, which need not exist.
#
# What a path is relative to, its line need not say: it may stand in a macro. So all that it can be is tried: the directory of
# any patched file, that of define_trace.h, and those of -I.

BEGIN { FS = "\t" }

function base_add(dir)
{
	if (!(dir in known_dir)) {
		known_dir[dir] = 1
		base[++nbases] = dir
	}
}

NR == FNR {
	flags = $5
	gsub(/ -D[^ ]*/, "", flags)
	if (flags in known)
		next
	known[flags] = 1
	include_options(flags)
	for (i = 1; i <= ndirs; i++)
		base_add(dirs[i])
	next
}

{
	colon = index($0, ":")
	base_add(directory(substr($0, 1, colon - 1)))
	line = substr($0, colon + 1)
	while (match(line, /[A-Za-z0-9_.\/+,~-]+/)) {
		text = substr(line, RSTART, RLENGTH)
		line = substr(line, RSTART + RLENGTH)
		if (text ~ /(^|\/)\.\.(\/|$)/)
			texts[text] = 1
	}
}

END {
	base_add("include/trace")
	for (text in texts)
		for (i = 1; i <= nbases; i++) {
			normal((base[i] == "." ? "" : base[i] "/") text)
			n = split(climbed, part, ":")
			for (k = 1; k <= n; k++)
				if (!(part[k] in told)) {
					told[part[k]] = 1
					print part[k]
				}
		}
}
