# SPDX-License-Identifier: GPL-2.0-only
#
# The include graph of a kernel's source: which file may include which, whatever #if says. Complete rather than exact: an
# edge too many costs a run of the preprocessor, one that is missing is an object that keeps the old code.
#
# Needs paths.awk. Input: three files. 1: the paths of all files of the source. 2: the plan. 3: "FILE:LINE" for each line
# with an #include, or with a definition of what a computed #include can mean; see includes_write.
#
# Output, a line per edge, separated by tabs:
#
#	FILE INCLUDED [VIA [CLIMBED]]
#
# VIA: the directory of -I in which INCLUDED is found, empty if none is needed. CLIMBED: the directories, with ":" between
# them, from which a ".." in the path goes up. INCLUDED is "*" where FILE may include anything.
#
# How an #include is found is what the compiler documents: in quotes, first in the directory of the file that it stands
# in; then, and in angle brackets at once, in the directories of -I. So what is found in the first place is certain, and
# else each directory that any object of the plan has is tried.

BEGIN { FS = OFS = "\t" }

# edges FROM TEXT: to all that TEXT may be in the directories of -I.
function edges(from, text,    i, path)
{
	if (!(text in found)) {
		found[text] = 0
		for (i = 1; i <= nall; i++) {
			path = normal(all[i] "/" text)
			if (path in exists) {
				found[text]++
				found_path[text, found[text]] = path
				found_via[text, found[text]] = all[i]
				found_climbed[text, found[text]] = climbed
			}
		}
	}
	for (i = 1; i <= found[text]; i++)
		edge(from, found_path[text, i], found_via[text, i], found_climbed[text, i])
}

function edge(from, to, via, up)
{
	if (up != "")
		print from, to, via, up
	else if (via != "")
		print from, to, via
	else
		print from, to
}

# quoted FROM TEXT BASE: BASE is the directory of the file with the #include.
function quoted(from, text, base,    path)
{
	path = normal(base == "." ? text : base "/" text)
	if (path in exists)
		edge(from, path, "", climbed)
	else
		edges(from, text)
}

FNR == 1 { input++ }

input == 1 {
	exists[$1] = 1
	next
}

# The flags of most objects are the same.
input == 2 {
	flags = $5
	gsub(/ -D[^ ]*/, "", flags)
	if (!(flags in known)) {
		known[flags] = 1
		include_options(flags)
		for (i = 1; i <= ndirs; i++)
			if (!(dirs[i] in known_dir)) {
				known_dir[dirs[i]] = 1
				all[++nall] = dirs[i]
			}
	}
	next
}

{
	colon = index($0, ":")
	file = substr($0, 1, colon - 1)
	line = substr($0, colon + 1)
	# vdso2c prints what the file that it makes includes.
	if (file ~ /\/vdso2c\.h$/ && line ~ /"#include </) {
		sub(/^.*</, "", line)
		sub(/>.*$/, "", line)
		for (i = 32; i <= 64; i += 32)
			edges("arch/x86/entry/vdso/vdso-image-" i ".c", line)
		next
	}
	sub(/^[^#]*#[ \t]*/, "", line)
}

line ~ /^define/ {
	sub(/^define[ \t]+/, "", line)
	name = line
	sub(/[^A-Za-z0-9_].*/, "", name)
	sub(/^[A-Za-z0-9_]+[ \t]*/, "", line)
	sub(/[ \t]*(\/[\/*].*)?\r?$/, "", line)
	if (name == "TRACE_INCLUDE_PATH") {
		trace_path[line] = 1
	} else if (name == "TRACE_INCLUDE_FILE" || name == "TRACE_SYSTEM") {
		trace_names++
		trace_name[trace_names] = line
		trace_definer[trace_names] = file
	} else {
		defined[name]++
		definition[name, defined[name]] = line
		definer[name, defined[name]] = file
	}
	next
}

{
	again = sub(/^include_next/, "include", line)
	sub(/^(include|import)[ \t]*/, "", line)
	mark = substr(line, 1, 1)
	if (mark == "\"" || mark == "<") {
		text = substr(line, 2)
		end = index(text, mark == "<" ? ">" : "\"")
		if (end < 2)
			next
		text = substr(text, 1, end - 1)
		if (mark == "<" || again)
			edges(file, text)
		else
			quoted(file, text, directory(file))
	} else if (line ~ /^[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/ || line ~ /^[A-Za-z_][A-Za-z0-9_]*[ \t\r]*(\/[\/*].*)?$/) {
		computed++
		computed_file[computed] = file
		computed_text[computed] = line
	}
}

# A macro is defined in a file of the same unit, so that whatever includes that file includes what the macro names.
END {
	for (c = 1; c <= computed; c++) {
		file = computed_file[c]
		name = computed_text[c]
		sub(/[ \t\r]*(\/[\/*].*)?$/, "", name)
		if (name == "TRACE_INCLUDE(TRACE_INCLUDE_FILE)") {
			trace_base[directory(file)] = 1
		} else if (name in defined) {
			for (d = 1; d <= defined[name]; d++) {
				text = definition[name, d]
				mark = substr(text, 1, 1)
				text = substr(text, 2, length(text) - 2)
				if (mark == "<")
					edges(definer[name, d], text)
				else
					quoted(definer[name, d], text, directory(file))
			}
		} else if (name !~ /^CONFIG_/) {
			# An option without a definition is not set.
			print file, "*"
		}
	}
	# include/trace/define_trace.h includes a file in trace/events, or, in quotes, PATH/FILE.h. Any of the paths may go
	# with any of the files.
	for (n = 1; n <= trace_names; n++) {
		name = trace_name[n]
		if (name !~ /^[A-Za-z0-9_.\/-]+$/)
			continue
		edges(trace_definer[n], "trace/events/" name ".h")
		for (path in trace_path)
			for (base in trace_base)
				quoted(trace_definer[n], path "/" name ".h", base)
	}
}
