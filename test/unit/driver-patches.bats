#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Patches as people have them: what forms are taken, what is said about the others, and that nothing of
# a hostile one reaches a file.

bats_require_minimum_version 1.5.0
load driver-fixtures

# Of a kernel that is not known yet there would be a warning in each run.
FAKE_RELEASE=6.9.0-1-fake

setup()
{
	fake_profile
	cd "$BATS_TEST_TMPDIR" || return
	# Long enough for hunks with all of their context.
	printf 'int l%d;\n' {1..40} >"$PROFILE/src/fs/proc/long.c"
	plan_line fs/proc/long.o vmlinux gcc >>"$PROFILE/plan"
	sort -o "$PROFILE/plan" "$PROFILE/plan"
}

# renamed OLD NEW: the patch on standard input with other names.
renamed()
{
	sed "s|^--- a/[^ ]*|--- $1|; s|^+++ b/[^ ]*|+++ $2|"
}

# selected PATCH...: what the copies are then, FILE:LINE for each changed line.
selected()
{
	driver_source
	# shellcheck disable=SC2034 # the driver reads them
	RELEASE=$FAKE_RELEASE PATCHES=("$@")
	{ patches_list && patches_read && select_objects; } 2>&1 || return
	{ diff -r -U0 work/files/original work/files/patched || true; } | sed -n 's/^+\([^+]\)/patched \1/p'
}

