/* Two threads call step so many times (default 300) each; a step takes about 1 ms and calls
 * hot 200 times. Prints the calls, and the CPU time of the process in ms. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef STATIC
#include <sys/sdt.h>
#else
#define DTRACE_PROBE1(provider, name, arg)
#endif

#define NOINLINE __attribute__((noinline, noipa))

static long steps = 300;

NOINLINE long hot(long n)
{
	DTRACE_PROBE1(hot, pass, n);
	return n + 1;
}
NOINLINE long step(long n)
{
	for (int i = 0; i < 200; i++)
		n = hot(n);
	for (volatile int i = 0; i < 4000000; i++)
		;
	return n;
}
NOINLINE void *run(void *count)
{
	long n = 0;
	for (long i = 0; i < steps; i++)
		n = step(n);
	*(long *)count = n;
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t t[2];
	long n[2];
	struct timespec cpu;
	if (argc > 1)
		steps = atol(argv[1]);
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], 0, run, &n[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	printf("hot %ld step %ld cpu %ld\n", n[0] + n[1], 2 * steps, cpu.tv_sec * 1000 + cpu.tv_nsec / 1000000);
	return 0;
}
