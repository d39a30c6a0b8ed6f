/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uthash with shorter chains: tables expand when one of their chains has 5 elements, not 10. In tables
 * of 100,000 names each step along a chain is a cache miss.
 */
#ifndef KPATCH_HASH_H
#define KPATCH_HASH_H

#include <uthash.h>

#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 5U

#endif
