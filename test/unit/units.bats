#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# compare-units: which changes of preprocessed text cannot change the code. Whatever it calls the same is compiled here,
# and must give the same object.

bats_require_minimum_version 1.5.0

TOP=$BATS_TEST_DIRNAME/../..
UNITS=$TOP/compare-units/compare-units

# What all units have: something that is compiled.
USER='int used(int x); int main_(int x) { return used(x); }\n'

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
}

# units ORIGINAL PATCHED: writes the two texts and compares them.
units()
{
	printf '%b' "$1" >a.i
	printf '%b' "$2" >b.i
	run "$UNITS" a.i b.i
}

# same ORIGINAL PATCHED
same()
{
	local side
	units "$1" "$2"
	[ "$status" -eq 3 ] || { echo "status $status: $1 -> $2"; return 1; }
	[ -z "$output" ]
	for side in a b; do
		gcc -O2 -w -c -fcf-protection=none -o "$side.o" "$side.i"
		strip -g "$side.o"
		objcopy --remove-section=.comment "$side.o"
	done
	cmp a.o b.o
}

# differ ORIGINAL PATCHED
differ()
{
	units "$1" "$2"
	[ "$status" -eq 0 ] || { echo "status $status: $1 -> $2"; return 1; }
}

@test "white space and line markers mean nothing" {
	same "${USER}int a = 1;" "# 1 \"x.h\" 1 3\n${USER}\n\nint\ta\n=1 ;\n# 7 \"y.h\" 2"
}

@test "tokens that only white space keeps apart are not joined" {
	differ 'int f(int a, int b) { return a + +b; }' 'int f(int a, int b) { return a ++b; }'
	differ 'int f(int a, int b) { return a - -b; }' 'int f(int a, int b) { return a --b; }'
	differ 'int L; char s[] = L"x";' 'int L; char s[] = L "x";'
	differ 'int a[] = { 1, 2 };' 'int a[] = { 12 };'
}

@test "an inline function that nothing uses may change, appear, and go" {
	same "static inline int f(int x) { return x; }\n$USER" "static inline int f(int x) { return x + 1; }\n$USER"
	same "$USER" "static inline int f(int x) { return x + 1; }\n$USER"
	same "static inline __attribute__((__gnu_inline__)) __attribute__((__unused__)) struct a *f(struct a *x)\n{ return x; }\n$USER" "$USER"
}

@test "an inline function that only unused ones use is unused" {
	same "static inline int f(void) { return 1; }\nstatic inline int g(void) { return f(); }\n$USER" \
		"static inline int f(void) { return 2; }\nstatic inline int g(void) { return f(); }\n$USER"
}

@test "an inline function that is used, however it is reached, matters" {
	local use
	for use in 'int u(void) { return f(); }' 'int (*u)(void) = f;' 'static inline int g(void) { return f(); } int u(void) { return g(); }' \
		'int u[sizeof(__typeof__(f()))];' 'static int u(void) { return f(); }' \
		'int u(void) __attribute__((alias("f")));' '__attribute__((__used__)) static inline int u(void) { return f(); }'; do
		differ "static inline int f(void) { return 1; }\n$use\n" "static inline int f(void) { return 2; }\n$use\n"
	done
}

@test "declarations of functions and variables that nothing uses may change" {
	same "$USER" "int f(struct b *, int (*)(void)) __attribute__((noreturn));\n$USER"
	same "extern int v, *w[3];\n$USER" "extern long v, *w[4];\n$USER"
	same "extern __attribute__((section(\".data..percpu\"))) __typeof__(int) v;\n$USER" "$USER"
	differ "int used(int x) __attribute__((const));\n$USER" "$USER"
	differ "extern int v;\nint f(void) { return v; }" "extern long v;\nint f(void) { return v; }"
	differ "extern int v[2], w;\nint f(void) { return v[1]; }" "extern long v[2], w;\nint f(void) { return v[1]; }"
}

