# SPDX-License-Identifier: GPL-2.0-only
#
# Lists what a patch holds, for patches.sh. Reads the patch as people have it, with mail headers,
# descriptions and signatures, and prints a line per diff, in the order of the patch. Fields,
# separated by the byte 037, which no name has:
#
#	KIND OLD NEW THIRD FIRST LAST CRS LFS BLIND
#
# KIND is one of diff, new, removed, rename, copy, mode, binary, link. The names are as in the patch, but for
# timestamps; THIRD is the one of an "Index:" line. FIRST and LAST are the lines of the patch that
# the hunks take; CRS and LFS count the lines of the hunks that end in CR LF and in LF alone. BLIND:
# a hunk removes lines and has nothing around them, so that it could be taken back anywhere.
#
# The only other output is one line "error TEXT", or "context" if the patch is in the form of
# diff -c. The counts in the headers of the hunks are followed to the line, which lsdiff and patch
# do not do: patch fills up a hunk that is cut off and skips what is beyond one.

# -v whole=0: the last line has no end.

function fail(text)
{
	printf "error\037%s\n", text
	failed = 1
	exit
}

function at(line)
{
	return "line " line ": "
}

# name_of TEXT: what follows "--- " and the like, up to a timestamp. Git puts a tab behind names
# with spaces.
function name_of(text)
{
	if (!sub(/\t.*/, "", text))
		sub(/ .*/, "", text)
	if (length(text) > 4000)
		fail(at(NR) "the file's name is too long")
	gsub(/[[:cntrl:]]/, "?", text)
	gsub(/\/+/, "/", text)
	return text
}

function reset()
{
	kind = old = new = first = last = crs = lfs = blind = third = git = added = gone = linked = ""
}

