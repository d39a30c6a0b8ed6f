#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: notes that help to decide whether to load a livepatch, and when.
#
# shellcheck disable=SC2034 # what the fixtures read

bats_require_minimum_version 1.5.0
load diff-fixtures

CALLS='
#define static_noinline static noinline
struct lock { int x; };
struct dev { int x; };
int schedule(void), schedule_timeout(long), schedule_work(void *), wait_woken(void *), kthread_should_stop(void);
int kthread_create_on_node(int (*)(void *), void *, int, const char *, ...), other_with_function(int (*)(void *));
int mutex_lock(struct lock *), mutex_trylock(struct lock *), mutex_lock_interruptible(struct lock *), mutex_unlock(struct lock *);
int _raw_spin_lock_irqsave(struct lock *), _raw_spin_lock_bh(struct lock *), _raw_spin_unlock_irqrestore(struct lock *), _raw_spin_unlock(struct lock *);
int down_write_killable(struct lock *), up_write(struct lock *), up_read(struct lock *), downgrade_write(struct lock *);
int get_device(struct dev *), put_device(struct dev *), try_module_get(struct dev *), module_put(struct dev *);
int lock_sock_nested(struct dev *, int), release_sock(struct dev *), fget(int), fput(int);
int odd_get(struct dev *), use(struct dev *), get_user(int), unlock_only(struct lock *);
'

setup()
{
	cd "$BATS_TEST_TMPDIR" || return 1
	OBJNAME=vmlinux
	CDO_OPTIONS=()
	unset BUG_STRUCT_SIZE EX_STRUCT_SIZE ALT_STRUCT_SIZE JUMP_STRUCT_SIZE \
		STATIC_CALL_STRUCT_SIZE PARA_STRUCT_SIZE ORC_STRUCT_SIZE
	exports
	# The kernel exports these; _raw_spin_trylock_bh() and others are not asked for.
	for name in schedule schedule_timeout schedule_work wait_woken kthread_should_stop kthread_create_on_node \
		other_with_function mutex_lock mutex_trylock mutex_lock_interruptible mutex_unlock _raw_spin_lock \
		_raw_spin_lock_irqsave _raw_spin_lock_bh _raw_spin_unlock_irqrestore _raw_spin_unlock down_write \
		down_write_killable up_write up_read down_read downgrade_write get_device put_device try_module_get \
		module_get module_put lock_sock_nested release_sock fget fput odd_get use get_user unlock_only; do
		printf '0x00000001\t%s\tvmlinux\tEXPORT_SYMBOL\t\n' "$name"
	done >> symvers
}

# versions [FLAGS]: original and patched file from standard input, where lines "-" and "+" are of one of them.
versions()
{
	cat > both
	{
		echo "$CALLS"
		echo '#ifdef PATCHED'
		sed -n 's/^[+ ]//p' both
		echo '#else'
		sed -n 's/^[- ]//p' both
		echo '#endif'
	} | pair "$@"
	ksyms D a D b D c
	cdo 0
	no_messages
}

# risks: compare the notes of the report with standard input. Fields are separated by a blank.
risks()
{
	diff -u - <(sed -n 's/^risk\t\([^\t]*\)\t\([^\t]*\)\t/\1 \2 /p' report)
}

no_risks()
{
	risks < /dev/null
}

readonly WAIT='the patch takes effect when the last one has left it'
readonly LOCKS='while the patch takes effect, both run; see that callers agree about who holds the lock'
readonly REFS='while the patch takes effect, both run; see that a reference that one takes is not dropped twice or never'

@test "a plain fix has no notes, whatever its file does elsewhere" {
	versions <<-'EOT'
		 static_noinline int waits(void *p) { schedule(); return 1; }
		 int foo(struct lock *l, struct dev *d, int x)
		 {
		+	if (!x)
		+		return -22;
		 	mutex_lock(l);
		 	get_device(d);
		 	x += use(d) + schedule_work(d);
		 	put_device(d);
		 	mutex_unlock(l);
		-	return x;
		+	return x + 1;
		 }
		 int other(struct lock *l) { mutex_lock(l); return waits(l); }
		 int thread(void *p) { while (!kthread_should_stop()) waits(p); return 0; }
	EOT
	no_risks
	[[ $output != *note:* ]]
}

