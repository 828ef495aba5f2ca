#include <ucontext.h>

static ucontext_t here, there;
static char stack[16384];

static void other(void) { swapcontext(&there, &here); }

int main(void)
{
	getcontext(&there);
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = sizeof stack;
	makecontext(&there, other, 0);
	return swapcontext(&here, &there);
}
