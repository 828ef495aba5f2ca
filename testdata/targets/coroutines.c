/* Three coroutines on stacks of their own that take turns in the middle of calls. */
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#define NOINLINE __attribute__((noinline, noipa))
#define ROUNDS 20

static ucontext_t main_context, contexts[3];
static int current;
static volatile int sink;

NOINLINE void yield(void) { swapcontext(&contexts[current], &main_context); sink = 1; }
NOINLINE void before(int i) { sink = i; }
NOINLINE void part(int i) { before(i); yield(); sink = 2; }
NOINLINE void body(void) { for (int i = 0; i < ROUNDS; i++) part(i); }
NOINLINE void resume(int i) { current = i; swapcontext(&main_context, &contexts[i]); sink = 3; }

int main(void)
{
	for (int i = 0; i < 3; i++) {
		getcontext(&contexts[i]);
		contexts[i].uc_stack.ss_sp = malloc(65536);
		contexts[i].uc_stack.ss_size = 65536;
		contexts[i].uc_link = &main_context;
		makecontext(&contexts[i], body, 0);
	}
	for (int round = 0; round <= ROUNDS; round++)
		for (int i = 0; i < 3; i++)
			resume(i);
	puts("done");
	return 0;
}
