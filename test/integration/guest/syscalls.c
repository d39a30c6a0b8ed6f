// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls system calls of 0 to 6 arguments as a task called kpatch-sys, each argument small and different, through
 * the entry of 64-bit programs and through that of 32-bit ones, and prints what they return: with
 * macros-syscalls.patch sums in which each argument has a place of its own.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers of the 32-bit entry. */
enum { NR32_getpid = 20, NR32_umask = 60, NR32_getpriority = 96, NR32_prctl = 172, NR32_splice = 313,
	NR32_getcpu = 318, NR32_prlimit64 = 340 };

static long call32(int nr, long a, long b, long c, long d, long e, long f)
{
	register long rbp asm("r11") = f;
	long ret;

	asm volatile("push %%rbp; mov %[f], %%rbp; int $0x80; pop %%rbp"
		     : "=a"(ret)
		     : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), [f] "r"(rbp)
		     : "memory", "r8", "r9", "r10", "cc");
	return (int)ret;
}

int main(void)
{
	prctl(PR_SET_NAME, "kpatch-sys");
	printf("64: %ld %ld %ld %ld %ld %ld %ld\n", syscall(SYS_getpid), syscall(SYS_umask, 1),
	       syscall(SYS_getpriority, 1, 2), syscall(SYS_getcpu, 1, 2, 3), syscall(SYS_prlimit64, 1, 2, 3, 4),
	       syscall(SYS_prctl, 1, 2, 3, 4, 5), syscall(SYS_splice, 1, 2, 3, 4, 5, 6));
	printf("32: %ld %ld %ld %ld %ld %ld %ld\n", call32(NR32_getpid, 0, 0, 0, 0, 0, 0),
	       call32(NR32_umask, 1, 0, 0, 0, 0, 0), call32(NR32_getpriority, 1, 2, 0, 0, 0, 0),
	       call32(NR32_getcpu, 1, 2, 3, 0, 0, 0), call32(NR32_prlimit64, 1, 2, 3, 4, 0, 0),
	       call32(NR32_prctl, 1, 2, 3, 4, 5, 0), call32(NR32_splice, 1, 2, 3, 4, 5, 6));
	return 0;
}
