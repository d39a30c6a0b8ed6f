#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: what it knows about the types of variables, if the objects have debugging information.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read
# shellcheck disable=SC2030,SC2031 # each test is a subshell

bats_require_minimum_version 1.5.0
load diff-fixtures

# What both kinds of refusal end in.
WAY_OUT="give the new variable another name, or keep what is new in a shadow variable"

# retyped OLD NEW: the variable called data is declared "OLD" in the original, "NEW" in the patched file,
# behind the declarations on standard input, and foo() changes.
retyped()
{
	{
		cat
		cat <<-EOT
			#ifdef PATCHED
			#define N 2
			$2;
			#else
			#define N 1
			$1;
			#endif
			void *foo(void) { barrier(); return (char *)&data + N; }
		EOT
	} > declarations
	pair -g < declarations
}

# agreeing OLD NEW: existing data stays what it is.
agreeing()
{
	retyped "$@"
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux data 0
	EOT
}

# refused OLD NEW MESSAGE: that the type of other objects changes, too, is layout's matter.
refused()
{
	retyped "$1" "$2"
	cdo 2
	stderr=$(grep -v ' refused: file\.c: [a-z]* [a-z]* changes (' <<< "$stderr")
	refusals <<-EOT
		refused: file.c: data: $3; $WAY_OUT
	EOT
}

# changed_type OLD NEW FROM TO
changed_type()
{
	refused "$1" "$2" "the type of existing data changed from \"$3\" to \"$4\", and the running kernel's is of the old one"
}

# changed_members OLD NEW TYPE WHY
changed_members()
{
	refused "$1" "$2" "the members of the type of existing data, \"$3\", changed ($4), and the running kernel's has the old ones"
}

# The klp relocations of a section, by symbol: "NAME,POS" in the order of their places.
klp_of()
{
	reloc_list output.o | sed -n "s/^$1 [^ ]* [^ ]* \.kpatch\.sym\.vmlinux\.vmlinux\.\([^ ]*\) .*/\1/p"
}

static_local()
{
	pair "$@" <<-'EOT'
		struct other { short a, b; };
		int foo(int x)
		{
		#ifdef PATCHED
			static struct other count;
			return (*(int *)&count += x) + 1;
		#else
			static int count;
			return count += x;
		#endif
		}
	EOT
	given_symbols orig.o count.0
	given_symbols patched.o count.0
}

@test "a static local of another type but the same size and use is refused" {
	for options in -gdwarf-4 -gdwarf-5 '-gdwarf-5 -gdwarf64'; do
		# shellcheck disable=SC2086 # several options
		static_local $options
		cdo 2
		messages <<-EOT
			refused: file.c: count.0: the type of existing data changed from "int" to "struct other", and the running kernel's is of the old one; $WAY_OUT
		EOT
	done
	# Without types there is nothing to tell them by.
	static_local
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux count.0 0
	EOT
}

@test "a static local of the author's is not taken for a macro's, whose type it does not have" {
	pair -g <<-'EOT'
		struct ratelimit_state { int interval; };
		int limit(struct ratelimit_state *);
		int foo(int x)
		{
			static int _rs, __warned;
			static char __key[3];
			return ++_rs + ++__warned + ++__key[x];
		}
		int bar(int x)
		{
			static struct ratelimit_state _rs = { 5 };
			static _Bool __warned;
		#ifdef PATCHED
			x += 3;
		#endif
			return x + limit(&_rs) + (__warned ? 0 : (__warned = 1));
		}
		int baz(int x)
		{
			static int _rs;
		#ifdef PATCHED
			x += 3;
		#endif
			return x + ++_rs;
		}
	EOT
	ksyms T limit
	cdo 0
	no_messages
	rs=$(reloc_list orig.o | sed -n 's/^\.text\.baz .*\(_rs\.[0-9]*\) .*/\1/p' | head -n 1)
	given [ -n "$rs" ]
	changes <<-EOT
		function bar 0
		function baz 0
		klp vmlinux $rs 0
		klp vmlinux limit 0
	EOT
}

