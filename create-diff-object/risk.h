/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files that tell of risks share: risk.c, sleepers.c, balance.c, lock-order.c. */
#ifndef CREATE_DIFF_OBJECT_RISK_H
#define CREATE_DIFF_OBJECT_RISK_H

#include "diff.h"

/* risk.c */
/* Tell something of a function, in the words that go behind "foo(): ". Takes text. */
void add_risk(struct atom *a, const char *kind, char *text);
/* Calls fn for each direct call out of a function, its cold part included: with its name, and what is called if it is here. */
void for_each_call(const struct atom *a, void (*fn)(void *arg, const char *name, const struct atom *callee), void *arg);

/* sleepers.c */
struct routes;
/* How functions of the original get to where tasks wait. */
struct routes *find_routes(const struct elf_file *file);
void free_routes(struct routes *routes);
/* "it calls bar(), which calls schedule()": NULL if nothing is known to wait. Allocated anew at each call. */
char *route_of(const struct routes *routes, const struct atom *a);
/* "poll(), ppoll()": the system calls of the file that lead to a function; NULL: none. Allocated anew at each call. */
char *system_calls_of(const struct atom *a);

/* balance.c */
void check_balance(struct diff *d, struct atom *a);
/* Is it called to take a lock that something gives back? */
bool takes_lock(const struct diff *d, const char *name);

/* lock-order.c */
void check_lock_order(struct diff *d, struct atom *a);

#endif
