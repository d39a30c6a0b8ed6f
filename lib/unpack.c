// SPDX-License-Identifier: GPL-2.0-only
/* Decompression; see unpack.h. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "diag.h"
#include "unpack.h"

/* The legacy format of lz4 cuts its input into blocks of this size; only the last one is shorter. */
#define LZ4_BLOCK (8UL << 20)

/* Memory that an xz or lzma stream may ask for; "xz -9" needs 65 MiB. */
#define LZMA_MEMORY (256UL << 20)

/* First piece of output; most modules fit. */
#define CHUNK (1UL << 20)

static int too_large(const char *path)
{
	return diag_error("%s: unpacks to more than %lu MiB; give a kernel image or a module",
			  path, UNPACK_LIMIT >> 20);
}

static int damaged(const char *path, const char *format, const char *why)
{
	return diag_error("%s: %s data: %s; get the file again", path, format, why);
}

int buffer_grow(struct buffer *buf, size_t more, size_t limit)
{
	size_t room;

	if (more > limit || buf->size > limit - more)
		return -1;
	if (buf->room - buf->size >= more)
		return 0;

	room = buf->room * 2;
	if (room < buf->size + more)
		room = buf->size + more;
	if (room > limit)
		room = limit;
	buf->data = xrealloc(buf->data, room, 1);
	buf->room = room;
	return 0;
}

void buffer_free(struct buffer *buf)
{
	free(buf->data);
	*buf = (struct buffer) { 0 };
}

