/* Static probes whose arguments are in every place that an operand can name. The
 * program prints what each probe must record, in the words of utrace analyze --flow. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sdt.h>

#define NOINLINE __attribute__((noinline, noclone))

static volatile int8_t g8 = -8;
static volatile uint16_t g16 = 65000;
static volatile int32_t g32 = -320000;
volatile uint64_t g64 = UINT64_C(0xfedcba9876543210);
static volatile int32_t table[16] = {0, -1, 2, -3, 4, -5, 6, -7, 8, -9, 10, -11, 12, -13, 14, -15};
static volatile double real64 = -0.25;
static volatile float real32 = 1.5f;

/* What must be recorded: kept, and printed at the end, so that a stop of the program tells nothing. */
static char said[1 << 20];
static size_t length;

static void say(const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	length += vsnprintf(said + length, sizeof(said) - length, format, ap);
	va_end(ap);
}

/* Numbers of arguments, and sizes, as the compiler places them. */
NOINLINE static void counts(int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e, uint32_t f, int64_t g, uint64_t h, int8_t i, uint16_t j, int32_t k, int64_t l)
{
	DTRACE_PROBE(values, none);
	DTRACE_PROBE1(values, one, a);
	DTRACE_PROBE2(values, two, a, b);
	DTRACE_PROBE3(values, three, a, b, c);
	DTRACE_PROBE4(values, four, a, b, c, d);
	DTRACE_PROBE5(values, five, a, b, c, d, e);
	DTRACE_PROBE6(values, six, a, b, c, d, e, f);
	DTRACE_PROBE7(values, seven, a, b, c, d, e, f, g);
	DTRACE_PROBE8(values, eight, a, b, c, d, e, f, g, h);
	DTRACE_PROBE9(values, nine, a, b, c, d, e, f, g, h, i);
	DTRACE_PROBE10(values, ten, a, b, c, d, e, f, g, h, i, j);
	DTRACE_PROBE11(values, eleven, a, b, c, d, e, f, g, h, i, j, k);
	DTRACE_PROBE12(values, twelve, a, b, c, d, e, f, g, h, i, j, k, l);
	char text[512];
	snprintf(text, sizeof(text), "%d, %u, %d, %u, %d, %u, %" PRId64 ", %" PRIu64 ", %d, %u, %d, %" PRId64, a, b, c, d, e, f, g, h, i, j, k, l);
	static const char *names[] = {"none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"};
	char *end = text;
	for (int n = 0; n <= 12; n++) {
		if (n > 0) {
			char *comma = strchr(end, ',');
			end = comma ? comma + 1 : end + strlen(end);
		}
		say("%s(%.*s);\n", names[n], n == 0 ? 0 : (int)(end - text) - (n < 12), text);
	}
}

NOINLINE static void places(long i)
{
	DTRACE_PROBE4(values, globals, g8, g16, g32, g64);
	DTRACE_PROBE3(values, elements, table[i], table[i + 3], table[15 - i]);
	DTRACE_PROBE6(values, constants, 0, -1, 255, INT64_MAX, INT64_MIN, (uint64_t)UINT64_MAX);
	DTRACE_PROBE2(values, in_memory, real64, real32);
	say("globals(%d, %u, %d, %" PRIu64 ");\n", g8, g16, g32, g64);
	say("elements(%d, %d, %d);\n", table[i], table[i + 3], table[15 - i]);
	say("constants(0, -1, 255, %" PRId64 ", %" PRId64 ", %" PRIu64 ");\n", INT64_MAX, INT64_MIN, UINT64_MAX);
}

