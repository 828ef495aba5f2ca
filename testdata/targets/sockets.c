/* A server with ten processes, each on a socket, and its client: a process that sends each a
 * request, and reads the replies, for so many seconds. It prints how many requests there were. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SERVERS = 10 };

__attribute__((noinline)) unsigned step(unsigned x)
{
	for (int i = 0; i < 100; i++)
		x = x * 1664525 + 1013904223;
	return x;
}

__attribute__((noinline)) unsigned handle(unsigned x)
{
	for (int i = 0; i < 20; i++)
		x += step(x);
	return x;
}

static void serve(int conn)
{
	unsigned x;

	while (recv(conn, &x, sizeof x, 0) == sizeof x) {
		x = handle(x);
		send(conn, &x, sizeof x, 0);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	int conns[SERVERS], pair[2];
	long requests = 0;
	time_t end = time(NULL) + atoi(argv[1]);
	unsigned x = 1;

	for (int i = 0; i < SERVERS; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
			return perror("socketpair"), 1;
		if (fork() == 0) {
			for (int j = 0; j < i; j++)
				close(conns[j]);
			close(pair[0]);
			serve(pair[1]);
		}
		close(pair[1]);
		conns[i] = pair[0];
	}
	while (time(NULL) < end) {
		for (int i = 0; i < SERVERS; i++)
			send(conns[i], &x, sizeof x, 0);
		for (int i = 0; i < SERVERS; i++, requests++)
			if (recv(conns[i], &x, sizeof x, 0) != sizeof x)
				return perror("recv"), 1;
	}
	for (int i = 0; i < SERVERS; i++)
		close(conns[i]);
	while (wait(NULL) > 0)
		;
	printf("requests %ld\n", requests);
}
