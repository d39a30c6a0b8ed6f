/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shadow core, which is linked into every generated module: what the generated registration
 * gives it and calls.
 *
 * All these modules share one store of shadow variables (shadow-store.c). It belongs to none of
 * them: the first one makes it, the last one frees it, and nothing in it points into a module, but
 * for the list of those that are there, from which each takes itself before it goes.
 */
#ifndef KPATCH_SHADOW_CORE_H
#define KPATCH_SHADOW_CORE_H

#include <linux/livepatch.h>
#include <linux/types.h>

#define KPATCH_SHADOW_NAME_LEN 128

/* A field that the patch declares; made by kpatch-build from the declarations in the patched objects. */
struct kpatch_shadow_field {
	const char *name;	/* "task_struct.counter" */
	unsigned long id;
	u32 size;		/* bytes of data; 0: a flag */
	u32 align;		/* of the data, a power of two */
	u32 version;		/* of what the data means; counted by the author */
	klp_shadow_dtor_t dtor;	/* NULL: none */
};

struct kpatch_shadow_user {
	const char *name;	/* of the module */
	const struct kpatch_shadow_field *fields;
	unsigned int nfields;
	bool replace;		/* the patch replaces all that were enabled before */
	struct klp_patch *patch;	/* NULL: a test */
};

/*
 * First and last call of a module, in process context. join() says why it fails; after a failure the
 * module must not be loaded. leave() may only follow when none of the module's code uses the store.
 */
int kpatch_shadow_join(const struct kpatch_shadow_user *user);
void kpatch_shadow_leave(void);

/* Callbacks of the patch's vmlinux object, in process context. */
int kpatch_shadow_pre_patch(struct klp_object *obj);
void kpatch_shadow_post_patch(struct klp_object *obj);
void kpatch_shadow_post_unpatch(struct klp_object *obj);

/* What klp_shadow_* becomes in the objects of the patch; same meaning, same contexts. */
void *kpatch_shadow_get(void *obj, unsigned long id);
void *kpatch_shadow_alloc(void *obj, unsigned long id, size_t size, gfp_t gfp_flags,
			  klp_shadow_ctor_t ctor, void *ctor_data);
void *kpatch_shadow_get_or_alloc(void *obj, unsigned long id, size_t size, gfp_t gfp_flags,
				 klp_shadow_ctor_t ctor, void *ctor_data);
void kpatch_shadow_free(void *obj, unsigned long id, klp_shadow_dtor_t dtor);
void kpatch_shadow_free_all(unsigned long id, klp_shadow_dtor_t dtor);

#endif
