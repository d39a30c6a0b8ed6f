#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# kpatch-report: the facts of a build as JSON that fits its schema, and as a page.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr

bats_require_minimum_version 1.5.0

TOP=$BATS_TEST_DIRNAME/../..
REPORT=$TOP/kpatch-report/kpatch-report
SCHEMA=$TOP/doc/report.schema.json
TAB=$'\t'

setup_file()
{
	g++ -o "$BATS_FILE_TMPDIR/validate" "$BATS_TEST_DIRNAME/report-validate.cc"
}

setup()
{
	cd "$BATS_TEST_TMPDIR" || return 1
}

valid()
{
	"$BATS_FILE_TMPDIR/validate" "$SCHEMA" "$1"
}

# facts LINE...: blanks that separate fields are written as "|".
facts()
{
	printf '%s\n' "$@" | tr '|' '\t' >facts
}

readonly SUM=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

# A line of each kind.
all_facts()
{
	facts 'build|done|0|1.2.3' \
		'kernel|6.1.0-1-amd64|6.1.1-1|gcc-12|-' \
		'options|fix|1|core|0|2|0' \
		"module|/tmp/livepatch-fix.ko|livepatch_fix|1234|$SUM" \
		"signature|sha256|CN=a <b>|0a1b|$SUM" \
		"input|patch|fix.patch|$SUM" \
		'object|vmlinux|fs/a.o|fs/a.c|changed' \
		'source|fs/a.c' \
		'function|foo|2|__kpatch_new.foo|44' \
		'why|foo|lines|-|fs/a.c:3|fs/a.c:3 changed' \
		'why|foo|inline|helper|fs/a.h:7|helper() at fs/a.h:7 is inlined into it' \
		'risk|foo|sleeps|tasks may <wait> in it' \
		'part|foo.cold|foo|5' \
		'copy|function|bar|6' \
		'moved|baz|.text|.text.unlikely' \
		'removed|gone' \
		'new|function|added|7' \
		'new|data|table|8' \
		'klp|vmlinux|printk|3' \
		'callback|pre_patch|setup|__kpatch_cb|fs/a.c:9' \
		'unsafe|foo|fs/a.c:4' \
		'ignored|function|trace|fs/a.c:5' \
		'namespace|DMA_BUF' \
		'layout|struct a' \
		'object|b|fs/b.o|fs/b.c|unchanged' \
		'shadow|struct a.count|00000000000000ff|8|8|1|-' \
		'finding|warning|-|create-diff-object|fs/a.o|fs/a.c: look' \
		'finding|refused|layout|create-diff-object|fs/a.o|fs/a.c: no' 'finding|detail|-|create-diff-object|fs/a.o|  0  4  int a;' \
		'stage|compile|10|20' \
		'compile|1|2|fs/a.o, original|kept'
}

@test "each kind of line gets into the JSON, which fits the schema" {
	all_facts
	"$REPORT" json facts >report.json
	valid report.json
	diff -u - <(tr -d ' \n' <report.json; echo) <<-EOT
		{"format":"kpatch-report","format_version":1,"builds":[{"kernel":{"release":"6.1.0-1-amd64","version":"6.1.1-1","compiler":"gcc-12","build_id":null},"options":{"name":"fix","replace":true,"shadow":"core","skip_image_check":false,"fuzz":2,"dry_run":false},"module":{"path":"/tmp/livepatch-fix.ko","name":"livepatch_fix","size":1234,"sha256":"$SUM"},"signature":{"hash":"sha256","signer":"CN=a<b>","serial":"0a1b","sha256":"$SUM"},"inputs":[{"kind":"patch","path":"fix.patch","sha256":"$SUM"}],"objects":[{"functions":[{"change":"changed","name":"foo","position":2,"symbol":"__kpatch_new.foo","size":44,"reasons":[{"kind":"lines","what":null,"where":"fs/a.c:3","text":"fs/a.c:3changed"},{"kind":"inline","what":"helper","where":"fs/a.h:7","text":"helper()atfs/a.h:7isinlinedintoit"}],"risks":[{"kind":"sleeps","text":"tasksmay<wait>init"}]},{"change":"part","name":"foo.cold","parent":"foo","size":5,"reasons":[],"risks":[]},{"change":"carried","name":"bar","size":6,"reasons":[],"risks":[]},{"change":"moved","name":"baz","from":".text","to":".text.unlikely","reasons":[],"risks":[]},{"change":"removed","name":"gone","reasons":[],"risks":[]},{"change":"new","name":"added","size":7,"reasons":[],"risks":[]}],"data":[{"change":"new","name":"table","size":8}],"relocations":[{"owner":"vmlinux","name":"printk","position":3}],"callbacks":[{"kind":"pre_patch","name":"setup","symbol":"__kpatch_cb","place":"fs/a.c:9"}],"unsafe":[{"name":"foo","place":"fs/a.c:4"}],"ignored":[{"kind":"function","name":"trace","place":"fs/a.c:5"}],"namespaces":["DMA_BUF"],"allowed_layouts":["structa"],"target":"vmlinux","object":"fs/a.o","source":"fs/a.c","result":"changed"},{"functions":[],"data":[],"relocations":[],"callbacks":[],"unsafe":[],"ignored":[],"namespaces":[],"allowed_layouts":[],"target":"b","object":"fs/b.o","source":"fs/b.c","result":"unchanged"}],"messages":[{"severity":"warning","reason":null,"program":"create-diff-object","object":"fs/a.o","text":"fs/a.c:look","details":[]},{"severity":"refused","reason":"layout","program":"create-diff-object","object":"fs/a.o","text":"fs/a.c:no","details":["04inta;"]}],"shadow_fields":[{"name":"structa.count","id":"00000000000000ff","size":8,"align":8,"version":1,"destructor":null}],"stages":[{"name":"compile","wall_ms":10,"cpu_ms":20}],"compiles":[{"wall_ms":1,"cpu_ms":2,"name":"fs/a.o,original","kept":"kept"}],"result":"done","exit_status":0,"tool_version":"1.2.3"}]}
	EOT
}

