/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decompression: what a bzImage or a packed module holds, as plain bytes.
 *
 * The format is known by its first bytes, never by a file name. Nothing about the input is trusted:
 * a stream that ends early, that is damaged or that grows beyond the limit is an error.
 */
#ifndef KPATCH_UNPACK_H
#define KPATCH_UNPACK_H

#include <stdbool.h>
#include <stddef.h>

/* No image, packed or not, may be larger than this. */
#define UNPACK_LIMIT (1UL << 30)

struct buffer {
	unsigned char *data;	/* malloc'ed; NULL when nothing was stored */
	size_t size;		/* bytes that hold something */
	size_t room;		/* bytes allocated */
};

/* Make room for at least MORE bytes behind the used ones; -1 (no message) beyond LIMIT bytes. */
int buffer_grow(struct buffer *buf, size_t more, size_t limit);
void buffer_free(struct buffer *buf);

/* The name of the format that these bytes are packed in; NULL when they aren't. */
const char *unpack_format(const unsigned char *in, size_t len);

/*
 * Unpack LEN bytes at IN to OUT, which starts out empty and is empty again after an error.
 * PATH is for messages. Bytes behind the stream are ignored, except after lz4, which has no end mark.
 * Returns 0, or -1 after a message.
 */
int unpack(const char *path, const unsigned char *in, size_t len, struct buffer *out);

#endif
