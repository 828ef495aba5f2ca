/* A server that answers requests of another process, one after the other, for the seconds of its
 * argument. Each takes a read(2), a call of handle, which calls parse, and a write(2). */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noipa))

NOINLINE static unsigned parse(unsigned x) { return x * 7; }

NOINLINE static unsigned handle(unsigned x)
{
	for (int i = 0; i < 1000; i++) /* each waits for the one before */
		x = x * 1664525u + 1013904223u;
	return parse(x) + 1;
}

int main(int argc, char **argv)
{
	int there[2], back[2];
	char byte = 0;
	time_t end = time(0) + atoi(argv[1]);

	if (argc != 2 || pipe(there) || pipe(back))
		return 1;
	if (fork() == 0) { /* the client, which ends with the server */
		close(there[0]);
		close(back[1]);
		while (write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1)
			;
		return 0;
	}
	close(there[1]);
	close(back[0]);
	while (time(0) < end && read(there[0], &byte, 1) == 1) {
		byte = handle(byte);
		if (write(back[1], &byte, 1) != 1)
			return 1;
	}
	return 0;
}
