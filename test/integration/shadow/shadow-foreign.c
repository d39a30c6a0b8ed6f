// SPDX-License-Identifier: GPL-2.0-only
/* A livepatch of another builder: it has no shadow core, and replaces whatever there is. */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int foreign_cmdline_proc_show(struct seq_file *m, void *v)
{
	seq_puts(m, "foreign\n");
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "cmdline_proc_show", .new_func = foreign_cmdline_proc_show },
	{ }
};

static struct klp_object objects[] = {
	{ .funcs = funcs },
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objects,
	.replace = true,
};

static int __init foreign_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit foreign_exit(void)
{
}

module_init(foreign_init);
module_exit(foreign_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
