// SPDX-License-Identifier: GPL-2.0-only
/* A module with nothing but the core: it joins the store, is enabled, disabled, and leaves. */
#include "fake.h"

static const struct kpatch_shadow_field fields[] = {
	{ .name = "core.field", .id = 0xc0e, .size = 32, .align = 8 },
};
FAKE_LIVEPATCH(fields);

static int __init core_init(void)
{
	int err = fake_enable(), i;

	for (i = 1; !err && i <= 8; i++)
		klp_shadow_get_or_alloc((void *)(i * 64ul), 0xc0e, 32, GFP_KERNEL, NULL, NULL);
	return err;
}

static void __exit core_exit(void)
{
	fake_disable();
}

module_init(core_init);
module_exit(core_exit);
MODULE_LICENSE("GPL");
