#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The driver's --json and --html: written whatever comes out of the run, and complete or not at all.
#
# shellcheck disable=SC2034 # what the driver reads

bats_require_minimum_version 1.5.0
load driver-fixtures

# Of a kernel that is not known yet there would be a warning in each report.
FAKE_RELEASE=6.9.0-1-fake

setup_file()
{
	g++ -o "$BATS_FILE_TMPDIR/validate" "$BATS_TEST_DIRNAME/report-validate.cc"
}

setup()
{
	fake_profile
	cd "$BATS_TEST_TMPDIR" || return 1
	patch_of fs/proc/one.c 's/1/2/' >fix.patch
}

# build OPTION...
build()
{
	run --separate-stderr driver -a "$FAKE_RELEASE" -n x --launcher none "$@"
}

# summary FILE: of each build its result, and its messages without the text.
summary()
{
	"$BATS_FILE_TMPDIR/validate" "$TOP/doc/report.schema.json" "$1" || return
	sed -nE 's/^ *"(result|exit_status|severity|reason|program|dry_run)": ?([^,]*),?$/\1 \2/p' "$1" | tr -d '"'
}

@test "a refused patch: the reason for programs, and no module" {
	patch_of drivers/off/off.c 's/0/1/' >>fix.patch
	printf -- '--- a/arch/x86/boot/main.c\n+++ b/arch/x86/boot/main.c\n@@ -1 +1 @@\n-int boot;\n+int boot2;\n' >>fix.patch
	build --json report.json fix.patch
	[ "$status" -eq 2 ]
	summary report.json | sort | uniq -c | sed 's/^ *//' | sort | diff -u - <(sort <<-'EOT'
		1 dry_run false
		1 exit_status 2
		1 reason file
		1 reason not-built
		1 result refused
		2 program kpatch-build
		2 severity refused
	EOT
	)
	grep -qF "\"text\":\"drivers/off/off.c: is not compiled with the configuration of $FAKE_RELEASE; leave it out of the patch\"" report.json
	grep -qF '"module":null' report.json
}

@test "errors of the stages have reasons of their own" {
	sed 's/return 1/return 7/' fix.patch >other.patch
	build --json report.json other.patch
	[ "$status" -eq 1 ]
	[[ $(summary report.json | grep -E '^(result|reason)' | tr '\n' ' ') == "reason patch result error " ]]
	patch_of fs/proc/one.c 's/return 1/return missing/' >fix.patch
	build --json report.json fix.patch
	[ "$status" -eq 1 ]
	[[ $(summary report.json | grep -E '^(result|reason)' | tr '\n' ' ') == "reason compile result error " ]]
	# The message that people saw is the one in the report.
	grep -qF '"text":"fs/proc/one.o: does not compile with the patch"' report.json
	[[ $stderr == *"error: fs/proc/one.o: does not compile with the patch"* ]]
}

@test "nothing to do is a result, too" {
	printf -- '--- a/Documentation/x.txt\n+++ b/Documentation/x.txt\n@@ -1 +1 @@\n-a\n+b\n' >doc.patch
	build --json report.json --dry-run doc.patch
	[ "$status" -eq 3 ]
	summary report.json | sort -u | diff -u - <(printf '%s\n' 'dry_run true' 'exit_status 3' 'program kpatch-build' \
		'reason null' 'result unchanged' 'severity note')
}

@test "with --json - nothing else is on standard output" {
	patch_of drivers/off/off.c 's/0/1/' >fix.patch
	build --json - fix.patch
	[ "$status" -eq 2 ]
	printf '%s\n' "$output" >report.json
	[[ $(summary report.json | grep ^result) == "result refused" ]]
	[[ $stderr == *"refused: drivers/off/off.c: is not compiled"* ]]
}

@test "several releases are one report" {
	cp -a "$PROFILE" "${PROFILE%/*}/6.9.1-1-fake"
	patch_of drivers/off/off.c 's/0/1/' >fix.patch
	build -a 6.9.1-1-fake -o . --json report.json --html page.html fix.patch
	[ "$status" -eq 2 ]
	[[ $(summary report.json | grep ^result | tr '\n' ' ') == "result refused result refused " ]]
	[[ $(grep -o '"release":"[^"]*"' report.json | tr '\n' ' ') == '"release":"6.9.0-1-fake" "release":"6.9.1-1-fake" ' ]]
	[[ $(grep -c '^<h1>' page.html) == 2 ]]
	grep -qF '+	return 1;' page.html
}

@test "a report that cannot be written is said before any work is done" {
	build --json missing/report.json fix.patch
	[ "$status" -eq 1 ]
	[ "$stderr" = "kpatch-build: error: missing: not a directory that can be written to; create it or choose another file for the report" ]
	build --json /proc/self/x/y.json fix.patch
	[ "$stderr" = "kpatch-build: error: /proc/self/x: not a directory that can be written to; create it or choose another file for the report" ]
	build --html . fix.patch
	[ "$status" -eq 1 ]
	[ "$stderr" = "kpatch-build: error: .: is a directory; name a file for the report" ]
	build --html - fix.patch
	[ "$status" -eq 1 ]
	[[ $stderr == "kpatch-build: error: --html -: must be a file"* ]]
}

@test "a report is whole or not there, and an older one stays" {
	patch_of drivers/off/off.c 's/0/1/' >fix.patch
	echo old >report.json
	# What kpatch-report writes does not fit.
	mkdir bin
	printf '#!/bin/sh\necho half\nexit 1\n' >bin/kpatch-report
	chmod +x bin/kpatch-report
	(
		driver_source
		tool() { printf '%s\n' "$BATS_TEST_TMPDIR/bin/$1"; }
		run -1 facts_report json report.json /dev/null
	)
	[[ $(<report.json) == old ]]
	[[ $(find . -name 'report.json.*') == "" ]]
}

@test "a report that is no file of its own stays what it is: pipes, links" {
	patch_of drivers/off/off.c 's/0/1/' >fix.patch
	mkfifo pipe
	timeout 60 cat pipe >from-pipe &
	ln -s real.html link.html
	echo old >real.html
	build --json pipe --html link.html fix.patch
	[ "$status" -eq 2 ]
	[ -p pipe ]
	wait
	[[ $(summary from-pipe | grep ^result) == "result refused" ]]
	[ -L link.html ]
	grep -q '^<h1>' real.html
	[[ $(find . -name '*.tmp') == "" ]]
}

@test "names of reports that begin with a dash, and what can be written to no more at the end" {
	patch_of drivers/off/off.c 's/0/1/' >fix.patch
	build --json=--x.json fix.patch
	[ "$status" -eq 2 ]
	[[ $(summary ./--x.json | grep ^result) == "result refused" ]]
	mkdir gone
	(
		driver_source
		tool() { echo /bin/true; }
		rmdir gone
		run -1 facts_report json gone/report.json facts
		[ "$output" = "kpatch-build: error: gone/report.json: cannot be written to; choose another file for the report" ]
	)
}