@test "types that agree with a third one, but not with each other, are never paired" {
	# An int can be either enumeration.
	body='
		enum colour { RED, GREEN };
		enum shape { ROUND, SQUARE };
		#ifdef PATCHED
		#define EITHER enum shape
		#else
		#define EITHER enum colour
		#endif
		#define NOTE(type) { static type note __used __section("notes"); }
		int foo(int x) { static EITHER count; barrier(); return count += x; }
		int bar(int x) { static int count; barrier(); return count -= x; }'
	pair -g <<< "$body"
	given_symbols orig.o count.0 count.1
	cdo 2
	messages <<-'EOT'
		refused: file.c: count.1: the type of existing data changed from "enum colour" to "enum shape", and the running kernel's is of the old one; give the new variable another name, or keep what is new in a shadow variable
	EOT
	# What was inlined, and is left over on both sides.
	body=${body/int foo/$'#ifdef PATCHED\ninline __attribute__((always_inline))\n#else\nnoinline\n#endif\nstatic int foo'}
	pair -g <<< "$body"$'\nint baz(int x) { return foo(x); }'
	given_symbols orig.o foo
	cdo 2
	[[ $stderr == *": refused: file.c: count."[0-9]": the type of existing data changed from \"enum colour\" to \"enum shape\", "* ]]
	# What is there for its section only.
	pair -g <<-'EOT'
		enum colour { RED, GREEN };
		enum shape { ROUND, SQUARE };
		#define NOTE(type) { static type note __used __section(".data.notes"); }
		int foo(int x)
		{
			NOTE(int)
		#ifdef PATCHED
			NOTE(enum shape)
		#else
			NOTE(enum colour)
		#endif
			return x;
		}
	EOT
	given_symbols orig.o note.0 note.1
	cdo 3
	[[ $stderr == *"warning: file.c: note."*": the patched file no longer has this static variable; its value is lost to the new code" ]]
}

@test "a type that is known on one side only is compatible with every other" {
	static_local -g
	objcopy --strip-debug orig.o
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux count.0 0
	EOT
}

@test "variables without a type are paired by their use, whatever the types of the others" {
	pair -g <<-'EOT'
		#ifdef PATCHED
		#define N 2
		#else
		#define N 1
		#endif
		int foo(int x) { static long count; count += 4 * x; return N; }
		int bar(int x) { static float *count; count += x; return N; }
	EOT
	foos=$(reloc_list orig.o | sed -n 's/^\.text\.foo .*bss\.\(count\.[0-9]\) .*/\1/p' | head -n 1)
	bars=$(reloc_list orig.o | sed -n 's/^\.text\.bar .*bss\.\(count\.[0-9]\) .*/\1/p' | head -n 1)
	objcopy --strip-debug orig.o
	cdo 0
	no_messages
	[ "$(klp_of .text.foo | uniq)" = "$foos,0" ]
	[ "$(klp_of .text.bar | uniq)" = "$bars,0" ]
}

@test "compressed debugging information counts as none" {
	static_local -g
	objcopy --compress-debug-sections orig.o
	given [ "$(readelf -SW orig.o | grep -c '\.debug_info .* C ')" = 1 ]
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux count.0 0
	EOT
}

@test "static locals of one name and size in one function: their types tell which is which" {
	pair -g <<-'EOT'
		#ifdef PATCHED
		#define N 2
		#else
		#define N 1
		#endif
		int foo(int x)
		{
		#ifdef PATCHED
			{ static float *count; count += x; }
			{ static long count; count += 4 * x; }
		#else
			{ static long count; count += 4 * x; }
			{ static float *count; count += x; }
		#endif
			return x * N;
		}
	EOT
	given_symbols orig.o count.0 count.1
	given_symbols patched.o count.0 count.1
	long=$(reloc_list orig.o | sed -n 's/^\.text\.foo .*bss\.\(count\.[0-9]\) .*/\1/p' | head -n 1)
	pointer=$(reloc_list orig.o | sed -n 's/^\.text\.foo .*bss\.\(count\.[0-9]\) .*/\1/p' | tail -n 1)
	given [ "$long" != "$pointer" ]
	cdo 0
	no_messages
	klp_of .text.foo | uniq | diff -u - <(printf '%s,0\n' "$pointer" "$long")
}