static uint32_t le32(const unsigned char *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

/*
 * A u32 length before each block. The stream has no end mark: the kernel's build puts the raw size
 * behind it (the caller leaves that out). A stream that was cut between two blocks looks whole; the
 * caller knows the true size and compares.
 */
static int unpack_lz4(const char *path, const unsigned char *in, size_t len, struct buffer *out)
{
	size_t pos = 4;

	while (len - pos >= 4) {
		uint32_t size = le32(in + pos);
		int n;

		/* Blocks of two concatenated streams. */
		if (size == 0x184c2102) {
			pos += 4;
			continue;
		}
		if (!size || size > len - pos - 4) {
			return damaged(path, "lz4", "a block is cut short");
		}
		if (buffer_grow(out, LZ4_BLOCK, UNPACK_LIMIT + LZ4_BLOCK) || out->size > UNPACK_LIMIT)
			return too_large(path);
		n = LZ4_decompress_safe((const char *)in + pos + 4, (char *)out->data + out->size,
					(int)size, (int)LZ4_BLOCK);
		if (n < 0)
			return damaged(path, "lz4", "a block is damaged");
		out->size += n;
		pos += 4 + size;
	}
	return 0;
}

static int unpack_zstd(const char *path, const unsigned char *in, size_t len, struct buffer *out)
{
	ZSTD_inBuffer src = { .src = in, .size = len };
	ZSTD_DStream *stream = ZSTD_createDStream();
	size_t left;
	int ret = -1;

	if (!stream)
		return diag_error("out of memory; free some or add swap");
	do {
		ZSTD_outBuffer dst;

		if (buffer_grow(out, out->room == out->size ? CHUNK : 1, UNPACK_LIMIT)) {
			too_large(path);
			goto out;
		}
		dst = (ZSTD_outBuffer) { .dst = out->data, .size = out->room, .pos = out->size };
		left = ZSTD_decompressStream(stream, &dst, &src);
		if (ZSTD_isError(left)) {
			damaged(path, "zstd", ZSTD_getErrorName(left));
			goto out;
		}
		/* No progress: it wants input, and there is none. */
		if (left && src.pos == src.size && dst.pos < dst.size) {
			damaged(path, "zstd", "the stream is cut short");
			goto out;
		}
		out->size = dst.pos;
	} while (left);
	ret = 0;
out:
	ZSTD_freeDStream(stream);
	return ret;
}

static int unpack_gzip(const char *path, const unsigned char *in, size_t len, struct buffer *out)
{
	z_stream z = { .next_in = (unsigned char *)in, .avail_in = (uInt)len };
	int state, ret = -1;

	/* 15 bits of window; 16: a gzip header and its check sum. */
	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return diag_error("out of memory; free some or add swap");
	do {
		size_t room;

		if (buffer_grow(out, out->room == out->size ? CHUNK : 1, UNPACK_LIMIT)) {
			too_large(path);
			goto out;
		}
		room = out->room - out->size;
		z.next_out = out->data + out->size;
		z.avail_out = (uInt)room;
		state = inflate(&z, Z_NO_FLUSH);
		out->size += room - z.avail_out;
		if (state == Z_BUF_ERROR || (state == Z_OK && !z.avail_in && z.avail_out)) {
			damaged(path, "gzip", "the stream is cut short");
			goto out;
		}
		if (state != Z_OK && state != Z_STREAM_END) {
			damaged(path, "gzip", z.msg ? z.msg : "the stream is damaged");
			goto out;
		}
	} while (state != Z_STREAM_END);
	ret = 0;
out:
	inflateEnd(&z);
	return ret;
}

static int unpack_lzma(const char *path, const unsigned char *in, size_t len, struct buffer *out,
		       bool xz)
{
	const char *format = xz ? "xz" : "lzma";
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_ret state;
	int ret = -1;

	state = xz ? lzma_stream_decoder(&z, LZMA_MEMORY, 0) : lzma_alone_decoder(&z, LZMA_MEMORY);
	if (state != LZMA_OK)
		return diag_error("out of memory; free some or add swap");
	z.next_in = in;
	z.avail_in = len;
	do {
		size_t room;

		if (buffer_grow(out, out->room == out->size ? CHUNK : 1, UNPACK_LIMIT)) {
			too_large(path);
			goto out;
		}
		room = out->room - out->size;
		z.next_out = out->data + out->size;
		z.avail_out = room;
		state = lzma_code(&z, LZMA_RUN);
		out->size += room - z.avail_out;
		if (state == LZMA_BUF_ERROR || (state == LZMA_OK && !z.avail_in && z.avail_out)) {
			damaged(path, format, "the stream is cut short");
			goto out;
		}
		if (state != LZMA_OK && state != LZMA_STREAM_END) {
			damaged(path, format, state == LZMA_MEMLIMIT_ERROR ?
				"it needs more than 256 MiB of memory" : "the stream is damaged");
			goto out;
		}
	} while (state != LZMA_STREAM_END);
	ret = 0;
out:
	lzma_end(&z);
	return ret;
}

static const struct {
	const char *name;
	const char *magic;
	size_t len;
} formats[] = {
	{ "lz4",	"\x02\x21\x4c\x18",		4 },
	{ "zstd",	"\x28\xb5\x2f\xfd",		4 },
	{ "gzip",	"\x1f\x8b\x08",			3 },
	{ "xz",		"\xfd" "7zXZ\0",		6 },
	{ "lzma",	"\x5d\0\0",			3 },
	{ "bzip2",	"BZh",				3 },
	{ "lzo",	"\x89LZO\0\r\n\x1a\n",		9 },
	{ "lz4 frame",	"\x04\x22\x4d\x18",		4 },
};

const char *unpack_format(const unsigned char *in, size_t len)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (len >= formats[i].len && !memcmp(in, formats[i].magic, formats[i].len))
			return formats[i].name;
	return NULL;
}

int unpack(const char *path, const unsigned char *in, size_t len, struct buffer *out)
{
	const char *format = unpack_format(in, len);
	int ret;

	if (!format)
		return diag_error("%s: packed in an unknown format; unpack it first", path);
	if (len > UNPACK_LIMIT)
		return too_large(path);

	if (!strcmp(format, "lz4"))
		ret = unpack_lz4(path, in, len, out);
	else if (!strcmp(format, "zstd"))
		ret = unpack_zstd(path, in, len, out);
	else if (!strcmp(format, "gzip"))
		ret = unpack_gzip(path, in, len, out);
	else if (!strcmp(format, "xz") || !strcmp(format, "lzma"))
		ret = unpack_lzma(path, in, len, out, !strcmp(format, "xz"));
	else
		ret = diag_error("%s: packed as %s, which is not supported; unpack it first",
				 path, format);
	if (ret)
		buffer_free(out);
	return ret;
}