@test "types that nothing uses may change" {
	same "struct s { int a; };\n$USER" "struct s { int b; int a; };\n$USER"
	same "enum e { A, B };\n$USER" "enum e { B, A, C };\n$USER"
	same "enum { A, B };\n$USER" "enum { C, A, B };\n$USER"
	same "typedef struct { int a; } t;\n$USER" "typedef struct { int b; int a; } t;\n$USER"
	same "typedef int (*t)(int);\ntypedef int f(int);\ntypedef int n, *m[2];\n$USER" "typedef int (*t)(long);\ntypedef int f(long);\ntypedef long n, *m[2];\n$USER"
	same "struct s { int a; };\nstatic inline int f(struct s *p) { return p->a; }\nint g(struct s *);\n$USER" \
		"struct s { int b; int a; };\nstatic inline int f(struct s *p) { return p->a; }\nint g(struct s *);\n$USER"
}

@test "types that something uses matter, also by way of other types" {
	local use
	for use in 'int u(struct s *p) { return p->a; }' 'typedef struct s t; int u(t *p) { return p->a; }' \
		'struct o { struct s s; int c; }; int u(struct o *p) { return p->c; }' 'extern struct s v; int u(void) { return v.a; }' \
		'struct s *f(void); int u(void) { return f()->a; }' 'struct s v;' 'int u = sizeof(struct s);' \
		'typedef int (*cb)(struct s *); int u(cb f) { return f(0); }' 'static inline struct s *f(void) { return 0; } int u(void) { return f()->a; }'; do
		differ "struct s { int a; };\n$use" "struct s { int b; int a; };\n$use"
	done
	differ 'enum e { A, B }; int u(void) { return B; }' 'enum e { A, C, B }; int u(void) { return B; }'
	differ 'enum { A, B }; int u(void) { return B; }' 'enum { A, C, B }; int u(void) { return B; }'
	differ 'struct s { enum { A, B } e; }; int u(void) { return B; }' 'struct s { enum { A, C, B } e; }; int u(void) { return B; }'
	differ 'typedef enum { A = 1, B } t; int u(void) { return B; }' 'typedef enum { A = 2, B } t; int u(void) { return B; }'
	differ 'struct o { struct s { int a; } x; }; int u = sizeof(struct s);' 'struct o { struct s { long a; } x; }; int u = sizeof(struct s);'
	differ 'typedef struct t { int a; } __attribute__((packed)) t_t; int u = sizeof(struct t);' 'typedef struct t { long a; } __attribute__((packed)) t_t; int u = sizeof(struct t);'
	differ 'typedef int t[2], n; int u = sizeof(n);' 'typedef long t[2], n; int u = sizeof(n);'
}

@test "what the compiler emits though nothing refers to it matters" {
	local what
	for what in 'int f(void) { return N; }' 'static int f(void) { return N; }' 'int v = N;' 'static int v = N;' 'int v[N];' \
		'static const char v[] = "N";' 'extern int v; int v = N;' 'struct s { int a; } v = { N };' \
		'__asm__(".set x, N");' '_Static_assert(N, "");' '#pragma pack(N)\n' \
		'static inline void f(void) { static int v __attribute__((used)) = N; }' \
		'static inline __attribute__((__constructor__)) void f(void) { g(N); }' \
		'extern int v __attribute__((weak, aligned(N)));' 'int f(int) __asm__("fN");' \
		'extern inline __attribute__((gnu_inline)) int f(void) { return N; }' 'int f(void) { return 1; } int v[N];' \
		'char *stpcpy(char *a, char b[N]);' 'static inline void *memcpy(void *a, void *b, long n) { return N; }' \
		'int __snprintf_chk(char a[N]);' 'extern int v, w = N;' 'typedef int t; static t (v) = N;' 'int f(a) int a; { return N; }'; do
		differ "$USER${what//N/1}" "$USER${what//N/2}"
	done
	# Of a pragma, only what it says about warnings ends with the function that it is in.
	differ 'static inline int f(void)\n{\n\treturn 1;\n}\nstruct s { char a; int b; };\nint u = sizeof(struct s);' \
		'static inline int f(void)\n{\n#pragma pack(1)\n\treturn 1;\n}\nstruct s { char a; int b; };\nint u = sizeof(struct s);'
	differ 'struct q {\nint a;\n};\nstruct s { char a; int b; };\nint u = sizeof(struct s);' \
		'struct q {\n#pragma pack(1)\nint a;\n};\nstruct s { char a; int b; };\nint u = sizeof(struct s);'
	same "${USER}static inline int f(void)\n{\n\treturn 1;\n}" \
		"${USER}static inline int f(void)\n{\n#pragma GCC diagnostic ignored \"-Wall\"\n\treturn 1;\n}"
	# A variable in parentheses is no function.
	differ 'int u;' 'int u; unsigned long (v);'
	differ 'struct s { int a; }; int u;' 'struct s { int a; }; int u; struct s (v);'
	differ 'typedef unsigned int (t); t v;' 'typedef unsigned char (t); t v;'
	differ 'typedef int t; static t (v); int u(void) { return v; }' 'typedef long t; static t (v); int u(void) { return v; }'
}