@test "a static local of a function that was inlined everywhere has a type, too" {
	for version in 4 5; do
		pair -gdwarf-$version <<-'EOT'
			static inline __attribute__((always_inline)) int helper(int x)
			{
			#ifdef PATCHED
				static int *count;
				return (*(long *)&count += x) + 1;
			#else
				static long count;
				return count += x;
			#endif
			}
			int foo(int x) { return helper(x) * 3; }
		EOT
		given_not has_symbol orig.o helper
		given_not has_symbol patched.o helper
		cdo 2
		messages <<-EOT
			refused: file.c: count.0: the type of existing data changed from "long int" to "int *", and the running kernel's is of the old one; $WAY_OUT
		EOT
	done
}

@test "the type of a plain variable changes at the same size: refused" {
	changed_type 'static unsigned long data' 'static float *data' "long unsigned int" "float *" < /dev/null
	changed_type 'int data' 'float data' int float < /dev/null
	changed_type 'static int data[2]' 'static long data' "int[2]" "long int" < /dev/null
	changed_type 'static int data[2][3]' 'static int data[3][2]' "int[2][3]" "int[3][2]" < /dev/null
	changed_type 'static unsigned char data' 'static _Bool data' "unsigned char" _Bool < /dev/null
	changed_type 'static struct a *data' 'static struct b *data[1]' "struct a *" "struct b *[1]" < /dev/null
}

@test "a changed type is refused in sections of attributes, too" {
	changed_type 'static long __section(".data..percpu") data' 'static int *__section(".data..percpu") data' \
		"long int" "int *" <<< 'static int __section(".data..percpu") first = 1;'
	changed_type 'static long __section(".data..ro_after_init") data' \
		'static int *__section(".data..ro_after_init") data' "long int" "int *" < /dev/null
}

@test "a changed type is refused even if nothing else changes" {
	pair -g <<-'EOT'
		#ifdef PATCHED
		static float *data;
		#else
		static long data;
		#endif
		void *foo(void) { return &data; }
	EOT
	cdo 2
	messages <<-EOT
		refused: file.c: data: the type of existing data changed from "long int" to "float *", and the running kernel's is of the old one; $WAY_OUT
	EOT
}

@test "a changed type that changes the initial value, too, is reported as such; and the size comes first" {
	changed_type 'int data = 1' 'float data = 1' int float < /dev/null
	retyped 'int data[2]' 'float data' < /dev/null
	cdo 2
	messages <<-'EOT'
		refused: file.c: data: the size of existing data changed from 8 to 4 bytes; keep what is new in a shadow variable or in a new variable
	EOT
}

@test "pointers: what they point to matters, structures by their tags" {
	changed_type 'static int *data' 'static long *data' "int *" "long int *" < /dev/null
	changed_type 'struct one *data' 'struct two *data' "struct one *" "struct two *" < /dev/null
	changed_type 'struct one *data' 'union one *data' "struct one *" "union one *" < /dev/null
	changed_type 'void *data' 'struct one *data' "void *" "struct one *" < /dev/null
	changed_type 'char **data' 'char *(*data)[2]' "char **" "char *(*)[2]" < /dev/null
	changed_type 'float *data' 'double *data' "float *" "double *" < /dev/null
	changed_type 'struct { } *data' 'struct one *data' "struct {...} *" "struct one *" < /dev/null
	changed_type 'struct one *data' 'struct { } *data' "struct one *" "struct {...} *" < /dev/null
	# Those without a tag by their members.
	changed_members 'struct { int a; } *data' 'struct { long a; } *data' "struct {...} *" \
		'struct {...}: member a was "int", is "long int"' < /dev/null
	agreeing 'struct { int a; } *data' 'struct { int a; } *data' < /dev/null
	# Only one of the two sees what is in the structure, and that may have changed.
	agreeing 'struct one *data' 'struct one { struct one *next; } *data' < /dev/null
	CDO_OPTIONS=(--allow-layout='struct one')
	retyped 'struct one { int a; } *data' 'struct one { long b; } *data' < /dev/null
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux data 0
		layout struct one
	EOT
	CDO_OPTIONS=()
	agreeing 'int *data' 'const int *volatile data' < /dev/null
}

@test "functions behind pointers: their parameters and what they return" {
	changed_type 'int (*data)(int)' 'int (*data)(long)' "int (*)(int)" "int (*)(long int)" < /dev/null
	changed_type 'int (*data)(int)' 'void (*data)(int)' "int (*)(int)" "void (*)(int)" < /dev/null
	changed_type 'int (*data)(int)' 'int (*data)(int, ...)' "int (*)(int)" "int (*)(int, ...)" < /dev/null
	agreeing 'int (*data)(struct one *, unsigned)' 'int (*data)(struct one *, int)' < /dev/null
}

