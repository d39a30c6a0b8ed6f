// SPDX-License-Identifier: GPL-2.0-only
/*
 * A real livepatch, for kernels that kpatch-build does not know: its new function is compiled here, not
 * cut out of an object, and its registration is that of every livepatch. It counts how often
 * /proc/cmdline was read, in a field of the file's inode; LIVE_VERSION 2 has a second field, which counts
 * since that version is there.
 */
#include <linux/fs.h>
#include <linux/livepatch.h>
#include <linux/seq_file.h>

#include <kpatch-shadow.h>

struct counter {
	spinlock_t lock;
	unsigned long reads;
};

static int counter_ctor(void *obj, void *data, void *ctor_data);
void live_dtor(void *obj, void *data);
KPATCH_SHADOW_FIELD(inode, reads, struct counter, .ctor = counter_ctor, .dtor = live_dtor);
KPATCH_SHADOW_FIELD(inode, second, unsigned long, .initial = 100);

void live_dtor(void *obj, void *data)
{
	struct counter *counter = data;

	pr_info("live: destructor, %lu reads\n", counter->reads);
}

static int counter_ctor(void *obj, void *data, void *ctor_data)
{
	struct counter *counter = data;

	spin_lock_init(&counter->lock);
	/* The class is a variable of this module, which goes before the lock. */
	lockdep_set_novalidate_class(&counter->lock);
	return 0;
}

int live_cmdline_proc_show(struct seq_file *m, void *v);
int live_cmdline_proc_show(struct seq_file *m, void *v)
{
	struct inode *inode = file_inode(m->file);
	struct counter *counter;
	unsigned long reads, *second, n;

	counter = kpatch_field_get_or_alloc(inode, reads, inode, GFP_KERNEL);
	if (!counter)
		return -ENOMEM;
	spin_lock(&counter->lock);
	reads = ++counter->reads;
	spin_unlock(&counter->lock);
	if (LIVE_VERSION == 1) {
		seq_printf(m, "reads=%lu\n", reads);
		return 0;
	}
	second = kpatch_field_get_or_alloc(inode, second, inode, GFP_KERNEL);
	if (!second)
		return -ENOMEM;
	spin_lock(&counter->lock);
	n = ++*second;
	spin_unlock(&counter->lock);
	seq_printf(m, "reads=%lu second=%lu\n", reads, n);
	return 0;
}
