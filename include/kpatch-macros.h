/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a patch can say to kpatch-build, and what helps code to become a livepatch: kpatch-macros.h(7).
 *
 *	#include <kpatch-macros.h>
 *
 *	static int raise_limit(patch_object *obj)
 *	{
 *		limit = 64;
 *		return 0;
 *	}
 *	KPATCH_PRE_PATCH_CALLBACK(raise_limit);
 *
 * Each macro that says something leaves a note in a section that create-diff-object reads and that no
 * module keeps. The names are those that authors of patches for kpatch know.
 */
#ifndef KPATCH_MACROS_H
#define KPATCH_MACROS_H

#include <linux/compiler.h>
#include <linux/jump_label.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/static_call.h>

/* What a callback is called with: the kernel itself or a module, which is patched or no longer so. */
typedef struct klp_object patch_object;

/* create-diff-object/notes.c knows this layout, and the numbers. */
struct kpatch_note {
	unsigned long kind;
	unsigned long line;
	const char *file;
	const char *name;	/* of a function, a section or a type */
	union {
		int (*may_fail)(patch_object *obj);
		void (*may_not)(patch_object *obj);
	} callback;
};

#define KPATCH_NOTE_PRE_PATCH		1
#define KPATCH_NOTE_POST_PATCH		2
#define KPATCH_NOTE_PRE_UNPATCH		3
#define KPATCH_NOTE_POST_UNPATCH	4
#define KPATCH_NOTE_IGNORE_FUNCTION	5
#define KPATCH_NOTE_IGNORE_SECTION	6
#define KPATCH_NOTE_FORCE_UNSAFE	7
#define KPATCH_NOTE_ALLOW_LAYOUT	8

#define KPATCH_NOTE(symbol, kind_, name_, ...)					\
static const struct kpatch_note symbol						\
__used __aligned(8) __section(".discard.kpatch_macros") = {			\
	.kind = kind_,								\
	.line = __LINE__,							\
	.file = __FILE__,							\
	.name = name_,								\
	__VA_ARGS__								\
}

#define KPATCH_NOTE_PASTE_(a, b)	a##b
#define KPATCH_NOTE_PASTE(a, b)		KPATCH_NOTE_PASTE_(a, b)

/* A number, as long as fn is a function in sight. Its address is not taken, which would change its code. */
#define KPATCH_NOTE_OF(fn, kind)	(kind + 0 * sizeof(&(fn)))

/* ---- callbacks ---- */

/**
 * KPATCH_PRE_PATCH_CALLBACK - call a function before an object is patched
 * @fn:		static int fn(patch_object *obj); an error refuses the patch
 *
 * The object is the one that the source file is part of, vmlinux or a module. For vmlinux, and for a
 * module that is there already, this is when the livepatch is loaded; for others, when they are. All callbacks may
 * sleep. One of each kind for each object.
 */