@test "a structure's members change at the same size: refused" {
	changed_members 'struct pair { int a, b; } data' 'struct pair { int b, a; } data' "struct pair" \
		'struct pair: member a was at 0, is at 4' < /dev/null
	changed_members 'struct pair { int a, b; } data' 'struct pair { int a; float b; } data' \
		"struct pair" 'struct pair: member b was "int", is "float"' < /dev/null
	changed_members 'struct pair { char a; long b; } data' 'struct pair { char a, c; long b; } data' \
		"struct pair" 'struct pair: member c is new' < /dev/null
	changed_members 'struct pair { char a, c; long b; } data' 'struct pair { char a; long b; } data' \
		"struct pair" 'struct pair: member c is gone' < /dev/null
	changed_members 'struct pair { int a, b; } data[3]' 'struct pair { int a, c; } data[3]' \
		"struct pair[3]" 'struct pair: member b is gone' < /dev/null
	changed_members 'struct pair { struct { int a, b; }; } data' 'struct pair { struct { int b, a; }; } data' \
		"struct pair" 'struct {...}: member a was at 0, is at 4' < /dev/null
	changed_members 'struct pair { char c; struct { short a; }; } data' \
		'struct pair { char c; union { char a; }; short b; } data' \
		"struct pair" 'struct pair: member without a name was at 2, is at 1' < /dev/null
	changed_members 'struct pair { char c; struct { char a; }; short b; } data' \
		'struct pair { char c; char a; short b; } data' "struct pair" 'struct pair: member without a name is gone' < /dev/null
	changed_members 'struct pair { char c; char a; short b; } data' \
		'struct pair { char c; char a; struct { short b; }; } data' "struct pair" 'struct pair: member b is gone' < /dev/null
	changed_members 'union either { int a; char b[4]; } data' 'union either { int a; short b[2]; } data' \
		"union either" 'union either: member b was "char[4]", is "short int[2]"' < /dev/null
	changed_members 'struct pair { int (*a)(int); } data' 'struct pair { int (*a)(long); } data' \
		"struct pair" 'struct pair: member a was "int (*)(int)", is "int (*)(long int)"' < /dev/null
	# Only its size tells.
	changed_members 'struct pair { struct { char a; } *b; } data' \
		'struct pair { struct { char a; } __attribute__((aligned(2))) *b; } data' \
		"struct pair" 'struct {...} was 1 bytes long, is 2' < /dev/null
	changed_members 'struct one { int a, b; } data' 'struct two { int b, a; } data' "struct one" \
		'struct one: member a was at 0, is at 4' < /dev/null
	changed_type 'struct pair { int a, b; } data' 'union pair { long a, b; } data' \
		"struct pair" "union pair" < /dev/null
}

@test "another member of a structure inside of the variable's" {
	for inner in 'int b; float a;' 'int a; unsigned int *b;'; do
		why='member a was at 0, is at 4'
		[[ $inner != *'*b'* ]] || why='member b was at 4, is at 8'
		pair -g -DINNER="$inner" <<-'EOT'
			#ifdef PATCHED
			struct inner { INNER };
			#else
			struct inner { int a; float b; };
			#endif
			typedef struct inner inner_t;
			struct outer { long x; const inner_t in[2]; } __attribute__((aligned(64)));
			struct outer data[2];
			int foo(void) { return data[0].x; }
		EOT
		cdo 2
		messages <<-EOT
			refused: file.c: data: the members of the type of existing data, "struct outer[2]", changed (struct inner: $why), and the running kernel's has the old ones; $WAY_OUT
		EOT
	done
}

