// SPDX-License-Identifier: GPL-2.0-only
/* The whole core as one unit: the kernel's headers are read once, not four times for each livepatch. */
#define pr_fmt(fmt) "kpatch_shadow: " fmt

#include "shadow-table.c"
#include "shadow-field.c"
#include "shadow-var.c"
#include "shadow-store.c"
#include "shadow-view.c"
