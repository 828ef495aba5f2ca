/* A library that runs a function on a stack of its own, which can leave it and is resumed later. */
#include <stdlib.h>
#ifdef UCONTEXT
#include <ucontext.h>

static ucontext_t main_stack, routine_stack;

static void switch_to_routine(void) { swapcontext(&main_stack, &routine_stack); }
static void switch_back(void) { swapcontext(&routine_stack, &main_stack); }
static void prepare(void (*body)(void))
{
	getcontext(&routine_stack);
	routine_stack.uc_stack.ss_sp = malloc(65536);
	routine_stack.uc_stack.ss_size = 65536;
	makecontext(&routine_stack, body, 0);
}
#else
static void *main_stack, *routine_stack;

void my_switch(void **from, void *to);
__asm__(".globl my_switch\n.type my_switch,@function\nmy_switch:\n"
	"push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
	"mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
	"pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n"
	".size my_switch,.-my_switch\n");

static void switch_to_routine(void) { my_switch(&main_stack, routine_stack); }
static void switch_back(void) { my_switch(&routine_stack, main_stack); }
static void prepare(void (*body)(void))
{
	void **p = (void **)((char *)malloc(65536) + 65536 - 64);

	*--p = 0;
	*--p = (void *)body;
	for (int i = 0; i < 6; i++)
		*--p = 0;
	routine_stack = p;
}
#endif

static void (*function)(int);
static int value;

static void body(void)
{
	for (;;)
		function(value++);
}
int run(void (*callback)(int), int v)
{
	if (!function) {
		function = callback;
		prepare(body);
	}
	switch_to_routine();
	return value + v;
}
void thrower(int v)
{
	switch_back();
}
