/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What shadow-api.bats puts into a copy of the core, and shadow-sections.c counts with: the sections
 * with interrupts off, and what each of them handles.
 */
#ifndef SHADOW_SECTIONS_H
#define SHADOW_SECTIONS_H

struct shadow_node;

/* Around each section, with interrupts off. */
void section_begin(void);
void section_end(void);
/* A variable or a bucket is put into the list, or taken out of it. */
void section_node(const struct shadow_node *node);

#endif
