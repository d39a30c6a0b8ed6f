// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/sched.h>

#include "count.h"

static int show(struct seq_file *m, void *v)
{
	pr_debug("read by %s\n", current->comm);
	seq_printf(m, "count %u, read in %s\n", count_read(), current->comm);
	return 0;
}

static int __init kpatch_oot_init(void)
{
	return proc_create_single("kpatch-oot", 0444, NULL, show) ? 0 : -ENOMEM;
}

static void __exit kpatch_oot_exit(void)
{
	remove_proc_entry("kpatch-oot", NULL);
}

module_init(kpatch_oot_init);
module_exit(kpatch_oot_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A module out of the kernel's tree, for tests");