#define KPATCH_PRE_PATCH_CALLBACK(fn)						\
	KPATCH_NOTE(kpatch_pre_patch__##fn, KPATCH_NOTE_PRE_PATCH, #fn, .callback.may_fail = fn)

/**
 * KPATCH_POST_PATCH_CALLBACK - call a function when all tasks use the new code
 * @fn:		static void fn(patch_object *obj)
 */
#define KPATCH_POST_PATCH_CALLBACK(fn)						\
	KPATCH_NOTE(kpatch_post_patch__##fn, KPATCH_NOTE_POST_PATCH, #fn, .callback.may_not = fn)

/**
 * KPATCH_PRE_UNPATCH_CALLBACK - call a function before the livepatch is disabled, or its module goes
 * @fn:		static void fn(patch_object *obj)
 */
#define KPATCH_PRE_UNPATCH_CALLBACK(fn)						\
	KPATCH_NOTE(kpatch_pre_unpatch__##fn, KPATCH_NOTE_PRE_UNPATCH, #fn, .callback.may_not = fn)

/**
 * KPATCH_POST_UNPATCH_CALLBACK - call a function when all tasks use the old code again
 * @fn:		static void fn(patch_object *obj)
 */
#define KPATCH_POST_UNPATCH_CALLBACK(fn)					\
	KPATCH_NOTE(kpatch_post_unpatch__##fn, KPATCH_NOTE_POST_UNPATCH, #fn, .callback.may_not = fn)

/* ---- what shall not count ---- */

/**
 * KPATCH_IGNORE_FUNCTION - the kernel goes on using its own version of a function
 * @fn:		a function that comes out different, and need not
 */
#define KPATCH_IGNORE_FUNCTION(fn)						\
	KPATCH_NOTE(kpatch_ignore__##fn, KPATCH_NOTE_OF(fn, KPATCH_NOTE_IGNORE_FUNCTION), #fn)

/**
 * KPATCH_IGNORE_SECTION - what changed in a section of the object is left out
 * @section:	its name, a string; ".data.foo" is the section of the variable foo
 *
 * Initial values of data, initialisation code, and lists that the kernel has read already. Data must keep
 * their size and type.
 */
#define KPATCH_IGNORE_SECTION(section)						\
	KPATCH_NOTE(KPATCH_NOTE_PASTE(kpatch_ignore_section_, __LINE__),	\
		    KPATCH_NOTE_IGNORE_SECTION, section)

/**
 * KPATCH_ALLOW_LAYOUT - the layout of a type may change
 * @type:	its name as the refusal has it, a string: "struct foo"
 *
 * For types of which no object outlives a call, or that only code makes and reads which the patch replaces. Counts
 * for the source file in which it stands; in a header, for all that include it.
 */
#define KPATCH_ALLOW_LAYOUT(type)						\
	KPATCH_NOTE(KPATCH_NOTE_PASTE(kpatch_allow_layout_, __LINE__),		\
		    KPATCH_NOTE_ALLOW_LAYOUT, type)

/**
 * KPATCH_FORCE_UNSAFE - accepted for old patches; does nothing but to be reported
 * @fn:		a function
 */
#define KPATCH_FORCE_UNSAFE(fn)							\
	KPATCH_NOTE(kpatch_force_unsafe__##fn, KPATCH_NOTE_OF(fn, KPATCH_NOTE_FORCE_UNSAFE), #fn)

/* ---- keys of modules ---- */

/**
 * KPATCH_STATIC_CALL - static_call() for a static call that belongs to a module
 * @name:	of the static call
 *
 * Yields what it calls now; to be called as static_call(name) is: KPATCH_STATIC_CALL(name)(arg).
 */
#define KPATCH_STATIC_CALL(name)						\
	((typeof(STATIC_CALL_TRAMP(name)) *)READ_ONCE(STATIC_CALL_KEY(name).func))

/**
 * KPATCH_STATIC_BRANCH - static_branch_likely() and _unlikely() for a static key that belongs to a module
 * @key:	pointer to the key
 */
#define KPATCH_STATIC_BRANCH(key)	static_key_enabled(key)

/* ---- messages ---- */

static __maybe_unused __printf(1, 2) noinline __noclone int kpatch_printk(const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vprintk(fmt, args);
	va_end(args);
	return n;
}

/**
 * KPATCH_PRINTK - printk() that changes the code around it least
 * @fmt, ...:	as for printk()
 *
 * It makes no entry in the index of formats, and does not make the compiler believe that what leads to
 * it happens rarely, which can move that code, and more, to other sections.
 */
#define KPATCH_PRINTK(fmt, ...)		kpatch_printk(fmt, ##__VA_ARGS__)

/* ---- system calls; <linux/syscalls.h>, which their file includes, must be in sight where they are used ---- */

/*
 * The kernel's SYSCALL_DEFINEx() makes the code an inline function, which ftrace does not see if the compiler does
 * not inline it. Here that is the caller of an ordinary function. Everything else, entries for 32-bit programs and
 * the description for tracing included, is what the kernel's own macro makes, so that it fits to each kernel.
 */
#define KPATCH_SYSCALL_DEFINEx(x, name, ...)					\
	static long kpatch_sys##name(__MAP(x, __SC_DECL, __VA_ARGS__));		\
	SYSCALL_DEFINEx(x, name, __VA_ARGS__)					\
	{									\
		return kpatch_sys##name(__MAP(x, __SC_ARGS, __VA_ARGS__));	\
	}									\
	static long kpatch_sys##name(__MAP(x, __SC_DECL, __VA_ARGS__))

/**
 * KPATCH_SYSCALL_DEFINE0 ... KPATCH_SYSCALL_DEFINE6 - instead of SYSCALL_DEFINE0 ... 6 in a patch
 * @name:	of the system call
 * @...:	type and name of each argument
 *
 * The code follows in braces.
 */
#define KPATCH_SYSCALL_DEFINE0(name)						\
	static long kpatch_sys_##name(void);					\
	SYSCALL_DEFINE0(name)							\
	{									\
		return kpatch_sys_##name();					\
	}									\
	static long kpatch_sys_##name(void)

#define KPATCH_SYSCALL_DEFINE1(name, ...)	KPATCH_SYSCALL_DEFINEx(1, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE2(name, ...)	KPATCH_SYSCALL_DEFINEx(2, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE3(name, ...)	KPATCH_SYSCALL_DEFINEx(3, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE4(name, ...)	KPATCH_SYSCALL_DEFINEx(4, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE5(name, ...)	KPATCH_SYSCALL_DEFINEx(5, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE6(name, ...)	KPATCH_SYSCALL_DEFINEx(6, _##name, __VA_ARGS__)

#endif
