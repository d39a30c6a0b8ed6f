/* SPDX-License-Identifier: GPL-2.0-only */
/* The name under which authors of patches for kpatch know KPATCH_SYSCALL_DEFINE0 ... 6. */
#ifndef KPATCH_SYSCALL_H
#define KPATCH_SYSCALL_H

#include <linux/syscalls.h>

#include <kpatch-macros.h>

#endif
