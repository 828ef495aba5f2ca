/* For the seconds of its argument, calls turn again and again, which computes for some 100 us and
 * calls leaf 100 times. */
#include <stdlib.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, noipa))

NOINLINE static unsigned unit(unsigned x) { return x * 7; }
NOINLINE static unsigned leaf(unsigned x) { return unit(x) + 1; }

NOINLINE static unsigned turn(unsigned x)
{
	for (int i = 0; i < 100; i++)
		x = leaf(x);
	for (int i = 0; i < 100000; i++) /* each waits for the one before */
		x = x * 1664525u + 1013904223u;
	return x;
}

int main(int argc, char **argv)
{
	struct timespec now;
	unsigned x = 1;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (double end = now.tv_sec + atof(argv[1]); now.tv_sec + now.tv_nsec / 1e9 < end; clock_gettime(CLOCK_MONOTONIC, &now))
		x = turn(x);
	return x == 0 && argc == 9;
}
