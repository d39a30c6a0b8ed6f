# SPDX-License-Identifier: GPL-2.0-only
#
# What changed and why, for people, from the reports of create-diff-object (doc/architecture.md has their format): a line for
# each function, what helps to decide about them, then the inline functions whose change reached several objects.

BEGIN { FS = "\t" }

function line(kind, name, is_function)
{
	number++
	shown[number] = sprintf("  %-9s %s: %s%s", kind, object, name, is_function ? "()" : "")
	at[source, name] = number
}

# Three reasons say enough; the report has all.
function reasons(n,    text, i)
{
	for (i = 1; i <= count[n] && i <= 3; i++)
		text = text (i == 1 ? ": " : "; ") why[n, i]
	return text (count[n] > 3 ? "; and " count[n] - 3 " more" : "")
}

$1 == "object" { object = $2 }
$1 == "source" { source = $2 }
$1 == "function" { line("changed", $2, 1) }
$1 == "copy" { line("replaced", $3, 1) }
$1 == "new" {
	line("new", $3, $2 == "function")
	if ($2 == "function")
		added[object, $3] = number
}
$1 == "moved" {
	line("moved", $2, 1)
	why[number, ++count[number]] = "from " $3 " to " $4 ", the same code: not replaced"
}
$1 == "removed" {
	line("removed", $2, 1)
	gone[number] = object SUBSEP $2
	gone_from[number] = source
}
$1 == "callback" { line("callback", $3 "() " $2, 0) }
$1 == "ignored" { line("left out", $3, $2 == "function") }
$1 == "layout" { line("layout", $2 " changes, which the author allows", 0) }
$1 == "risk" { note[++notes] = sprintf("  note      %s: %s(): %s", object, $2, $4) }
$1 == "shadow" {
	shown[++number] = sprintf("  field     %s: %d bytes, id %s%s", $2, $4, $3, $7 == "-" ? "" : ", destructor " $7 "()")
}

$1 == "why" {
	n = at[source, $2]
	if (!n)
		next
	if ($3 != "new" || $4 != "-")
		why[n, ++count[n]] = $6
	if ($3 != "inline")
		next
	helper = $4 "() at " $5
	if (!(helper in objects))
		order[++helpers] = helper
	if (!((helper, source) in into)) {
		objects[helper]++
		sources[helper, objects[helper]] = source
	}
	into[helper, source] = into[helper, source] (((helper, source) in into) && into[helper, source] != "" ? ", " : "") $2 "()"
}

END {
	for (n = 1; n <= number; n++) {
		if ((n in gone) && (gone[n] in added)) {
			why[added[gone[n]], ++count[added[gone[n]]]] = "moved here from " gone_from[n]
			delete shown[n]
		}
	}
	for (n = 1; n <= number; n++)
		if (n in shown)
			print shown[n] reasons(n)
	# As many as one reads; the report has all.
	for (n = 1; n <= notes && n <= 10; n++)
		print note[n]
	if (notes > 10)
		printf "  note      and %d more, in the report (--json, --html)\n", notes - 10
	for (i = 1; i <= helpers; i++) {
		if (objects[order[i]] < 2)
			continue
		printf "  %s is inlined into functions of %d files:\n", order[i], objects[order[i]]
		for (j = 1; j <= objects[order[i]]; j++)
			printf "    %s: %s\n", sources[order[i], j], into[order[i], sources[order[i], j]]
	}
}
