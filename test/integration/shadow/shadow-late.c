// SPDX-License-Identifier: GPL-2.0-only
/*
 * A look-up that has begun when the last module leaves. The module is built with a core that calls late_point() in
 * the middle of it, where no test could hit it: it goes on when the module would have left, were there nothing that
 * waits for it.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>

#include "fake.h"

static const struct kpatch_shadow_field fields[] = {
	{ .name = "late.field", .id = 1, .size = 8, .align = 8 },
};
FAKE_LIVEPATCH(fields);

static DECLARE_COMPLETION(begun);
static DECLARE_COMPLETION(ended);

void late_point(void);
void late_point(void)
{
	complete(&begun);
	mdelay(300);
}

static int look_up(void *unused)
{
	/* Its variable goes meanwhile. */
	CHECK(!klp_shadow_get((void *)64, 1));
	complete(&ended);
	return 0;
}

static int __init late_init(void)
{
	int err = fake_enable();

	if (err)
		return err;
	CHECK(klp_shadow_alloc((void *)64, 1, 8, GFP_KERNEL, NULL, NULL));
	kthread_run(look_up, NULL, "shadow-late");
	wait_for_completion(&begun);
	fake_disable();
	wait_for_completion(&ended);
	pr_info("shadow test: late, %d failures\n", failures);
	return failures ? -EINVAL : 0;
}

static void __exit late_exit(void)
{
}

module_init(late_init);
module_exit(late_exit);
MODULE_LICENSE("GPL");
