/* Resolves localhost 100 times a second, until it is killed. */
#include <netdb.h>
#include <unistd.h>

int main(void)
{
	for (;;) {
		struct addrinfo *list;
		if (getaddrinfo("localhost", "80", 0, &list) == 0)
			freeaddrinfo(list);
		usleep(10000);
	}
}
