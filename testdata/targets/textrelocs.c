// Calls functions whose instructions the dynamic linker changes (text relocations), and others.
//
//	relocated  begins with such an instruction: it cannot be probed
//	inside     has one after its first instruction
//	plain      has none
#include <stdio.h>

#ifdef __x86_64__
asm(".text\n"
	".globl relocated, inside\n"
	".type relocated, @function\n"
	"relocated: movabs $value, %rax\nmov (%rax), %eax\nadd %edi, %eax\nret\n"
	".size relocated, .-relocated\n"
	".type inside, @function\n"
	"inside: push %rbx\nmovabs $value, %rbx\nmov (%rbx), %eax\nadd %edi, %eax\npop %rbx\nret\n"
	".size inside, .-inside\n"
	".data\n"
	"value: .long 42\n"
	".text\n");
int relocated(int n), inside(int n);
#else
__attribute__((noipa)) int relocated(int n) { return n + 42; }
__attribute__((noipa)) int inside(int n) { return n + 42; }
#endif

__attribute__((noipa)) int plain(int n) { return n + 42; }

int main(void)
{
	int sum = 0;

	for (int i = 0; i < 100; i++)
		sum += relocated(i) + inside(i) + plain(i);
	printf("%d\n", sum);
	return 0;
}
