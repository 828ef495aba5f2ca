/* Functions that only the unwind tables tell of once the file is stripped. */
#include <stdio.h>
#include <stdlib.h>

#define NOINLINE __attribute__((noinline, noclone, noipa))

/* Reached by a pointer only. */
static NOINLINE int by_pointer(int x) { return x * 3 + 1; }
int (*volatile pointer)(int) = by_pointer;

/* Reached by tail calls only. */
static NOINLINE int by_tail_call(int x)
{
	char text[32];
	return snprintf(text, sizeof text, "%d", x) + (int)text[0];
}

static NOINLINE __attribute__((cold)) int complain(int x)
{
	fprintf(stderr, "%d\n", x);
	return -x;
}

/* Its unlikely part begins before anything is on the stack: the unwind tables show a function there. */
NOINLINE int early_cold(int x)
{
	if (__builtin_expect(x < 0, 0)) {
		complain(x);
		abort();
	}
	return x + 1;
}

/* Its unlikely part begins in a frame, and comes back. */
NOINLINE int late_cold(int x)
{
	int a = early_cold(x), b = early_cold(x + 1);
	if (__builtin_expect(a > b, 0)) {
		b = complain(a);
	}
	return a + b;
}

static NOINLINE int leaf(int x) { return x ^ 5; }
static NOINLINE int middle(int x) { return leaf(x) + late_cold(x); }
static NOINLINE int tail(int x) { return by_tail_call(x + 1); }

/* Exists inlined in others only. */
static inline __attribute__((always_inline)) int inlined_twice(int x) { return x * x + 7; }
static inline __attribute__((always_inline)) int inlined_deep(int x) { return inlined_twice(x) + 1; }
NOINLINE int first_user(int x) { return inlined_twice(x); }
NOINLINE int second_user(int x) { return inlined_deep(x) - 3; }

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 10, sum = 0;
	for (int i = 0; i < n; i++)
		sum += middle(i) + tail(i) + pointer(i) + first_user(i) + second_user(i);
	printf("%d\n", sum);
	return 0;
}
