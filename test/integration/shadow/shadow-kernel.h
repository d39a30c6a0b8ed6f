/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own functions, by names that the build of a test module does not redirect. */
void *kernel_shadow_get(void *obj, unsigned long id);
void *kernel_shadow_alloc(void *obj, unsigned long id, size_t size, gfp_t gfp_flags,
			  klp_shadow_ctor_t ctor, void *ctor_data);
void *kernel_shadow_get_or_alloc(void *obj, unsigned long id, size_t size, gfp_t gfp_flags,
				 klp_shadow_ctor_t ctor, void *ctor_data);
void kernel_shadow_free(void *obj, unsigned long id, klp_shadow_dtor_t dtor);
void kernel_shadow_free_all(unsigned long id, klp_shadow_dtor_t dtor);
