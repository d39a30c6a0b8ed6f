// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bug.h>
#include <linux/module.h>

#include <count.h>

static unsigned int limit = 1000;
module_param(limit, uint, 0644);

unsigned int count_read(void)
{
	static unsigned int count;

	/* The name of this file is part of the module. */
	if (WARN_ON_ONCE(count > limit))
		count = 0;
	count = count_next(count);
	return count;
}
