/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COUNT_H
#define COUNT_H

#define STEP 1

unsigned int count_read(void);

static inline unsigned int count_next(unsigned int n)
{
	return n + STEP;
}

#endif
