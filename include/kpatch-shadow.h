/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shadow fields: new fields for structures of a running kernel. For patches that are made into
 * livepatches with kpatch-build; kpatch-shadow.h(7) is the manual.
 *
 *	#include <kpatch-shadow.h>		behind the file's own includes
 *
 *	KPATCH_SHADOW_FIELD(task_struct, retries, unsigned int, .initial = 3);
 *
 *	unsigned int *retries = kpatch_field_get_or_alloc(task_struct, retries, current, GFP_ATOMIC);
 *
 * All that comes out of this are calls of klp_shadow_*() and, for each declaration, a record in a
 * section that kpatch-build reads and that no module keeps.
 */
#ifndef KPATCH_SHADOW_H
#define KPATCH_SHADOW_H

#include <linux/build_bug.h>
#include <linux/gfp.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>
/* Before the macros below: they would mangle its prototypes. */
#include <linux/livepatch.h>

/* ---- the calls, in both forms that they ever had ---- */

/*
 * Linux 4.15 had klp_shadow_alloc(obj, id, data, size, gfp), which stores a copy of data (NULL: zeroes),
 * and klp_shadow_free(obj, id). Later kernels have constructors and destructors, which make one more
 * argument. The number of arguments says which form is meant.
 */
struct kpatch_shadow_copy {
	const void *data;
	size_t size;
};

/* Constructor of the first form. */
static inline int kpatch_shadow_copy(void *obj, void *shadow_data, void *ctor_data)
{
	const struct kpatch_shadow_copy *copy = ctor_data;

	memcpy(shadow_data, copy->data, copy->size);
	return 0;
}

static inline void *kpatch_shadow_alloc5(void *obj, unsigned long id, const void *data, size_t size,
					 gfp_t gfp)
{
	struct kpatch_shadow_copy copy = { data, size };

	return klp_shadow_alloc(obj, id, size, gfp, data ? kpatch_shadow_copy : NULL, &copy);
}

static inline void *kpatch_shadow_alloc6(void *obj, unsigned long id, size_t size, gfp_t gfp,
					 klp_shadow_ctor_t ctor, void *ctor_data)
{
	return klp_shadow_alloc(obj, id, size, gfp, ctor, ctor_data);
}

static inline void *kpatch_shadow_get_or_alloc5(void *obj, unsigned long id, const void *data,
						size_t size, gfp_t gfp)
{
	struct kpatch_shadow_copy copy = { data, size };

	return klp_shadow_get_or_alloc(obj, id, size, gfp, data ? kpatch_shadow_copy : NULL, &copy);
}

static inline void *kpatch_shadow_get_or_alloc6(void *obj, unsigned long id, size_t size, gfp_t gfp,
						klp_shadow_ctor_t ctor, void *ctor_data)
{
	return klp_shadow_get_or_alloc(obj, id, size, gfp, ctor, ctor_data);
}

static inline void kpatch_shadow_free2(void *obj, unsigned long id)
{
	klp_shadow_free(obj, id, NULL);
}

static inline void kpatch_shadow_free3(void *obj, unsigned long id, klp_shadow_dtor_t dtor)
{
	klp_shadow_free(obj, id, dtor);
}

static inline void kpatch_shadow_free_all1(unsigned long id)
{
	klp_shadow_free_all(id, NULL);
}

static inline void kpatch_shadow_free_all2(unsigned long id, klp_shadow_dtor_t dtor)
{
	klp_shadow_free_all(id, dtor);
}

#define KPATCH_COUNT_(a1, a2, a3, a4, a5, a6, n, ...)	n
#define KPATCH_COUNT(...)	KPATCH_COUNT_(__VA_ARGS__, 6, 5, 4, 3, 2, 1)
#define KPATCH_PASTE_(a, b)	a##b
#define KPATCH_PASTE(a, b)	KPATCH_PASTE_(a, b)

