/* A link of a pipeline, which counts its own calls of malloc: passes its input on, and
 * appends a line "PID CALLS". The argument is how many calls it makes of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char buf[4096], line[100];
	ssize_t n;
	int calls = atoi(argv[1]);

	for (int i = 0; i < calls; i++) {
		void *volatile p = malloc(16 + i);
		free(p);
	}
	while ((n = read(0, buf, sizeof buf)) > 0)
		write(1, buf, n);
	write(1, line, snprintf(line, sizeof line, "%d %d\n", (int)getpid(), calls));
	_exit(0);
}
