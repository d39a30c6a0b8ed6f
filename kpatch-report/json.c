// SPDX-License-Identifier: GPL-2.0-only
/* The report for programs; doc/report.schema.json describes it. */
#include <string.h>
#include <errno.h>

#include "diag.h"
#include "report.h"

/* Raised when a program that reads older reports could misread new ones. */
#define REPORT_VERSION 1

int write_json(struct json_object *builds, FILE *out)
{
	struct json_object *top = json_object_new_object();
	const char *text;
	int ret = 0;

	json_object_object_add(top, "format", json_object_new_string("kpatch-report"));
	json_object_object_add(top, "format_version", json_object_new_int(REPORT_VERSION));
	/* Files of the build, which may be gone already */
	for (size_t i = 0; i < json_object_array_length(builds); i++)
		json_object_object_del(json_object_array_get_idx(builds, i), "texts");
	json_object_object_add(top, "builds", json_object_get(builds));
	text = json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (!text || fputs(text, out) < 0 || fputc('\n', out) < 0)
		ret = diag_error("standard output: %s; is the disk full?", strerror(errno));
	json_object_put(top);
	return ret;
}
