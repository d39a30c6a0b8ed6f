// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read the directory "/" into an address that is not mapped, and into one that is: the first must
 * end with EFAULT, through the kernel's exception table, the second with entries.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	static char buffer[4096];
	int fd = open("/", O_RDONLY | O_DIRECTORY);
	long ret;

	if (fd < 0) {
		perror("open");
		return 1;
	}
	ret = syscall(SYS_getdents64, fd, (void *)0x1000, 4096);
	printf("bad: %s\n", ret < 0 ? strerror(errno) : "no error");
	ret = syscall(SYS_getdents64, fd, buffer, sizeof(buffer));
	printf("good: %s\n", ret > 0 ? "entries" : "none");
	return 0;
}