@test "the schema notices what is missing, too much or of the wrong kind" {
	all_facts
	"$REPORT" json facts >report.json
	for edit in 's/"fuzz":2,//' 's/"fuzz":2/"fuzz":"2"/' 's/"fuzz":2/"fuzz":2,"more":1/' 's/"reason":"layout"/"reason":"whim"/' \
		's/"change":"moved"/"change":"lost"/' 's/"format_version":1/"format_version":2/'; do
		sed "$edit" report.json >wrong.json
		run ! cmp -s report.json wrong.json
		run -1 valid wrong.json
		[[ -n $output ]]
	done
}

@test "the reasons in the schema are those that the programs know" {
	{
		sed -n 's/^\tX([A-Z_]*, "\([a-z-]*\)").*/\1/p' "$TOP/lib/reason.h"
		sed -n "s/^readonly FACTS_REASONS='\(.*\)'/\1/p" "$TOP/kpatch-build/facts.sh" | tr ' ' '\n'
	} | sort >known
	[[ $(wc -l <known) -gt 40 ]]
	sed -n '/^    "reason": {/,/}/p' "$SCHEMA" | tr -d '[]{} \n' | sed 's/"reason"://; s/"enum"://; s/,$//; s/"//g' |
		tr ',' '\n' | sort | diff -u - known
}

@test "several builds are one report" {
	facts 'build|done|0|1' 'kernel|one|-|-|-' 'options|fix|1|core|0|0|0'
	mv facts first
	facts 'build|error|1|1' 'kernel|two|-|-|-' 'options|fix|1|core|0|0|0'
	"$REPORT" json first facts >report.json
	valid report.json
	[[ $(grep -o '"release":"[a-z]*"' report.json | tr '\n' ' ') == '"release":"one" "release":"two" ' ]]
}

@test "text that is not UTF-8 is made so, and quotes are escaped" {
	{
		printf 'build\terror\t1\t1\nkernel\tone\t-\t-\t-\noptions\tfix\t1\tcore\t0\t0\t0\n'
		printf 'finding\terror\tinput\tx\t-\ta\xff"b\xc3\xa9\xed\xa0\x80\xc0\x80\xe2\x82\n'
	} >facts
	"$REPORT" json facts >report.json
	valid report.json
	grep -qF '"text":"a?\"bé?????' report.json
}

@test "facts that cannot be are an error that names the line" {
	facts 'build|done|0|1' 'frobnicate|1'
	run -1 --separate-stderr "$REPORT" json facts
	[ "$stderr" = "kpatch-report: error: facts:2: unknown line; please report this" ]
	facts 'build|done|zero|1'
	run -1 --separate-stderr "$REPORT" json facts
	[ "$stderr" = "kpatch-report: error: facts:1: not a number; please report this" ]
	facts 'build|done|0'
	run -1 --separate-stderr "$REPORT" json facts
	[ "$stderr" = "kpatch-report: error: facts:1: fields are missing; please report this" ]
	facts 'build|done|0|1|2'
	run -1 --separate-stderr "$REPORT" json facts
	[ "$stderr" = "kpatch-report: error: facts:1: too many fields; please report this" ]
	facts 'function|foo|0|x|1'
	run -1 --separate-stderr "$REPORT" json facts
	[ "$stderr" = "kpatch-report: error: facts:1: belongs to no object file; please report this" ]
	facts 'object|a|b|c|changed' 'why|foo|lines|-|-|x'
	run -1 --separate-stderr "$REPORT" json facts
	[ "$stderr" = "kpatch-report: error: facts:2: is about an unknown function; please report this" ]
	: >facts
	run -1 --separate-stderr "$REPORT" json facts
	[ "$stderr" = "kpatch-report: error: facts:0: no line says what the result is; please report this" ]
	run -1 --separate-stderr "$REPORT" json missing
	[ "$stderr" = "kpatch-report: error: missing: No such file or directory; is the path right?" ]
	run -1 --separate-stderr "$REPORT" yaml facts
	run -1 --separate-stderr "$REPORT" json
	[ "$stderr" = "kpatch-report: error: FACTS is missing; see kpatch-report --help" ]
}

