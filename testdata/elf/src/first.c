/* Two files with a static function of one name each; an alias; an indirect function; a .cold part; a tail call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int second(int);
extern int unlikely(int);

static __attribute__((noinline)) int helper(int x) { __asm__ volatile(""); return x + 1; }

__attribute__((noinline)) int original(int x) { return helper(x) * 2; }
int _alias(int x) __attribute__((alias("original")));
int weak_alias(int x) __attribute__((weak, alias("original")));

static int scale_one(int x) { return x; }
static int (*resolve_scale(void))(int) { return scale_one; }
int scale(int x) __attribute__((ifunc("resolve_scale")));

__attribute__((cold, noinline)) void fail(int x)
{
	printf("%d\n", x);
	exit(x);
}

__attribute__((noinline)) int tail(int x) { return second(x + 3); }

__attribute__((noinline)) int choose(int x, int y)
{
	switch (x) {
	case 0: return helper(y);
	case 1: return y * 7;
	case 2: return second(y);
	case 3: return y ^ 0x55;
	case 4: return y << 3;
	case 5: return y - 9;
	case 6: return unlikely(y);
	}
	return 0;
}

__attribute__((noinline)) int again(int n)
{
	int sum = 0;
	do {
		sum += helper(n);
		if (__builtin_expect(sum == 12345, 0)) {
			fail(sum);
		}
	} while (n-- > 0);
	return sum;
}

int main(int argc, char **argv)
{
	return original(argc) + second(argc) + scale(argc) + tail(argc) + choose(argc, 2) + again(argc) + (int)strlen(argv[0]);
}
