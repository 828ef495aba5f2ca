// The compiler makes copies of two functions (-O2 -g -fipa-cp-clone). It prints how often each
// was called in the source.
//
//	helper       is inlined into direct, and called through a pointer 10 times
//	specialized  is copied for one value of an argument, and called through a pointer 10 times
#include <stdio.h>

static int helper_calls, specialized_calls;

__attribute__((noipa)) int keep(int n) { return n; }

int helper(int n)
{
	helper_calls++;
	return n * 3 + helper_calls;
}

__attribute__((noinline)) int specialized(int n, int k)
{
	int sum = 0;

	specialized_calls++;
	for (int i = 0; i < n; i++) {
		sum += i * k + specialized_calls;
		if (k > 5)
			sum ^= keep(i);
	}
	return sum;
}

__attribute__((noipa)) int direct(int n) { return helper(n) + 1; }
__attribute__((noipa)) int first(int n) { return specialized(n, 3); }
__attribute__((noipa)) int second(int n) { return specialized(n, 3) + 1; }
__attribute__((noipa)) int one(int (*f)(int), int n) { return f(n); }
__attribute__((noipa)) int two(int (*f)(int, int), int n, int k) { return f(n, k); }

int main(void)
{
	volatile int sum = 0;

	for (int i = 0; i < 100; i++)
		sum += direct(i) + first(i) + second(i);
	for (int i = 0; i < 10; i++)
		sum += one(helper, i) + two(specialized, i, 9);
	printf("helper %d, specialized %d\n", helper_calls, specialized_calls);
	return 0;
}
