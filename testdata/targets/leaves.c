/* Calls that do not return, as their thread ends or executes another program. The argument says how. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBED __attribute__((noipa))

static void pause_for(int ms) { usleep(ms * 1000); }

PROBED void worker(int n)
{
	if (n % 10 == 3)
		pause_for(300);
	pthread_exit(NULL);
}

static void *thread(void *n)
{
	worker((long)n);
	return NULL;
}

PROBED void leave(int ms)
{
	pause_for(ms);
	exit(0);
}

PROBED void become(char *program, char *how, int ms)
{
	pause_for(ms);
	execl(program, program, how, NULL);
}

int main(int argc, char **argv)
{
	if (!strcmp(argv[1], "threads")) {
		for (long n = 0; n < 40; n++) {
			pthread_t t;
			pthread_create(&t, NULL, thread, (void *)n);
			pthread_join(t, NULL);
		}
		pause_for(500);
	} else if (!strcmp(argv[1], "exit")) {
		leave(300);
	} else if (!strcmp(argv[1], "exec")) {
		become(argv[0], "quick", 300);
	} else if (!strcmp(argv[1], "quick")) {
		become(argv[0], "last", 1);
	} else {
		pause_for(300);
	}
	return 0;
}
