// SPDX-License-Identifier: GPL-2.0-only
/*
 * A livepatch that patches nothing and is enabled and disabled by what is written to the parameter
 * "do", once. -DFAKE_... say what it declares, and how it comes and goes.
 */
#include <linux/delay.h>
#include <linux/wait_bit.h>

#include "fake.h"
#include "shadow-store.h"

#ifndef FAKE_SIZE
#define FAKE_SIZE 8
#endif
#ifndef FAKE_ALIGN
#define FAKE_ALIGN 8
#endif
#ifndef FAKE_VERSION
#define FAKE_VERSION 0
#endif
#ifndef FAKE_NAME
#define FAKE_NAME "parent.field"
#endif
#ifndef FAKE_ID
#define FAKE_ID KPATCH_HASH("parent.field")
#endif
#define FIELD_ID KPATCH_HASH("parent.field")

static int dtors;

static void field_dtor(void *obj, void *data)
{
	dtors++;
}

static const struct kpatch_shadow_field fields[] = {
	{
		.name = FAKE_NAME, .id = FAKE_ID, .size = FAKE_SIZE, .align = FAKE_ALIGN,
		.version = FAKE_VERSION, .dtor = field_dtor,
	},
#ifdef FAKE_SECOND
	{
		.name = "parent.second", .id = 4711, .size = 16, .align = 8, .dtor = field_dtor,
	},
#endif
};

#ifdef FAKE_FORCED
static struct klp_patch forced_patch = { .forced = true };
#endif

static const struct kpatch_shadow_user fake_user = {
	.name = KBUILD_MODNAME,
	.fields = fields,
	.nfields = ARRAY_SIZE(fields),
#ifdef FAKE_REPLACE
	.replace = true,
#endif
#ifdef FAKE_FORCED
	.patch = &forced_patch,
#endif
};

static unsigned long made;

static void make(unsigned long id, unsigned long first, unsigned long n, size_t size)
{
	for (made = 0; n--; first++)
		if (klp_shadow_alloc((void *)(first * 64), id, size, GFP_KERNEL, NULL, NULL))
			made++;
}

/* Is in the store as if another module were, until it says so. */
static void hold(unsigned int ms)
{
	wait_on_bit_lock(&shadow_root->mutex, 0, TASK_UNINTERRUPTIBLE);
	pr_info("shadow test: held\n");
	msleep(ms);
	pr_info("shadow test: given back\n");
	clear_bit_unlock(0, &shadow_root->mutex);
	smp_mb__after_atomic();
	wake_up_bit(&shadow_root->mutex, 0);
}

static int set(const char *text, const struct kernel_param *kp)
{
	unsigned long n;

	if (sysfs_streq(text, "enable"))
		return kpatch_shadow_pre_patch(NULL);
	if (sysfs_streq(text, "complete"))
		kpatch_shadow_post_patch(NULL);
	else if (sysfs_streq(text, "disable"))
		kpatch_shadow_post_unpatch(NULL);
	else if (sscanf(text, "make %lu", &n) == 1)
		make(FIELD_ID, 1, n, FAKE_SIZE);
	else if (sscanf(text, "more %lu", &n) == 1)
		make(FIELD_ID, 1000001, n, FAKE_SIZE);
	else if (sscanf(text, "second %lu", &n) == 1)
		make(4711, 1, n, 16);
	else if (sscanf(text, "undeclared %lu", &n) == 1)
		make(3, 1, n, 1000);
	else if (sscanf(text, "raw %lu", &n) == 1)
		make(FIELD_ID, 1, n, 40);
	else if (sscanf(text, "beside %lu", &n) == 1)
		make(3, 1000001, n, 1000);
	else if (sysfs_streq(text, "sized 0"))
		klp_shadow_free_all(FIELD_ID);
	else if (sscanf(text, "sized %lu", &n) == 1)
		make(FIELD_ID, 1, 4, n);
	else if (sscanf(text, "hold %lu", &n) == 1)
		hold(n);
	else
		return -EINVAL;
	return 0;
}

static int get(char *text, const struct kernel_param *kp)
{
	return sprintf(text, "made %lu, %d destructor calls\n", made, dtors);
}

static const struct kernel_param_ops ops = { .set = set, .get = get };
module_param_cb(do, &ops, NULL, 0644);

static int __init fake_init(void)
{
	return kpatch_shadow_join(&fake_user);
}

static void __exit fake_exit(void)
{
	kpatch_shadow_leave();
}

module_init(fake_init);
module_exit(fake_exit);
MODULE_LICENSE("GPL");
