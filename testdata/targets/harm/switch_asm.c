/* A coroutine that switches stacks by an assembly routine of its own name. */
#include <stdio.h>
#include <stdlib.h>

__asm__(".globl my_switch\n.type my_switch,@function\nmy_switch:\n"
	"push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
	"mov %rsp,(%rdi)\nmov (%rsi),%rsp\n"
	"pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n"
	".size my_switch,.-my_switch\n");
void my_switch(void **, void **);

static void *main_sp, *routine_sp;
static volatile long value;
static int done;

__attribute__((noinline)) void produce(int v)
{
	value = v;
	my_switch(&routine_sp, &main_sp);
	value = value + 0;
}
void generate(void)
{
	for (int i = 0; i < 100; i++)
		produce(i);
	done = 1;
	my_switch(&routine_sp, &main_sp);
	abort();
}
__attribute__((noinline)) long next(void)
{
	my_switch(&main_sp, &routine_sp);
	return value;
}
int main(void)
{
	void **p = (void **)((char *)malloc(65536) + 65536 - 64);
	long sum = 0;

	*--p = 0;
	*--p = (void *)generate;
	for (int i = 0; i < 6; i++)
		*--p = 0;
	routine_sp = p;
	while (!done)
		sum += next();
	printf("sum %ld\n", sum);
	return 3;
}
