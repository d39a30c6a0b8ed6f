/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A test module plays a livepatch that the kernel enables: it joins the store and calls the callbacks
 * itself, so that a test needs no patched function.
 */
#include <linux/module.h>
#include <kpatch-shadow.h>

#include "shadow-core.h"

static int failures;

#define CHECK(what)								\
	do {									\
		if (!(what)) {							\
			pr_err("shadow test: line %d: not true: %s\n", __LINE__, #what); \
			failures++;						\
		}								\
	} while (0)

#define FAKE_FIELD(structure, field, field_dtor)				\
	{									\
		.name = #structure "." #field,					\
		.id = KPATCH_HASH(#structure "." #field),			\
		.size = sizeof(kpatch_type__##structure##__##field),		\
		.align = __alignof__(kpatch_type__##structure##__##field),	\
		.dtor = field_dtor,						\
	}

#define FAKE_LIVEPATCH(table)							\
static const struct kpatch_shadow_user fake_user = {				\
	.name = KBUILD_MODNAME,							\
	.fields = table,							\
	.nfields = ARRAY_SIZE(table),						\
};										\
static int fake_enable(void)							\
{										\
	int err = kpatch_shadow_join(&fake_user);				\
										\
	return err ?: kpatch_shadow_pre_patch(NULL);				\
}										\
static void fake_disable(void)							\
{										\
	kpatch_shadow_post_unpatch(NULL);					\
	kpatch_shadow_leave();							\
}
