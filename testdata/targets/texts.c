/* Static probes with texts: long, not UTF-8, with escapes of a terminal and with NULs, not there
 * at all, at the end of a page with none behind it; and one in a vector register. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sdt.h>

int main(void)
{
	static char lengthy[5000];
	for (int i = 0; i < 4999; i++)
		lengthy[i] = 'a' + i % 26;
	DTRACE_PROBE2(texts, lengthy, lengthy, 12);
	DTRACE_PROBE1(texts, plain, "caf\xc3\xa9");
	DTRACE_PROBE1(texts, nasty, "\xff\x1b[31mred\n\"q\"\\");
	DTRACE_PROBE1(texts, null, (char *)0);
	DTRACE_PROBE1(texts, wild, (char *)8);
	DTRACE_PROBE2(texts, counted, "ab\0cd", (uint16_t)5);
	DTRACE_PROBE2(texts, negative, "ab\0cd", -1);
	char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(page + 4096, 4096, PROT_NONE);
	memcpy(page + 4096 - 4, "end", 4);
	DTRACE_PROBE1(texts, fits, page + 4096 - 4);
	page[4095] = '!';
	DTRACE_PROBE1(texts, overruns, page + 4096 - 4);
#if defined(__x86_64__)
	double d = 1.5;
	asm volatile("movsd %0, %%xmm3\n" STAP_PROBE_ASM(texts, vector, 8f@%%xmm3 -4@$7)::"m"(d) : "xmm3");
#endif
	return 0;
}
