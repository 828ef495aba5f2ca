/* Two threads on one CPU hand a byte to and fro for some seconds, once a line has come in. It prints the CPU time, in
 * nanoseconds, of each switch between them. Each thread calls begins once, and neither calls never. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noipa))

static int there[2], back[2];

NOINLINE void begins(void) {}
NOINLINE void never(void) {}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void *answer(void *arg)
{
	char byte;

	begins();
	while (read(there[0], &byte, 1) == 1)
		if (write(back[1], &byte, 1) != 1)
			break;
	return arg;
}

int main(int argc, char **argv)
{
	double end, cpu;
	long rounds = 0;
	char byte = 0;
	pthread_t t;
	cpu_set_t one;

	if (argc < 2 || pipe(there) || pipe(back))
		return 1;
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	getchar();
	begins();
	pthread_create(&t, NULL, answer, NULL);
	end = seconds(CLOCK_MONOTONIC) + atof(argv[1]);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	while (seconds(CLOCK_MONOTONIC) < end)
		for (int i = 0; i < 1000; i++, rounds++)
			if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
				return 1;
	printf("%.1f\n", (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / rounds / 2 * 1e9);
	return 0;
}