@test "a full disk is an error" {
	all_facts
	for form in json html; do
		run -1 --separate-stderr bash -c "'$REPORT' $form facts >/dev/full"
		[ "$stderr" = "kpatch-report: error: standard output: No space left on device; is the disk full?" ]
	done
}

@test "the page has all that people want to know, needs nothing else, and escapes what it shows" {
	all_facts
	printf -- '--- a/<b>\n+++ b/<b>\n@@ -1 +1 @@\n-a < b\n+a & b\n' >fix.diff
	{
		printf 'foo() of fs/a.c: changed\n\noriginal        patched\n'
		for ((i = 0; i < 60; i++)); do
			printf '    %x  nop            %x  nop\n' "$i" "$i"
		done
		printf '    0  push   |     0  pop\n              >     1  add\n    2  del    <\n'
	} >function
	printf 'text\tpatch\t<fix>.patch\tfix.diff\ntext\tfunction\tfoo() of fs/a.c\tfunction\n' >>facts
	sed -i "s/fs\/a.c: no/<script>alert(1)<\/script>/" facts
	"$REPORT" html facts >page.html
	run ! grep -F '<script' page.html
	run ! grep -oE '(src|href)=' page.html
	grep -qF '&lt;script&gt;alert(1)&lt;/script&gt;' page.html
	grep -qF '<code>&lt;fix&gt;.patch</code>' page.html
	grep -qF '<pre><span>  0  4  int a;</span></pre>' page.html
	grep -qF '<span class="del">-a &lt; b</span><span class="add">+a &amp; b</span>' page.html
	grep -qF '<p class="why">helper() at fs/a.h:7 is inlined into it</p>' page.html
	grep -qF '<p class="risk">Note: tasks may &lt;wait&gt; in it</p>' page.html
	grep -qF '<dt>signed by</dt><dd><code>CN=a &lt;b&gt;</code></dd>' page.html
	grep -qF '<dt>serial number of the certificate</dt><dd><code>0a1b</code></dd>' page.html
	grep -qF '<dt>hash of the signature</dt><dd><code>sha256</code></dd>' page.html
	grep -qF '<span class="mod">    0  push   |     0  pop</span>' page.html
	grep -qF '<span class="add">              &gt;     1  add</span>' page.html
	grep -qF '<span class="del">    2  del    &lt;</span>' page.html
	grep -qF '<summary>55 lines without a difference</summary>' page.html
	grep -qF '<summary>1 symbol reached by livepatch relocations</summary>' page.html
	[[ $(grep -o '<[a-z0-9]*[ >]' page.html | tr -d '<> ' | grep -cxE 'main|section|details|table|ul|dl|pre') == \
		$(grep -oE '</(main|section|details|table|ul|dl|pre)>' page.html | wc -l) ]]
}

@test "in the page, pictures of layouts have the colours of what differs, text is wrapped, what is to be pasted is not" {
	all_facts
	{
		printf 'finding\trefused\tlayout\tcreate-diff-object\tfs/a.o\tfs/a.c: picture\n'
		printf 'finding\tdetail\t-\tcreate-diff-object\tfs/a.o\t%s\n' \
			'struct s is defined at fs/a.h:3' \
			'offset  size  original   offset  size  patched' \
			'     0     4  int a           0     4  int a' \
			'     4     4  int b    |      8     4  int b' \
			'                       >     12     4  int c' \
			'    16     4  int d    <' \
			'15 more members at another place or of another type' \
			'accesses to c on the lines of the patch:' \
			'    fs/a.c:3 in foo(): | b' \
			' value  original      value  patched' \
			'     0  A          |      1  A'
	} >>facts
	"$REPORT" html facts >page.html
	diff -u - <(sed -n '/fs\/a.c: picture<pre>/p' page.html | sed 's/^.*<pre>//; s/<\/pre>.*//; s/<\/span>/&\n/g' | sed '/^$/d') <<-'END'
		<span class="text">struct s is defined at fs/a.h:3</span>
		<span class="at">offset  size  original   offset  size  patched</span>
		<span>     0     4  int a           0     4  int a</span>
		<span class="mod">     4     4  int b    |      8     4  int b</span>
		<span class="add">                       &gt;     12     4  int c</span>
		<span class="del">    16     4  int d    &lt;</span>
		<span class="text">15 more members at another place or of another type</span>
		<span class="text">accesses to c on the lines of the patch:</span>
		<span>    fs/a.c:3 in foo(): | b</span>
		<span class="at"> value  original      value  patched</span>
		<span class="mod">     0  A          |      1  A</span>
	END
}
