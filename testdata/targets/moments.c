/* Answers requests: handle(0) calls leaf three times. Every 300 requests there is a moment: handle(1) also calls slow,
 * which sleeps 100 ms and calls leaf. Without arguments it goes on until it is killed. With an argument something happens
 * at the first moment, and the program ends after the second:
 *     crash      it is killed by SIGSEGV
 *     signal     its parent gets SIGUSR1
 *     file PATH  the file appears */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noipa))

NOINLINE int leaf(int i) { return i + 1; }

NOINLINE int slow(int i)
{
	usleep(100000);
	return leaf(i);
}

NOINLINE int handle(int moment)
{
	int sum = leaf(1) + leaf(2) + leaf(3);

	if (moment)
		sum += slow(4);
	return moment ? -sum : sum;
}

static void happen(char **argv)
{
	if (!strcmp(argv[1], "crash"))
		raise(SIGSEGV);
	if (!strcmp(argv[1], "signal"))
		kill(getppid(), SIGUSR1);
	if (!strcmp(argv[1], "file"))
		close(open(argv[2], O_CREAT | O_WRONLY, 0600));
}

int main(int argc, char **argv)
{
	for (int i = 1; argc == 1 || i <= 2 * 300; i++) {
		handle(i % 300 == 0);
		if (i == 300 && argc > 1)
			happen(argv);
		usleep(1000);
	}
	return 0;
}
