#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Patches to headers: that all objects which they change are found, those which they do not change left out,
# and what cannot be patched refused.

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	fake_profile
	cd "$BATS_TEST_TMPDIR" || return
	: >"$PROFILE/plan"
	FLAGS='gcc -O2 -I./include'
}

# add FILE TEXT: a file of the source, with escapes.
add()
{
	mkdir -p "$PROFILE/src/${1%/*}"
	printf '%b' "$2" >"$PROFILE/src/$1"
}

# object OBJECT TEXT [FLAGS [MODULES]]: a source and its object.
object()
{
	add "${1%.o}.c" "$2"
	plan_line "$1" "${4:-vmlinux}" "$FLAGS ${3:-}" >>"$PROFILE/plan"
}

# affected PATCH...: the objects that must be compiled.
affected()
{
	sort -o "$PROFILE/plan" "$PROFILE/plan"
	[ -e graph-is-ours ] || fake_includes
	driver_source
	# shellcheck disable=SC2034 # the driver reads them
	RELEASE=$FAKE_RELEASE KERNEL_CC=gcc JOBS=2 PATCHES=("$@")
	{ patches_list && patches_read && select_objects && headers_select; } 2>&1
	printf 'object %s\n' "${OBJECTS[@]}"
}

# takes OBJECT...: fix.patch needs these objects, and nothing is said.
takes()
{
	rm -rf work
	run affected fix.patch
	[ "$status" -eq 0 ] || { echo "status $status: $output"; return 1; }
	diff <(grep '^object ' <<<"$output" | sort) <(printf 'object %s\n' "$@" | sort)
	[[ $output != *note:* && $output != *warning:* ]]
}

# unchanged: fix.patch changes nothing.
unchanged()
{
	rm -rf work
	run affected fix.patch
	expect 3 "kpatch-build: note: the patch changes nothing in the compiled code"
}

# refuses TEXT: one refusal.
refuses()
{
	rm -rf work
	run affected fix.patch
	expect 2 "kpatch-build: refused: $1"
	[ "$(grep -c refused: <<<"$output")" -eq 1 ]
}

# ---- who sees it ----

@test "a macro changes the objects that use it, not all that include it" {
	add include/h.h '#define N 1\n'
	object fs/user.o '#include <h.h>\nint f(void) { return N; }\n'
	object fs/other.o '#include <h.h>\nint g(void) { return 2; }\n'
	object fs/alien.o 'int N(void) { return 2; }\n'
	patch_of include/h.h 's/1/100/' >fix.patch
	takes fs/user.o
	grep -q '^headers  1 of 2 objects that see the change may differ ' <<<"$output"
	grep -q 'N 1$' "$PROFILE/src/include/h.h"
}

@test "an inline function changes the objects that use it, in every module" {
	add drivers/d/d.h 'static inline int f(int x)\n{\n\treturn x;\n}\n'
	object drivers/d/one.o '#include "d.h"\nint one(int x) { return f(x); }\n' '' a
	object drivers/d/two.o '#include "d.h"\nint two(int x) { return f(x); }\n' '' b:c
	object drivers/d/three.o '#include "d.h"\nint three(int x) { return x; }\n' '' a
	patch_of drivers/d/d.h 's/return x/return x + 1/' >fix.patch
	takes drivers/d/one.o drivers/d/two.o
}

@test "a structure changes the objects that look into it" {
	add include/s.h 'struct s {\n\tint a;\n};\nint f(struct s *p);\n'
	object fs/user.o '#include <s.h>\nint user(struct s *p) { return p->a; }\n'
	object fs/other.o '#include <s.h>\nint other(void) { return 0; }\n'
	patch_of include/s.h 's/int a/int b, a/' >fix.patch
	takes fs/user.o
}

@test "an object with a header of its own and one of the .c files is compiled once" {
	add include/h.h '#define N 1\n'
	object fs/user.o '#include <h.h>\nint f(void)\n{\n\treturn N;\n}\n'
	object fs/second.o '#include <h.h>\nint g(void) { return N; }\n'
	{ patch_of include/h.h 's/1/100/'; patch_of fs/user.c 's/return N/return N + 1/'; } >fix.patch
	takes fs/user.o fs/second.o
}

