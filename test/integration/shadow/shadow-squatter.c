// SPDX-License-Identifier: GPL-2.0-only
/* Keeps something else where the store would be. */
#include <linux/module.h>

#include "shadow-store.h"
#include "shadow-kernel.h"

static int __init squatter_init(void)
{
	return kernel_shadow_alloc(NULL, SHADOW_ROOT_ID, 64, GFP_KERNEL, NULL, NULL) ? 0 : -ENOMEM;
}

static void __exit squatter_exit(void)
{
	kernel_shadow_free(NULL, SHADOW_ROOT_ID, NULL);
}

module_init(squatter_init);
module_exit(squatter_exit);
MODULE_LICENSE("GPL");