# flush: prints the diff that ends here, if there is one.
function flush()
{
	if (kind == "" && git && (added || gone))
		kind = added ? "new" : "removed"	# of an empty file
	if (kind == "diff")
		kind = added ? "new" : gone ? "removed" : "diff"
	# As git and diff write names with quotes, control characters or bytes beyond ASCII.
	if (kind != "" && (old ~ /^"/ || new ~ /^"/))
		fail("the name " (new ~ /^"/ ? new : old) " is quoted, as it holds characters that are in no name of the kernel's source; rename the file")
	if (linked)
		kind = "link"
	if (kind != "")
		printf "%s\037%s\037%s\037%s\037%d\037%d\037%d\037%d\037%d\n", kind, old, new, third, first, last,
			crs, lfs, blind
	reset()
}

function hunk_begin(line,  word, range)
{
	if (line !~ /^@@ -[0-9]+(,[0-9]+)? \+[0-9]+(,[0-9]+)? @@/)
		fail(at(NR) "not the header of a hunk; take the patch as diff -u or git diff wrote it")
	split(line, word, " ")
	split(substr(word[2], 2), range, ",")
	old_start = range[1] + 0
	old_left = word[2] ~ /,/ ? range[2] + 0 : 1
	if (!first && old_left == 0 && old_start == 0)
		added = 1
	split(substr(word[3], 2), range, ",")
	new_left = word[3] ~ /,/ ? range[2] + 0 : 1
	if (!first && new_left == 0 && range[1] + 0 == 0)
		gone = 1
	if (!first)
		first = NR
	hunk_at = NR
	last = NR
	context = minus = plus = 0
	state = "hunk"
	if (old_left == 0 && new_left == 0)
		hunk_end()
}

function hunk_end()
{
	last = NR
	state = "after"
	if (context || (minus && plus))
		return
	if (plus && !added)
		fail(at(hunk_at) "the hunk adds lines and has none around them, so nothing says where they belong; make the patch with diff -u or git diff")
	if (minus && !gone)
		blind = 1
}

BEGIN {
	state = "text"
	reset()
}

{
	line = $0
	cr = sub(/\r$/, "", line)
}

NR == 1 { sub(/^\357\273\277/, "", line) }	# an editor's byte order mark

state == "hunk" {
	sign = substr(line, 1, 1)
	if (sign == "\\")
		next
	if (sign == " " || sign == "") {		# mail programs eat a lone space
		old_left--
		new_left--
		context = 1
	} else if (sign == "-") {
		old_left--
		minus = 1
	} else if (sign == "+") {
		new_left--
		plus = 1
	}
	if (sign !~ /^[-+ ]?$/ || old_left < 0 || new_left < 0)
		fail(at(NR) "does not belong to the hunk of line " hunk_at ", which is not complete; take the patch whole, with its lines as they were")
	if (cr)
		crs++
	else
		lfs++
	if (old_left == 0 && new_left == 0)
		hunk_end()
	next
}

state == "after" {
	if (line ~ /^\\/) {
		last = NR
		next
	}
	if (line ~ /^@@ /) {
		hunk_begin(line)
		next
	}
	# "-- " begins the signature of a mail.
	if (line ~ /^[-+ \t]/ && line !~ /^-- ?$/ && line !~ /^--- /)
		fail(at(NR) "more lines than the header of the hunk says; take the patch as it was, or count again with recountdiff")
	state = "text"
	index_name = ""
}

state == "old" {
	if (line ~ /^\+\+\+ /) {
		plus_name = name_of(substr(line, 5))
		state = "new"
		next
	}
	state = "text"
}

state == "new" {
	if (line !~ /^@@ /)
		fail(at(NR) "no hunk follows the names of the file; take the patch whole")
	# Of a git diff whose header came before, the names are the same and what it says counts.
	if (!git || first || kind == "binary")
		flush()
	if (kind != "rename" && kind != "copy") {
		old = minus_name
		new = plus_name
	}
	third = index_name
	if (kind == "" || kind == "mode")
		kind = "diff"
	if (old == "/dev/null")
		added = 1
	if (new == "/dev/null")
		gone = 1
	hunk_begin(line)
	next
}

line ~ /^diff --(cc|combined) / {
	fail(at(NR) "the combined diff of a merge; make it against one parent, as with git diff MERGE^ MERGE")
}

line ~ /^diff / { flush(); index_name = "" }

line ~ /^diff --git / {
	git = 1
	# Both names are equal but for the prefixes, unless "rename" or "copy" follow and tell them.
	rest = substr(line, 12)
	half = int(length(rest) / 2)
	old = name_of(substr(rest, 1, half) "\t")
	new = name_of(substr(rest, half + 2) "\t")
	next
}

git && !first {
	if (line ~ /^rename from /)	{ kind = "rename"; old = name_of(substr(line, 13) "\t") }
	if (line ~ /^rename to /)	new = name_of(substr(line, 11) "\t")
	if (line ~ /^copy from /)	{ kind = "copy"; old = name_of(substr(line, 11) "\t") }
	if (line ~ /^copy to /)		new = name_of(substr(line, 9) "\t")
	if (line ~ /^new mode / && kind == "")	kind = "mode"
	# Of a link the text is where it leads, and of a submodule what it is at.
	if (line ~ /^(new file|deleted file|new|old) mode 1[26]0000$/ || line ~ /^index [0-9a-f]+\.\.[0-9a-f]+ 1[26]0000$/)
		linked = 1
	if (line ~ /^new file mode /)		added = 1
	if (line ~ /^deleted file mode /)	gone = 1
}

line == "GIT binary patch" && git { kind = "binary" }

line ~ /^Binary files .* and .* differ$/ {
	if (!git) {
		flush()
		old = line
		sub(/^Binary files /, "", old)
		sub(/ and .*/, "", old)
		old = name_of(old "\t")
		new = line
		sub(/ differ$/, "", new)
		sub(/.* and /, "", new)
		new = name_of(new "\t")
	}
	kind = "binary"
	flush()
}

line ~ /^Index: / { flush(); index_name = name_of(substr(line, 8)) }

line ~ /^\*\*\* / { stars = NR }

line ~ /^\*\*\*\*\*\*\*\*\*\*\*\*\*\*\*/ && NR == dashes + 1 && dashes == stars + 1 {
	print "context"
	failed = 1
	exit
}

line ~ /^--- / {
	dashes = NR
	minus_name = name_of(substr(line, 5))
	state = "old"
}

line ~ /^@@ -[0-9]/ {
	fail(at(NR) "a hunk without the name of a file before it; take the patch whole")
}

END {
	if (failed)
		exit
	if (state == "hunk")
		fail("ends in the middle of a hunk; it is cut off, take it whole")
	if (state == "new")
		fail("ends before the first hunk; it is cut off, take it whole")
	if (!whole && last == NR)
		fail("ends in the middle of a line; it is cut off, take it whole")
	flush()
}
