/* Chains of callers that are known: each line that it prints is a chain, the innermost function first. Compiled with frame pointers.
 * work is the function to trace, and leaf below it. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static volatile int sink;

__attribute__((noinline, noclone)) void leaf(void) { sink++; }

__attribute__((noinline, noclone)) void between(void)
{
	leaf();
	sink++;
}

__attribute__((noinline, noclone)) void work(void)
{
	between();
	sink++;
}

__attribute__((noinline, noclone)) void one(void)
{
	work();
	sink++;
}

__attribute__((noinline, noclone)) void two(void)
{
	one();
	sink++;
}

__attribute__((noinline, noclone)) void again(int n)
{
	if (n > 0)
		again(n - 1);
	else
		work();
	sink++;
}

static void *thread(void *arg)
{
	one();
	sink++;
	return arg;
}

int main(void)
{
	pthread_t t;

	for (int i = 0; i < 100; i++)
		two();
	for (int i = 0; i < 10; i++)
		again(3);
	pthread_create(&t, 0, thread, 0);
	pthread_join(t, 0);
	return 0;
}
