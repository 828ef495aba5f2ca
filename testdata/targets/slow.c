/* A tree of calls of which few are slow: 2 ms in leaf, each time that i % 100 == 42, in n requests. Some calls are
 * left by longjmp, and some recurse. With a second argument the last call sleeps for that many seconds in stuck. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static jmp_buf env;

NOINLINE int leaf(int i)
{
	__asm__ volatile("" ::: "memory");
	if (i % 100 == 42)
		usleep(2000);
	return i;
}

NOINLINE int thrower(int i)
{
	if (i % 3 == 0)
		longjmp(env, 1);
	return i;
}

NOINLINE int middle(int i)
{
	int r = leaf(i) + leaf(i + 1);

	if (i % 50 == 7 && !setjmp(env))
		r += thrower(i);
	return r;
}

NOINLINE int rec(int n, int i)
{
	if (n == 0)
		return leaf(i);
	return rec(n - 1, i) + 1;
}

NOINLINE int request(int i)
{
	int r = middle(i);

	if (i % 20 == 2)
		r += rec(5, i);
	return r;
}

NOINLINE void stuck(int seconds)
{
	sleep(seconds);
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000;
	long sum = 0;

	for (int i = 0; i < n; i++)
		sum += request(i);
	printf("%ld\n", sum);
	fflush(stdout);
	if (argc > 2)
		stuck(atoi(argv[2]));
	return 0;
}
