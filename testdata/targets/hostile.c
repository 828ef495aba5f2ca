/* Calls take with texts as nobody wants them, and takes with bytes. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

NOINLINE int take(const char *text)
{
	__asm__ volatile("" ::"r"(text) : "memory");
	return 1;
}

NOINLINE int takes(const char *bytes, int n)
{
	__asm__ volatile("" ::"r"(bytes), "r"(n) : "memory");
	return n;
}

int main(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *pages = mmap(0, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static char large[5000];

	munmap(pages + 2 * page, page);
	memset(large, 'x', 4094);
	take("plain");
	take(large);                          /* 4,094 bytes */
	memset(large, 'y', sizeof(large) - 1);
	take(large);                          /* more than is recorded */
	memset(pages + 2 * page - 3, 'z', 3);
	take(pages + 2 * page - 3);           /* no end before a page that is not there */
	take(strcpy(pages + page - 2, "across"));
	take(0);
	take((char *)8);
	take("\xff\xfe bad");
	take("\x1b[31mred\x1b[0m \"quoted\"\n");
	takes("a\0b\0", 4);
	takes("", 0);
	takes("negative", -1);
	return 0;
}