@test "bit-fields: their widths and places" {
	changed_members 'struct bits { int a : 3, b : 5; } data' 'struct bits { int a : 4, b : 4; } data' \
		"struct bits" 'struct bits: member a was "int : 3", is "int : 4"' < /dev/null
	changed_members 'struct bits { int a : 3, b : 5; } data' 'struct bits { int a : 3, : 1, b : 5; } data' \
		"struct bits" 'struct bits: member b was at bit 3, is at bit 4' < /dev/null
	changed_members 'struct bits { int a : 3; } data' 'struct bits { int a : 4; } data' "struct bits" \
		'struct bits: member a was "int : 3", is "int : 4"' < /dev/null
	# DWARF 4 and 5 tell the same place in different ways.
	agreeing 'struct bits { long x; int a : 3, b : 5, c : 20; } data' \
		'struct bits { long x; int a : 3, b : 5, c : 20; } data' < /dev/null
	compile orig.o file.c -gdwarf-4
	compile patched.o file.c -gdwarf-5 -DPATCHED
	given grep -q 'DW_AT_bit_offset' <(readelf -wi orig.o)
	given grep -q 'DW_AT_data_bit_offset' <(readelf -wi patched.o)
	cdo 0
	no_messages
}

@test "names of types, qualifiers and signs do not matter" {
	agreeing 'typedef unsigned int u32; static u32 data' 'typedef unsigned int uint; static uint data' < /dev/null
	agreeing 'int data' 'unsigned int data' < /dev/null
	agreeing 'char data[4]' 'unsigned char data[4]' < /dev/null
	agreeing 'long data' 'volatile long long data' < /dev/null
	agreeing 'struct one { int a; long b; } data' 'struct two { unsigned a; long b; } data' < /dev/null
	agreeing 'typedef struct { int a; } one; one data' 'struct two { const int a; } data' < /dev/null
}

@test "enumerations: new values may be added, and the old ones must stay" {
	agreeing 'enum colour { RED, GREEN } data' 'enum colour { RED, GREEN, BLUE } data' < /dev/null
	agreeing 'enum colour { RED, GREEN } data' 'enum colour { BLUE = 7, GREEN = 1, RED = 0 } data' < /dev/null
	agreeing 'unsigned int data' 'enum colour { RED, GREEN } data' < /dev/null
	changed_members 'enum colour { RED, GREEN } data' 'enum colour { RED, BLUE, GREEN, NAVY } data' \
		"enum colour" 'enum colour: GREEN was 1, is 2' < /dev/null
	changed_members 'enum colour { RED = -1, GREEN } data' 'enum colour { RED = 255, GREEN = 0 } data' \
		"enum colour" 'enum colour: RED was -1, is 255' < /dev/null
	changed_type 'enum colour { RED, GREEN } data' 'enum shape { ROUND, SQUARE } data' \
		"enum colour" "enum shape" < /dev/null
	changed_members 'enum colour { RED, GREEN } data' 'enum colour { ROUND, SQUARE } data' \
		"enum colour" 'enum colour: all enumerators are new' < /dev/null
	changed_members 'struct pair { int a; enum colour { RED, GREEN, LAST = 5 } b; } data' \
		'struct pair { int a; enum colour { RED, GREEN = 2, LAST = 5 } b; } data' \
		"struct pair" 'enum colour: GREEN was 1, is 2' < /dev/null
}

@test "enumerations: the last one, if it is a count of the others, may grow" {
	agreeing 'enum colour { RED, GREEN, NR } data' 'enum colour { RED, GREEN, BLUE, NR } data' < /dev/null
	agreeing 'enum colour { RED, GREEN, BLUE, NR } data' 'enum colour { RED, GREEN, NR } data' < /dev/null
	agreeing 'enum colour { NONE = -1, RED, NR } data' 'enum colour { NONE = -1, RED, GREEN, NR } data' < /dev/null
	agreeing 'enum colour { NR = 2, RED = 0, GREEN } data' 'enum colour { NR = 3, RED = 0, GREEN, BLUE } data' < /dev/null
	agreeing 'struct { enum { RED, NR } *a; } data' 'struct { enum { RED, GREEN, NR } *a; } data' < /dev/null
	# Another one changed, too; it is named.
	changed_members 'enum colour { NR = 2, RED = 0, GREEN } data' 'enum colour { NR = 3, RED = 0, BLUE, GREEN } data' \
		"enum colour" 'enum colour: GREEN was 1, is 2' < /dev/null
	# Others are as great, or greater, on one side or both.
	changed_members 'enum colour { RED, NR, LAST = 1 } data' 'enum colour { RED, GREEN, NR } data' \
		"enum colour" 'enum colour: NR was 1, is 2' < /dev/null
	changed_members 'enum colour { RED, NR } data' 'enum colour { RED, GREEN, NR, LAST = NR } data' \
		"enum colour" 'enum colour: NR was 1, is 2' < /dev/null
	changed_members 'enum colour { RED, NR } data' 'enum colour { RED, GREEN, NR, MORE } data' \
		"enum colour" 'enum colour: NR was 1, is 2' < /dev/null
	changed_members 'enum colour { RED, __MAX, MAX = 0 } data' 'enum colour { RED, GREEN, __MAX, MAX = 1 } data' \
		"enum colour" 'enum colour: MAX was 0, is 1' < /dev/null
	# It is greater than the others, but counts something else.
	changed_members 'enum colour { RED, GREEN, NR = 7 } data' 'enum colour { RED, GREEN, BLUE, NR = 8 } data' \
		"enum colour" 'enum colour: NR was 7, is 8' < /dev/null
	# A number without a sign may look like a negative one.
	changed_members 'enum colour { RED, NR, ALL = ~0ul } data' 'enum colour { RED, GREEN, NR, ALL = ~0ul } data' \
		"enum colour" 'enum colour: NR was 1, is 2' < /dev/null
	# Nothing else is the same.
	changed_members 'enum colour { RED, NR } data' 'enum colour { ROUND, SQUARE, NR } data' \
		"enum colour" 'enum colour: NR was 1, is 2' < /dev/null
}

