// Tables among the code of functions, which read as return instructions. Prints what is in them. The functions are called as often as the
// last line says; some are left by an exception that they catch themselves.
#include <cstdio>
#include <stdexcept>

extern "C" int lookup(unsigned long i);
extern "C" int lookup_unsized(unsigned long i);
extern "C" int lookup_between(unsigned long i);
__asm__(".text\n.globl lookup, lookup_unsized, lookup_between\n.type lookup,@function\n.type lookup_unsized,@function\n.type lookup_between,@function\n"
	"lookup: lea 1f(%rip),%rax\nmovzbl (%rax,%rdi),%eax\nret\n1: .byte 0x90,0xc3,0x90,0xc3\n.size lookup,.-lookup\n"
	"lookup_between: jmp 2f\n1: .byte 0x90,0xc3,0x90,0xc3\n2: lea 1b(%rip),%rax\nmovzbl (%rax,%rdi),%eax\nret\n.size lookup_between,.-lookup_between\n"
	"lookup_unsized: lea 1f(%rip),%rax\nmovzbl (%rax,%rdi),%eax\nret\n1: .byte 0x90,0xc3,0x90,0xc3\n");

extern "C" __attribute__((noipa)) int throws(int i)
{
	if (i % 2)
		throw std::runtime_error("odd");
	return i;
}

extern "C" __attribute__((noipa)) int catches(int i)
{
	try {
		return throws(i);
	} catch (const std::exception &) {
		return -1;
	}
}

int main()
{
	int sum = 0;
	for (int i = 0; i < 4; i++) {
		printf("%02x %02x %02x ", lookup(i), lookup_unsized(i), lookup_between(i));
		sum += catches(i);
	}
	printf("%d\n4\n", sum);
}
