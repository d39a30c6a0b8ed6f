/* SPDX-License-Identifier: GPL-2.0-only */
/* The forms of a report; a file each. */
#ifndef KPATCH_REPORT_REPORT_H
#define KPATCH_REPORT_REPORT_H

#include <stdio.h>

#include "facts.h"

/* BUILDS: an array of what facts_read() returned. They return 0, or -1 after a message. */
int write_json(struct json_object *builds, FILE *out);
int write_html(struct json_object *builds, FILE *out);

#endif