@test "tasks that wait in a function, or in what it calls" {
	versions <<-'EOT'
		-#define N 1
		+#define N 2
		 int direct(long t) { return schedule_timeout(t) + N; }
		 static_noinline int inner(void) { barrier(); return schedule() + 1; }
		 int near(void) { return inner() + N; }
		 static_noinline int outer(void) { barrier(); return inner() + 1; }
		 int too_far(void) { return outer() + N; }
		 static_noinline int told(void) { barrier(); return schedule() - N; }
		 int told_there(void) { return told() + N; }
		 int work(void *p) { return schedule_work(p) + N; }
		+int new_one(void *p) { return wait_woken(p); }
		 int now(void *p)
		 {
		+	wait_woken(p);
		 	return N;
		 }
	EOT
	risks <<-EOT
		told sleeps tasks may wait in it for long (it calls schedule()): $WAIT
		direct sleeps tasks may wait in it for long (it calls schedule_timeout()): $WAIT
		near sleeps tasks may wait in it for long (it calls inner(), which calls schedule()): $WAIT
	EOT
	[[ $output == *"file.c: note: direct(): tasks may wait in it for long (it calls schedule_timeout()): $WAIT"* ]]
}

@test "tasks that wait in system calls" {
	versions <<-'EOT'
		-#define N 1
		+#define N 2
		 static_noinline int wait(int n) { return schedule_timeout(n) + N; }
		 static_noinline int one(int n) { barrier(); return wait(n) + 1; }
		 static_noinline int two(int n) { barrier(); return one(n) + 2; }
		 static_noinline int three(int n) { barrier(); return two(n) + 3; }
		 static_noinline int four(int n) { barrier(); return three(n) + 4; }
		 int __x64_sys_poll(int n) { return wait(n) + 5; }
		 int __x64_sys_ppoll(int n) { return three(n) + 6; }
		 int __x64_sys_pselect6(int n) { return four(n) + 7; }
	EOT
	risks <<< "wait sleeps tasks may wait in it for long, in the system calls poll(), ppoll() (it calls schedule_timeout()): $WAIT"
	versions <<-'EOT'
		-#define N 1
		+#define N 2
		 static_noinline int wait(int n) { return schedule_timeout(n) + N; }
		 int __x64_sys_a(int n) { return wait(n) + 5; }
		 int __x64_sys_b(int n) { return wait(n) + 6; }
		 int __x64_sys_c(int n) { return wait(n) + 7; }
		 int __x64_sys_d(int n) { return wait(n) + 8; }
		 int __x64_sys_e(int n) { return wait(n) + 9; }
	EOT
	risks <<< "wait sleeps tasks may wait in it for long, in the system calls a(), b(), c() and 2 more (it calls schedule_timeout()): $WAIT"
}

@test "a wait in the cold part of a function" {
	versions <<-'EOT'
		-#define N 1
		+#define N 2
		 int __attribute__((cold)) wait_woken(void *);
		 int foo(int x) { if (unlikely(x)) return wait_woken(0) + 1; return N; }
	EOT
	given_symbols orig.o foo.cold
	risks <<< "foo sleeps tasks may wait in it for long (it calls wait_woken()): $WAIT"
}

@test "a wait that the cold part of a function calls by way of another one" {
	versions <<-'EOT'
		-#define N 1
		+#define N 2
		 static noinline int __attribute__((cold)) inner(int x) { barrier(); return schedule() + x; }
		 int foo(int x) { if (unlikely(x)) return inner(x) + 1; return N; }
	EOT
	given_symbols orig.o foo.cold
	risks <<< "foo sleeps tasks may wait in it for long (it calls inner(), which calls schedule()): $WAIT"
}

