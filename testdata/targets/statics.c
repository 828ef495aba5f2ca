/* Static probes with 0 to 12 arguments, in every kind of place that a compiler
 * chooses: registers of all widths, the stack, globals, elements of arrays,
 * constants, floats, a thread-local variable; 32 locations of one name.
 * With -DSEMAPHORES each probe has one. */
#ifdef SEMAPHORES
#define _SDT_HAS_SEMAPHORES 1
#define SEMAPHORE(name) __extension__ unsigned short statics_##name##_semaphore __attribute__((unused, section(".probes")));
#else
#define SEMAPHORE(name)
#endif
#include <sys/sdt.h>
#include <stdint.h>
#include <stdlib.h>

#define ALL(X) X(none) X(one) X(two) X(three) X(four) X(five) X(six) X(seven) X(eight) X(nine) X(ten) X(eleven) X(twelve) \
	X(widths) X(globals) X(elements) X(constants) X(floats) X(local) X(many)
ALL(SEMAPHORE)

static volatile int32_t global = -7;
static volatile struct { int32_t a, b; int64_t c; } record = { 1, -2, 3 };
static volatile int16_t array[64];
static volatile double real = 0.5;
static __thread volatile int per_thread = 9;

#define NOINLINE __attribute__((noinline))

NOINLINE static void counts(int64_t a, int32_t b, int16_t c, int8_t d, uint64_t e, uint32_t f, uint16_t g, uint8_t h, char *i, long j, int k, short l)
{
	STAP_PROBE(statics, none);
	STAP_PROBE1(statics, one, a);
	STAP_PROBE2(statics, two, a, b);
	STAP_PROBE3(statics, three, a, b, c);
	STAP_PROBE4(statics, four, a, b, c, d);
	STAP_PROBE5(statics, five, a, b, c, d, e);
	STAP_PROBE6(statics, six, a, b, c, d, e, f);
	STAP_PROBE7(statics, seven, a, b, c, d, e, f, g);
	STAP_PROBE8(statics, eight, a, b, c, d, e, f, g, h);
	STAP_PROBE9(statics, nine, a, b, c, d, e, f, g, h, i);
	STAP_PROBE10(statics, ten, a, b, c, d, e, f, g, h, i, j);
	STAP_PROBE11(statics, eleven, a, b, c, d, e, f, g, h, i, j, k);
	STAP_PROBE12(statics, twelve, a, b, c, d, e, f, g, h, i, j, k, l);
}

NOINLINE static void places(volatile int8_t *bytes, long n, float f, double d)
{
	STAP_PROBE4(statics, widths, (int8_t)n, (uint16_t)n, (int32_t)n, n);
	STAP_PROBE4(statics, globals, global, record.a, record.b, record.c);
	STAP_PROBE3(statics, elements, bytes[n], array[n], array[n + 3]);
	STAP_PROBE6(statics, constants, 0, -1, 255, INT64_MAX, INT64_MIN, UINT64_MAX);
	STAP_PROBE4(statics, floats, real, f, d, (double)n);
	STAP_PROBE1(statics, local, per_thread);
}

#define ONE(n) STAP_PROBE2(statics, many, n, x);
#define FOUR(n) ONE(n) ONE(n + 1) ONE(n + 2) ONE(n + 3)
#define SIXTEEN(n) FOUR(n) FOUR(n + 4) FOUR(n + 8) FOUR(n + 12)
NOINLINE static void many(int x)
{
	SIXTEEN(0)
	SIXTEEN(16)
}

int main(int argc, char **argv)
{
	int8_t *bytes = (int8_t *)calloc(8, 1);
	counts(1, -2, -3, -4, 5, 6, 7, 8, argv[0], 10, 11, 12);
	places(bytes, argc, 1.5f, 2.5);
	many(argc);
	return 0;
}
