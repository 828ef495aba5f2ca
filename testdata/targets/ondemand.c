/* Says "ready", waits for a number on its input, makes as many calls, and ends.
 * With -DLIB the library that it calls into, with -DUSE_LIB the program that does. */
#include <stdio.h>

#define NOINLINE __attribute__((noinline, noipa))

#ifdef LIB
static NOINLINE int lib_inner(int x) { return x + LIB; }
NOINLINE int lib_outer(int x) { return lib_inner(x) * 2; }
#else
#ifdef USE_LIB
int lib_outer(int x);
#else
static int lib_outer(int x) { return x; }
#endif
static NOINLINE int inner(int x) { return x + 1; }
static NOINLINE int outer(int x) { return inner(x) * 2; }

int main(void)
{
	int n, sum = 0;
	puts("ready");
	fflush(stdout);
	if (scanf("%d", &n) != 1)
		return 1;
	for (int i = 0; i < n; i++)
		sum += outer(i) + lib_outer(i);
	printf("%d\n", sum);
	return 0;
}
#endif