@test "functions that kernel threads run" {
	local rest='the patch takes effect when the thread leaves it, which may be never; see whether it can be stopped'
	versions <<-'EOT'
		-#define N 1
		+#define N 2
		 int loop(void *p) { while (!kthread_should_stop()) schedule(); return N; }
		 static int main_loop(void *p) { use(p); return N; }
		 static int passed(void *p) { use(p); return N; }
		 int start(void *p) { other_with_function(passed); return kthread_create_on_node(main_loop, p, -1, "x"); }
	EOT
	risks <<-EOT
		main_loop thread a kernel thread runs it (kthread_create_on_node()): $rest
		loop thread a kernel thread runs it (kthread_should_stop()): $rest
	EOT
}

@test "functions in which nearly all tasks are" {
	versions <<-'EOT'
		-#define N 1
		+#define N 2
		 int do_syscall_64(int x) { return schedule_timeout(x) + N; }
		 int worker_thread(void *p) { return schedule() + N; }
	EOT
	risks <<-'EOT'
		do_syscall_64 stacks each task in a system call is in it: the patch takes effect for none of them before it has left it once
		worker_thread stacks each worker of a workqueue is in it: the patch takes effect for none of them before it has left it once
	EOT
}

@test "what probes, injected errors and BPF programs have to do with" {
	asm_pair <<-'EOT'
			.macro function name
			.section .text.\name, "ax"
			.globl \name
			.type \name, @function
		\name:	call __fentry__
		#ifdef PATCHED
			nop
		#endif
			ret
			.size \name, . - \name
			.section __mcount_loc, "a"
			.quad \name
			.endm
			function probed
			function injected
			function for_bpf
			function plain
			.section _kprobe_blacklist, "aw"
			.quad probed
			.section _error_injection_whitelist, "aw"
			.type _eil_addr_injected, @object
			.size _eil_addr_injected, 16
		_eil_addr_injected:
			.quad injected, 1
			.section .BTF_ids, "a"
			.local __BTF_ID__func__for_bpf__371
			.type __BTF_ID__func__for_bpf__371, @object
			.size __BTF_ID__func__for_bpf__371, 4
		__BTF_ID__func__for_bpf__371:
			.long 0
	EOT
	cdo 0
	risks <<-'EOT'
		probed kprobes it must not be probed (NOKPROBE_SYMBOL), as handling a probe may call it; so may what redirects it
		injected errors errors can be injected into it (ALLOW_ERROR_INJECTION), and it depends on what came first whether that works; remove such probes before the patch is loaded
		for_bpf bpf BPF programs may call it, or be attached to it (BTF_ID); see that what they rely on stays as it is
	EOT
}

@test "a tracepoint that is gone, and one that is in another function now" {
	asm_pair <<-'EOT'
			.macro function name
			.section .text.\name, "ax"
			.globl \name
			.type \name, @function
		\name:	call __fentry__
			.endm
			.macro ends name
			ret
			.size \name, . - \name
			.section __mcount_loc, "a"
			.quad \name
			.endm
			.macro trace key
		1:	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00
		2:
			.pushsection __jump_table, "aw"
			.balign 8
			.long 1b - ., 2b - .
			.quad \key + 8 - .
			.popsection
			.endm
			function foo
		#ifdef PATCHED
			nop
		#else
			trace __tracepoint_lost
			trace __tracepoint_moved
		#endif
			trace __tracepoint_kept
			ends foo
			function bar
		#ifdef PATCHED
			trace __tracepoint_moved
			trace __tracepoint_fresh
		#endif
			ends bar
	EOT
	ksyms D __tracepoint_lost D __tracepoint_moved D __tracepoint_kept D __tracepoint_fresh
	cdo 0
	risks <<< 'foo trace it no longer has the tracepoint lost: who traces that misses its events'
}

