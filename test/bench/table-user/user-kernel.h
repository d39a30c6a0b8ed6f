/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the shadow core's table and calls need of the kernel, for one thread in user space. What a look-up
 * does there costs the same here; locks and interrupts are nothing.
 */
#ifndef USER_KERNEL_H
#define USER_KERNEL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint32_t u32;
typedef uint64_t u64;
typedef unsigned int gfp_t;

#define U32_MAX			UINT32_MAX
#define SMP_CACHE_BYTES		64
#define ARCH_KMALLOC_MINALIGN	8
#define MODULE_NAME_LEN		56

#undef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define min_t(type, a, b)	((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max_t(type, a, b)	((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define PTR_ALIGN(p, a)		((typeof(p))(((uintptr_t)(p) + (a) - 1) & -(uintptr_t)(a)))
#define container_of(p, type, member)	((type *)((char *)(p) - offsetof(type, member)))

static inline int fls(u32 x)
{
	return x ? 32 - __builtin_clz(x) : 0;
}

#define READ_ONCE(x)		(*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value)	(*(volatile typeof(x) *)&(x) = (value))
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_rmb()		__asm__ volatile("" ::: "memory")
#define smp_wmb()		__asm__ volatile("" ::: "memory")
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define cmpxchg(p, old, new)	__sync_val_compare_and_swap(p, old, new)

typedef struct { int counter; } atomic_t;
typedef struct { long counter; } atomic_long_t;
#define atomic_read(a)		((a)->counter)
#define atomic_set(a, v)	((a)->counter = (v))
#define atomic_long_read(a)	((a)->counter)
#define atomic_long_inc(a)	((a)->counter++)
#define atomic_long_dec(a)	((a)->counter--)

#define bit_spin_lock(n, p)	((void)(p))
#define bit_spin_unlock(n, p)	((void)(p))
#define local_irq_save(flags)	((flags) = 0)
#define local_irq_restore(flags)	((void)(flags))
#define rcu_read_lock()		__asm__ volatile("" ::: "memory")
#define rcu_read_unlock()	__asm__ volatile("" ::: "memory")
#define rcu_read_lock_sched()	__asm__ volatile("" ::: "memory")
#define rcu_read_unlock_sched()	__asm__ volatile("" ::: "memory")
#define cond_resched()		((void)0)

struct rcu_head {
	void *next, *func;
};

struct list_head {
	struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list->prev = list;
}

static inline void list_add(struct list_head *new, struct list_head *head)
{
	new->next = head->next;
	new->prev = head;
	head->next->prev = new;
	head->next = new;
}

static inline void list_add_tail(struct list_head *new, struct list_head *head)
{
	new->next = head;
	new->prev = head->prev;
	head->prev->next = new;
	head->prev = new;
}

static inline void list_del(struct list_head *entry)
{
	entry->next->prev = entry->prev;
	entry->prev->next = entry->next;
}

#define list_first_entry_or_null(head, type, member) \
	((head)->next == (head) ? NULL : container_of((head)->next, type, member))

#define GFP_KERNEL	1u
#define __GFP_HIGH	0u
#define __GFP_IO	0u
#define __GFP_FS	0u
#define __GFP_RECLAIM	0u
#define __GFP_NOWARN	0u
#define __GFP_NORETRY	0u
#define kzalloc(size, gfp)	((void)(gfp), calloc(1, size))
#define kcalloc(n, size, gfp)	((void)(gfp), calloc(n, size))
#define kfree(p)		free(p)
#define kfree_rcu(p, member)	free(p)

#define pr_err(...)	fprintf(stderr, __VA_ARGS__)
#define WARN(condition, ...)	((condition) ? fprintf(stderr, __VA_ARGS__) : 0)

struct klp_object;
struct klp_patch;
typedef int (*klp_shadow_ctor_t)(void *obj, void *shadow_data, void *ctor_data);
typedef void (*klp_shadow_dtor_t)(void *obj, void *shadow_data);

#define EINVAL		22
#define ENOENT		2
#define EAGAIN		11
#define ENOMEM		12
#define ECANCELED	125

#endif