#define klp_shadow_alloc(...) \
	KPATCH_PASTE(kpatch_shadow_alloc, KPATCH_COUNT(__VA_ARGS__))(__VA_ARGS__)
#define klp_shadow_get_or_alloc(...) \
	KPATCH_PASTE(kpatch_shadow_get_or_alloc, KPATCH_COUNT(__VA_ARGS__))(__VA_ARGS__)
#define klp_shadow_free(...) \
	KPATCH_PASTE(kpatch_shadow_free, KPATCH_COUNT(__VA_ARGS__))(__VA_ARGS__)
#define klp_shadow_free_all(...) \
	KPATCH_PASTE(kpatch_shadow_free_all, KPATCH_COUNT(__VA_ARGS__))(__VA_ARGS__)

/* ---- ids ---- */

/*
 * FNV-1a, 64 bits, over the first 64 characters of a string literal, filled up with zeroes; the highest
 * bit is set, so that it never is one of the small numbers that people choose. A constant expression.
 */
#define KPATCH_CHAR(s, i)	((i) < sizeof(s) ? (unsigned char)(s)[(i) < sizeof(s) ? (i) : 0] : 0)
#define KPATCH_FNV1(h, s, i)	(((h) ^ KPATCH_CHAR(s, i)) * 1099511628211UL)
#define KPATCH_FNV4(h, s, i)							\
	KPATCH_FNV1(KPATCH_FNV1(KPATCH_FNV1(KPATCH_FNV1(h, s, i), s, (i) + 1), s, (i) + 2), s, (i) + 3)
#define KPATCH_FNV16(h, s, i)							\
	KPATCH_FNV4(KPATCH_FNV4(KPATCH_FNV4(KPATCH_FNV4(h, s, i), s, (i) + 4), s, (i) + 8), s, (i) + 12)
#define KPATCH_FNV64(s)								\
	KPATCH_FNV16(KPATCH_FNV16(KPATCH_FNV16(KPATCH_FNV16(			\
		14695981039346656037UL, s, 0), s, 16), s, 32), s, 48)
#define KPATCH_HASH(s)	(KPATCH_FNV64(s) | 1UL << 63)

/* ---- declarations ---- */

/* What may follow the field's type in a declaration, each as ".name = value". */
#define KPATCH_SHADOW_OPTIONS(type)						\
	unsigned long id;		/* instead of the one made from the names */	\
	unsigned long version;		/* count up when the data get another meaning */ \
	klp_shadow_ctor_t ctor;		/* after .initial was stored; atomic context */ \
	klp_shadow_dtor_t dtor;		/* no static function; atomic context */ \
	typeof(type) initial		/* of a new variable, and of one that is not there */

#define KPATCH_SHADOW_MAGIC	0x574f44414853504bUL	/* "KPSHADOW" */