@test "through other headers, in quotes and in brackets, beside the includer, above it, and by way of -I" {
	add drivers/d/deep/x.h '#define N 1\n'
	add include/y.h '#include "../drivers/d/deep/x.h"\n'
	add include/sub/z.h '#include "../y.h"\n'
	object drivers/d/deep/a.o '#include "x.h"\nint a = N;\n'
	object drivers/d/b.o '#include "deep/x.h"\nint b = N;\n'
	object drivers/d/side/c.o '#include "../deep/x.h"\nint c = N;\n'
	object drivers/e/d.o '#include <sub/z.h>\nint d = N;\n'
	object drivers/e/e.o '#include <x.h>\nint e = N;\n' '-I drivers/d/deep'
	object drivers/e/f.o '  #  include\t"x.h"\nint f = N;\n' -Idrivers/e/../d/deep/
	object fs/g.o '/* first */ #include <deep/../deep/x.h> /* why */\nint g = N;\n' '-I ./drivers/d'
	object fs/h.o '#include <n.h>\nint h = 1;\n' '-I ./drivers/d -I ./fs/none'
	patch_of drivers/d/deep/x.h 's/1/100/' >fix.patch
	takes drivers/d/deep/a.o drivers/d/b.o drivers/d/side/c.o drivers/e/d.o drivers/e/e.o drivers/e/f.o fs/g.o
}

@test "of two headers of one name each object sees its own" {
	add drivers/d/x.h '#define N 1\n'
	add drivers/e/x.h '#define N 1\n'
	add include/x.h '#define N 1\n'
	object drivers/d/a.o '#include "x.h"\nint a = N;\n'
	object drivers/e/b.o '#include "x.h"\nint b = N;\n'
	object drivers/e/c.o '#include <x.h>\nint c = N;\n'
	object drivers/f/d.o '#include "x.h"\nint d = N;\n' '-I drivers/d -I drivers/e'
	FLAGS='gcc -O2 -I drivers/e -I drivers/d -I include'
	object drivers/f/e.o '#include "x.h"\nint e = N;\n'
	patch_of drivers/d/x.h 's/1/100/' >fix.patch
	takes drivers/d/a.o
	grep -q '^headers  1 of 3 objects ' <<<"$output"
	patch_of drivers/e/x.h 's/1/100/' >fix.patch
	takes drivers/e/b.o drivers/f/e.o
	patch_of include/x.h 's/1/100/' >fix.patch
	takes drivers/e/c.o drivers/f/d.o
	grep -q '^headers  2 of 3 objects ' <<<"$output"
}

@test "an object of the plan whose name has .. sees its headers, and keeps __FILE__" {
	add virt/kvm/v.h '#define N 1\n'
	add virt/kvm/v.c '#include "v.h"\nint v = N;\nchar *file = __FILE__;\n'
	mkdir -p "$PROFILE/src/arch/x86/kvm"
	printf '%s\t%s\tkvm\tc\t%s\t\n' arch/x86/kvm/../../../virt/kvm/v.o arch/x86/kvm/../../../virt/kvm/v.c "$FLAGS" >>"$PROFILE/plan"
	patch_of virt/kvm/v.h 's/1/100/' >fix.patch
	takes virt/kvm/v.o
	patch_of virt/kvm/v.c 's/N/N + 1/' >fix.patch
	takes virt/kvm/v.o
	driver_source
	KERNEL_CC=gcc JOBS=1
	objtool_none() { :; }
	OBJECTS=() PATCHED_FILES=()
	rm -rf work
	mkdir work
	RELEASE=$FAKE_RELEASE PATCHES=(fix.patch)
	patches_list && patches_read && select_objects && compile_objects
	strings work/patched/virt/kvm/v.o | grep -xF arch/x86/kvm/../../../virt/kvm/v.c
	[ "$(objdump -s -j .data work/patched/virt/kvm/v.o | grep -c ' 02000000 ')" -eq 1 ] ||
		[ "$(objdump -s -j .data.v work/patched/virt/kvm/v.o | grep -c ' 02000000 ')" -eq 1 ]
}

