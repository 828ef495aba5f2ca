// Calls work 1,000 times, then prints how often the replacement ran instead. It replaces work by a
// jump, as hooks and live patches do: without reading its code. The second argument is how long it
// waits after each call, in microseconds.
//
//	start  at once
//	later  after 500 calls
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096 };

static int replaced;

__attribute__((noipa)) int work(int n)
{
	static volatile int sum;

	for (int i = 0; i < 3; i++)
		sum += n;
	return n * 3 + 1;
}

__attribute__((noipa)) int replacement(int n)
{
	replaced++;
	return n * 3 + 1;
}

static void patch(char *at, char *to)
{
	char *page = (char *)((uintptr_t)at & -PAGE);
#ifdef __x86_64__
	char jump[5] = {0xe9};
	int32_t distance = to - at - sizeof(jump);

	memcpy(jump + 1, &distance, sizeof(distance));
#else
	uint32_t jump = 0x14000000 | ((to - at) >> 2 & 0x3ffffff);
#endif
	mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(at, &jump, sizeof(jump));
	mprotect(page, 2 * PAGE, PROT_READ | PROT_EXEC);
	__builtin___clear_cache(at, at + sizeof(jump));
}

int main(int argc, char **argv)
{
	int later = argc > 1 && !strcmp(argv[1], "later") ? 500 : 0;
	int wait = argc > 2 ? atoi(argv[2]) : 1000;
	int sum = 0;

	for (int i = 0; i < 1000; i++) {
		if (i == later)
			patch((char *)work, (char *)replacement);
		if (i == 1) {
			puts("patched");
			fflush(stdout);
		}
		sum += work(i);
		usleep(wait);
	}
	printf("%d %d\n", sum, replaced);
	return 0;
}
