/* Calls of every plain shape: nested, recursive, mutually recursive, static
 * functions, function pointers, many arguments, structures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline, noipa))

NOINLINE int leaf(int x) { return x * 3 + 1; }
NOINLINE int middle(int x) { return leaf(x) + leaf(x + 1); }
NOINLINE int outer(int x) { return middle(x) + leaf(x) + middle(x + 2); }

NOINLINE int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

NOINLINE int is_odd(int n);
NOINLINE int is_even(int n) { return n == 0 ? 1 : !!is_odd(n - 1); }
NOINLINE int is_odd(int n) { return n == 0 ? 0 : !!is_even(n - 1); }

NOINLINE static int hidden(int a, int b, int c, int d, int e, int f, int g, int h)
{
	return a + b * c - d + e * f - g + h;
}

struct big { long v[12]; };
NOINLINE struct big make_big(long x)
{
	struct big b;
	memset(&b, 0, sizeof b);
	b.v[3] = x;
	return b;
}

NOINLINE static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 10, sorted[64];
	long sum = 0;
	int (*volatile by_pointer)(int) = middle;

	for (int i = 0; i < rounds; i++) {
		sum += outer(i) + fib(8) + is_even(10) + hidden(i, 2, 3, 4, 5, 6, 7, 8);
		sum += make_big(i).v[3] + by_pointer(i);
		for (int k = 0; k < 64; k++)
			sorted[k] = (k * 7919 + i) % 101;
		qsort(sorted, 64, sizeof sorted[0], compare);
		sum += sorted[5];
	}
	printf("%ld\n", sum);
	return 0;
}
