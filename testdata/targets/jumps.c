/* Frames that are left without a return. The argument says how. */
#include <alloca.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noipa))
#define ROUNDS 50

static jmp_buf back;
static volatile int sink;

NOINLINE void deep5(int i) { sink = i; if (i % 2) longjmp(back, 1); sink = 2; }
NOINLINE void deep4(int i) { deep5(i); sink = 4; }
NOINLINE void deep3(int i) { deep4(i); sink = 3; }
NOINLINE void deep2(int i) { deep3(i); sink = 2; }
NOINLINE void deep1(int i) { deep2(i); sink = 1; }
NOINLINE void try_jump(int i) { if (!setjmp(back)) deep1(i); sink = 0; }

NOINLINE void leave_thread(void) { pthread_exit(0); }
NOINLINE void in_thread(void) { leave_thread(); sink = 1; }
NOINLINE void *thread_main(void *arg) { in_thread(); return arg; }

NOINLINE void leave_process(void) { _exit(0); }
NOINLINE void in_process(void) { leave_process(); sink = 1; }

NOINLINE void on_signal_inner(void) { sink++; }
NOINLINE void on_signal(int sig) { on_signal_inner(); }
NOINLINE void raise_inside(void) { raise(SIGUSR1); sink = 1; }

NOINLINE void fill(char *p, size_t n) { memset(p, 1, n); sink = p[n / 2]; }
NOINLINE void with_alloca(int i) { fill(alloca(64 + i * 100), 64 + i * 100); sink = 1; }

NOINLINE int tail_end(int x) { return x + sink; }
NOINLINE int tail_middle(int x) { sink = x; return tail_end(x + 1); }
NOINLINE int tail_start(int x) { sink = x; return tail_middle(x + 1); }

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "jump";

	if (!strcmp(how, "jump")) {
		for (int i = 0; i < ROUNDS; i++)
			try_jump(i);
	} else if (!strcmp(how, "thread")) {
		for (int i = 0; i < ROUNDS; i++) {
			pthread_t t;
			pthread_create(&t, 0, thread_main, 0);
			pthread_join(t, 0);
		}
	} else if (!strcmp(how, "exit")) {
		in_process();
	} else if (!strcmp(how, "signal") || !strcmp(how, "altstack")) {
		struct sigaction sa = { .sa_handler = on_signal };
		if (how[0] == 'a') {
			stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 };
			sigaltstack(&ss, 0);
			sa.sa_flags = SA_ONSTACK;
		}
		sigaction(SIGUSR1, &sa, 0);
		for (int i = 0; i < ROUNDS; i++)
			raise_inside();
	} else if (!strcmp(how, "alloca")) {
		for (int i = 0; i < ROUNDS; i++)
			with_alloca(i);
	} else if (!strcmp(how, "tail")) {
		for (int i = 0; i < ROUNDS; i++)
			sink = tail_start(i);
	}
	return 0;
}
