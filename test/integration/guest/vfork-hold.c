// SPDX-License-Identifier: GPL-2.0-only
/* A parent that sleeps in the kernel's kernel_clone() until its child has read a line. */
#include <unistd.h>

int main(void)
{
	char c;

	if (!vfork()) {
		while (read(0, &c, 1) == 1 && c != '\n')
			;
		_exit(0);
	}
	return 0;
}
