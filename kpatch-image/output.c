// SPDX-License-Identifier: GPL-2.0-only
/* Files that are complete or absent; see command.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "diag.h"

static int failed(const struct output *out)
{
	return diag_error("%s: %s; write to another place", out->path ?: "standard output",
			  strerror(errno));
}

static void forget(struct output *out)
{
	free(out->temp);
	free(out->final);
	*out = (struct output) { 0 };
}

int output_open(struct output *out, const char *path)
{
	struct stat st;
	mode_t mask;
	int fd;

	*out = (struct output) { .stream = stdout, .path = path };
	if (!path)
		return 0;

	/* A device or a pipe is written to, not replaced. */
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		out->stream = fopen(path, "we");
		return out->stream ? 0 : failed(out);
	}

	out->final = realpath(path, NULL) ?: xstrdup(path);
	out->temp = xasprintf("%s.XXXXXX", out->final);
	fd = mkstemp(out->temp);
	if (fd < 0) {
		failed(out);
		forget(out);
		return -1;
	}
	mask = umask(0);
	umask(mask);
	out->stream = fchmod(fd, 0666 & ~mask) ? NULL : fdopen(fd, "w");
	if (!out->stream) {
		failed(out);
		close(fd);
		unlink(out->temp);
		forget(out);
		return -1;
	}
	return 0;
}

int output_close(struct output *out, int ret)
{
	if (!ret && (fflush(out->stream) || ferror(out->stream)))
		ret = failed(out);
	if (fclose(out->stream) && !ret)
		ret = failed(out);
	if (out->temp && !ret && rename(out->temp, out->final))
		ret = failed(out);
	if (out->temp && ret)
		unlink(out->temp);
	forget(out);
	return ret;
}

int output_line(const char *path, const char *text)
{
	struct output out;

	if (output_open(&out, path))
		return -1;
	fprintf(out.stream, "%s\n", text);
	return output_close(&out, 0);
}
