/* A coroutine that sorts, and leaves its stack in each comparison; meanwhile others sort, too. */
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

static ucontext_t main_stack, routine_stack;
static int numbers[] = {5, 3, 9, 1, 7, 2}, done;

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static int compare_later(const void *a, const void *b)
{
	swapcontext(&routine_stack, &main_stack);
	return compare(a, b);
}
static void routine(void)
{
	qsort(numbers, 6, sizeof *numbers, compare_later);
	done = 1;
	swapcontext(&routine_stack, &main_stack);
}
int main(void)
{
	int few[] = {3, 1, 2};

	getcontext(&routine_stack);
	routine_stack.uc_stack.ss_sp = malloc(65536);
	routine_stack.uc_stack.ss_size = 65536;
	makecontext(&routine_stack, routine, 0);
	while (!done) {
		swapcontext(&main_stack, &routine_stack);
		qsort(few, 3, sizeof *few, compare);
		few[0] = 9;
	}
	for (int i = 0; i < 6; i++)
		printf("%d ", numbers[i]);
	return 3;
}
