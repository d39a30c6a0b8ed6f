/* SPDX-License-Identifier: GPL-2.0-only */
/* What kpatch-build notes of a build, as a tree; doc/architecture.md has the format of the file. */
#ifndef KPATCH_REPORT_FACTS_H
#define KPATCH_REPORT_FACTS_H

#include <json-c/json.h>

/* Returns the build, to be freed by json_object_put(), or NULL after a message. */
struct json_object *facts_read(const char *path);

#endif
