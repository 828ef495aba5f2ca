// Calls work 5 times, then treats the page of its code as the first argument says, and calls it 6
// times more. The second argument is how many seconds it waits before and after.
//
//	discard  madvise with MADV_DONTNEED: the page comes from the file again
//	again    maps the file anew at the same address
//	move     puts a copy into anonymous memory at the same address, as for huge pages
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096 };

__attribute__((noinline, aligned(PAGE))) int work(int n)
{
	asm volatile("" ::: "memory");
	return n + 1;
}

static long file_offset(char *page)
{
	char line[512];
	unsigned long start, end, offset;
	FILE *maps = fopen("/proc/self/maps", "r");

	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 && start <= (uintptr_t)page && (uintptr_t)page < end)
			return offset + (uintptr_t)page - start;
	return -1;
}

__attribute__((noinline)) static void treat(char *page, const char *how)
{
	if (!strcmp(how, "discard")) {
		madvise(page, PAGE, MADV_DONTNEED);
	} else if (!strcmp(how, "again")) {
		long offset = file_offset(page);
		int fd = open("/proc/self/exe", O_RDONLY);

		mmap(page, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, offset);
	} else if (!strcmp(how, "move")) {
		char *copy = mmap(0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memcpy(copy, page, PAGE);
		mremap(copy, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page);
	}
}

int main(int argc, char **argv)
{
	int wait = argc > 2 ? atoi(argv[2]) : 0;
	int sum = 0;

	sleep(wait);
	for (int i = 0; i < 5; i++)
		sum += work(i);
	treat((char *)((uintptr_t)work & -PAGE), argc > 1 ? argv[1] : "");
	for (int i = 0; i < 6; i++)
		sum += work(i);
	sleep(wait);
	printf("%d\n", sum);
	return 0;
}