@test "the include graph of a small source" {
	rm -r "$PROFILE/src"
	add include/a.h '#include <b.h>\n# include "sub/c.h"\n#include "none.h"\n'
	add include/sub/c.h '#include_next <b.h>\n#include_next "d.h"\n#include "../a.h"\n'
	add include/b.h '#define WHAT "sub/c.h"\n#define OTHER <a.h>\n#define NEAR "near.h"\n'
	add fs/b.h ''
	add drv/near.h ''
	add include/d.h ''
	add include/sub/d.h ''
	add drv/z.c '#include NEAR\n'
	add fs/x.c '#include "b.h"\n#include WHAT\n#include OTHER /* too */\n#include CONFIG_NOT_SET\n'
	add fs/y.c '#include MAGIC(1)\n'
	printf 'fs/x.o\tfs/x.c\tvmlinux\tc\tgcc -I./include -Ifs\t\n' >"$PROFILE/plan"
	fake_includes
	printf '%s\t%s\t%s\t%s\n' fs/x.c fs/b.h '' '' \
		fs/y.c '*' '' '' \
		include/a.h fs/b.h fs '' \
		include/a.h include/b.h include '' \
		include/a.h include/sub/c.h '' '' \
		include/b.h drv/near.h '' '' \
		include/b.h include/a.h include '' \
		include/b.h include/sub/c.h include '' \
		include/sub/c.h fs/b.h fs '' \
		include/sub/c.h include/a.h '' include/sub \
		include/sub/c.h include/b.h include '' \
		include/sub/c.h include/d.h include '' | sed 's/\t*$//' | sort >expected
	diff expected "$PROFILE/includes"
	# Debian's awk is mawk; others have to do as well.
	mkdir bin
	for awk in mawk busybox; do
		command -v $awk >/dev/null || continue
		ln -sf "$(command -v $awk)" bin/awk
		PATH=$PWD/bin:$PATH fake_includes
		diff expected "$PROFILE/includes"
	done
}

@test "an #include of a macro: the files that it can name" {
	add include/genl/x.h 'F(1)\n'
	add include/genl/api.h '#define MAGIC_FILE <genl/x.h>\n#include <genl/magic.h>\n'
	add include/genl/magic.h '#define F(n) int magic = n;\n#include MAGIC_FILE\n'
	object fs/user.o '#include <genl/api.h>\n'
	patch_of include/genl/x.h 's/1/100/' >fix.patch
	takes fs/user.o
}

@test "an #include of a macro of which nothing is known may be of any file" {
	add include/x.h '#define N 1\n'
	add include/h.h '#define J(x) <x.h>\n#include J(x)\n'
	object fs/user.o '#include <h.h>\nint f = N;\n'
	object fs/other.o 'int g = 1;\n'
	patch_of include/x.h 's/1/100/' >fix.patch
	takes fs/user.o
}

@test "trace headers, which define_trace.h includes by a path of macros" {
	add include/trace/define_trace.h '#define STR2(x) #x\n#define STR(x) STR2(x)\n#ifndef TRACE_INCLUDE_PATH\n# define PLACE(s) <trace/events/s.h>\n#else\n# define PLACE(s) STR(TRACE_INCLUDE_PATH/s.h)\n#endif\n#define TRACE_INCLUDE(s) PLACE(s)\n#include TRACE_INCLUDE(TRACE_INCLUDE_FILE)\n'
	add include/trace/events/one.h 'int one = 1;\n'
	add drivers/d/trace/two.h 'int two = 1;\n'
	object fs/one.o '#define TRACE_INCLUDE_FILE one\n#include <trace/define_trace.h>\n'
	object fs/two.o '#define TRACE_INCLUDE_FILE\ttwo\n#define TRACE_INCLUDE_PATH ../../drivers/d/trace\n#include <trace/define_trace.h>\n'
	patch_of include/trace/events/one.h 's/= 1/= 100/' >fix.patch
	takes fs/one.o
	patch_of drivers/d/trace/two.h 's/= 1/= 100/' >fix.patch
	takes fs/two.o
}

@test "trace headers whose name has directories in it" {
	add include/trace/define_trace.h '#define STR2(x) #x\n#define STR(x) STR2(x)\n#define TRACE_INCLUDE(s) STR(TRACE_INCLUDE_PATH/s.h)\n#include TRACE_INCLUDE(TRACE_INCLUDE_FILE)\n'
	add fs/x/sub/trace.h 'int one = 1;\n'
	object fs/x/one.o '#define TRACE_INCLUDE_FILE sub/trace\n#define TRACE_INCLUDE_PATH .\n#include <trace/define_trace.h>\n' -Ifs/x
	patch_of fs/x/sub/trace.h 's/= 1/= 100/' >fix.patch
	takes fs/x/one.o
}

@test "a header of the command line is seen by the objects that have it there" {
	add include/k.h '#define N 1\n'
	add include/forced.h '#include <k.h>\n'
	object fs/a.o 'int a = N;\n' '-include ./include/forced.h'
	object fs/b.o 'int b = 1;\n'
	patch_of include/k.h 's/1/100/' >fix.patch
	takes fs/a.o
	patch_of include/forced.h 's/$/\n#define N 100/; s/.include <k.h>//' >fix.patch
	takes fs/a.o
}

