/* Calls of which conditions keep some: by arguments, results and durations, in recursions, behind longjmp, in tail calls and in
 * threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROBED __attribute__((noipa))

enum color { RED, GREEN, BLUE };
static const char *const names[] = {"RED", "GREEN", "BLUE", "", "REDDISH"};
static volatile long sink;

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static void sleep_for(long us) { struct timespec t = {us / 1000000, us % 1000000 * 1000}; nanosleep(&t, NULL); }

PROBED int handle(const char *name, int n, enum color c) { sink += n; return n % 10 - 3; }
PROBED int inner(int n) { sink += n; return n; }
PROBED int outer(int n) { return inner(n) + inner(n + 1); }
PROBED int recurse(int n) { return n == 0 ? 0 : 1 + recurse(n - 1); }

static jmp_buf back;
PROBED int thrown(int n, int depth)
{
	if (depth > 0)
		return 1 + thrown(n, depth - 1);
	if (n % 2)
		longjmp(back, 1);
	return 0;
}
PROBED int catches(int n)
{
	volatile int r = -1;
	if (!setjmp(back))
		r = thrown(n, 3);
	return r;
}

PROBED int tail_end(int n) { sink += n; return n * 2; }
PROBED int tail_middle(int n) { return tail_end(n + 1); }
PROBED int tail_start(int n) { return tail_middle(n + 1); }

/* Slow calls, in known places. */
PROBED void leaf(int us)
{
	if (us)
		sleep_for(us);
	sink++;
}
PROBED void work(int i)
{
	leaf(0);
	leaf(i % 100 == 7 ? 3000 : 0);
	if (i % 100 == 50)
		sleep_for(3000);
}
PROBED void nested(int n, int us)
{
	if (n > 0)
		nested(n - 1, us);
	else if (us)
		sleep_for(us);
}
PROBED void jumps(int n, int depth, int us)
{
	if (depth > 0) {
		jumps(n, depth - 1, us);
	} else {
		if (us)
			sleep_for(us);
		longjmp(back, 1);
	}
}
PROBED void lands(int n, int us)
{
	if (!setjmp(back))
		jumps(n, 2, us);
}

static void *thread(void *arg)
{
	long id = (long)arg;
	for (int i = 0; i < 500; i++) {
		handle(names[id % 5], id * 1000 + i, id % 3);
		recurse(i % 5);
	}
	return NULL;
}

static void *slow_thread(void *arg)
{
	for (int i = 0; i < 300; i++)
		work(i);
	return NULL;
}

PROBED void asleep(int n) { sleep_for(n * 1000000L); }

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 100;
	if (!strcmp(how, "calls"))
		for (int i = 0; i < n; i++)
			handle(names[i % 5], i, i % 3);
	if (!strcmp(how, "nested"))
		for (int i = 0; i < n; i++)
			outer(i);
	if (!strcmp(how, "recurse"))
		for (int i = 0; i < n; i++)
			recurse(20);
	if (!strcmp(how, "throw"))
		for (int i = 0; i < n; i++)
			catches(i);
	if (!strcmp(how, "tail"))
		for (int i = 0; i < n; i++)
			tail_start(i);
	if (!strcmp(how, "threads") || !strcmp(how, "slow-threads")) {
		pthread_t t[4];
		for (long i = 0; i < 4; i++)
			pthread_create(&t[i], NULL, *how == 's' ? slow_thread : thread, (void *)i);
		for (int i = 0; i < 4; i++)
			pthread_join(t[i], NULL);
	}
	if (!strcmp(how, "slow")) {
		uint64_t spent = 0;
		for (int i = 0; i < n; i++) {
			uint64_t from = now();
			work(i);
			spent += now() - from;
		}
		for (int i = 0; i < 20; i++) {
			nested(5, i % 10 == 3 ? 3000 : 0);
			lands(i, i % 10 == 4 ? 3000 : 0);
		}
		printf("%lu\n", (unsigned long)spent);
	}
	if (!strcmp(how, "asleep"))
		asleep(n);
	return 0;
}