@test "a static local whose enumeration has a new member stays what it is" {
	pair -g <<-'EOT'
		#ifdef PATCHED
		enum colour { RED, GREEN, NR };
		#else
		enum colour { RED, NR };
		#endif
		int foo(int x)
		{
			static enum colour last;
			last += x;
			return last % NR;
		}
	EOT
	given_symbols orig.o last.0
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux last.0 0
	EOT
}

@test "constants are compared by what is in them, whatever they are called" {
	pair -g <<-'EOT'
		#ifdef PATCHED
		static const float table[] = { 0, 0, 0 };
		#else
		static const int table[] = { 0, 0, 0 };
		#endif
		const void *foo(int x) { return &table[x]; }
	EOT
	cdo 3
}

# behind_the_end TYPE [FLAGS]: something new follows the variable that is of TYPE. The compiler places them
# in the reverse order.
behind_the_end()
{
	pair "${@:2}" -Wno-int-conversion -DTYPE="$1" <<-'EOT'
		#define shared __section(".data..read_mostly")
		typedef TYPE;
		static int shared second = 3;
		#ifdef PATCHED
		static int shared added = 2;
		#endif
		static type shared first = { 1 };
		void use(void *);
		void foo(void)
		{
			use(&first);
			use(&second);
		#ifdef PATCHED
			use(&added);
		#endif
		}
	EOT
	ksyms T use
	given [ "$(readelf -sW patched.o | awk '$8 ~ /^(first|added|second)$/ { print $2, $8 }' | sort |
		cut -d' ' -f 2 | xargs)" = "first added second" ]
}

@test "a pointer to what follows a number or a pointer does not point behind its end" {
	for type in 'int type' 'char *type' 'enum { A = 1 } type'; do
		behind_the_end "$type" -g
		cdo 0
		no_messages
		changes <<-'EOT'
			function foo 0
			new data added
			klp vmlinux first 0
			klp vmlinux second 0
			klp vmlinux use 0
		EOT
	done
}

@test "a pointer to what follows an array or a structure, however small, may point behind its end: refused" {
	for type in 'int type[2]' 'char type[4]' 'struct { long a; int *b; } type' 'struct { char a[2]; int b; } type' \
		'struct { struct { int a[1]; } *b, c; } type[1]' 'union { int a; char b[4]; } type'; do
		behind_the_end "$type" -g
		cdo 2
		messages <<-'EOT'
			refused: file.c: foo(): refers either to the end of first or to added, which follows it in section .data..read_mostly, and which one cannot be told; put the new one into another section
		EOT
	done
}

@test "a variable whose type is not known may be an array, whatever its size" {
	behind_the_end 'int type'
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): refers either to the end of added or to second, which follows it in section .data..read_mostly, and which one cannot be told; put the new one into another section
		refused: file.c: foo(): refers either to the end of first or to added, which follows it in section .data..read_mostly, and which one cannot be told; put the new one into another section
	EOT
}
