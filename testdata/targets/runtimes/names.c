/* Passes probes as CPython does, with names in buffers that are overwritten in place, as
 * the memory of a function is that has been freed: same address, other text. Two threads; prints `FILE.NAME CALLS` lines. */
#define _SDT_HAS_SEMAPHORES 1
#define SEMAPHORE(name) __extension__ unsigned short python_##name##_semaphore __attribute__((section(".probes")))
#include <sys/sdt.h>
SEMAPHORE(function__entry);
SEMAPHORE(function__return);
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { NAMES = 40, ROUNDS = 50 };

static __attribute__((noinline)) void call(const char *file, const char *name, int line, int depth)
{
	STAP_PROBE3(python, function__entry, file, name, line);
	if (depth > 0)
		call(file, name, line, depth - 1);
	STAP_PROBE3(python, function__return, file, name, line + 1);
}

static void *work(void *arg)
{
	static __thread char file[600], name[64];
	long thread = (long)arg;

	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < NAMES; i++) {
			memset(file, 0, sizeof(file));
			memset(name, 0, sizeof(name));
			/* Names that begin alike, of all lengths. */
			sprintf(file, "/srv/%ld/%.*s/m%d.py", thread, i, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", i % 5);
			sprintf(name, "f%.*s%d", i % 17, "xxxxxxxxxxxxxxxxxxxxxx", i);
			call(file, name, i, i % 3);
		}
	return 0;
}

int main(void)
{
	pthread_t t[2];

	for (long n = 0; n < 2; n++)
		pthread_create(&t[n], 0, work, (void *)n);
	for (int n = 0; n < 2; n++)
		pthread_join(t[n], 0);
	for (int i = 0; i < NAMES; i++)
		printf("m%d.py.f%.*s%d %d\n", i % 5, i % 17, "xxxxxxxxxxxxxxxxxxxxxx", i, 2 * ROUNDS * (i % 3 + 1));
	return 0;
}
