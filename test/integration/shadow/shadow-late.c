// SPDX-License-Identifier: GPL-2.0-only
/*
 * A look-up that has begun when the last module leaves: it stops in the middle, where no test could hit
 * it, and goes on when the module would have left, were there nothing that waits for it.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>

#include "fake.h"
#include "shadow-store.h"

static const struct kpatch_shadow_field fields[] = {
	{ .name = "late.field", .id = 1, .size = 8, .align = 8 },
};
FAKE_LIVEPATCH(fields);

static DECLARE_COMPLETION(begun);
static DECLARE_COMPLETION(ended);

static int look_up(void *unused)
{
	const struct shadow_node *bucket;
	const struct shadow_root *root;

	rcu_read_lock();
	root = READ_ONCE(shadow_root);
	complete(&begun);
	mdelay(300);
	bucket = shadow_bucket_slot(&root->table, 0);
	CHECK(root->magic == SHADOW_MAGIC);
	CHECK(bucket && !bucket->key && (bucket->aux & 1));
	rcu_read_unlock();
	complete(&ended);
	return 0;
}

static int __init late_init(void)
{
	int err = fake_enable();

	if (err)
		return err;
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
