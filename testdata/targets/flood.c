/* Two threads that call as fast as they can for the seconds given, then print
 * the number of calls. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile int stop;

__attribute__((noinline, noipa)) void leaf(void)
{
	__asm__ volatile("push %%rbp; pop %%rbp" : : : "memory");
}
static void *run(void *count)
{
	long n = 0;
	for (; !stop; n++)
		leaf();
	*(long *)count = n;
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t t[2];
	long n[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], 0, run, &n[i]);
	usleep((argc > 1 ? atof(argv[1]) : 1) * 1e6);
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], 0);
	printf("%ld\n", n[0] + n[1]);
	return 0;
}
