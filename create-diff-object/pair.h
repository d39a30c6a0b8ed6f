/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of pairing share: groups.c, names.c, ordered.c, pair.c, votes.c. */
#ifndef CREATE_DIFF_OBJECT_PAIR_H
#define CREATE_DIFF_OBJECT_PAIR_H

#include "diff.h"

struct atom_list {
	struct atom **a;
	size_t n, room;
};

/* All things of one kind and one name, numbers aside. */
struct pairing {
	char *key;
	bool numbered;
	struct pairing *next_numbered;
	struct atom_list orig, patched;
	UT_hash_handle hh;

	/* votes.c */
	struct ballot *ballots;
	struct ballot *open;		/* of the voter that is being asked */
	bool counted_unsure;		/* the votes on its members are not only the sure ones */
	unsigned int counts;
	bool queued;
	struct pairing *next_queued;
};

/* All functions of one name, clones and cold parts included. */
struct family {
	char *key;
	struct atom_list orig, patched;
	UT_hash_handle hh;
};

struct pairer {
	struct diff *d;
	struct pairing *groups;
	struct pairing *numbered, **numbered_end;	/* those of the groups that are */
	struct family *families;
};

/* names.c */
bool is_cold(const char *key);
bool is_own_copy(const struct atom *a, const char *key, bool numbered);

/* groups.c */
void list_push(struct atom_list *l, struct atom *a);
void group_things(struct pairer *p);

/* ordered.c */
void pair_registry(struct pairing *g);
void pair_nameless(struct pairer *p);

/* votes.c */
void pair_by_votes(struct pairer *p);

/* pair.c */
void join(struct atom *orig, struct atom *patched);

#endif