@test "names that the preprocessor numbered may have other numbers" {
	local text='int f(int x) { int __UNIQUE_ID_a%d = x; int __UNIQUE_ID_b%d = 2; return __UNIQUE_ID_a%d + __UNIQUE_ID_b%d; }'
	# shellcheck disable=SC2059 # formats
	same "$(printf "$text" 1 2 1 2)" "$(printf "$text" 11 12 11 12)"
	differ "$(printf "$text" 1 2 1 2)" "$(printf "$text" 11 12 12 11)"
	text='int __UNIQUE_ID_a%d, __UNIQUE_ID_a%d; int f(void) { return __UNIQUE_ID_a%d; }'
	# shellcheck disable=SC2059
	differ "$(printf "$text" 1 2 1)" "$(printf "$text" 11 12 12)"
	differ "$(printf "$text" 1 2 1)" "$(printf "$text" 11 11 11)"
	differ "$(printf "$text" 1 1 1)" "$(printf "$text" 11 12 11)"
	differ 'int x1; int f(void) { return x1; }' 'int x2; int f(void) { return x2; }'
	differ 'int __UNIQUE_ID_a1;' 'int __UNIQUE_ID_b1;'
}

@test "text whose brackets do not match is compared as it is" {
	differ "static inline int f(void) { return 1; }\n$USER}" "static inline int f(void) { return 2; }\n$USER}"
	differ "static inline int f(void) <% return 1; %>\n$USER" "static inline int f(void) <% return 2; %>\n$USER"
	differ 'static inline int g(int x) { return 1; } int f(void) <% int x = 2; return g(x); %>' \
		'static inline int g(int x) { return 2; } int f(void) <% int x = 2; return g(x); %>'
	same "$USER" "$USER"
	units 'int x' 'int x'
	[ "$status" -eq 3 ]
	units '' ''
	[ "$status" -eq 3 ]
	units '' 'int x;'
	[ "$status" -eq 0 ]
}

@test "the order of what is compiled matters" {
	differ 'int a; int b;' 'int b; int a;'
}

@test "--report names what differs" {
	printf 'struct s { int a; }; static inline int f(struct s *p) { return p->a; } int g(struct s *p) { return f(p); } int h;' >a.i
	printf 'struct s { int b, a; }; static inline int f(struct s *p) { return p->a + 1; } int g(struct s *p) { return f(p); } long h;' >b.i
	run "$UNITS" --report a.i b.i
	[ "$status" -eq 0 ]
	[ "$(sort -u <<<"$output")" = "$(printf 'f()\nh\nstruct s')" ]
}

@test "what cannot be read is an error" {
	units 'int x;' 'char *s = "x;\n'
	[ "$status" -eq 1 ]
	[ "$output" = "compare-units: error: b.i: a string has no end; is this the output of gcc -E?" ]
	run "$UNITS" a.i none.i
	[ "$status" -eq 1 ]
	[ "$output" = "compare-units: error: none.i: No such file or directory" ]
	run "$UNITS" a.i
	[ "$status" -eq 1 ]
	run "$UNITS" a.i a.i a.i
	[ "$status" -eq 1 ]
}
