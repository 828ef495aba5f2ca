/* C between two frames of C++: thrower.cpp throws through it. */
#include <stdio.h>

void thrower(int);
int run(void (*)(int), int);
static volatile int sink;

__attribute__((noinline)) void inner(int v) { thrower(v); sink++; }
__attribute__((noinline)) void outer(int v) { inner(v); sink++; }
__attribute__((noinline)) int step(int v) { int got = run(outer, v); sink++; return got; }
int main(void)
{
	int sum = 0;
	for (int i = 0; i < 10; i++)
		sum += step(i);
	printf("sum %d\n", sum);
	return 3;
}