@test "a .c file that a header includes" {
	add lib/part.c 'static inline int f(void)\n{\n\treturn 1;\n}\n'
	add include/h.h '#include "../lib/part.c"\n'
	object fs/user.o '#include <h.h>\nint g(void) { return f(); }\n'
	object fs/other.o '#include <h.h>\nint g(void) { return 1; }\n'
	patch_of lib/part.c 's/1/100/' >fix.patch
	takes fs/user.o
}

@test "an included file of another name is a header" {
	add drivers/d/table.inc '1, 2, 3\n'
	object drivers/d/d.o 'int t[] = {\n#include "table.inc"\n};\n'
	fake_includes
	patch_of drivers/d/table.inc 's/3/4/' >fix.patch
	takes drivers/d/d.o
}

@test "a header of tools/ that the kernel includes is no documentation" {
	add tools/lib/t.h '#define N 1\n'
	add tools/lib/u.h '#define N 1\n'
	object kernel/k.o '#include "../tools/lib/t.h"\nint k = N;\n'
	fake_includes
	patch_of tools/lib/t.h 's/1/100/' >fix.patch
	takes kernel/k.o
	patch_of tools/lib/u.h 's/1/100/' >fix.patch
	rm -rf work
	run affected fix.patch
	expect 3 "kpatch-build: note: tools/lib/u.h: not compiled into the kernel; skipped"
}

@test "a header that a symbolic link leads to" {
	add include/uapi/x.h '#define N 1\n'
	mkdir -p "$PROFILE/src/include/dt"
	ln -s ../uapi/x.h "$PROFILE/src/include/dt/y.h"
	object fs/a.o '#include <dt/y.h>\nint a = N;\n'
	object fs/b.o '#include <uapi/x.h>\nint b = N;\n'
	patch_of include/uapi/x.h 's/1/100/' >fix.patch
	takes fs/a.o fs/b.o
	sed -i 's/dt.y.h/uapi\/x.h/' "$PROFILE/src/fs/a.c"
	takes fs/a.o fs/b.o
}

@test "what a header includes that is seen through a symbolic link" {
	add include/uapi/x.h '#include "z.h"\n'
	mkdir -p "$PROFILE/src/include/dt"
	ln -s ../uapi/x.h "$PROFILE/src/include/dt/y.h"
	add include/uapi/z.h '#define N 1\n'
	add include/dt/z.h '#define N 1\n'
	object fs/a.o '#include <dt/y.h>\nint a = N;\n'
	object fs/b.o '#include <uapi/x.h>\nint b = N;\n'
	patch_of include/uapi/z.h 's/1/100/' >fix.patch
	takes fs/b.o
	patch_of include/dt/z.h 's/1/100/' >fix.patch
	takes fs/a.o
}

# ---- what changes ----

@test "lines that a header gains do not change the lines of what follows" {
	add include/h.h '#define N 1\nstatic inline int line(void)\n{\n\treturn __LINE__;\n}\n'
	object fs/a.o '#include <h.h>\nint a(void) { return line(); }\n'
	object fs/b.o '#include <h.h>\nint b(void) { return line() + N; }\n'
	patch_of include/h.h '1s/.*/\/* more *\/\n\n#define N 100/' >fix.patch
	takes fs/b.o
}

@test "comments alone change nothing, and nothing is preprocessed" {
	add include/h.h '#define N 1\n/* one\n   two */\nint f(void); // x\n'
	object fs/a.o '#include <h.h>\nint a = N;\n#error must not be seen\n'
	patch_of include/h.h '2s/one/one\n * and a half/; s/x$/y/' >fix.patch
	unchanged
	patch_of include/h.h 's/two/"two/' >fix.patch
	unchanged
}

@test "what looks like a comment and is none is a change" {
	add include/h.h '#define S "/* one */"\n#define D "//"\n'
	object fs/a.o '#include <h.h>\nchar a[] = S D;\n'
	patch_of include/h.h 's/one/two/' >fix.patch
	takes fs/a.o
}

@test "a header that nothing of the configuration includes is refused by name" {
	add include/off.h '#define N 1\n'
	add fs/off.c '#include <off.h>\n'
	add include/h.h '#define N 1\n'
	object fs/a.o '#include <h.h>\nint a = N;\n'
	{ patch_of include/off.h 's/1/100/'; patch_of include/h.h 's/1/100/'; } >fix.patch
	refuses "include/off.h: is included by nothing that is compiled with the configuration of $FAKE_RELEASE; leave it out of the patch"
}

