#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: what a patch says to sparse about locks, which no object tells.
#
# shellcheck disable=SC2034 # what the fixtures read

bats_require_minimum_version 1.5.0
load diff-fixtures

MACROS='
#define __must_hold(x)
#define __must_hold_shared(x)
#define __acquires(x)
#define __releases(x)
struct s { int lock, v; };
int spin(void *);
'

# versions: original and patched file from standard input, where lines "-" and "+" are of one of them.
versions()
{
	cat > both
	{ echo "$MACROS"; sed -n 's/^[- ]//p' both; } | version original
	{ echo "$MACROS"; sed -n 's/^[+ ]//p' both; } | version patched
	tree_pair
	ksyms T spin
}

# annotated BEFORE AFTER: a global function that is so and so.
annotated()
{
	versions <<-EOT
		-int foo(struct s *p, int (*fn)(int)) $1
		-{
		-	return p->v;
		-}
		+int foo(struct s *p, int (*fn)(int)) $2
		+{
		+	return p->v + 1;
		+}
	EOT
	cdo 0
}

@test "annotations of a global function: put on, taken off, of another lock" {
	local rest='and callers in other files may still go by the old ones; see that they agree about who holds the locks'
	annotated '' '__must_hold(&p->lock)'
	messages <<< "warning: file.c: foo(): its locking annotations were none, are __must_hold(&p->lock), $rest"
	annotated '__must_hold_shared(&p->lock)' ''
	messages <<< "warning: file.c: foo(): its locking annotations were __must_hold_shared(&p->lock), are none, $rest"
	annotated '__releases(lock_of(p)) __acquires(p->lock)' '__releases(&p->lock) __acquires(p->lock)'
	messages <<< "warning: file.c: foo(): its locking annotations were __releases(lock_of(p)) __acquires(p->lock), are __releases(&p->lock) __acquires(p->lock), $rest"
}

@test "annotations that stay, also on lines of their own, and statements in a body" {
	annotated '__must_hold(&p->lock)' '__must_hold(&p->lock)'
	no_messages
	versions <<-'EOT'
		 int
		-foo(struct s *p) __acquires(p->lock)
		+foo(struct s *p)
		+	__acquires(p->lock)
		 {
		-	return p->v;
		+	__releases(x)
		+	return spin(p);
		 }
	EOT
	cdo 0
	no_messages
}

@test "a static function: only callers that stay as they are" {
	versions <<-'EOT'
		-static noinline int foo(struct s *p)
		+static noinline int foo(struct s *p) __must_hold(&p->lock)
		 {
		-	spin(p);
		 	return p->v;
		 }
		 int one(struct s *p)
		 {
		+	spin(p);
		 	return foo(p) + 1;
		 }
	EOT
	cdo 0
	no_messages
	versions <<-'EOT'
		-static noinline int foo(struct s *p)
		+static noinline int foo(struct s *p) __must_hold(&p->lock)
		 {
		-	spin(p);
		 	return p->v;
		 }
		 int one(struct s *p)
		 {
		+	spin(p);
		 	return foo(p) + 1;
		 }
		 int two(struct s *p)
		 {
		 	return foo(p) + 2;
		 }
	EOT
	cdo 0
	messages <<< 'warning: file.c: foo(): its locking annotations were none, are __must_hold(&p->lock), and two() may still go by the old ones; see that they agree about who holds the locks'
	versions <<-'EOT'
		-static noinline int foo(struct s *p)
		+static noinline int foo(struct s *p) __must_hold(&p->lock)
		 {
		-	spin(p);
		 	return p->v;
		 }
		 void set(int (**p)(struct s *)) { *p = foo; }
	EOT
	cdo 0
	messages <<< 'warning: file.c: foo(): its locking annotations were none, are __must_hold(&p->lock), and what has its address may still go by the old ones; see that they agree about who holds the locks'
}

@test "an annotation alone changes nothing, and without the texts none is seen" {
	versions <<-'EOT'
		-int foo(struct s *p)
		+int foo(struct s *p) __must_hold(&p->lock)
		 {
		 	return p->v;
		 }
	EOT
	cdo 3
	no_messages
	annotated '' '__must_hold(&p->lock)'
	CDO_OPTIONS=()
	cdo 0
	no_messages
}
