# SPDX-License-Identifier: GPL-2.0-only
#
# Which objects may see a change of some files: what the include graph leads to from them, against its direction.
#
# Needs paths.awk. Input: three files. 1: the changed files, a line each, with a tab and "new" behind those that the
# patch creates. 2: the graph, see includes.awk. 3: the plan. Output, lines of fields separated by tabs:
#
#	object OBJECT FILE SOURCE MODULES KIND COMPILE	SOURCE as the plan has it; OBJECT and FILE without ".."
#	source FILE	compiled or linked with, but no object: asm-offsets.c and the like, linker scripts
#	dir DIRECTORY	on the way to a changed file, a path goes up from here with ".."
#	unseen FILE	a changed file that no object of the plan sees

BEGIN { FS = OFS = "\t" }

function base_name(path)
{
	sub(/.*\//, "", path)
	return path
}

# is_source FILE: has to be looked at though it is not in the plan.
function is_source(file)
{
	return file ~ /(^|\/)(asm-offsets|kvm-asm-offsets|rq-offsets)\.c$/ || file == "kernel/bounds.c" ||
		file ~ /^arch\/x86\/.*\.lds\.S$/ || file == "scripts/module.lds.S"
}

function edge_add(file, target, dir, climb)
{
	from[++edges] = file
	to[edges] = target
	if (dir != "")
		via[edges] = dir
	if (climb != "")
		up[edges] = climb
	next_edge[edges] = head[target]
	head[target] = edges
}

# ends_in NEW FILE VIA CLIMBED: whether the path of NEW ends in what is said in an #include by which FILE is found in VIA.
function ends_in(new, file, dir, climb,    text)
{
	if (climb != "" || index(file, dir "/") != 1)
		return 1
	text = "/" substr(file, length(dir) + 2)
	return substr("/" new, length(new) + 2 - length(text)) == text
}

# climb FILE SURE: queue[1] to queue[last] is FILE and all that may include it; with SURE only by edges that every object has.
function climb(file, only_sure,    i, e)
{
	searches++
	seen[queue[last = 1] = file] = searches
	for (i = 0; i <= last; i++)
		for (e = head[i ? queue[i] : "*"]; e; e = next_edge[e])
			if (seen[from[e]] != searches && !(only_sure && (e in via) && !(via[e] in common))) {
				seen[from[e]] = searches
				queue[++last] = from[e]
			}
}

# sees OBJECT: can a changed file be reached with the object's own options? Only files that can lead to one are visited.
function sees(o,    i, k, e, n, path, own)
{
	searches++
	n = split(flags_dirs[flags_of[o]], own, " ")
	for (i = 1; i <= n; i++)
		has[own[i]] = searches
	n = split(flags_forced[flags_of[o]], queue, " ")
	queue[last = n + 1] = file_of[o]
	for (i = 1; i <= last; i++) {
		path = queue[i]
		if (path in changed)
			return 1
		for (k = 1; k <= downs[path]; k++) {
			e = down[path, k]
			if (seen[to[e]] != searches && (!(e in via) || has[via[e]] == searches)) {
				seen[to[e]] = searches
				queue[++last] = to[e]
			}
		}
		if (path in anything)
			return 1
	}
	return 0
}

# options_read FLAGS: once for each set of options.
function options_read(flags,    i)
{
	include_options(flags)
	flags_dirs[flags] = flags_forced[flags] = ""
	flags_climbs[flags] = climbs
	for (i = 1; i <= ndirs; i++)
		flags_dirs[flags] = flags_dirs[flags] " " dirs[i]
	for (i = 1; i <= nforced; i++)
		flags_forced[flags] = flags_forced[flags] " " forced[i]
}

# dirs_add LIST: with ":" between them.
function dirs_add(list,    i, n, part)
{
	n = split(list, part, ":")
	for (i = 1; i <= n; i++)
		dir[part[i]] = 1
}

# forced_in SET FLAGS: is one of the files of -include in it?
function forced_in(set, flags,    i, n, part)
{
	n = split(flags_forced[flags], part, " ")
	for (i = 1; i <= n; i++)
		if (part[i] in set)
			return 1
	return 0
}

FNR == 1 { input++ }

input == 1 {
	changed[$1] = 1
	if ($2 == "new")
		same_name[base_name($1)] = same_name[base_name($1)] " " $1
	next
}

input == 2 {
	edge_add($1, $2, $3, $4)
	if ($2 == "*")
		anything[$1] = 1
	# A new file may be found where another one of its name was, if what the #include says ends like its path. What is found
	# beside the includer is found there before anywhere else.
	if ($3 != "" && (base_name($2) in same_name)) {
		n = split(same_name[base_name($2)], part, " ")
		for (i = 1; i <= n; i++)
			if (ends_in(part[i], $2, $3, $4))
				edge_add($1, part[i], "", "")
	}
	next
}

FNR == 1 {
	for (file in changed) {
		climb(file, 0)
		for (i = 1; i <= last; i++) {
			reached[queue[i]] = 1
			if (!((file, queue[i]) in leads)) {
				leads[file, queue[i]] = 1
				lead[file, ++nlead[file]] = queue[i]
			}
		}
	}
}

{
	file = normal($2)
	file_climbed = climbed
	in_plan[file] = 1
	flags = $5
	gsub(/ -[^Ii][^ ]*/, "", flags)
	if (!(flags in flags_dirs))
		options_read(flags)
	if (!(file in reached) && !forced_in(reached, flags))
		next
	objects++
	dirs_add(file_climbed)
	dirs_add(flags_climbs[flags])
	line[objects] = normal($1) OFS file OFS $2 OFS $3 OFS $4 OFS $5
	file_of[objects] = file
	flags_of[objects] = flags
	used_flags[flags] = 1
}

END {
	# Directories of -I that all of these objects have.
	for (flags in used_flags) {
		sets++
		n = split(flags_dirs[flags], part, " ")
		for (i = 1; i <= n; i++)
			if (counted[part[i]] != sets) {
				counted[part[i]] = sets
				sets_with[part[i]]++
			}
	}
	for (d in sets_with)
		if (sets_with[d] == sets)
			common[d] = 1
	for (file in changed) {
		climb(file, 1)
		for (i = 1; i <= last; i++)
			sure[queue[i]] = 1
	}
	for (e = 1; e <= edges; e++) {
		if (!(from[e] in reached) || !(to[e] in reached))
			continue
		down[from[e], ++downs[from[e]]] = e
		if (e in up)
			dirs_add(up[e])
	}
	for (d in dir)
		print "dir", d
	for (o = 1; o <= objects; o++)
		if ((file_of[o] in sure) || forced_in(sure, flags_of[o]) || sees(o))
			print "object", line[o]
	for (file in reached)
		if (!(file in in_plan) && is_source(file))
			print "source", file
	for (file in changed) {
		found = 0
		for (i = 1; i <= nlead[file] && !found; i++)
			found = (lead[file, i] in in_plan) || is_source(lead[file, i])
		for (flags in flags_forced)
			if (!found) {
				n = split(flags_forced[flags], part, " ")
				for (i = 1; i <= n; i++)
					if ((file, part[i]) in leads)
						found = 1
			}
		if (!found)
			print "unseen", file
	}
}
