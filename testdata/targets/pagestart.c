// A call whose return address is the first byte of a page, as the kernel's trampoline for return probes is, after a call that
// never returned. Prints the addresses that come behind the calls.
#include <setjmp.h>
#include <stdio.h>

jmp_buf back;
volatile int sink;

__attribute__((noipa)) void leaves(void) { longjmp(back, 1); }
__attribute__((noipa)) void inner(void) { sink++; }
__attribute__((noipa)) void after(void) { inner(); }

#define BYTES "40" // before the return address

void twice(void);
extern char behind[];
__asm__(".text\n.p2align 12\n.skip 4096-" BYTES "\n.globl twice, behind\n.type twice,@function\n"
	"twice: sub $8,%rsp\nlea back(%rip),%rdi\ncall _setjmp@PLT\ntest %eax,%eax\njne 1f\ncall leaves\n"
	"1: .skip " BYTES "-5-(1b-twice),0x90\ncall after\nbehind: add $8,%rsp\nret\n.size twice,.-twice\n");

int main(void)
{
	for (int i = 0; i < 3; i++)
		twice();
	printf("%p\n", behind);
}
