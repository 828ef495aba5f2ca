/* A process to attach to: two threads that call for ever, each from within a
 * recursion of the depth given (default 40), until it is killed. Calls are
 * counted by the program itself and printed every 100 ms. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noipa))

static int depth = 40;
static long calls[2];

NOINLINE long handle(long n) { return n + 1; }
NOINLINE void serve(int id, long n) { calls[id] += handle(n) - n; }
NOINLINE void descend(int id, int left)
{
	if (left > 0) {
		descend(id, left - 1);
		calls[id] += 0;
		return;
	}
	for (long n = 0;; n++) {
		serve(id, n);
		if (n % 1000 == 0)
			usleep(100);
	}
}
NOINLINE void *run(void *id) { descend((int)(long)id, depth); return 0; }

int main(int argc, char **argv)
{
	pthread_t t;
	if (argc > 1)
		depth = atoi(argv[1]);
	pthread_create(&t, 0, run, (void *)0);
	pthread_create(&t, 0, run, (void *)1);
	for (;;) {
		usleep(100000);
		printf("%ld\n", calls[0] + calls[1]);
		fflush(stdout);
	}
}
