#include <stdlib.h>

static __attribute__((noinline)) int helper(int x) { __asm__ volatile(""); return x - 1; }

__attribute__((noinline)) int second(int x) { return helper(x) * 3; }

__attribute__((noinline)) int unlikely(int x)
{
	if (__builtin_expect(x < 0, 0)) {
		abort();
	}
	return x + second(x);
}

/* A jump back to the first byte, instruction by instruction. */
__asm__(".pushsection .text\n"
	".globl to_entry\n"
	".type to_entry, %function\n"
	"to_entry:\n"
#ifdef __x86_64__
	"	dec %edi\n"
	"	jnz to_entry\n"
	"	ret\n"
#else
	"	subs w0, w0, #1\n"
	"	b.ne to_entry\n"
	"	ret\n"
#endif
	".size to_entry, .-to_entry\n"
	/* Without a size. */
	".globl unsized\n"
	".type unsized, %function\n"
	"unsized:\n"
	"	nop\n"
	"	ret\n"
	".popsection\n");
