/* Calls tick every 10 ms, as often as the argument says, and ends with status 5. */
#include <stdlib.h>
#include <unistd.h>

__attribute__((noinline, noipa)) int tick(int i) { return i; }

int main(int argc, char **argv)
{
	for (int i = 0; i < atoi(argv[1]); i++) {
		tick(i);
		usleep(10000);
	}
	return 5;
}
