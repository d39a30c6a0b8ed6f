#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# doc/pitfalls.md names the tests that guard each fact: they must exist, and no fact may be without one.

bats_require_minimum_version 1.5.0

TOP=$BATS_TEST_DIRNAME/../..

# check FILE: prints what is wrong with the page, a line each.
check()
{
	# "LINE KIND TEXT", where KIND is a fact, a test, a reason why not, or something else.
	sed -nE '
		s/^- (.+)$/fact \1/; t found
		s/^  - `(test\/(unit|integration)\/[a-z0-9-]+\.bats: ".+")`$/test \1/; t found
		s/^  - cannot happen: (.+)$/reason \1/; t found
		/^[[:blank:]]*[-*+] /s/^/other /; t found
		b
		:found
		=; p' "$1" | paste -d ' ' - - | while read -r line kind text; do
		case $kind in
		fact) ;;
		test)
			file=${text%%: *}
			title=${text#*: \"}
			grep -qxF -e "@test \"${title%\"}\" {" "$TOP/$file" 2>/dev/null ||
				echo "line $line: no such test: $text" ;;
		reason) ;;
		*)
			echo "line $line: neither a fact nor what guards it: $text" ;;
		esac
	done
	# Each fact is followed by at least one of them, and stands there once.
	awk '
		/^- / {
			if (fact && !guarded)
				print "line " NR - 1 ": nothing guards this: " fact
			fact = substr($0, 3)
			guarded = 0
			if (fact in seen)
				print "line " NR ": a second time: " fact
			seen[fact] = 1
			next
		}
		/^  - (`test\/|cannot happen: )/ {
			if (!fact)
				print "line " NR ": guards no fact"
			guarded = 1
		}
		/^#/ {
			if (fact && !guarded)
				print "line " NR - 1 ": nothing guards this: " fact
			fact = ""
		}
		END { if (fact && !guarded) print "line " NR ": nothing guards this: " fact }' "$1"
}

@test "each pitfall names tests that exist, or says why it cannot happen" {
	run check "$TOP/doc/pitfalls.md"
	[ "$(grep -c '^- ' "$TOP/doc/pitfalls.md")" -ge 190 ]
	echo "$output"
	[ -z "$output" ]
}

@test "the page is reached from the architecture" {
	grep -qF '(pitfalls.md)' "$TOP/doc/architecture.md"
}

@test "a page that is not true is noticed" {
	cd "$BATS_TEST_TMPDIR"
	local good='  - `test/unit/doc-pitfalls.bats: "the page is reached from the architecture"`'
	printf '%s\n' '# Page' '' 'Text.' '' '- One.' "$good" '- Two.' '  - cannot happen: no reason' '' '## More' '' \
		'- Three.' "$good" "$good" > page
	run check page
	[ -z "$output" ]
	sed '6s/page is/page was/' page > bad
	run check bad
	[ "$output" = 'line 6: no such test: test/unit/doc-pitfalls.bats: "the page was reached from the architecture"' ]
	sed '6s/architecture/archi/' page > bad
	run check bad
	[ "$output" = 'line 6: no such test: test/unit/doc-pitfalls.bats: "the page is reached from the archi"' ]
	sed '6s/doc-pitfalls/doc-other/' page > bad
	run check bad
	[ "$output" = 'line 6: no such test: test/unit/doc-other.bats: "the page is reached from the architecture"' ]
	sed '8s/.*/  - TODO(later)/' page > bad
	run check bad
	[ "$output" = 'line 8: neither a fact nor what guards it: - TODO(later)
line 9: nothing guards this: Two.' ]
	sed '6d' page > bad
	run check bad
	[ "$output" = 'line 5: nothing guards this: One.' ]
	sed '13,14d' page > bad
	run check bad
	[ "$output" = 'line 12: nothing guards this: Three.' ]
	sed '8s/: no reason//' page > bad
	run check bad
	[ "$output" = 'line 8: neither a fact nor what guards it: - cannot happen
line 9: nothing guards this: Two.' ]
	sed '5s/One/Two/' page > bad
	run check bad
	[ "$output" = 'line 7: a second time: Two.' ]
	sed '6s/`$/` and more/' page > bad
	run check bad
	[[ $output == 'line 6: neither a fact nor what guards it: - `test/unit/'* ]]
}
