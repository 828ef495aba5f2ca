// Loops whose way back no direct branch shows: through jump tables, and from a part of the function that lies elsewhere.
// Prints how often each function is called.
#include <stdio.h>

#define CALLS 10

__attribute__((noipa)) int by_switch(const unsigned char *p)
{
	for (;;)
		switch (*p++) {
		case 1: case 3: case 4: case 7: case 9: case 12: continue;
		case 2: return 77;
		case 5: return 13;
		case 6: return 99;
		case 8: return 101;
		case 10: return 7;
		case 11: return 1234;
		case 0: return 5;
		default: return 0;
		}
}

__attribute__((noipa)) int by_label(const unsigned char *p)
{
	static void *labels[] = {&&next, &&done};
	int n = 0;
next:
	n += *p;
	if (n > 100)
		return n;
	goto *labels[*p++ & 1];
done:
	return n;
}

int by_cold(int passes);
__asm__(".text\n.globl by_cold\n.type by_cold,@function\nby_cold: mov %edi,%eax\n"
	"1: test %eax,%eax\njne by_cold.cold\nret\n.size by_cold,.-by_cold\n"
	".section .text.unlikely,\"ax\"\n.type by_cold.cold,@function\nby_cold.cold: sub $1,%eax\njmp 1b\n.size by_cold.cold,.-by_cold.cold\n.text\n");

int main(void)
{
	unsigned char program[] = {4, 4, 4, 12, 12, 1, 2};
	volatile int sink = 0;

	for (int i = 0; i < CALLS; i++)
		sink += by_switch(program) + by_label(program) + by_cold(5);
	printf("by_switch %d by_label %d by_cold %d\n", CALLS, CALLS, CALLS);
}