@test "locks that are kept now, or given back: what is called of both kinds" {
	versions <<-'EOT'
		-#define LOST(x) x
		-#define GAINED(x)
		+#define LOST(x)
		+#define GAINED(x) x
		 int no_unlock(struct lock *l) { mutex_lock(l); LOST(mutex_unlock(l);) return l->x + 1; }
		 int no_lock(struct lock *l) { LOST(_raw_spin_lock_irqsave(l);) _raw_spin_unlock_irqrestore(l); return l->x + 1; }
		 int now_locks(struct lock *l) { GAINED(mutex_lock_interruptible(l);) return l->x + 1; }
		 int now_unlocks(struct lock *l) { down_write_killable(l); GAINED(up_write(l);) return l->x + 1; }
		 int no_more(struct lock *l) { LOST(mutex_unlock(l);) GAINED(use(0);) return l->x + 1; }
		 int sock(struct dev *d) { lock_sock_nested(d, 0); LOST(release_sock(d);) return d->x + 1; }
		 int other(struct lock *l) { LOST(mutex_unlock(l);) GAINED(mutex_trylock(l);) return l->x + 1; }
	EOT
	risks <<-EOT
		no_unlock locks the original calls mutex_lock() and mutex_unlock(), the new code only mutex_lock(): $LOCKS
		no_lock locks the original calls _raw_spin_lock_irqsave() and _raw_spin_unlock_irqrestore(), the new code only _raw_spin_unlock_irqrestore(): $LOCKS
		now_locks locks the original calls neither, the new code only mutex_lock_interruptible(): $LOCKS
		now_unlocks locks the original calls only down_write_killable(), the new code down_write_killable() and up_write(): $LOCKS
		no_more locks the original calls only mutex_unlock(), the new code neither: $LOCKS
		sock locks the original calls lock_sock_nested() and release_sock(), the new code only lock_sock_nested(): $LOCKS
		other locks the original calls only mutex_unlock(), the new code only mutex_trylock(): $LOCKS
	EOT
}

@test "locks that are taken and given back as before, elsewhere or in another way" {
	versions <<-'EOT'
		-#define LOST(x) x
		-#define GAINED(x)
		+#define LOST(x)
		+#define GAINED(x) x
		 int both(struct lock *l) { GAINED(mutex_lock(l); mutex_unlock(l);) return l->x + 1; }
		 int neither(struct lock *l) { LOST(mutex_lock(l); mutex_unlock(l);) GAINED(use(0);) return l->x + 1; }
		 int another_way(struct lock *l) { LOST(_raw_spin_lock_irqsave(l);) GAINED(_raw_spin_lock_bh(l);) _raw_spin_unlock(l); return l->x; }
		 int weaker(struct lock *l) { down_write_killable(l); GAINED(downgrade_write(l); up_read(l);) LOST(up_write(l);) return 1; }
		 int more_ways_out(struct lock *l, int x) { mutex_lock(l); GAINED(if (x) { mutex_unlock(l); return 3; }) use(0); mutex_unlock(l); return x; }
		 int no_counterpart(struct lock *l) { GAINED(unlock_only(l);) return l->x; }
		-static noinline int helper(struct lock *l) { mutex_unlock(l); return l->x; }
		+static inline __attribute__((always_inline)) int helper(struct lock *l) { mutex_unlock(l); return l->x; }
		 int inlines(struct lock *l) { mutex_lock(l); return helper(l) + 1; }
		+static noinline int fresh(struct lock *l) { mutex_lock(l); return l->x; }
		 int outlines(struct lock *l) { LOST(mutex_lock(l);) GAINED(fresh(l);) use(0); mutex_unlock(l); return l->x; }
	EOT
	given_symbols orig.o helper
	given_symbols patched.o fresh
	no_risks
}

@test "references: what was forgotten on a way out is no note, what is kept or dropped alone is one" {
	versions <<-'EOT'
		-#define LOST(x) x
		-#define GAINED(x)
		+#define LOST(x)
		+#define GAINED(x) x
		 int leak_fixed(struct dev *d) { get_device(d); if (use(d)) { GAINED(put_device(d);) return -1; } return 0; }
		 int keeps(struct dev *d) { try_module_get(d); use(d); LOST(module_put(d);) return d->x + 1; }
		 int drops(int n) { GAINED(fput(n);) return n + 1; }
		 int no_pair(struct dev *d) { GAINED(odd_get(d); get_user(1);) return d->x + 1; }
	EOT
	risks <<-EOT
		keeps references the original calls try_module_get() and module_put(), the new code only try_module_get(): $REFS
		drops references the original calls neither, the new code only fput(): $REFS
	EOT
}

