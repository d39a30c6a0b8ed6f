# SPDX-License-Identifier: GPL-2.0-only
#
# What does a patch change in a makefile of the kernel? Input: the original and the patched one. Output, tab-separated:
#
#	add	LINE	LIST	WORD	an object that is new in a list
#	other	LINE	TEXT		the first line of the patched one that is new and is no such list
#	gone	LINE	TEXT		the first line of the original that is not there any more
#
# Lines are compared as make reads them: joined at their backslashes, without comments and with single blanks. Those of
# the original must all be there, in their order; one that assigns a list may have more objects.

BEGIN { OFS = "\t" }

function finish(    bare)
{
	if (!pending)
		return
	bare = text
	# A line of a recipe is the shell's.
	if (bare !~ /^\t/) {
		if (match(bare, /(^|[^\\])#/))
			bare = substr(bare, 1, RSTART + RLENGTH - 2)
		gsub(/[ \t]+/, " ", bare)
		sub(/^ /, "", bare)
		sub(/ $/, "", bare)
	}
	if (bare != "") {
		count[side]++
		line[side, count[side]] = bare
		number[side, count[side]] = first
	}
	text = ""
	pending = 0
}

FNR == 1 {
	finish()
	side = FILENAME == ARGV[1] ? 1 : 2
}

{
	sub(/\r$/, "")
	if (!pending)
		first = FNR
	pending = 1
	if (sub(/\\$/, " ")) {
		text = text $0
		next
	}
	text = text $0
	finish()
}

# Splits an assignment of a list into list, operator and the words of value. Lists of what is no part of the
# kernel, and of directories, are none.
function parse(s)
{
	if (!match(s, /^[A-Za-z0-9_.-]+-(y|m|objs|\$\([^=]*\)) ?(\+=|:=|\?=|=)/))
		return 0
	list = substr(s, 1, RLENGTH)
	value = substr(s, RLENGTH + 1)
	match(list, / ?(\+=|:=|\?=|=)$/)
	operator = substr(list, RSTART)
	list = substr(list, 1, RSTART - 1)
	return list !~ /^(extra|always|subdir|targets|hostprogs|userprogs|header-test|no-header-test|dtb|.*flags)-/
}

# Is there nothing in a new list's name that make would run, as in obj-$(shell ...)?
function is_plain(name)
{
	return name ~ /^[A-Za-z0-9_.-]+(\$\([A-Za-z0-9_]+\)|\$\(subst [a-z]+,[a-z]+,\$\([A-Za-z0-9_]+\)\))?$/
}

function is_object(word)
{
	return word ~ /^[A-Za-z0-9_.,+\/-]+\.o$/ && word !~ /\.\./
}

# The words of value that are not in old; all of them must be objects, and none of old be missing.
function gains(value, old,    n, m, i, w, word, before, left)
{
	m = split(old, before, " ")
	for (i = 1; i <= m; i++)
		left[before[i]]++
	n = split(value, word, " ")
	gained = 0
	for (i = 1; i <= n; i++) {
		if (left[word[i]] > 0) {
			left[word[i]]--
			continue
		}
		if (!is_object(word[i]))
			return 0
		gain[++gained] = word[i]
	}
	for (w in left)
		if (left[w] > 0)
			return 0
	return 1
}

function tell(at,    i)
{
	for (i = 1; i <= gained; i++)
		print "add", at, list, gain[i]
}

function extends(old, new, at,    old_list, old_operator, old_value)
{
	if (!parse(old))
		return 0
	old_list = list
	old_operator = operator
	old_value = value
	if (!parse(new) || list != old_list || operator != old_operator || !gains(value, old_value))
		return 0
	tell(at)
	return 1
}

END {
	finish()
	for (i = 1; i <= count[1]; i++)
		if (parse(line[1, i]))
			assigned[list] = 1
	i = 1
	for (j = 1; j <= count[2]; j++) {
		new = line[2, j]
		at = number[2, j]
		if (i <= count[1] && line[1, i] == new) {
			i++
		} else if (i <= count[1] && extends(line[1, i], new, at)) {
			i++
		} else if (parse(new) && is_plain(list) && (operator ~ /\+=/ || !(list in assigned)) && gains(value, "")) {
			tell(at)
			assigned[list] = 1
		} else {
			break
		}
	}
	if (i > count[1] && j > count[2])
		exit
	# Is one of the original missing, or one here too many?
	for (k = j; k <= count[2] && i <= count[1]; k++)
		if (line[2, k] == line[1, i])
			break
	if (i <= count[1] && k > count[2])
		print "gone", number[1, i], line[1, i]
	else
		print "other", number[2, j], line[2, j]
}