# takes PATCH LINE...: it is taken and gives these lines; nothing is said.
takes()
{
	local line patch=$1
	shift
	rm -rf work
	run selected "$patch"
	for line; do
		expect 0 "patched $line"
	done
	[ "$(grep -c '^patched ' <<<"$output")" -eq $# ]
	[[ $output != *note:* && $output != *warning:* ]] || { echo "$output"; return 1; }
}

# fails STATUS KIND TEXT: one message of the KIND, and nothing left behind.
fails()
{
	expect "$1" "kpatch-build: $2: $3"
	[ "$(grep -c "^kpatch-build: \(error\|refused\): " <<<"$output")" -eq 1 ]
	[ -z "$(find . -name '*.ko')" ]
	[ -z "$(find tmp -mindepth 1)" ]
	[ -z "$(find "$PROFILE/src" -newer fix.patch -type f)" ]
}

# errs TEXT: fix.patch is an error.
errs()
{
	touch -d tomorrow fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	fails 1 error "$1"
}

mail()
{
	printf 'From 0123456789 Mon Sep 17 00:00:00 2001\nFrom: A B <a@b>\nSubject: [PATCH] fix\n\n'
	printf 'As in "rename from x" and\n    --- a/y\n    +++ b/y\n    @@ -1 +1 @@\n    -a\n    +b\n---\n'
	printf ' fs/proc/one.c | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n'
	printf 'diff --git a/fs/proc/one.c b/fs/proc/one.c\nindex 1234567..89abcde 100644\n'
	patch_of fs/proc/one.c 's/1/100/'
	printf -- '-- \n2.39.5\n\n'
}

# ---- forms ----

@test "a mail of git format-patch, and several in one file, each on top of the one before" {
	mail >fix.patch
	takes fix.patch "${TAB}return 100;"
	mail | sed "s/100;/200;/; s/return 1;/return 100;/" >>fix.patch
	takes fix.patch "${TAB}return 200;"
}

@test "several diffs to one file, git's and plain ones mixed" {
	{
		printf 'diff --git a/fs/proc/one.c b/fs/proc/one.c\nindex 1..2 100644\n'
		patch_of fs/proc/one.c 's/1/100/'
		patch_of fs/proc/one.c 's/1/100/' | sed 's/100;/200;/; s/return 1;/return 100;/'
		patch_of fs/proc/two.c 's/2/300/'
	} >fix.patch
	takes fix.patch "${TAB}return 200;" "${TAB}return 300;"
}

@test "git show, with an indented message" {
	{
		printf 'commit 0123\nAuthor: A\n\n    fix\n    --- a/x\n\n'
		printf 'diff --git a/fs/proc/one.c b/fs/proc/one.c\nindex 1..2 100644\n'
		patch_of fs/proc/one.c 's/1/100/'
		printf '\ncommit 4567\n'
	} >fix.patch
	takes fix.patch "${TAB}return 100;"
}

@test "the number of leading directories is found: none, one, more, and an absolute path" {
	local names
	for names in "fs/proc/one.c fs/proc/one.c" "linux-6.1.192/fs/proc/one.c linux/fs/proc/one.c" \
		"./fs/proc/one.c ./fs/proc/one.c" "/home/me/linux/fs/proc/one.c /home/me/new/fs/proc/one.c" \
		"x//y///fs/proc/one.c x/z/fs/proc/one.c" "../old/fs/proc/one.c fs/proc/one.c" \
		"i/fs/proc/one.c w/fs/proc/one.c" "/usr/src/linux/fs/proc/one.c fs/proc/one.c" \
		"a/linux/fs/proc/one.c b/linux/fs/proc/one.c"; do
		# shellcheck disable=SC2086 # two names
		patch_of fs/proc/one.c 's/1/100/' | renamed $names >fix.patch
		takes fix.patch "${TAB}return 100;" || { echo "$names"; return 1; }
	done
}

@test "patches of one call may each have their own number of directories" {
	patch_of fs/proc/one.c 's/1/100/' | renamed fs/proc/one.c fs/proc/one.c >one.patch
	patch_of fs/proc/two.c 's/2/200/' | renamed old/x/fs/proc/two.c new/x/fs/proc/two.c >two.patch
	run selected one.patch two.patch
	expect 0 "patched ${TAB}return 100;"
	expect 0 "patched ${TAB}return 200;"
}

@test "paths that fit in two ways, neither of them -p1, are an error, unless they begin as git's do" {
	mkdir -p "$PROFILE/src/drivers/off/kernel/sched"
	cp "$PROFILE/src/kernel/sched/rt.c" "$PROFILE/src/drivers/off/kernel/sched/rt.c"
	plan_line drivers/off/kernel/sched/rt.o off gcc >>"$PROFILE/plan"
	patch_of drivers/off/kernel/sched/rt.c 's/0/7/' >git.patch
	renamed drivers/off/kernel/sched/rt.c drivers/off/kernel/sched/rt.c <git.patch >fix.patch
	errs "$PWD/fix.patch: may be for drivers/off/kernel/sched/rt.c, with -p0, or for kernel/sched/rt.c, with -p2; put a/ and b/ before the paths"
	run selected git.patch
	expect 0 "patched ${TAB}return 7;"
	[ -e work/files/patched/drivers ]
	# A second file that is at one place only decides, too.
	patch_of fs/proc/one.c 's/1/100/' | renamed fs/proc/one.c fs/proc/one.c >>fix.patch
	rm -rf work
	run selected fix.patch
	expect 0 "patched ${TAB}return 100;"
	[ -e work/files/patched/drivers ]
}

@test "the way out that is named for -R in a series works" {
	patch_of fs/proc/one.c 's/1/100/' >forth.patch
	sed -i 's/1/100/' "$PROFILE/src/fs/proc/one.c"
	interdiff forth.patch /dev/null >fix.patch
	takes fix.patch "${TAB}return 1;"
}

@test "paths that fit with -p1 and otherwise are taken with -p1, or else as the patch applies, and that is said" {
	local note="kpatch-build: note: $PWD/fix.patch: taken with"
	mkdir -p "$PROFILE/src/kernel/kernel/sched"
	printf 'int rt(void)\n{\n\treturn 5;\n}\n' >"$PROFILE/src/kernel/kernel/sched/rt.c"
	plan_line kernel/kernel/sched/rt.o vmlinux gcc >>"$PROFILE/plan"
	plan_line kernel/sched/rt.o vmlinux gcc >>"$PROFILE/plan"
	# Of both the lines fit: what git and quilt would do.
	sed -i 's/5/0/' "$PROFILE/src/kernel/kernel/sched/rt.c"
	patch_of kernel/kernel/sched/rt.c 's/0/7/' | renamed kernel/kernel/sched/rt.c kernel/kernel/sched/rt.c >fix.patch
	run selected fix.patch
	expect 0 "patched ${TAB}return 7;"
	expect 0 "$note -p1, for kernel/sched/rt.c; with -p0 it would be for kernel/kernel/sched/rt.c: put a/ and b/ before the paths if that is meant"
	[ ! -e work/files/patched/kernel/kernel ]
	# Only without the level.
	sed -i 's/0/5/' "$PROFILE/src/kernel/kernel/sched/rt.c"
	sed -i 's/return 0/return 5/' fix.patch
	rm -rf work
	run selected fix.patch
	expect 0 "patched ${TAB}return 7;"
	expect 0 "$note -p0, for kernel/kernel/sched/rt.c; with -p1 it would be for kernel/sched/rt.c: put a/ and b/ before the paths if that is meant"
	[ ! -e work/files/patched/kernel/sched ]
	# CR LF is no difference.
	sed -i 's/$/\r/' fix.patch
	rm -rf work
	run selected fix.patch
	expect 0 "patched ${TAB}return 7;"
	[ ! -e work/files/patched/kernel/sched ]
	# Nowhere.
	sed -i 's/\r$//; s/return 5/return 6/' fix.patch
	touch -d tomorrow fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	fails 1 error "$PWD/fix.patch: does not apply to the source of $FAKE_RELEASE: kernel/sched/rt.c: Hunk #1 does not match at line 1"
	expect 1 "$note -p1, for kernel/sched/rt.c; with -p0 it would be for kernel/kernel/sched/rt.c: put a/ and b/ before the paths if that is meant"
	# Names as git writes them leave no doubt.
	patch_of kernel/kernel/sched/rt.c 's/5/7/' >fix.patch
	rm -rf work
	takes fix.patch "${TAB}return 7;"
}

@test "files that are nowhere in the source are errors, whatever is before their paths" {
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	patch_of fs/proc/one.c 's/1/100/' | renamed a/fs/tools/none.c b/fs/tools/none.c >>fix.patch
	errs "fs/tools/none.c: no such file in the source of $FAKE_RELEASE; is the patch for this kernel?"
	patch_of fs/proc/one.c 's/1/100/' | renamed old/fs/tools/none.c new/fs/tools/none.c >fix.patch
	errs "new/fs/tools/none.c: no such file in the source of $FAKE_RELEASE; is the patch for this kernel?"
}

@test "timestamps behind the names, after a tab or a space" {
	local stamp
	for stamp in "${TAB}2026-01-02 03:04:05.000000000 +0000" " Fri Jan  2 03:04:05 2026"; do
		patch_of fs/proc/one.c 's/1/100/' | renamed "old/fs/proc/one.c$stamp" "new/fs/proc/one.c$stamp" >fix.patch
		takes fix.patch "${TAB}return 100;"
	done
}

@test "what editors and mail programs do to a patch: a byte order mark, empty lines for a lone space" {
	printf 'int a;\n\nint b;\n' >"$PROFILE/src/fs/proc/long.c"
	{
		printf '\357\273\277'
		patch_of fs/proc/long.c 's/b/c/' | sed 's/^ $//'
	} >fix.patch
	takes fix.patch 'int c;'
}

@test "quilt's form: a description, Index lines, timestamps, .orig names" {
	local stamp="${TAB}2026-01-02 03:04:05.000000000 +0000"
	{
		printf 'Fix it\n\nIndex: linux/fs/proc/one.c\n%s\n' "$(printf '=%.0s' {1..67})"
		patch_of fs/proc/one.c 's/1/100/' | renamed "linux.orig/fs/proc/one.c$stamp" "linux/fs/proc/one.c$stamp"
		printf 'Index: linux/fs/proc/two.c\n'
		patch_of fs/proc/two.c 's/2/200/' | renamed "linux/fs/proc/two.c.orig$stamp" "linux/fs/proc/two.c$stamp"
	} >fix.patch
	takes fix.patch "${TAB}return 100;" "${TAB}return 200;"
	# Names that are both of no file, but for Index.
	sed -i 's/^+++ linux\/fs\/proc\/two.c/&.new/' fix.patch
	takes fix.patch "${TAB}return 100;" "${TAB}return 200;"
}

@test "context diffs are taken" {
	sed 's/1/100/' "$PROFILE/src/fs/proc/one.c" >new.c
	diff -c --label a/fs/proc/one.c --label b/fs/proc/one.c "$PROFILE/src/fs/proc/one.c" new.c >fix.patch || true
	takes fix.patch "${TAB}return 100;"
	head -n -3 fix.patch >half && mv half fix.patch
	touch -d tomorrow fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	[ "$status" -eq 1 ]
	[ "$(grep -c '^kpatch-build: error: ' <<<"$output")" -eq 1 ]
}

@test "one diff for two files of the source is an error" {
	patch_of fs/proc/one.c 's/1/100/' | renamed fs/proc/one.c fs/proc/two.c >fix.patch
	errs "$PWD/fix.patch: one diff for two files, fs/proc/two.c and fs/proc/one.c; compare each file with its own original"
}

# ---- series ----

@test "a quilt series: its order, comments, -pN" {
	mkdir -p patches/sub
	patch_of fs/proc/one.c 's/1/100/' >patches/first.patch
	patch_of fs/proc/one.c 's/1/100/' | sed 's/100/200/; s/return 1;/return 100;/' |
		renamed fs/proc/one.c fs/proc/one.c >patches/sub/second.diff
	patch_of fs/proc/two.c 's/2/77/' >patches/third.patch
	printf '# ours\n\nfirst.patch\r\nsub/second.diff -p0  # upstream\n#third.patch\n' >patches/series
	run selected patches
	expect 0 "patched ${TAB}return 200;"
	[[ $output != *77* ]]
	printf 'sub/second.diff\nfirst.patch' >patches/series
	run driver -a "$FAKE_RELEASE" patches
	expect 1 "kpatch-build: error: $PWD/patches/sub/second.diff: does not apply to the source of $FAKE_RELEASE: fs/proc/one.c: Hunk #1 does not match at line 1"
	printf 'first.patch -p2\n' >patches/series
	run driver -a "$FAKE_RELEASE" patches
	expect 1 "kpatch-build: error: proc/one.c: no such file in the source of $FAKE_RELEASE; is the patch for this kernel?"
	# Several slashes are one, as for patch.
	sed -i 's|a/fs|a//fs|; s|b/fs|b//fs|' patches/first.patch
	printf 'first.patch -p1\n' >patches/series
	rm -rf work
	run selected patches
	expect 0 "patched ${TAB}return 100;"
	printf 'first.patch -p9\n' >patches/series
	run driver -a "$FAKE_RELEASE" patches
	expect 1 "kpatch-build: error: $PWD/patches/first.patch: b/fs/proc/one.c: has no 9 directories to remove; correct -p9 in the series"
}

@test "mistakes in a series are errors" {
	mkdir patches
	run driver -a "$FAKE_RELEASE" patches
	expect 1 "kpatch-build: error: patches: a directory without a readable file 'series'; name the patches themselves"
	echo '# nothing' >patches/series
	run driver -a "$FAKE_RELEASE" patches
	expect 1 "kpatch-build: error: patches/series: names no patch"
	echo 'gone.patch' >patches/series
	run driver -a "$FAKE_RELEASE" patches
	expect 1 "kpatch-build: error: patches/gone.patch: no such file"
	echo 'back.patch -R' >patches/series
	run driver -a "$FAKE_RELEASE" patches
	expect 1 "kpatch-build: error: patches/series: back.patch -R: nothing is reverted here; make a patch of the reverse, with interdiff back.patch /dev/null, and list that"
	echo 'back.patch -R1' >patches/series
	run driver -a "$FAKE_RELEASE" patches
	expect 1 "kpatch-build: error: patches/series: back.patch -R1: only -pN can follow the name of a patch; apply this one by hand"
}

@test "a patch from standard input, once" {
	patch_of fs/proc/one.c 's/1/undeclared/' >fix.patch
	run driver -a "$FAKE_RELEASE" - <fix.patch
	expect 1 "kpatch-build: error: fs/proc/one.o: does not compile with the patch"
	[ -e cache/kpatch/log/livepatch-stdin.log ]
	[ -z "$(find tmp -mindepth 1)" ]
	run driver -a "$FAKE_RELEASE" -n name - </dev/null
	expect 1 "kpatch-build: error: standard input: empty, not a patch"
	run driver -a "$FAKE_RELEASE" - - <fix.patch
	expect 1 "kpatch-build: error: -: standard input can be read only once"
}

@test "an interrupt does not wait for the end of standard input" {
	local pid began code=0 i
	mkfifo input
	sleep 20 >input 3>&- &
	set -m
	env XDG_CACHE_HOME="$PWD/cache" TMPDIR="$PWD/tmp" "$DRIVER" -a "$FAKE_RELEASE" - <input >out.txt 2>&1 3>&- &
	pid=$!
	set +m
	for ((i = 0; i < 100; i++)); do
		! compgen -G 'tmp/*/patches/stdin' >found || break
		sleep 0.1
	done
	[ -s found ]
	sleep 0.2
	began=$SECONDS
	kill -s TERM "$pid"
	wait "$pid" || code=$?
	[ "$code" -eq 143 ]
	[ $((SECONDS - began)) -lt 10 ]
	[ -z "$(find tmp -mindepth 1)" ]
	kill %?sleep
}

# ---- line ends ----

@test "CR LF from a mail program is taken, with a note" {
	mail | sed 's/$/\r/' >fix.patch
	run selected fix.patch
	expect 0 "kpatch-build: note: $PWD/fix.patch: its lines end in CR LF; taken as LF, as in the source"
	expect 0 "patched ${TAB}return 100;"
	[ "$(grep -c 'note:' <<<"$output")" -eq 1 ]
	run grep -rq $'\r' work/files
	[ "$status" -eq 1 ]
}

@test "CR LF in some lines only is an error" {
	patch_of fs/proc/one.c 's/1/100/' | sed 's/^+.*/&\r/' >fix.patch
	errs "$PWD/fix.patch: fs/proc/one.c: some lines end in CR LF and some in LF; take the patch as its author sent it"
}

@test "CR LF stays where the source has it" {
	sed -i 's/$/\r/' "$PROFILE/src/fs/proc/one.c"
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	takes fix.patch "${TAB}return 100;"$'\r'
	# The mail has it in the other lines as well.
	sed -i 's/\r$//; s/$/\r/' fix.patch
	takes fix.patch "${TAB}return 100;"$'\r'
}

# ---- offset and fuzz ----

@test "other line numbers are taken, and said in the log only" {
	patch_of fs/proc/long.c 's/l20;/l20x;/' >fix.patch
	sed -i '1i int l0;' "$PROFILE/src/fs/proc/long.c"
	takes fix.patch "int l20x;"
	grep -q '^Hunk #1 succeeded at 18 (offset 1 line)\.$' work/log
}

@test "fuzz is refused without --fuzz, and named with it" {
	{
		patch_of fs/proc/long.c 's/l20;/l20x;/; s/l35;/l35x;/'
	} >fix.patch
	sed -i 's/l38;/l38y;/' "$PROFILE/src/fs/proc/long.c"
	errs "$PWD/fix.patch: does not apply to the source of $FAKE_RELEASE: fs/proc/long.c: Hunk #2 does not match at line 32; with --fuzz it applies, with fewer of the lines around the change compared"
	sed -i 's/l35;/undeclared = ;/; s/+int l35x/+int undeclared =/' "$PROFILE/src/fs/proc/long.c" fix.patch
	sed -i 's/-int l35;/-int undeclared = ;/' fix.patch
	run driver -a "$FAKE_RELEASE" --fuzz fix.patch
	expect 1 "kpatch-build: warning: $PWD/fix.patch: fs/proc/long.c: hunk #2 fits only with fuzz 1, at line 32; see whether it is the right place"
	[ "$(grep -c 'warning:' <<<"$output")" -eq 1 ]
	expect 1 "kpatch-build: error: fs/proc/long.o: does not compile even without the patch: fs/proc/long.c:35:18: error: expected expression before ';' token" ||
		expect 1 "kpatch-build: error: fs/proc/long.o: does not compile with the patch"
}

@test "--fuzz takes a number after = only, and 0 is none" {
	parsed()
	{
		driver_source
		options_parse "$@"
		printf '%s' "$FUZZ"
		printf '<%s>' "${PATCHES[@]}"
	}
	run parsed a.patch
	[ "$output" = '0<a.patch>' ]
	run parsed --fuzz a.patch
	[ "$output" = '2<a.patch>' ]
	run parsed --fuzz=1 a.patch
	[ "$output" = '1<a.patch>' ]
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	run driver --fuzz= fix.patch
	expect 1 "kpatch-build: error: option --fuzz needs a value"
	run driver --fuzz=4 fix.patch
	expect 1 "kpatch-build: error: --fuzz=4: must be a number of lines from 0 to 3"
	patch_of fs/proc/long.c 's/l20;/l20x;/' >fix.patch
	sed -i 's/l23;/l23y;/; s/l22;/l22y;/' "$PROFILE/src/fs/proc/long.c"
	run driver -a "$FAKE_RELEASE" --fuzz=1 fix.patch
	expect 1 "kpatch-build: error: $PWD/fix.patch: does not apply to the source of $FAKE_RELEASE: fs/proc/long.c: Hunk #1 does not match at line 17"
}

@test "hunks that say nothing about where they belong are errors" {
	printf -- '--- a/fs/proc/long.c\n+++ b/fs/proc/long.c\n@@ -3,0 +4 @@\n+int new;\n' >fix.patch
	errs "$PWD/fix.patch: line 3: the hunk adds lines and has none around them, so nothing says where they belong; make the patch with diff -u or git diff"
}

# ---- already applied ----

@test "a patch that the source has is said, with exit code 3" {
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	sed -i 's/1/100/' "$PROFILE/src/fs/proc/one.c"
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 3 "kpatch-build: note: $PWD/fix.patch: is already applied in the source of $FAKE_RELEASE; nothing is to be done"
	[[ $output != *error:* && $output != *"is the log"* ]]
	[ -z "$(find tmp -mindepth 1)" ]
	[ ! -e cache/kpatch/log ]
}

@test "a patch that the source has at other lines is said to be there, and elsewhere" {
	patch_of fs/proc/long.c 's/l20;/l20x;/' >fix.patch
	sed -i 's/l20;/l20x;/; 1i int l0;' "$PROFILE/src/fs/proc/long.c"
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 3 "kpatch-build: note: $PWD/fix.patch: is already applied in the source of $FAKE_RELEASE, at other lines than it says; nothing is to be done"
}

@test "a series that the source has as a whole, though its patches change the same lines" {
	patch_of fs/proc/one.c 's/1/100/' >first.patch
	sed 's/100/200/; s/return 1;/return 100;/' first.patch >second.patch
	cat first.patch second.patch >both.patch
	sed -i 's/1/200/' "$PROFILE/src/fs/proc/one.c"
	run driver -a "$FAKE_RELEASE" first.patch second.patch
	expect 3 "kpatch-build: note: $PWD/first.patch: is already applied in the source of $FAKE_RELEASE; nothing is to be done"
	expect 3 "kpatch-build: note: $PWD/second.patch: is already applied in the source of $FAKE_RELEASE; nothing is to be done"
	run driver -a "$FAKE_RELEASE" both.patch
	expect 3 "kpatch-build: note: $PWD/both.patch: is already applied in the source of $FAKE_RELEASE; nothing is to be done"
}

@test "of a series, the patches that the source has are named" {
	patch_of fs/proc/one.c 's/1/100/' >first.patch
	patch_of fs/proc/long.c 's/l20;/l20x;/' >second.patch
	patch_of fs/proc/two.c 's/2/200/' >fix.patch
	sed -i 's/1/100/' "$PROFILE/src/fs/proc/one.c"
	touch -d tomorrow fix.patch
	run driver -a "$FAKE_RELEASE" first.patch second.patch fix.patch
	fails 1 error "$PWD/first.patch: is already applied in the source of $FAKE_RELEASE; leave it out"
	run driver -a "$FAKE_RELEASE" fix.patch second.patch first.patch
	fails 1 error "$PWD/first.patch: is already applied in the source of $FAKE_RELEASE; leave it out"
}

@test "a patch of which the source has a part" {
	patch_of fs/proc/long.c 's/l10;/l10x;/; s/l20;/l20x;/; s/l30;/l30x;/' >fix.patch
	sed -i 's/l20;/l20x;/' "$PROFILE/src/fs/proc/long.c"
	errs "$PWD/fix.patch: fs/proc/long.c: hunk #2 is already applied in the source of $FAKE_RELEASE, others are not; make a patch of what is missing"
	# One that does not match at all is the worse news.
	sed -i 's/l30;/l31;/' "$PROFILE/src/fs/proc/long.c"
	errs "$PWD/fix.patch: does not apply to the source of $FAKE_RELEASE: fs/proc/long.c: Hunk #3 does not match at line 27"
}

@test "a patch that would apply a second time, elsewhere or with fuzz, is known to be applied" {
	{
		printf 'int a;\nint b;\nint c;\nint d;\nint e;\nint f;\n%.0s' 1 2
	} >"$PROFILE/src/fs/proc/long.c"
	patch_of fs/proc/long.c '3a int new;' >fix.patch
	sed -i '3a int new;' "$PROFILE/src/fs/proc/long.c"
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 3 "kpatch-build: note: $PWD/fix.patch: is already applied in the source of $FAKE_RELEASE; nothing is to be done"
	printf 'int l%d;\n' {1..40} >"$PROFILE/src/fs/proc/long.c"
	patch_of fs/proc/long.c '20a int new;' >fix.patch
	sed -i '20a int new;' "$PROFILE/src/fs/proc/long.c"
	run driver -a "$FAKE_RELEASE" --fuzz=3 fix.patch
	expect 3 "kpatch-build: note: $PWD/fix.patch: is already applied in the source of $FAKE_RELEASE; nothing is to be done"
	[[ $output != *warning:* ]]
	# Also if a later patch of the call would have to be applied yet.
	patch_of fs/proc/one.c 's/1/100/' >second.patch
	touch -d tomorrow fix.patch
	run driver -a "$FAKE_RELEASE" --fuzz=3 fix.patch second.patch
	fails 1 error "$PWD/fix.patch: is already applied in the source of $FAKE_RELEASE; leave it out"
}

@test "code that stands twice, once with the change and once without, is patched where it lacks the change" {
	printf 'int a;\nint b;\nint c;\nint d;\nint e;\nint f;\n%.0s' 1 2 >"$PROFILE/src/fs/proc/long.c"
	patch_of fs/proc/long.c '3a int new;' >first.patch
	sed -i '9a int new;' "$PROFILE/src/fs/proc/long.c"
	sed -i '1i int z;' "$PROFILE/src/fs/proc/long.c"
	takes first.patch 'int new;'
	[ "$(sed -n 5p work/files/patched/fs/proc/long.c)" = 'int new;' ]
	# Nor is it the one that is named if another patch is applied already.
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	sed -i 's/1/100/' "$PROFILE/src/fs/proc/one.c"
	touch -d tomorrow fix.patch
	run driver -a "$FAKE_RELEASE" first.patch fix.patch
	fails 1 error "$PWD/fix.patch: is already applied in the source of $FAKE_RELEASE; leave it out"
}

@test "what looks applied but for the lines around it does not count as applied" {
	patch_of fs/proc/long.c 's/l20;/l20x;/' >fix.patch
	sed -i 's/l20;/l20x;/; s/l23;/l23y;/' "$PROFILE/src/fs/proc/long.c"
	errs "$PWD/fix.patch: does not apply to the source of $FAKE_RELEASE: fs/proc/long.c: Hunk #1 does not match at line 17"
}

@test "removed lines without any around them do not count as applied because they are not there" {
	printf -- '--- a/fs/proc/long.c\n+++ b/fs/proc/long.c\n@@ -3,1 +2,0 @@\n-int none;\n' >fix.patch
	errs "$PWD/fix.patch: does not apply to the source of $FAKE_RELEASE: fs/proc/long.c: Hunk #1 does not match at line 3"
}

@test "a file that the patch creates and the source has" {
	printf -- '--- /dev/null\n+++ b/fs/proc/three.c\n@@ -0,0 +1 @@\n+int three;\n' >fix.patch
	printf 'int three;\n' >"$PROFILE/src/fs/proc/three.c"
	plan_line fs/proc/three.o vmlinux gcc >>"$PROFILE/plan"
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 3 "kpatch-build: note: $PWD/fix.patch: is already applied in the source of $FAKE_RELEASE; nothing is to be done"
	echo 'int more;' >>"$PROFILE/src/fs/proc/three.c"
	errs "$PWD/fix.patch: creates fs/proc/three.c, which is in the source of $FAKE_RELEASE; is the patch for this kernel?"
}

# ---- refusals ----

@test "all refusals of all patches are said in one run, each once" {
	{
		printf 'diff --git a/fs/proc/two.c b/fs/proc/dos.c\nsimilarity index 90%%\nrename from fs/proc/two.c\nrename to fs/proc/dos.c\n'
		patch_of fs/proc/two.c 's/2/200/' | renamed a/fs/proc/two.c b/fs/proc/dos.c
		printf 'diff --git a/fs/proc/one.c b/fs/proc/uno.c\nsimilarity index 100%%\ncopy from fs/proc/one.c\ncopy to fs/proc/uno.c\n'
		printf 'diff --git a/arch/x86/lib/copy.S b/arch/x86/lib/copy.S\nindex 1..2\nGIT binary patch\nliteral 1\nIcmZPo000310RR91\n\nliteral 0\nHcmV?d00001\n\n'
	} >git.patch
	{
		printf -- '--- /dev/null\n+++ b/fs/proc/new.c\n@@ -0,0 +1 @@\n+int x;\n'
		printf -- '--- a/kernel/sched/rt.c\n+++ /dev/null\n@@ -1,4 +0,0 @@\n'
		sed 's/^/-/' "$PROFILE/src/kernel/sched/rt.c"
		patch_of arch/x86/boot/main.c 's/boot/four/'
		printf 'Binary files a/fs/proc/Makefile and b/fs/proc/Makefile differ\n'
		patch_of drivers/off/off.c 's/0/7/'
	} >plain.patch
	printf -- '--- linux/fs/proc/new.c\n+++ linux/fs/proc/new.c\n@@ -1 +1 @@\n-int x;\n+int y;\n' >third.patch
	patch_of arch/x86/boot/main.c 's/boot/five/' >fourth.patch
	run driver -a "$FAKE_RELEASE" git.patch plain.patch third.patch fourth.patch
	expect 2 "kpatch-build: refused: fs/proc/two.c: is renamed to fs/proc/dos.c; patch the file under its old name"
	expect 2 "kpatch-build: refused: fs/proc/one.c: is copied to fs/proc/uno.c; add the code to a file that the kernel already builds"
	expect 2 "kpatch-build: refused: arch/x86/lib/copy.S: is a binary file; only C source can be patched"
	expect 2 "kpatch-build: refused: fs/proc/new.c: is a new file that no makefile of the patch adds to a list of objects; add it to one, or add the code to a file that the kernel already builds"
	expect 2 "kpatch-build: refused: kernel/sched/rt.c: is removed; a livepatch cannot take code away"
	expect 2 "kpatch-build: refused: arch/x86/boot/main.c: runs before the kernel does; boot a fixed kernel"
	expect 2 "kpatch-build: refused: fs/proc/Makefile: is a binary file; only C source can be patched"
	expect 2 "kpatch-build: refused: drivers/off/off.c: is not compiled with the configuration of $FAKE_RELEASE; leave it out of the patch"
	[ "$(grep -c refused: <<<"$output")" -eq 8 ]
	[[ $output != *error:* ]]
	[ -z "$(find tmp -mindepth 1)" ]
}

@test "new files by git's header, by timestamp and at another depth are refused by their names" {
	printf 'diff --git a/fs/proc/new.c b/fs/proc/new.c\nnew file mode 100644\nindex 0000000..e69de29\n' >fix.patch
	touch -d tomorrow fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	fails 2 refused "fs/proc/new.c: is a new file that no makefile of the patch adds to a list of objects; add it to one, or add the code to a file that the kernel already builds"
	printf -- '--- linux.orig/fs/proc/new.c\t1970-01-01 00:00:00 +0000\n+++ linux/fs/proc/new.c\t2026-01-01 00:00:00 +0000\n@@ -0,0 +1 @@\n+int x;\n' >fix.patch
	touch -d tomorrow fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	fails 2 refused "fs/proc/new.c: is a new file that no makefile of the patch adds to a list of objects; add it to one, or add the code to a file that the kernel already builds"
}

@test "a change of mode alone is nothing to compile, and does not hinder one of code" {
	printf 'diff --git a/fs/proc/two.c b/fs/proc/two.c\nold mode 100644\nnew mode 100755\n' >fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 3 "kpatch-build: note: fs/proc/two.c: only its mode changes; there is nothing to compile"
	expect 3 "kpatch-build: note: the patch changes nothing that is compiled"
	{
		printf 'diff --git a/fs/proc/one.c b/fs/proc/one.c\nold mode 100644\nnew mode 100755\nindex 1..2\n'
		patch_of fs/proc/one.c 's/1/100/'
	} >>fix.patch
	run selected fix.patch
	expect 0 "patched ${TAB}return 100;"
}

@test "documentation may be new, removed, renamed or binary" {
	{
		printf 'diff --git a/Documentation/a.rst b/Documentation/b.rst\nsimilarity index 100%%\nrename from Documentation/a.rst\nrename to Documentation/b.rst\n'
		printf 'diff --git a/Documentation/a.svg b/Documentation/a.svg\nnew file mode 100644\nindex 0..2\nBinary files /dev/null and b/Documentation/a.svg differ\n'
		patch_of fs/proc/one.c 's/1/100/'
	} >fix.patch
	run selected fix.patch
	expect 0 "kpatch-build: note: Documentation/a.rst: not compiled into the kernel; skipped"
	expect 0 "kpatch-build: note: Documentation/a.svg: not compiled into the kernel; skipped"
	expect 0 "patched ${TAB}return 100;"
}

# ---- hostile and broken ----

@test "a patch cannot reach outside the source tree, by any of its names" {
	local name
	echo 'int l20;' >victim.c
	touch -d yesterday victim.c
	for name in ../../../../../victim.c a/../../../../../victim.c "$PWD/victim.c" a/fs/../../../../../../victim.c; do
		printf 'Index: %s\n' "$name" >fix.patch
		patch_of fs/proc/long.c 's/l20;/l20x;/' | renamed "$name" "$name" >>fix.patch
		errs "$PWD/fix.patch: $name: names a file outside the source tree; make the patch inside of it, as with git diff"
		[ "$(<victim.c)" = 'int l20;' ]
	done
	# The good name counts; patch itself never sees the other ones.
	{
		printf 'Index: ../../../../../victim.c\nPrereq: nothing\n'
		patch_of fs/proc/long.c 's/l20;/l20x;/' | renamed "$PWD/victim.c" fs/proc/long.c
	} >fix.patch
	takes fix.patch 'int l20x;'
	[ "$(<victim.c)" = 'int l20;' ]
}

@test "a patch cannot follow symbolic links of the source" {
	mkdir outside
	cp "$PROFILE/src/fs/proc/one.c" outside/one.c
	ln -s "$PWD/outside" "$PROFILE/src/fs/link"
	ln -s ../proc/one.c "$PROFILE/src/fs/proc/same.c"
	patch_of fs/link/one.c 's/1/100/' >fix.patch
	errs "$PWD/fix.patch: fs/link/one.c: leads through a symbolic link of the source; patch the file that is meant"
	patch_of fs/proc/same.c 's/1/100/' >fix.patch
	errs "$PWD/fix.patch: fs/proc/same.c: leads through a symbolic link of the source; patch the file that is meant"
	cmp outside/one.c "$PROFILE/src/fs/proc/one.c"
}

@test "no command in a patch is run" {
	# An ed script, which patch hands to ed.
	printf -- '--- a/fs/proc/one.c\n+++ b/fs/proc/one.c\n3c\n!touch pwned\n.\n' >fix.patch
	errs "$PWD/fix.patch: line 3: no hunk follows the names of the file; take the patch whole"
	# shellcheck disable=SC2016 # it must not be expanded
	patch_of fs/proc/one.c 's/1/100/' | renamed 'a/$(touch${IFS}pwned)].c' 'b/$(touch${IFS}pwned)].c' >fix.patch
	# shellcheck disable=SC2016
	errs '$(touch${IFS}pwned)].c: no such file in the source of '"$FAKE_RELEASE; is the patch for this kernel?"
	patch_of fs/proc/one.c 's/1/100/' | renamed $'a/\e[31mx.c' $'b/\e[31mx.c' >fix.patch
	errs "?[31mx.c: no such file in the source of $FAKE_RELEASE; is the patch for this kernel?"
	[ -z "$(find . -name pwned)" ]
}

# linked FILE LINE...: git's diff of FILE with this header is refused.
linked()
{
	local file=$1
	shift
	{ printf 'diff --git a/%s b/%s\n' "$file" "$file"; printf '%s\n' "$@"; } >fix.patch
	touch -d tomorrow fix.patch
	run driver -a "$FAKE_RELEASE" fix.patch
	fails 2 refused "$file: is a symbolic link or a submodule, now or with the patch; patch a file"
}

@test "symbolic links and submodules are refused: their text is no source" {
	local new=(index 0000000..1 '--- /dev/null' '+++ b/fs/proc/link.h' '@@ -0,0 +1 @@' '+one.h' '\ No newline at end of file')
	linked fs/proc/link.h 'new file mode 120000' "${new[@]}"
	linked fs/proc/link.c 'new file mode 120000' "${new[@]//link.h/link.c}"
	linked fs/proc/one.c 'old mode 100644' 'new mode 120000' 'index 0..1' '--- a/fs/proc/one.c' '+++ b/fs/proc/one.c' \
		'@@ -1,4 +1 @@' '-int one(void)' '-{' "-${TAB}return 1;" '-}' '+two.c'
	linked fs/proc/one.h 'index 1a..2b 120000' '--- a/fs/proc/one.h' '+++ b/fs/proc/one.h' '@@ -1 +1 @@' '-x.h' '+y.h'
	linked fs/proc/one.h 'deleted file mode 120000' 'index 1a..00' '--- a/fs/proc/one.h' '+++ /dev/null' '@@ -1 +0,0 @@' '-x.h'
	linked fs/sub 'new file mode 160000' 'index 0..1' '--- /dev/null' '+++ b/fs/sub' '@@ -0,0 +1 @@' '+Subproject commit 1'
}

@test "names that git or diff has quoted are errors, and quotes elsewhere are none" {
	printf 'diff --git "a/fs/proc/q\\"uo\\nte.c" "b/fs/proc/q\\"uo\\nte.c"\nnew file mode 100644\nindex 0..1\n' >fix.patch
	printf -- '--- /dev/null\n+++ "b/fs/proc/q\\"uo\\nte.c"\n@@ -0,0 +1 @@\n+int x;\n' >>fix.patch
	errs "$PWD/fix.patch: the name \"b/fs/proc/q\\\"uo\\nte.c\" is quoted, as it holds characters that are in no name of the kernel's source; rename the file"
	{ printf -- '--- "what"\nis this\n\n'; patch_of fs/proc/one.c 's/1/100/'; } >fix.patch
	takes fix.patch "${TAB}return 100;"
}

@test "names that mean something to a shell are only names" {
	local name
	for name in '$(touch${IFS}ran)' '`touch${IFS}ran`' "a'b" '*' '-o' 'a]b' 'a[$(touch${IFS}ran)]' 'a;b' 'a&b' 'a\nb' '!x' '~'; do
		{
			printf -- '--- /dev/null\n+++ b/fs/proc/%s.h\n@@ -0,0 +1 @@\n+#define N 100\n' "$name"
			patch_of fs/proc/one.c "1i#include \"${name//[\\&\/]/\\&}.h\"
				s/return 1/return N/"
		} >fix.patch
		rm -rf work
		run selected fix.patch
		expect 0 "patched ${TAB}return N;"
		[ "$(<"work/files/patched/fs/proc/$name.h")" = '#define N 100' ]
	done
	# In a name with blanks, only git says where it ends.
	printf -- '--- /dev/null\n+++ b/fs/proc/a b.h\t\n@@ -0,0 +1 @@\n+int x;\n' >fix.patch
	rm -rf work
	run selected fix.patch
	[ "$(<"work/files/patched/fs/proc/a b.h")" = 'int x;' ]
	[ -z "$(find . -name ran)" ]
}

@test "a patch of ten thousand hunks takes seconds" {
	local SECONDS=0
	seq -f 'int h%g;' 80000 >"$PROFILE/src/fs/proc/long.c"
	patch_of fs/proc/long.c '8~8s/int/long/' >fix.patch
	[ "$(grep -c '^@@' fix.patch)" -ge 10000 ]
	run selected fix.patch
	[ "$(grep -c '^patched long h' <<<"$output")" -eq 10000 ]
	((SECONDS < 20))
}

@test "what is no patch is one error" {
	: >fix.patch
	errs "$PWD/fix.patch: empty, not a patch"
	printf '# nothing\n\n# here\n' >fix.patch
	errs "$PWD/fix.patch: changes no file; make it with diff -u or git diff"
	diff "$PROFILE/src/fs/proc/one.c" "$PROFILE/src/fs/proc/two.c" >fix.patch || true
	errs "$PWD/fix.patch: changes no file; make it with diff -u or git diff"
	patch_of fs/proc/one.c 's/1/100/' | gzip >fix.patch
	errs "$PWD/fix.patch: not text; unpack it if it is compressed, convert it if it is UTF-16"
	mkfifo pipe.patch
	run driver -a "$FAKE_RELEASE" pipe.patch
	fails 1 error "pipe.patch: not a file"
}

@test "ten megabytes of garbage are one error: bytes, text, one line" {
	head -c 10000000 /dev/urandom >fix.patch
	errs "$PWD/fix.patch: not text; unpack it if it is compressed, convert it if it is UTF-16"
	base64 fix.patch >other && mv other fix.patch
	errs "$PWD/fix.patch: changes no file; make it with diff -u or git diff"
	tr -d "\n" <fix.patch >other && mv other fix.patch
	errs "$PWD/fix.patch: changes no file; make it with diff -u or git diff"
	{
		printf -- '--- a/'
		tr -d '\n' <fix.patch
	} >other
	mv other fix.patch
	errs "$PWD/fix.patch: line 1: the file's name is too long"
	{
		printf -- '--- a/fs/proc/one.c\n+++ b/fs/proc/one.c\n@@ -1,999999 +1,999999 @@\n'
		yes '+garbage' | head -c 10000000
	} >fix.patch
	errs "$PWD/fix.patch: line 1000003: does not belong to the hunk of line 3, which is not complete; take the patch whole, with its lines as they were"
}

@test "a patch that is cut off is an error, wherever it ends" {
	local n whole
	patch_of fs/proc/one.c 's/1/100/' >whole.patch
	whole=$(wc -c <whole.patch)
	head -c $((whole - 1)) whole.patch >fix.patch
	errs "$PWD/fix.patch: ends in the middle of a line; it is cut off, take it whole"
	head -n -1 whole.patch >fix.patch
	errs "$PWD/fix.patch: ends in the middle of a hunk; it is cut off, take it whole"
	head -n 2 whole.patch >fix.patch
	errs "$PWD/fix.patch: ends before the first hunk; it is cut off, take it whole"
	{
		head -n -1 whole.patch
		printf 'text\n'
	} >fix.patch
	errs "$PWD/fix.patch: line 8: does not belong to the hunk of line 3, which is not complete; take the patch whole, with its lines as they were"
	sed 1,2d whole.patch >fix.patch
	errs "$PWD/fix.patch: line 1: a hunk without the name of a file before it; take the patch whole"
	sed 's/^@@ .*/@@ broken @@/' whole.patch >fix.patch
	errs "$PWD/fix.patch: line 3: not the header of a hunk; take the patch as diff -u or git diff wrote it"
	driver_source
	for ((n = 1; n < whole; n++)); do
		head -c "$n" whole.patch >fix.patch
		code=0
		(PATCHES=("$PWD/fix.patch") && patches_read) >out 2>&1 || code=$?
		[ "$code" -eq 1 ] || { echo "$n bytes: status $code"; cat out; return 1; }
		[ "$(grep -c 'error: ' out)" -eq 1 ]
	done
}

@test "a hunk that is longer than its header says is an error, and a signature is none" {
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	printf '+int more;\n' >>fix.patch
	errs "$PWD/fix.patch: line 9: more lines than the header of the hunk says; take the patch as it was, or count again with recountdiff"
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	printf -- '--\nA. B.\n' >>fix.patch
	takes fix.patch "${TAB}return 100;"
}

@test "the combined diff of a merge is an error" {
	printf 'diff --cc fs/proc/one.c\nindex 1,2..3\n--- a/fs/proc/one.c\n+++ b/fs/proc/one.c\n@@@ -1,1 -1,1 +1,1 @@@\n--x\n++y\n' >fix.patch
	errs "$PWD/fix.patch: line 1: the combined diff of a merge; make it against one parent, as with git diff MERGE^ MERGE"
}

@test "lines of code that look like headers are code" {
	printf -- '-- a/x.c\n++ b/x.c\n@@ -1 +1 @@\nFrom me\nint x;\n' >"$PROFILE/src/fs/proc/long.c"
	patch_of fs/proc/long.c '1,4d' >fix.patch
	run selected fix.patch
	[ "$status" -eq 0 ]
	[ "$(<work/files/patched/fs/proc/long.c)" = 'int x;' ]
	cp "$PROFILE/src/fs/proc/long.c" new
	echo 'int x;' >"$PROFILE/src/fs/proc/long.c"
	diff -u --label a/fs/proc/long.c --label b/fs/proc/long.c "$PROFILE/src/fs/proc/long.c" new >fix.patch || true
	rm -rf work
	run selected fix.patch
	[ "$status" -eq 0 ]
	cmp new work/files/patched/fs/proc/long.c
}

@test "large patches: a thousand files take seconds, not minutes" {
	local i began
	for ((i = 0; i < 1000; i++)); do
		printf 'int x;\n' >"$PROFILE/src/fs/proc/f$i.c"
		printf -- '--- linux/fs/proc/f%d.c\n+++ linux.new/fs/proc/f%d.c\n@@ -1 +1 @@\n-int x;\n+int y;\n' $i $i
	done >fix.patch
	began=$SECONDS
	run driver -a "$FAKE_RELEASE" fix.patch
	[ "$status" -eq 2 ]
	[ "$(grep -c 'refused: fs/proc/f[0-9]*.c: is not compiled' <<<"$output")" -eq 1000 ]
	[ $((SECONDS - began)) -lt 60 ]
}
