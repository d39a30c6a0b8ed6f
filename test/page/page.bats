#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The page of kpatch-report in a browser: on a phone and on a desk, light and dark. "make check-page"; not part of
# "make check", as a browser is more to install than all else. Screenshots are left in $PAGE_DIR, if that is set.

bats_require_minimum_version 1.5.0

TOP=$BATS_TEST_DIRNAME/../..
SUM=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

# A page with all that is wide: names, paths, lines of code.
setup_file()
{
	cd "$BATS_FILE_TMPDIR" || return 1
	local long=a_function_with_a_name_that_is_so_long_that_no_phone_can_show_it_in_one_line_and_some_more i
	printf -- '--- a/fs/a.c\n+++ b/fs/a.c\n@@ -1 +1 @@\n-\told(%s);\n+\tnew(%s);\n' "$long$long" "$long$long" >fix.diff
	{
		printf '%s() of fs/a.c: changed\n\n%-60s   patched\n' "$long" original
		for ((i = 0; i < 60; i++)); do
			printf '%5x  %-53s   %5x  %s\n' "$i" 'nop' "$i" nop
		done
		printf '%5x  %-53s | %5x  %s\n' 60 "callq $long" 60 "callq other_$long"
	} >function
	tr '|' '\t' >facts <<-EOT
		build|refused|2|1.2.3
		kernel|6.1.0-56-cloud-amd64|6.1.192-2|gcc-12|$SUM
		options|fix|1|core|0|0|0
		module|/a/path/$long/livepatch-fix.ko|livepatch_fix|63768|$SUM
		input|patch|/a/path/$long/fix.patch|$SUM
		object|vmlinux|fs/a.o|fs/a.c|changed
		function|$long|0|x|1234
		why|$long|inline|helper|include/linux/a.h:7|helper_$long() at include/linux/a.h:7 is inlined into it
		new|function|added|7
		klp|vmlinux|$long|3
		finding|refused|layout|create-diff-object|fs/a.o|fs/a.c: struct $long changes (size was 8, is 16)
		finding|detail|-|create-diff-object|fs/a.o|    offset size  original                 offset size  patched and $long
		shadow|struct $long.count|00000000000000ff|8|8|1|destroy_$long
		text|patch|fix.patch|fix.diff
		text|function|$long() of fs/a.c|function
	EOT
	"$TOP/kpatch-report/kpatch-report" html facts >page.html
	# The same, with a script that tells how wide it became.
	sed '/Content-Security-Policy/d; s|</body>|<script>document.title = document.documentElement.scrollWidth + "," + innerWidth</script></body>|' page.html >measured.html
}

setup()
{
	cd "$BATS_FILE_TMPDIR" || return 1
}

browser()
{
	# Containers have no user namespaces for its sandbox.
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$BATS_FILE_TMPDIR/profile" "$@" 2>chromium.log
}

# measured: the width of the page in dom, and that of the window, which may be no narrower than the browser lets it be.
measured()
{
	sed -n 's|.*<title>\([0-9]*\),\([0-9]*\)</title>.*|\1 \2|p' dom
}

# corner FILE: the colour of the first pixel.
corner()
{
	pngtopnm "$1" 2>/dev/null | pnmcut -left 0 -top 0 -width 1 -height 1 | pnmtoplainpnm | tail -n 1 | tr -s ' ' | sed 's/ *$//'
}

# shot NAME WIDTH OPTION...: a picture, and its corner.
shot()
{
	local name=$1 width=$2
	shift 2
	browser --screenshot="$PWD/$name.png" --window-size="$width,1200" "$@" "file://$PWD/page.html" >/dev/null
	[[ -z ${PAGE_DIR:-} ]] || cp "$name.png" "$PAGE_DIR/"
	pngtopnm "$name.png" 2>/dev/null | pnmfile | grep -q ", $width by 1200 "
}

@test "nothing is wider than the window, on a phone and on a desk" {
	for width in 390 1280; do
		browser --dump-dom --window-size="$width,1200" "file://$PWD/measured.html" >dom
		read -r page window < <(measured)
		((page > 300 && page == window))
	done
	# And the check can tell: code that does not scroll inside of its frame is too wide.
	sed 's/overflow-x:auto/overflow-x:visible/g; s/overflow-wrap:anywhere/overflow-wrap:normal/' measured.html >wide.html
	browser --dump-dom --window-size=390,1200 "file://$PWD/wide.html" >dom
	read -r page window < <(measured)
	((page > window))
}

@test "light and dark, as the reader's system is" {
	for width in 390 1280; do
		shot "light-$width" "$width" --blink-settings=preferredColorScheme=1
		[[ $(corner "light-$width.png") == "255 255 255" ]]
		shot "dark-$width" "$width" --blink-settings=preferredColorScheme=0
		[[ $(corner "dark-$width.png") == "21 23 26" ]]
		run ! cmp -s "light-$width.png" "dark-$width.png"
	done
}

@test "the browser asks for nothing else" {
	browser --dump-dom --enable-logging=stderr --v=0 "file://$PWD/page.html" >dom
	run ! grep -E 'net::ERR|Refused to|Content Security Policy' chromium.log
	run ! grep -oE 'https?://[^ "]*' page.html
}
