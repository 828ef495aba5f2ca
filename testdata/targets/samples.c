// Loops three times as often in heavy as in light, both called by turn, for the seconds of its
// argument. Then it prints the time of each in nanoseconds, by the thread's own
// clock. With "sleep" it sleeps instead, with "system" it is in system calls most of the time, and
// with "deep" it loops in heavy, far below main.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned sink;

static long long now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

__attribute__((noinline)) void heavy(void)
{
	for (int i = 0; i < 3000000; i++)
		sink += i;
}

__attribute__((noinline)) void light(void)
{
	for (int i = 0; i < 1000000; i++)
		sink += i;
}

__attribute__((noinline)) void seek(void)
{
	for (int i = 0; i < 10000; i++)
		lseek(0, 0, SEEK_CUR);
	sink++;
}

__attribute__((noinline)) void turn(long long *times)
{
	long long begin = now(CLOCK_THREAD_CPUTIME_ID), middle;

	heavy();
	middle = now(CLOCK_THREAD_CPUTIME_ID);
	light();
	times[0] += middle - begin;
	times[1] += now(CLOCK_THREAD_CPUTIME_ID) - middle;
}

__attribute__((noinline)) void deepen(int depth)
{
	if (depth > 0)
		deepen(depth - 1);
	else
		heavy();
	sink++;
}

int main(int argc, char **argv)
{
	long long times[2] = {0, 0};
	long long end = now(CLOCK_MONOTONIC) + atof(argv[1]) * 1e9;

	while (now(CLOCK_MONOTONIC) < end) {
		if (argc < 3)
			turn(times);
		else if (!strcmp(argv[2], "sleep"))
			usleep(20000);
		else if (!strcmp(argv[2], "deep"))
			deepen(300);
		else
			seek();
	}
	printf("heavy %lld\nlight %lld\n", times[0], times[1]);
	return 0;
}
