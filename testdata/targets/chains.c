/* Chains of tail calls. Arguments: the number of chains, and of calls after the first in each. */
#include <stdlib.h>

#define NOINLINE __attribute__((noinline, noipa))

static volatile int sink;

int chain_odd(int n);
NOINLINE int chain_even(int n) { sink = n; return n ? chain_odd(n - 1) : 1; }
NOINLINE int chain_odd(int n) { sink = n; return n ? chain_even(n - 1) : 0; }

int main(int argc, char **argv)
{
	for (int i = 0; i < atoi(argv[1]); i++)
		chain_even(atoi(argv[2]));
	return 0;
}
