#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Compiling through ccache, distcc and the like: a launcher that records its calls.
#
# shellcheck disable=SC2034,SC2317 # what the driver reads and calls

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	fake_profile
	cd "$BATS_TEST_TMPDIR" || return
	patch_of fs/proc/one.c 's/1/100/' >fix.patch
	mkdir bin
	launcher bin/fake
}

# launcher FILE [COMMANDS]: one that writes down its arguments, each call a line, and then compiles.
launcher()
{
	printf '#!/bin/bash\necho "$*" >>%q\nenv >>%q\n%s\n[[ $1 != -* ]] || shift\nexec "$@"\n' \
		"$PWD/calls" "$PWD/environment" "${2:-}" >"$1"
	chmod +x "$1"
}

# compiled [OPTION...]: the stages up to the compiler.
compiled()
(
	export XDG_CACHE_HOME=$PWD/cache TMPDIR=$PWD/tmp
	# shellcheck source=/dev/null
	source "$DRIVER"
	ui_init
	options_parse -a "$FAKE_RELEASE" -j1 "$@" fix.patch
	options_check
	workdir_create
	patches_read
	profile_get
	select_objects
	kept_init
	headers_select
	compile_objects
	cat "$LOG" >"$BATS_TEST_TMPDIR/log"
)

@test "all three compiles of an object go through the launcher, with its own words before the compiler" {
	run -0 compiled --launcher "$PWD/bin/fake -x"
	[ "$(wc -l <calls)" -eq 3 ]
	[ "$(grep -c '^-x gcc ' calls)" -eq 3 ]
	[ "$(grep -o "'*[a-z]*/fs/proc/one.o" calls | sort | tr '\n' ' ')" = \
		"original/fs/proc/one.o patched/fs/proc/one.o proof/fs/proc/one.o " ]
}

@test "a compile names the directory of the run only where ccache ignores it" {
	run -0 compiled --launcher "$PWD/bin/fake"
	sed -E "s| -o [^ ]+||; s| -fdebug-prefix-map=[^ ]+||" calls >rest
	run -1 grep -F "$PWD/tmp" rest
	run -0 grep -c -- ' -fdebug-prefix-map=[^ ]*=[.] ' calls
	[ "$output" = 2 ]
	[ "$(grep -o '[^ ]*one\.c$' calls | sort -u)" = fs/proc/one.c ]
}

@test "objects do not depend on the directory of the run, so that they can be found again" {
	run -0 compiled --skip-cleanup --launcher none
	mkdir one
	mv tmp/kpatch-build.* one/run
	rm -r cache/kpatch/objects
	run -0 compiled --skip-cleanup --launcher none
	for side in original patched proof; do
		cmp one/run/$side/fs/proc/one.o tmp/kpatch-build.*/$side/fs/proc/one.o
	done
	readelf --debug-dump=info one/run/original/fs/proc/one.o | grep -qE "DW_AT_comp_dir .*: [.]$"
}

@test "a launcher is found by a relative path" {
	run -0 compiled --launcher bin/fake
	[ "$(wc -l <calls)" -eq 3 ]
}

@test "ccache is used if there is one, and not with --launcher none" {
	launcher bin/ccache
	PATH=$PWD/bin:$PATH
	run -0 compiled
	[ "$(grep -c '^gcc.* -MD -MF ' calls)" -eq 3 ]
	grep -qx CCACHE_DEPEND=1 environment
	rm -r calls cache/kpatch/objects
	run -0 compiled --launcher none
	[ ! -e calls ]
}

@test "a ccache that nobody asked for and that fails is done without" {
	launcher bin/ccache 'echo "ccache: error: no room" >&2; exit 1'
	PATH=$PWD/bin:$PATH
	run -0 compiled
	[[ $output != *"no room"* ]]
	grep -qx 'ccache failed, where the compiler alone did not' log
}

@test "the compiler's error is shown once, also when it came through such a ccache" {
	launcher bin/ccache
	PATH=$PWD/bin:$PATH
	patch_of fs/proc/one.c 's/1;/undeclared;/' >fix.patch
	run compiled
	[ "$status" -eq 1 ]
	[ "$(grep -c 'error: .undeclared. undeclared' <<<"$output")" -eq 1 ]
}

@test "a launcher that was asked for and fails is an error" {
	launcher bin/fake 'echo "fake: error: no hosts" >&2; exit 1'
	run compiled --launcher "$PWD/bin/fake"
	expect 1 "kpatch-build: error: fs/proc/one.o: does not compile even without the patch: fake: error: no hosts"
}

@test "a launcher that is not there is an error, before any work" {
	run driver -a "$FAKE_RELEASE" --launcher no-such-launcher fix.patch
	expect 1 "kpatch-build: error: --launcher no-such-launcher: no such program; install it, or give none to compile without one"
	run driver -a "$FAKE_RELEASE" --launcher ' ' fix.patch
	expect 1 "kpatch-build: error: --launcher: names no program; give none to compile without one"
}

@test "the launcher sees where its cache and its hosts are, and nothing else of the environment" {
	export CCACHE_DIR=/the/cache DISTCC_HOSTS=host ICECC_VERSION=v OTHER=x CCACHE_COMPILER=cc HOME=/the/home
	run -0 compiled --launcher "$PWD/bin/fake"
	sort -u environment | grep -vE '^(PWD|SHLVL|_|PATH)=' >seen
	printf '%s\n' CCACHE_DIR=/the/cache DISTCC_HOSTS=host HOME=/the/home ICECC_VERSION=v LC_ALL=C \
		"XDG_CACHE_HOME=$PWD/cache" | diff - <(grep -v '^XDG_[^C]\|^XDG_CONFIG' seen)
}

@test "what is no call of the compiler is run without the launcher" {
	plan_line fs/proc/one.o vmlinux 'true; gcc' 'true objtool' >"$PROFILE/plan"
	run -0 compiled --launcher "$PWD/bin/fake"
	[ ! -e calls ]
}

@test "a new header in front of the one that an object in ccache included is seen" {
	command -v ccache >/dev/null || skip "needs ccache"
	export CCACHE_DIR=$PWD/ccache
	printf '#define N 1\n' >"$PROFILE/src/include/x.h"
	printf '#include "x.h"\nint one(void)\n{\n\treturn N;\n}\n' >"$PROFILE/src/fs/proc/one.c"
	sed -i '/one.o/s/gcc/gcc -I.\/include/' "$PROFILE/plan"
	fake_includes
	patch_of fs/proc/one.c 's/return N/return N + 5/' >fix.patch
	# ccache does not trust headers that were written in the same second.
	sleep 1.1
	run -0 compiled --skip-cleanup --launcher ccache
	objdump -d tmp/*/patched/fs/proc/one.o | grep -F '$0x6,%eax'
	rm -r tmp/kpatch-build.*
	printf -- '--- /dev/null\n+++ b/fs/proc/x.h\n@@ -0,0 +1 @@\n+#define N 2\n' >>fix.patch
	run -0 compiled --skip-cleanup --launcher ccache
	objdump -d tmp/*/patched/fs/proc/one.o | grep -F '$0x7,%eax'
	ccache -s | grep -E '^ *Misses: *4 '
}

@test "of a changed header ccache compiles the texts that were compared, and finds them again in the next run" {
	command -v ccache >/dev/null || skip "needs ccache"
	export CCACHE_DIR=$PWD/ccache
	printf 'static inline int n(void)\n{\n\treturn 1;\n}\n' >"$PROFILE/src/include/x.h"
	printf '#include "x.h"\nint one(void)\n{\n\treturn n();\n}\n' >"$PROFILE/src/fs/proc/one.c"
	sed -i '/one.o/s/gcc/gcc -I.\/include -g/' "$PROFILE/plan"
	fake_includes
	patch_of include/x.h 's/return 1/return 6/' >fix.patch
	run -0 compiled --skip-cleanup --launcher ccache
	objdump -d tmp/*/patched/fs/proc/one.o | grep -F '$0x6,%eax'
	# Whatever directory it was made in.
	[ "$(readelf --debug-dump=info tmp/*/patched/fs/proc/one.o | sed -n 's/.*DW_AT_comp_dir.*: //p')" = . ]
	[ "$(grep -cE "^\+ ccache gcc .*/cpp/fs/proc/one\.o\.(original|patched)\.i'$" log)" -eq 3 ]
	ccache -s | grep -E '^ *Misses: *3 '
	rm -r tmp/kpatch-build.* cache/kpatch/objects
	run -0 compiled --skip-cleanup --launcher ccache
	objdump -d tmp/*/patched/fs/proc/one.o | grep -F '$0x6,%eax'
	ccache -s | grep -E '^ *Misses: *3 '
	ccache -s | grep -E '^ *Hits: *3 '
}

@test "another version of the kernel's source is another one for the launcher: it may have headers in front of others" {
	run -0 compiled --launcher "$PWD/bin/fake"
	[ "$(grep -o -- '-DKPATCH_FILES=[0-9a-f]*' calls | sort -u | wc -l)" -eq 1 ]
	[ "$(grep -c -- '-DKPATCH_FILES=[0-9a-f]\{16\} ' calls)" -eq 3 ]
	rm -r cache/kpatch/objects
	echo 9.9.0-2 >"$PROFILE/version"
	run -0 compiled --launcher "$PWD/bin/fake"
	[ "$(grep -o -- '-DKPATCH_FILES=[0-9a-f]*' calls | sort -u | wc -l)" -eq 2 ]
	# Without a launcher there is nothing to tell.
	run -0 compiled --launcher none
	run -1 grep -F KPATCH_FILES log
}

# oot_compiled: the patched object, and how many were found, of a module in a profile of this run.
oot_compiled()
(
	export PATH=$PATH
	# shellcheck source=/dev/null
	source "$DRIVER"
	RELEASE=$FAKE_RELEASE KERNEL_VERSION=1 KERNEL_CC=gcc WORKDIR=$PWD/run$1 LOG=$PWD/run$1.log OOT_MODULE=x
	PROFILE=$WORKDIR/profile LAUNCHER=ccache
	mkdir -p "$PROFILE/src/oot"
	cp -R source/. "$PROFILE/src/oot"
	launcher_check
	launcher_mark
	launcher_compile "$PROFILE/src" "gcc -Ioot/a -Ioot/b -I$PWD/first -I$PWD/second -g -fdebug-prefix-map='$PROFILE/src'=." \
		"$WORKDIR/x.o" oot/x.c "$LOG"
	strings "$WORKDIR/x.o" | grep '^is '
	ccache -s | sed -n 's/^ *Hits: *\([0-9]*\) .*/hits \1/p' | head -n 1
)

@test "headers that the source of a module gains, and those beside it, are seen through ccache" {
	command -v ccache >/dev/null || skip "needs ccache"
	export CCACHE_DIR=$PWD/ccache
	mkdir -p source/a source/b first second
	echo '#define N "is 1 "' >source/b/n.h
	echo '#define M "and 1"' >second/m.h
	printf '#include <n.h>\n#include <m.h>\nconst char *x = N M;\n' >source/x.c
	sleep 1.1
	[ "$(oot_compiled 1)" = $'is 1 and 1\nhits 0' ]
	[ "$(oot_compiled 2)" = $'is 1 and 1\nhits 1' ]
	echo '#define N "is 2 "' >source/a/n.h
	[ "$(oot_compiled 3)" = $'is 2 and 1\nhits 1' ]
	echo '#define M "and 2"' >first/m.h
	[ "$(oot_compiled 4)" = $'is 2 and 2\nhits 1' ]
}

@test "a server that a launcher leaves behind holds nothing of the build: no lock, and no pipe that somebody reads" {
	local began=$SECONDS pid
	# As sccache does: its own three descriptors are elsewhere.
	launcher bin/fake "[[ -e $PWD/server ]] || { (exec 3>&- 4>&-; exec setsid sleep 60) </dev/null >/dev/null 2>&1 & echo \$! >$PWD/server; }"
	run driver -a "$FAKE_RELEASE" -j1 --launcher "$PWD/bin/fake" --json - fix.patch
	pid=$(<server)
	[ "$(cat "/proc/$pid/comm")" = sleep ]
	ls -l "/proc/$pid/fd" >open
	kill "$pid"
	[ $((SECONDS - began)) -lt 40 ] || { cat open; return 1; }
	[[ $output == *'"object":"fs/proc/one.o"'* ]]
	run ! grep -F "$PWD" open
	rm server
	FAKE_RELEASE=9.9.0-2-fake
	fake_profile
	began=$SECONDS
	run driver -a 9.9.0-1-fake -a 9.9.0-2-fake -j1 --launcher "$PWD/bin/fake" --json - fix.patch
	pid=$(<server)
	[ "$(cat "/proc/$pid/comm")" = sleep ]
	ls -l "/proc/$pid/fd" >open
	kill "$pid"
	[ $((SECONDS - began)) -lt 40 ] || { cat open; return 1; }
	[ "$(grep -c '"source":"fs/proc/one.c"' <<<"$output")" -eq 2 ] || { echo "$output"; return 1; }
	run ! grep -F "$PWD" open
}
