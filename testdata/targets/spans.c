/* Begins and ends: nested ones, ones that an error jumps over, and ones that overlap and end on another
 * thread than they began on. Prints how often it has begun each. With a second argument there are only those that nest. */
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sdt.h>
#include <unistd.h>

static jmp_buf top;
static int queries, steps, failures;

__attribute__((noinline)) static void step(int fail)
{
	steps++;
	DTRACE_PROBE1(spans, step__begin, fail);
	if (fail) {
		failures++;
		longjmp(top, 1);
	}
	usleep(100);
	DTRACE_PROBE(spans, step__end);
}

__attribute__((noinline)) static void query(int n)
{
	queries++;
	DTRACE_PROBE2(spans, query__start, n, n % 3 == 2 ? "bad" : "good");
	step(0);
	step(n % 3 == 2);
	DTRACE_PROBE2(spans, query__done, n, 100 + n);
}

static void *finish(void *many)
{
	for (long i = 0; i < (long)many; i++) {
		DTRACE_PROBE2(spans, request__finished, 7, 1000 + i);
		usleep(1000);
	}
	return 0;
}

/* Two in one frame, of which the inner one is left out now and then, and the outer one, too. */
__attribute__((noinline)) static void both(int n)
{
	DTRACE_PROBE1(spans, outer__enter, n);
	DTRACE_PROBE1(spans, inner__enter, n);
	if (n % 4 != 1)
		DTRACE_PROBE1(spans, inner__exit, n);
	if (n % 4 != 2)
		DTRACE_PROBE1(spans, outer__exit, n);
}

/* Calls nested deeply, of which a condition keeps few. */
__attribute__((noinline)) static void nest(int n)
{
	DTRACE_PROBE1(spans, nest__entry, n);
	if (n > 0)
		nest(n - 1);
	DTRACE_PROBE1(spans, nest__return, n);
}

int main(int argc, char **argv)
{
	volatile int rounds = argc > 1 ? atoi(argv[1]) : 9;
	for (volatile int n = 0; n < rounds; n++)
		if (!setjmp(top))
			query(n);
	if (argc > 2) /* no more than that */
		return 0;
	pthread_t t;
	for (int n = 0; n < rounds; n++)
		both(n);
	for (int n = 0; n < rounds; n++)
		nest(100 * n);
	for (long i = 0; i < rounds; i++) {
		DTRACE_PROBE2(spans, request__accepted, 7, 1000 + i);
		usleep(1000);
	}
	pthread_create(&t, 0, finish, (void *)(long)rounds);
	pthread_join(t, 0);
	printf("queries %d steps %d failures %d requests %d\n", queries, steps, failures, rounds);
	return 0;
}
