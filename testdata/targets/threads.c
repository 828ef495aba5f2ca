/* Eight threads that do the same, then a pool of four that serve a queue. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NOINLINE __attribute__((noinline, noipa))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static int queue[256], head, tail, closing, rounds;

NOINLINE int step(int x) { return x + 1; }
NOINLINE int work(int x) { return step(x) + step(x + 1); }
NOINLINE void *runner(void *arg)
{
	long sum = 0;
	for (int i = 0; i < rounds; i++)
		sum += work(i);
	return (void *)sum;
}

NOINLINE int serve(int job) { return work(job) + work(job + 1); }
NOINLINE int take(void)
{
	int job = -1;
	pthread_mutex_lock(&lock);
	while (head == tail && !closing)
		pthread_cond_wait(&wake, &lock);
	if (head != tail)
		job = queue[head++ % 256];
	pthread_mutex_unlock(&lock);
	return job;
}
NOINLINE void *worker(void *arg)
{
	long sum = 0;
	for (int job; (job = take()) >= 0;)
		sum += serve(job);
	return (void *)sum;
}
NOINLINE void give(int job)
{
	for (int done = 0; !done;) {
		pthread_mutex_lock(&lock);
		if (tail - head < 256) {
			queue[tail++ % 256] = job;
			done = 1;
		}
		pthread_mutex_unlock(&lock);
		pthread_cond_signal(&wake);
	}
}

int main(int argc, char **argv)
{
	pthread_t t[8];
	rounds = argc > 1 ? atoi(argv[1]) : 100;
	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], 0, runner, 0);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], 0);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], 0, worker, 0);
	for (int i = 0; i < rounds; i++)
		give(i);
	pthread_mutex_lock(&lock);
	closing = 1;
	pthread_cond_broadcast(&wake);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], 0);
	puts("done");
	return 0;
}
