/* Calls step slowly (in calls of calm) and as fast as it can (in calls of burst), in turns, and prints when each burst began and
 * ended (CLOCK_MONOTONIC, ns), and then how often step was called. */
#include <stdio.h>
#include <time.h>

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static long steps;

__attribute__((noinline, noipa)) void step(void)
{
	__asm__ volatile("push %%rbp; pop %%rbp" : : : "memory");
}

__attribute__((noinline, noipa)) void calm(void)
{
	for (int i = 0; i < 20; i++, steps++) {
		struct timespec pause = {0, 2000000};

		step();
		nanosleep(&pause, 0);
	}
}

__attribute__((noinline, noipa)) void burst(void)
{
	for (int i = 0; i < 20000; i++, steps++)
		step();
}

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct timespec pause = {0, 300000000}; /* for the buffers to be emptied */
		long from;

		calm();
		calm();
		from = now();
		burst();
		printf("%ld %ld\n", from, now());
		nanosleep(&pause, 0);
	}
	calm();
	printf("%ld\n", steps);
	return 0;
}