#if defined(__x86_64__)
/* Operands by hand, one form each, whatever the compiler likes: STAP_PROBE_ASM is sys/sdt.h's. */
NOINLINE static void forms(const volatile int32_t *at, long i, uint64_t word)
{
	asm volatile(
		"mov %[at], %%r11\n mov %[i], %%rdx\n mov %[word], %%rax\n mov %%rsp, %%rcx\n"
		"push %%rbx\n mov %%rax, %%rbx\n"
		STAP_PROBE_ASM(values, base, -4@(%%r11))
		STAP_PROBE_ASM(values, displaced, -4@4(%%r11) -4@-4(%%r11) 4@4(%%r11))
		STAP_PROBE_ASM(values, indexed, -4@(%%r11,%%rdx,4) -4@8(%%r11,%%rdx,4) -1@(%%r11,%%rdx) 2@(%%r11,%%rdx,2) 8@(%%r11,%%rdx,8))
		STAP_PROBE_ASM(values, bytes, 1@%%al -1@%%al 1@%%ah -1@%%ah 1@%%bl 1@%%bh)
		STAP_PROBE_ASM(values, widths, 8@%%rax -8@%%rax 4@%%eax -4@%%eax 2@%%ax -2@%%ax)
		STAP_PROBE_ASM(values, literals, 1@$255 -1@$-1 2@$0xffff -4@$-70000 8@$18446744073709551615 -8@$-9223372036854775808)
		STAP_PROBE_ASM(values, global_by_rip, 8@g64(%%rip) 4@4+g64(%%rip) 2@g64+2(%%rip) 1@g64+7(%%rip))
		"pop %%rbx\n"
		:: [at] "r"(at), [i] "r"(i), [word] "r"(word) : "r11", "rdx", "rax", "rcx", "memory");
	const volatile uint8_t *b = (const volatile uint8_t *)at;
	uint64_t eight;
	uint16_t two;
	memcpy(&eight, (const void *)(b + 8 * i), 8);
	memcpy(&two, (const void *)(b + 2 * i), 2);
	say("base(%d);\n", at[0]);
	say("displaced(%d, %d, %u);\n", at[1], at[-1], (uint32_t)at[1]);
	say("indexed(%d, %d, %d, %u, %" PRIu64 ");\n", at[i], at[i + 2], (int8_t)b[i], two, eight);
	say("bytes(%u, %d, %u, %d, %u, %u);\n", (uint8_t)word, (int8_t)word, (uint8_t)(word >> 8), (int8_t)(word >> 8), (uint8_t)word, (uint8_t)(word >> 8));
	say("widths(%" PRIu64 ", %" PRId64 ", %u, %d, %u, %d);\n", word, (int64_t)word, (uint32_t)word, (int32_t)word, (uint16_t)word, (int16_t)word);
	say("literals(255, -1, 65535, -70000, 18446744073709551615, -9223372036854775808);\n");
	say("global_by_rip(%" PRIu64 ", %u, %u, %u);\n", g64, (uint32_t)(g64 >> 32), (uint16_t)(g64 >> 16), (uint8_t)(g64 >> 56));
}
#else
static void forms(const volatile int32_t *at, long i, uint64_t word) { (void)at, (void)i, (void)word; }
#endif

#define ONE(n) DTRACE_PROBE3(values, many, n, x + n, table[(x + n) & 15]); say("many(%d, %d, %d);\n", n, x + n, table[(x + n) & 15]);
#define FOUR(n) ONE(n) ONE(n + 1) ONE(n + 2) ONE(n + 3)
#define SIXTEEN(n) FOUR(n) FOUR(n + 4) FOUR(n + 8) FOUR(n + 12)
NOINLINE static void many(int x) { SIXTEEN(0) SIXTEEN(16) }

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 3;
	for (int r = 0; r < rounds; r++) {
		counts(-1 - r, 250 + r, -300 - r, 60000 + r, -70000 - r, 4000000000u + r, INT64_MIN + r, UINT64_MAX - r, -100 - r, 1000 + r, INT32_MAX - r, -5 - r);
		places(r + 1);
		forms(&table[4], r + 1, UINT64_C(0x8182838485868788) + 0x101 * r);
		many(r * 5);
	}
	fputs(said, stdout);
	return 0;
}
