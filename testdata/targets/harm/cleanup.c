/* C with -fexceptions: handlers that run when a thread is cancelled, by unwinding. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static volatile int cleaned, sink;

static void clean(void *arg) { cleaned++; }
__attribute__((noinline)) void wait_for_ever(void) { for (;;) usleep(1000); }
__attribute__((noinline)) void guarded(void)
{
	pthread_cleanup_push(clean, 0);
	wait_for_ever();
	pthread_cleanup_pop(0);
	sink++;
}
static void *run(void *arg) { guarded(); return 0; }
int main(void)
{
	for (int i = 0; i < 5; i++) {
		pthread_t t;
		pthread_create(&t, 0, run, 0);
		usleep(20000);
		pthread_cancel(t);
		pthread_join(t, 0);
	}
	printf("cleaned %d\n", cleaned);
	return 3;
}
