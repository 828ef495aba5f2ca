/* A signal handler that switches between two stacks, in the middle of functions of the C library. */
#define _XOPEN_SOURCE 600
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

static ucontext_t main_stack, other_stack;
static volatile int switches;

static void sleep_until(int n)
{
	struct timespec ms = { 0, 1000000 };

	while (switches < n)
		nanosleep(&ms, 0);
}
static void other(void) { sleep_until(1000000); }
static void handler(int sig)
{
	if (switches++ % 2)
		swapcontext(&other_stack, &main_stack);
	else
		swapcontext(&main_stack, &other_stack);
}
int main(void)
{
	struct itimerval every = { { 0, 3000 }, { 0, 3000 } }, never = { 0 };

	getcontext(&other_stack);
	other_stack.uc_stack.ss_sp = malloc(65536);
	other_stack.uc_stack.ss_size = 65536;
	makecontext(&other_stack, other, 0);
	sigset(SIGALRM, handler);
	setitimer(ITIMER_REAL, &every, 0);
	sleep_until(100);
	setitimer(ITIMER_REAL, &never, 0);
	printf("switched %d\n", switches >= 100);
	return 3;
}
