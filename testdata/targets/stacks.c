/* Chains of callers that are known: to work, and from there through between to leaf. With an argument it goes through them
 * so many times, every 10 ms. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static volatile int sink;

__attribute__((noinline, noclone)) void leaf(void) { sink++; }

__attribute__((noinline, noclone)) void between(void)
{
	leaf();
	sink++;
}

__attribute__((noinline, noclone)) void work(int n)
{
	between();
	sink++;
}

__attribute__((noinline, noclone)) void one(void)
{
	work(7);
	sink++;
}

__attribute__((noinline, noclone)) void two(void)
{
	one();
	sink++;
}

__attribute__((noinline, noclone)) void again(int n)
{
	if (n > 0)
		again(n - 1);
	else
		work(7);
	sink++;
}

static void *thread(void *arg)
{
	one();
	sink++;
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t t;

	for (int rounds = argc > 1 ? atoi(argv[1]) : 1; rounds > 0; rounds--) {
		for (int i = 0; i < 100; i++)
			two();
		for (int i = 0; i < 10; i++)
			again(3);
		pthread_create(&t, 0, thread, 0);
		pthread_join(t, 0);
		if (argc > 1)
			usleep(10000);
	}
	return 0;
}