/* kpatch-build/shadow.sh knows this layout. */
#define KPATCH_SHADOW_RECORD(structure, field, type, ...)			\
struct kpatch_record__##structure##__##field {					\
	unsigned long magic, length, options_at, hash, size, align;		\
	char name[128];								\
	struct { KPATCH_SHADOW_OPTIONS(type); } options;			\
};										\
static const struct kpatch_record__##structure##__##field			\
kpatch_record__##structure##__##field						\
__used __aligned(8) __section(".discard.kpatch_shadow") = {			\
	.magic = KPATCH_SHADOW_MAGIC,						\
	.length = sizeof(struct kpatch_record__##structure##__##field),		\
	.options_at = offsetof(struct kpatch_record__##structure##__##field, options), \
	.hash = KPATCH_HASH(#structure "." #field),				\
	.size = sizeof(type),							\
	.align = __alignof__(type),						\
	.name = #structure "." #field,						\
	.options = { __VA_ARGS__ },						\
}

#define KPATCH_SHADOW_COMMON(structure, field, type, ...)			\
static_assert(sizeof(#structure "." #field) <= 64,				\
	      "kpatch: the names " #structure " and " #field " have more than 62 characters together"); \
typedef typeof(type) kpatch_type__##structure##__##field;			\
KPATCH_SHADOW_RECORD(structure, field, kpatch_type__##structure##__##field, ##__VA_ARGS__); \
static const struct kpatch_options__##structure##__##field {			\
	KPATCH_SHADOW_OPTIONS(kpatch_type__##structure##__##field);			\
} kpatch_options__##structure##__##field __maybe_unused = { __VA_ARGS__ };	\
static inline unsigned long kpatch_id__##structure##__##field(void)		\
{										\
	return kpatch_options__##structure##__##field.id ?:			\
		KPATCH_HASH(#structure "." #field);				\
}										\
static inline int kpatch_ctor__##structure##__##field(void *obj, void *data, void *ctor_data) \
{										\
	const struct kpatch_options__##structure##__##field *o =		\
		&kpatch_options__##structure##__##field;			\
										\
	memcpy(data, &o->initial, sizeof(kpatch_type__##structure##__##field));		\
	return o->ctor ? o->ctor(obj, data, ctor_data) : 0;			\
}										\
static_assert(1, "")

/* The accessors of one field, as typed functions; parent: of the objects, may be void. */
#define KPATCH_SHADOW_ACCESSORS(structure, field, parent)			\
static inline kpatch_type__##structure##__##field *				\
kpatch_get__##structure##__##field(const parent *obj)				\
{										\
	return klp_shadow_get((void *)obj, kpatch_id__##structure##__##field()); \
}										\
static inline kpatch_type__##structure##__##field *				\
kpatch_get_or_alloc__##structure##__##field(const parent *obj, gfp_t gfp, void *ctor_data) \
{										\
	return klp_shadow_get_or_alloc((void *)obj, kpatch_id__##structure##__##field(), \
				       sizeof(kpatch_type__##structure##__##field), gfp, \
				       kpatch_ctor__##structure##__##field, ctor_data); \
}										\
static inline kpatch_type__##structure##__##field *				\
kpatch_alloc__##structure##__##field(const parent *obj, gfp_t gfp, void *ctor_data) \
{										\
	return klp_shadow_alloc((void *)obj, kpatch_id__##structure##__##field(), \
				sizeof(kpatch_type__##structure##__##field), gfp, \
				kpatch_ctor__##structure##__##field, ctor_data); \
}										\
static inline void kpatch_free__##structure##__##field(const parent *obj)	\
{										\
	klp_shadow_free((void *)obj, kpatch_id__##structure##__##field(),	\
			kpatch_options__##structure##__##field.dtor);		\
}										\
static inline kpatch_type__##structure##__##field *				\
kpatch_create__##structure##__##field(const parent *obj, gfp_t gfp, void *ctor_data) \
{										\
	kpatch_free__##structure##__##field(obj);				\
	return kpatch_alloc__##structure##__##field(obj, gfp, ctor_data);	\
}										\
static_assert(1, "")

/**
 * KPATCH_SHADOW_FIELD - declare a new field of an existing structure
 * @structure:	the structure's name, without "struct"; its definition or declaration is in sight
 * @field:	the new field's name
 * @type:	its type: scalar, pointer, structure, array ("char[16]"), spinlock_t, ...
 * @...:	options: .initial, .version, .ctor, .dtor, .id
 *
 * At file level, in a .c file or in a header that several patched files include.
 */
#define KPATCH_SHADOW_FIELD(structure, field, type, ...)			\
	KPATCH_SHADOW_COMMON(structure, field, type, ##__VA_ARGS__);		\
	KPATCH_SHADOW_ACCESSORS(structure, field, struct structure)

/**
 * KPATCH_SHADOW_FLAG - declare a field without data, whose existence is what it says
 * @structure:	as above
 * @flag:	the flag's name
 */
#define KPATCH_SHADOW_FLAG(structure, flag)					\
	KPATCH_SHADOW_COMMON(structure, flag, struct { });			\
	KPATCH_SHADOW_ACCESSORS(structure, flag, struct structure)

/**
 * KPATCH_SHADOW_STATE - declare state that belongs to no object and outlives each single livepatch
 * @state:	its name
 * @type:	its type
 * @...:	options, as above
 *
 * It lives until the last enabled livepatch that declares it goes.
 */
#define KPATCH_SHADOW_STATE(state, type, ...)					\
	KPATCH_SHADOW_COMMON(kpatch_state, state, type, ##__VA_ARGS__);		\
	KPATCH_SHADOW_ACCESSORS(kpatch_state, state, void)

/* ---- accessors ---- */

/* Pointer to the field, or NULL. Any context. */
#define kpatch_field_get(structure, field, obj)					\
	kpatch_get__##structure##__##field(obj)

/*
 * Pointer to the field, made if it is not there; NULL: no memory, or the constructor failed. For
 * objects that were there before the livepatch. An optional last argument goes to the constructor.
 */
#define kpatch_field_get_or_alloc(structure, field, obj, gfp, ...)		\
	kpatch_get_or_alloc__##structure##__##field(obj, gfp, KPATCH_OPTIONAL(__VA_ARGS__))

/* Makes the field; warns and returns NULL if it is there. */
#define kpatch_field_alloc(structure, field, obj, gfp, ...)			\
	kpatch_alloc__##structure##__##field(obj, gfp, KPATCH_OPTIONAL(__VA_ARGS__))

/*
 * Makes the field of an object that was just made and that nobody else knows yet. What is there
 * belonged to an object that unpatched code freed, at the same address, and is freed first.
 */
#define kpatch_field_create(structure, field, obj, gfp, ...)			\
	kpatch_create__##structure##__##field(obj, gfp, KPATCH_OPTIONAL(__VA_ARGS__))

/* Calls the destructor and frees the field if it is there. To be put next to the object's own free. */
#define kpatch_field_free(structure, field, obj)				\
	kpatch_free__##structure##__##field(obj)

/* The field's value; .initial if it is not there. */
#define kpatch_field_read(structure, field, obj) ({				\
	kpatch_type__##structure##__##field *kpatch_p_ = kpatch_field_get(structure, field, obj); \
	kpatch_p_ ? *kpatch_p_ : kpatch_options__##structure##__##field.initial; })

/* Flags. Setting one fails, and says so with false, when there is no memory. */
#define kpatch_flag_test(structure, flag, obj)					\
	(kpatch_field_get(structure, flag, obj) != NULL)
#define kpatch_flag_set(structure, flag, obj, gfp) ({				\
	bool kpatch_set_ = kpatch_field_get_or_alloc(structure, flag, obj, gfp) != NULL; \
	kpatch_set_; })
#define kpatch_flag_clear(structure, flag, obj)					\
	kpatch_field_free(structure, flag, obj)

/* Shared state: the same without an object. */
#define kpatch_state_get(state)		kpatch_get__kpatch_state__##state(NULL)
#define kpatch_state_get_or_alloc(state, gfp, ...)				\
	kpatch_get_or_alloc__kpatch_state__##state(NULL, gfp, KPATCH_OPTIONAL(__VA_ARGS__))
#define kpatch_state_free(state)	kpatch_free__kpatch_state__##state(NULL)

/* None or one; the error for more names the number. */
#define kpatch_arguments_of_constructor_0(none)		NULL
#define kpatch_arguments_of_constructor_1(none, arg)	arg
#define KPATCH_OPTIONAL(...) \
	KPATCH_PASTE(kpatch_arguments_of_constructor_, \
		     KPATCH_COUNT_(none, ##__VA_ARGS__, 5, 4, 3, 2, 1, 0))(none, ##__VA_ARGS__)

#endif
