/* Copies its own text to anonymous memory, as programs do that move it to huge
 * pages, and runs the copy. A breakpoint in the copy is nobody's. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { SIZE = 64 };

/* Below SIZE bytes, and it refers to nothing else. */
__attribute__((noinline, noipa)) int work(int n) { return n * n + 7; }

int main(void)
{
	char *copy = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED)
		return 1;
	memcpy(copy, (void *)work, SIZE);
	__builtin___clear_cache(copy, copy + SIZE);
	int (*copied)(int) = (int (*)(int))copy;
	int sum = 0;
	for (int i = 0; i < 100; i++)
		sum += work(i) - copied(i) + copied(2);
	printf("%d\n", sum);
	return 0;
}
