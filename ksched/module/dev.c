// SPDX-License-Identifier: GPL-2.0
/*
 * dev.c - /dev/ksched: who may open it, what each ioctl takes
 *
 * Each argument is copied in once, checked by the module it belongs to, and
 * copied back where it has an answer. Nothing here knows what a move is.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

#include "session.h"

union arg {
	struct ksched_start start;
	struct ksched_add add;
	struct ksched_drop drop;
	struct ksched_learn learn;
	struct ksched_commit commit;
};

static int do_start(struct session *s, union arg *a)
{
	return session_start(s, &a->start);
}

static int do_add(struct session *s, union arg *a)
{
	return session_add(s, &a->add);
}

static int do_drop(struct session *s, union arg *a)
{
	return session_drop(s, &a->drop);
}

static int do_learn(struct session *s, union arg *a)
{
	return session_learn(s, &a->learn);
}

static int do_commit(struct session *s, union arg *a)
{
	return move_commit(s, &a->commit);
}

static int do_beat(struct session *s, union arg *a)
{
	return READ_ONCE(s->over) ? -ESHUTDOWN : 0;
}

/* An answer that could not be given: the caller does not know its slot. */
static void undo_add(struct session *s, union arg *a)
{
	const struct ksched_drop drop = { .slot = a->add.slot };

	session_drop(s, &drop);
}

static const struct {
	unsigned int cmd;
	int (*call)(struct session *s, union arg *a);
	void (*undo)(struct session *s, union arg *a);
} calls[] = {
	{ KSCHED_START, do_start },   { KSCHED_ADD, do_add, undo_add },
	{ KSCHED_DROP, do_drop },     { KSCHED_LEARN, do_learn },
	{ KSCHED_COMMIT, do_commit }, { KSCHED_BEAT, do_beat },
};

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long at)
{
	struct session *s = file->private_data;
	void __user *user = (void __user *)at;
	unsigned int nr = _IOC_NR(cmd);
	union arg a;
	int err;

	if (nr >= ARRAY_SIZE(calls) || calls[nr].cmd != cmd)
		return -ENOTTY;
	if (cmd != KSCHED_START && !smp_load_acquire(&s->started))
		return -ENOTCONN;
	if (_IOC_DIR(cmd) & _IOC_WRITE &&
	    copy_from_user(&a, user, _IOC_SIZE(cmd)))
		return -EFAULT;
	session_hear(s);
	err = calls[nr].call(s, &a);
	if (err || !(_IOC_DIR(cmd) & _IOC_READ) ||
	    !copy_to_user(user, &a, _IOC_SIZE(cmd)))
		return err;
	if (calls[nr].undo)
		calls[nr].undo(s, &a);
	return -EFAULT;
}

/* The caller reads; a fork of it gets nothing, so that no child keeps the
 * session alive. */
static int dev_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct session *s = file->private_data;

	if (!smp_load_acquire(&s->started))
		return -ENOTCONN;
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != KSCHED_MAP_BYTES)
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, VM_DONTCOPY, VM_MAYWRITE);
#else
	vma->vm_flags |= VM_DONTCOPY;
	vma->vm_flags &= ~VM_MAYWRITE;
#endif
	return remap_vmalloc_range(vma, s->page, 0);
}

static int dev_open(struct inode *inode, struct file *file)
{
	struct session *s;
	int err;

	if (!capable(CAP_SYS_NICE))
		return -EPERM;
	err = session_open(&s);
	if (err)
		return err;
	file->private_data = s;
	return 0;
}

static int dev_release(struct inode *inode, struct file *file)
{
	session_close(file->private_data);
	return 0;
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.open = dev_open,
	.release = dev_release,
	.unlocked_ioctl = dev_ioctl,
	.mmap = dev_mmap,
	.llseek = noop_llseek,
};

static struct miscdevice dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ksched",
	.fops = &dev_fops,
	.mode = 0600,
};

int dev_init(void)
{
	return misc_register(&dev);
}

void dev_exit(void)
{
	misc_deregister(&dev);
}
