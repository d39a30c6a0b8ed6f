// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions of the C library that the compiler knows. A declaration of one can matter in a file that never uses its name:
 * the compiler puts in calls of memcpy() for assignments, and turns strcpy() into stpcpy() only where that is declared.
 */
#include <stdlib.h>
#include <string.h>

#include "units.h"

/* In the order of strcmp(). */
static const char *const builtins[] = {
	"_Exit", "_exit", "abort", "abs", "aligned_alloc", "alloca", "bcmp", "bcopy", "bzero", "calloc", "dcgettext",
	"dgettext", "execl", "execle", "execlp", "execv", "execve", "execvp", "exit", "ffs", "ffsl", "ffsll", "fork",
	"fprintf", "fputc", "fputs", "free", "fscanf", "fwrite", "gettext", "imaxabs", "index", "isalnum", "isalpha",
	"isascii", "isblank", "iscntrl", "isdigit", "isgraph", "islower", "isprint", "ispunct", "isspace", "isupper",
	"isxdigit", "labs", "llabs", "malloc", "memchr", "memcmp", "memcpy", "memmove", "mempcpy", "memset",
	"posix_memalign", "printf", "putc", "putchar", "puts", "realloc", "rindex", "scanf", "snprintf", "sprintf",
	"sscanf", "stpcpy", "stpncpy", "strcasecmp", "strcat", "strchr", "strcmp", "strcpy", "strcspn", "strdup",
	"strfmon", "strftime", "strlen", "strncasecmp", "strncat", "strncmp", "strncpy", "strndup", "strnlen",
	"strpbrk", "strrchr", "strspn", "strstr", "toascii", "tolower", "toupper", "vfprintf", "vfscanf", "vprintf",
	"vscanf", "vsnprintf", "vsprintf", "vsscanf",
};

static int compare(const void *key, const void *element)
{
	const struct word *word = key;
	const char *name = *(const char *const *)element;
	int order = strncmp(word->text, name, word->length);

	return order ? order : -(int)(unsigned char)name[word->length];
}

static bool ends_in(const struct word *word, const char *end)
{
	size_t length = strlen(end);

	return word->length > length && !memcmp(word->text + word->length - length, end, length);
}

/* Mathematical functions are left out: the kernel has none, and the compiler calls none by itself. */
bool name_is_builtin(const struct word *word)
{
	return ends_in(word, "_chk") || ends_in(word, "_unlocked") ||
	       (word->length > 10 && !memcmp(word->text, "__builtin_", 10)) ||
	       bsearch(word, builtins, sizeof(builtins) / sizeof(*builtins), sizeof(*builtins), compare);
}