@test "an object that no longer compiles is an error with the compiler's words" {
	add include/h.h '#define N 1\n'
	object fs/a.o '#include <h.h>\nint a = N;\n#if N > 1\n#error too much\n#endif\n'
	patch_of include/h.h 's/1/100/' >fix.patch
	run affected fix.patch
	expect 1 "kpatch-build: error: fs/a.o: does not compile with the patch"
	[[ $output == *"#error too much"* ]]
}

@test "what the preprocessor says of a patched header is told, though the object is compiled from the text" {
	add include/h.h '#define N 1\n'
	object fs/a.o '#include <h.h>\nint a = N;\n'
	patch_of include/h.h 's/$/\n#define N 2/' >fix.patch
	fake_includes
	run driver -a "$FAKE_RELEASE" --launcher none fix.patch
	[ "$(grep -A 1 '^kpatch-build: note: ' <<<"$output")" = "kpatch-build: note: fs/a.o: the compiler says:
In file included from fs/a.c:1:" ]
	[ "$(grep -c '^./include/h.h:2: warning: "N" redefined' <<<"$output")" -eq 1 ]
}

@test "objects whose code comes out the same are dropped after compiling" {
	add include/h.h 'static inline int f(void)\n{\n\treturn 1;\n}\n'
	object fs/a.o '#include <h.h>\nint a(void) { return f(); }\n'
	object fs/b.o '#include <h.h>\nint b(void) { return f() + 1; }\n'
	patch_of include/h.h 's/return 1/return 2 - 1/' >fix.patch
	takes fs/a.o fs/b.o
	fake_includes
	run driver -a "$FAKE_RELEASE" fix.patch
	expect 3 "kpatch-build: note: the patch changes nothing in the compiled code"
	grep -q '^compile  no object changed ' <<<"$output"
}

@test "options that make the compiler keep what is unused" {
	add include/h.h 'static inline int f(void)\n{\n\treturn 1;\n}\n'
	object fs/a.o '#include <h.h>\nint a = 1;\n'
	object fs/b.o '#include <h.h>\nint b = 1;\n' -fkeep-inline-functions
	object fs/c.o '#include <h.h>\nint c = 1;\n' -fno-toplevel-reorder
	patch_of include/h.h 's/1/100/' >fix.patch
	takes fs/b.o fs/c.o
}

@test "of a file that only a build makes, an empty one takes the place" {
	add include/h.h '#define N 1\n'
	object fs/a.o '#include <h.h>\n#include "made/list.h"\nint a = 1;\n'
	object fs/b.o '#include <h.h>\nint b = N;\n'
	patch_of include/h.h 's/1/100/' >fix.patch
	takes fs/b.o
	add fs/a.c '#include <h.h>\n#include "made/list.h"\nint a = N;\n'
	refuses "fs/a.o: sees the change, and cannot be compiled here, as a build would generate a part of it; boot a fixed kernel"
}

@test "a compiler that is killed says nothing about a file" {
	add include/h.h '#define N 1\n'
	object fs/a.o '#include <h.h>\nint a = N;\n'
	FLAGS='echo "gcc: fatal error: Killed signal terminated program cc1" >&2; false -I./include'
	object fs/b.o '#include <h.h>\nint b = N;\n'
	patch_of include/h.h 's/1/100/' >fix.patch
	run affected fix.patch
	expect 1 "kpatch-build: error: fs/b.o: does not compile even without the patch: gcc: fatal error: Killed signal terminated program cc1"
	[[ $output != *refused:* ]]
	: >"$PROFILE/plan"
	FLAGS='gcc -O2 -I./include'
	object fs/a.o '#include <h.h>\nint a = N;\n'
	FLAGS='stopped() { [[ $* == *-E* ]] && exec gcc "$@"; echo "gcc: fatal error: Killed signal terminated program cc1" >&2; false; }; stopped -I./include'
	object arch/x86/boot/compressed/b.o '#include <h.h>\nint b = N;\n'
	rm -rf work
	run affected fix.patch
	expect 1 "kpatch-build: error: arch/x86/boot/compressed/b.c: does not compile even without the patch: gcc: fatal error: Killed signal terminated program cc1"
	[[ $output != *refused:* ]]
}

# ---- new headers ----

new_header()
{
	printf -- '--- /dev/null\n+++ b/%s\n@@ -0,0 +1 @@\n+%s\n' "$1" "$2"
}

@test "a new header is there for the patched files, and later patches can change it" {
	object fs/a.o 'int a(void)\n{\n\treturn 1;\n}\n'
	{ new_header include/new.h '#define N 2'; patch_of fs/a.c '1s/^/#include <new.h>\n/; s/return 1/return N/'; } >fix.patch
	takes fs/a.o
	grep -q N work/tree-patched/include/new.h || { driver_source; trees_make; }
	run affected fix.patch
	printf -- '--- a/include/new.h\n+++ b/include/new.h\n@@ -1 +1 @@\n-#define N 2\n+#define N 3\n' >second.patch
	rm -rf work
	run affected fix.patch second.patch
	expect 0 "object fs/a.o"
	[ "$(<work/files/patched/include/new.h)" = '#define N 3' ]
	[ ! -e work/files/original/include/new.h ]
	rm -rf work
	run affected fix.patch fix.patch
	[ "$status" -eq 1 ]
}

@test "a new header can take the place of another one" {
	add include/x.h '#define N 1\n'
	object drivers/d/a.o '#include "x.h"\nint a = N;\n'
	object drivers/d/b.o '#include <x.h>\nint b = N;\n'
	new_header drivers/d/x.h '#define N 2' >fix.patch
	takes drivers/d/a.o
}

@test "a new header that nothing includes changes nothing" {
	new_header include/new.h '#define N 2' >fix.patch
	unchanged
	{ printf 'diff --git a/include/e.h b/include/e.h\nnew file mode 100644\nindex 0..1\n'; } >fix.patch
	unchanged
}

@test "a new header that others include if it is there" {
	add fs/h.h '#if __has_include("sub/new.h")\n#include "sub/new.h"\n#endif\n'
	add fs/sub/old.h ''
	object fs/a.o '#include "h.h"\nint a\n#ifdef N\n\t= N\n#endif\n\t;\n'
	object fs/b.o '#include "h.h"\nint b;\n'
	new_header fs/sub/new.h '#define N 2' >fix.patch
	takes fs/a.o
	new_header fs/sub/other.h '#define N 2' >fix.patch
	unchanged
}

# ---- what cannot be patched ----

@test "headers that the build makes are refused" {
	local file
	printf 'security\tsecurity/flask.h\n' >"$PROFILE/generated"
	for file in include/generated/x.h arch/x86/include/generated/asm/x.h include/config/x.h security/flask.h; do
		add "$file" '#define N 1\n'
		patch_of "$file" 's/1/100/' >fix.patch
		refuses "$file: is generated by the build; change what it is made from"
	done
}

@test "code that does not run in the kernel and sees a change is refused" {
	local object reason
	add include/h.h '#define N 1\n#define M 1\n'
	while read -r object reason; do
		: >"$PROFILE/plan"
		object fs/a.o '#include <h.h>\nint a = N;\n'
		object "$object" '#include <h.h>\nint x = M;\n'
		patch_of include/h.h 's/N 1/N 100/' >fix.patch
		takes fs/a.o
		patch_of include/h.h 's/1/100/' >fix.patch
		refuses "$object: is changed by what it includes, and $reason; boot a fixed kernel"
		patch_of include/h.h 's/N 1/N 100/; s/M 1/M (2 - 1)/' >fix.patch
		takes fs/a.o
	done <<-END
		arch/x86/entry/vdso/vgettime.o is part of the vdso, which runs in user space
		arch/x86/purgatory/p.o runs between two kernels at kexec
		drivers/firmware/efi/libstub/e.o is part of the EFI stub, which runs before the kernel
		arch/x86/realmode/rm/r.o is real-mode code, which livepatch cannot reach
		arch/x86/boot/compressed/b.o runs before the kernel does
	END
}

@test "assembler code that sees a change is refused if its code changes" {
	add include/h.h '#define N 1\n#define M 1\n#ifndef __ASSEMBLY__\nint f(void);\n#endif\n'
	object fs/a.o '#include <h.h>\nint a = N;\n'
	add arch/x86/lib/s.S '#include <h.h>\n\t.globl s\ns:\tmov\t$M, %eax\n\tret\n'
	printf 'arch/x86/lib/s.o\tarch/x86/lib/s.S\tvmlinux\tS\t%s -D__ASSEMBLY__ -Wa,-g\t\n' "$FLAGS" >>"$PROFILE/plan"
	patch_of include/h.h 's/N 1/N 100/; s/f(void)/f(int)/' >fix.patch
	takes fs/a.o
	patch_of include/h.h 's/1/100/' >fix.patch
	refuses "arch/x86/lib/s.o: is changed by what it includes, and is assembler code, which livepatch cannot replace; boot a fixed kernel"
	patch_of include/h.h 's/N 1/N 100/; s/M 1/M (2 - 1)/' >fix.patch
	takes fs/a.o
}

@test "a change of what asm-offsets.c and bounds.c give is refused" {
	local file
	add include/s.h 'struct s {\n\tint a;\n\tint b;\n};\nstruct t {\n\tint a;\n};\n'
	object fs/a.o '#include <s.h>\nint a(struct t *p) { return p->a; }\n'
	for file in arch/x86/kernel/asm-offsets.c arch/x86/kvm/kvm-asm-offsets.c kernel/bounds.c kernel/sched/rq-offsets.c; do
		add "$file" '#include <s.h>\nint main(void)\n{\n\tasm volatile("\\n.ascii \\"->B %%0 x\\"" : : "i" (__builtin_offsetof(struct s, b)));\n\treturn sizeof(struct t);\n}\n'
		sed -i 's/%%/%/' "$PROFILE/src/$file"
		patch_of include/s.h '/struct t/s/$/ int n;/' >fix.patch
		takes fs/a.o
		patch_of include/s.h '/struct s/s/$/ int n;/' >fix.patch
		refuses "$file: is changed by what it includes, and is compiled to make header files, not code; boot a fixed kernel"
		rm "$PROFILE/src/$file"
	done
}

@test "a change of a linker script is refused" {
	add include/asm-generic/vmlinux.lds.h '#define ALIGNMENT 32\n#define OTHER 1\n'
	add arch/x86/kernel/vmlinux.lds.S '#include <asm-generic/vmlinux.lds.h>\n. = ALIGN(ALIGNMENT);\n'
	object fs/a.o '#include <asm-generic/vmlinux.lds.h>\nint a = OTHER;\n'
	add arch/x86/lib/s.S 'nop\n'
	printf 'arch/x86/lib/s.o\tarch/x86/lib/s.S\tvmlinux\tS\t%s -D__ASSEMBLY__\t\n' "$FLAGS" >>"$PROFILE/plan"
	patch_of include/asm-generic/vmlinux.lds.h 's/OTHER 1/OTHER 2/' >fix.patch
	takes fs/a.o
	patch_of include/asm-generic/vmlinux.lds.h 's/32/64/' >fix.patch
	refuses "arch/x86/kernel/vmlinux.lds.S: is changed by what it includes, and says how the kernel is linked; boot a fixed kernel"
}

@test "a change of names that a script of the build reads from a header is refused" {
	add include/uapi/linux/capability.h '#define CAP_NEW 1\n#define OTHER 1\n'
	object fs/a.o '#include <uapi/linux/capability.h>\nint a = OTHER + CAP_NEW;\n'
	patch_of include/uapi/linux/capability.h 's/OTHER 1/OTHER 2/' >fix.patch
	takes fs/a.o
	patch_of include/uapi/linux/capability.h 's/CAP_NEW 1/CAP_NEW 2/' >fix.patch
	refuses "include/uapi/linux/capability.h: the build makes security/apparmor/capability_names.h from it, and the change would change that; boot a fixed kernel"
}

@test "comments from which the build makes a file are no comments" {
	add arch/x86/include/asm/cpufeatures.h '#define X86_FEATURE_PTI (7*32+11) /* "" Isolation */\n/* free text */\n'
	add include/linux/oid_registry.h 'enum OID {\n\tOID_sha1,\t/* 1.3.14.3.2.26 */\n};\n'
	add include/uapi/linux/capability.h '#define CAP_CHOWN 0 /* all */\n/* CAP_CHOWN is needed */\n'
	object fs/a.o '#include <asm/cpufeatures.h>\n#include <linux/oid_registry.h>\nint a;\n' '-I./arch/x86/include'
	object fs/b.o '#include <uapi/linux/capability.h>\nint b;\n'
	patch_of arch/x86/include/asm/cpufeatures.h 's/""/"pti"/' >fix.patch
	refuses "arch/x86/include/asm/cpufeatures.h: the build makes arch/x86/kernel/cpu/capflags.c from it, and the change would change that; boot a fixed kernel"
	patch_of include/linux/oid_registry.h 's/26/27/' >fix.patch
	refuses "include/linux/oid_registry.h: the build makes lib/oid_registry_data.c from it, and the change would change that; boot a fixed kernel"
	patch_of arch/x86/include/asm/cpufeatures.h 's/free/other/' >fix.patch
	unchanged
	patch_of include/uapi/linux/capability.h 's/is needed/is not needed/' >fix.patch
	unchanged
}

@test "hypercalls are listed in a header that the build makes" {
	add include/xen/interface/xen.h '#define __HYPERVISOR_foo 1\n#define N 1\n'
	object fs/a.o '#include <xen/interface/xen.h>\nint a = N;\n'
	patch_of include/xen/interface/xen.h 's/N 1/N 2/' >fix.patch
	takes fs/a.o
	patch_of include/xen/interface/xen.h 's/foo 1/foo 2/' >fix.patch
	refuses "include/xen/interface/xen.h: the build makes arch/x86/include/generated/asm/xen-hypercalls.h from it, and the change would change that; boot a fixed kernel"
}

@test "if a path to a patched header leads out of the tree, that is an error and not silence" {
	add drivers/d/x.h '#define N 1\n'
	object drivers/e/a.o '#include "../d/x.h"\nint a = N;\n'
	sort -o "$PROFILE/plan" "$PROFILE/plan"
	fake_includes
	touch graph-is-ours
	# A graph that does not know that drivers/e is left with "..".
	sed -i 's/\t\tdrivers\/e$//' "$PROFILE/includes"
	patch_of drivers/d/x.h 's/1/100/' >fix.patch
	run affected fix.patch
	expect 1 "kpatch-build: error: drivers/e/a.o: drivers/e/../d/x.h leads past the patch, to the original drivers/d/x.h; name the file without '..'"
}

# patched_value: of a, in the compiled object of the patched fs/p/a.c.
patched_value()
{
	local code
	sort -o "$PROFILE/plan" "$PROFILE/plan"
	fake_includes
	driver_source
	# shellcheck disable=SC2034 # the driver reads them
	RELEASE=$FAKE_RELEASE KERNEL_CC=gcc JOBS=2 PATCHES=(fix.patch)
	(patches_list && patches_read && select_objects && headers_select && kept_init && compile_objects) >said 2>&1 || { code=$?; cat said; return "$code"; }
	objcopy -O binary --only-section=.data.a "$WORKDIR/patched/fs/p/a.o" value
	od -An -td4 value | tr -d ' '
}

@test "paths that a patch adds, and that lead through a directory of which nothing is patched" {
	local line
	add fs/y.h '#define N 1\n'
	add fs/q/z.h ''
	add include/sub/z.h ''
	add fs/p/x.h '#define X <../fs/q/../y.h>\n'
	for line in '#include "../q/../y.h"' '#include <sub/../../fs/q/../y.h>' '#define Y "../q/../y.h"\n#include Y' \
		'#include "x.h"\n#include X' '#include "fresh.h"'; do
		: >"$PROFILE/plan"
		object fs/p/a.o '#include "x.h"\nint a = 1;\n'
		object fs/r/b.o '#include "../y.h"\nint b = N;\n'
		{
			patch_of fs/y.h 's/1/100/'
			patch_of fs/p/a.c "1a$line\nint spare;
				s/= 1/= N/"
			printf -- '--- /dev/null\n+++ b/fs/p/fresh.h\n@@ -0,0 +1 @@\n+#include "../q/../y.h"\n'
		} >fix.patch
		rm -rf work
		run patched_value
		[ "$output" = 100 ] || { echo "$line: $output"; cat fix.patch; return 1; }
	done
}

@test "a path that is glued together, and leads past a patched header, is an error with a way out" {
	local launcher
	add fs/y.h '#define N 1\n'
	add fs/q/z.h ''
	object fs/p/a.o 'int a = 1;\n'
	object fs/r/b.o '#include "../y.h"\nint b = N;\n'
	{
		patch_of fs/y.h 's/1/100/'
		patch_of fs/p/a.c '1i#define UP ../q\n#define TEXT(x) #x\n#define PATH(x) TEXT(x)\n#include PATH(UP/../y.h)
			s/= 1/= N/'
	} >fix.patch
	printf '#!/bin/sh\nexec "$@"\n' >fake-launcher
	chmod +x fake-launcher
	for launcher in '' "$PWD/fake-launcher "; do
		rm -rf work
		LAUNCH=$launcher
		run patched_value
		expect 1 "kpatch-build: error: fs/p/a.o: fs/p/../q/../y.h leads past the patch, to the original fs/y.h; name the file without '..'"
	done
}

@test "the directories that paths of patched files may go up from, whatever they are relative to" {
	object fs/a.o '' -I./fs/inc
	printf '%s\n' 'fs/p/a.h:#define TRACE_INCLUDE_PATH ../../fs/q/../r' 'fs/p/a.h:#define f(x, ...) "a..b" ../' >lines
	awk -f "$TOP/kpatch-build/paths.awk" -f "$TOP/kpatch-build/climbs.awk" "$PROFILE/plan" lines |
		sort | diff -u - <(printf '%s\n' fs fs/inc fs/p fs/q include include/trace)
}
