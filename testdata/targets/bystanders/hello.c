/* A program to be run by a debugger or an emulator: it calls a function of its
 * own and some of the C library, and prints the results. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline, noipa)) int work(int n) { return n * 3 + 1; }

int main(void)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found;
	int sum = 0;
	for (int i = 0; i < 20; i++)
		sum += work(i);
	int err = getaddrinfo("127.0.0.1", "80", &hints, &found);
	printf("sum %d, address %s\n", sum, err ? gai_strerror(err) : "found");
	if (!err)
		freeaddrinfo(found);
	void *p = malloc(100);
	free(p);
	return sum % 7;
}
