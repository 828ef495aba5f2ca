/* A leaf function that signal handlers interrupt, on a stack that lies above. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile long handled, stop, sum;
static void *alternate;

void handler(int sig) { handled++; }
__attribute__((noinline)) long leaf(long n)
{
	for (long i = 0; i < n; i++)
		sum += i;
	return sum;
}
static void *run(void *arg)
{
	stack_t s = { .ss_sp = alternate, .ss_size = 65536 };
	long t = 0;
	sigaltstack(&s, 0);
	while (!stop)
		t += leaf(300000);
	return (void *)(t & 1);
}
int main(void)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_ONSTACK | SA_RESTART };
	pthread_t t;

	alternate = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaction(SIGUSR1, &sa, 0);
	pthread_create(&t, 0, run, 0);
	for (int i = 0; i < 200; i++) {
		usleep(2000);
		pthread_kill(t, SIGUSR1);
	}
	stop = 1;
	pthread_join(t, 0);
	printf("handled %d\n", handled > 50);
	return 3;
}
