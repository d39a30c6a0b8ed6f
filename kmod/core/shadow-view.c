// SPDX-License-Identifier: GPL-2.0-only
/*
 * The administrators' view, below kpatch-shadow in debugfs: a directory for each declared field with
 * a file for each number. All file operations are the kernel's own and read words of the store, so
 * that no module is needed to read them. doc/patch-author-guide.md lists the files.
 */
#include <linux/debugfs.h>

#include "shadow-store.h"

void shadow_view_create(struct shadow_root *root)
{
	root->view = debugfs_create_dir("kpatch-shadow", NULL);
	debugfs_create_u32("abi", 0444, root->view, &root->abi);
	debugfs_create_atomic_t("modules", 0444, root->view, &root->users);
	debugfs_create_atomic_t("enabled", 0444, root->view, &root->enabled);
	/* Of all fields, undeclared ones included. */
	debugfs_create_ulong("variables", 0444, root->view,
			     (unsigned long *)&root->table.count.counter);
}

void shadow_view_destroy(struct shadow_root *root)
{
	debugfs_remove_recursive(root->view);
}

void shadow_view_add(struct shadow_root *root, struct shadow_field *field)
{
	if (field->view)
		return;
	field->view = debugfs_create_dir(field->name, root->view);
	field->view_id = field->var.id;
	debugfs_create_x64("id", 0444, field->view, &field->view_id);
	debugfs_create_u32("size", 0444, field->view, &field->size);
	debugfs_create_u32("version", 0444, field->view, &field->version);
	debugfs_create_u32("users", 0444, field->view, &field->users);
	debugfs_create_ulong("variables", 0444, field->view, &field->variables);
	debugfs_create_ulong("bytes", 0444, field->view, &field->bytes);
}

void shadow_view_remove(struct shadow_field *field)
{
	debugfs_remove_recursive(field->view);
	field->view = NULL;
}