@test "a lock whose unlocking is inlined tells nothing" {
	sed -i '/\t_raw_spin_unlock\t/d' symvers
	versions <<-'EOT'
		 int foo(struct lock *l)
		 {
		+	_raw_spin_lock_bh(l);
		 	return l->x + 1;
		 }
	EOT
	no_risks
}

@test "two locks that are taken the other way round" {
	local rest='while the patch takes effect, both run, and can wait for each other for ever'
	versions <<-'EOT'
		 extern struct lock a, b, c;
		-#define LOST(x) x
		-#define GAINED(x)
		+#define LOST(x)
		+#define GAINED(x) x
		 int swapped(int x) { LOST(mutex_lock(&a);) mutex_lock(&b); GAINED(mutex_lock(&a);) use(0); mutex_unlock(&b); mutex_unlock(&a); return x + 1; }
		 int other_kind(int x) { LOST(_raw_spin_lock_bh(&a);) mutex_trylock(&b); GAINED(_raw_spin_lock_bh(&a);) mutex_unlock(&b); _raw_spin_unlock(&a); return x + 2; }
		 int unlocked(int x) { mutex_lock(&a); mutex_lock(&b); LOST(mutex_unlock(&a);) mutex_unlock(&b); GAINED(mutex_unlock(&a);) return x + 3; }
		 int one_more(int x) { GAINED(mutex_lock(&c);) mutex_lock(&a); mutex_lock(&b); mutex_unlock(&b); mutex_unlock(&a); GAINED(mutex_unlock(&c);) return x + 4; }
		 int of_objects(struct lock *p, struct lock *q) { LOST(mutex_lock(p);) mutex_lock(q); GAINED(mutex_lock(p);) mutex_unlock(q); mutex_unlock(p); return 5; }
		 int again(int x) { mutex_lock(&a); mutex_lock(&b); mutex_unlock(&a); LOST(use(0);) GAINED(use(0);) mutex_lock(&a); mutex_unlock(&b); mutex_unlock(&a); GAINED(use(0);) return x + 6; }
		 int released(int x) { LOST(mutex_unlock(&a);) mutex_unlock(&b); GAINED(mutex_unlock(&a);) return x + 7; }
		 int used(int x) { LOST(use((void *)&a);) use((void *)&b); GAINED(use((void *)&a);) return x + 8; }
		 int held(int x) { LOST(get_device((void *)&a);) get_device((void *)&b); GAINED(get_device((void *)&a);) return x + 9; }
	EOT
	risks <<-EOT
		swapped order it took a before b, and takes b first now: $rest
		other_kind order it took a before b, and takes b first now: $rest
	EOT
}

@test "what new functions call is looked at once, however often they call each other" {
	local n=120
	asm_pair <<-EOS
		.macro function name, callee
		.section .text.\name, "ax"
		.type \name, @function
		\name:
		9: call __fentry__
		.rept $n
		call \callee
		.endr
		ret
		.size \name, . - \name
		.section __mcount_loc, "a"
		.quad 9b
		.endm
		#ifdef PATCHED
		function foo, one
		function one, two
		function two, three
		function three, mutex_unlock
		#else
		function foo, mutex_lock
		#endif
	EOS
	ksyms T mutex_lock T mutex_unlock
	(ulimit -t 5; "$CDO" --report report --source file.c orig.o patched.o vmlinux symtab symvers livepatch_test output.o) > out
	[ "$(sed -n 's/^risk\tfoo\t//p' report)" = $'locks\tthe original calls only mutex_lock(), the new code only mutex_unlock(): while the patch takes effect, both run; see that callers agree about who holds the lock' ]
}
