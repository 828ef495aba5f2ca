/* Functions with arguments and results of every kind. The program prints what each call must
 * show, in the words of utrace analyze --flow. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__clang__)
#define PROBED __attribute__((noinline, optnone))
#else
#define PROBED __attribute__((noipa))
#endif

/* Kept, and printed at the end, so that all calls are at the same depth of the stack and of the flow. */
static char said[1 << 20];
static size_t length;

static void say(const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	length += vsnprintf(said + length, sizeof(said) - length, format, ap);
	va_end(ap);
}

enum color { RED, GREEN = 5, BLUE = -1 };
enum flags { FLAG_A = 1, FLAG_B = 2 };
typedef int16_t code_t;

struct inner { int8_t x, y; uint32_t z[4]; };
struct node { struct node *next; const char *name; uint32_t len; struct inner in; char label[8]; double real; float reals[3]; unsigned low : 3, high : 7; int negative : 5; };
struct pair { int32_t a; int64_t b; };
struct packed { int8_t a; uint8_t b; int16_t c; uint32_t d; int64_t e; };
struct mixed { double d; long n; };
struct big { int64_t a; int32_t b; const char *c; uint8_t d[3]; };
union either { int32_t number; char bytes[4]; };

PROBED int64_t ints(int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e, uint32_t f, int64_t g, uint64_t h, int8_t i, uint16_t j, int32_t k, int64_t l)
{
	return a + b + c + d + e + f + g + (int64_t)h + i + j + k + l;
}

PROBED void kinds(bool yes, char c, enum color color, enum flags flags, code_t code, void *p, const char *s, union either u) { }
PROBED void thirteen(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k, int l, int m) { }
PROBED void reals(double *d, float *f, const double *none) { }
PROBED int floats(double x, int n, float y, int m) { return n + m; }
PROBED void values(struct pair p, struct packed q, struct mixed m, struct big b, int last) { }
PROBED int32_t chain(struct node *n, int at) { return n->len; }
PROBED void texts(const char *s, char *t, const unsigned char *u, const void *b, size_t n) { }

/* Results, with the upper half of the register full of something else. */
PROBED int8_t r8(uint64_t v) { return v; }
PROBED uint8_t ru8(uint64_t v) { return v; }
PROBED int16_t r16(uint64_t v) { return v; }
PROBED uint16_t ru16(uint64_t v) { return v; }
PROBED int32_t r32(uint64_t v) { return v; }
PROBED uint32_t ru32(uint64_t v) { return v; }
PROBED int64_t r64(uint64_t v) { return v; }
PROBED uint64_t ru64(uint64_t v) { return v; }
PROBED bool rbool(uint64_t v) { return v & 1; }
PROBED char rchar(uint64_t v) { return 'a' + v % 26; }
PROBED enum color rcolor(uint64_t v) { return v & 1 ? GREEN : BLUE; }
PROBED void *rpointer(uint64_t v) { return (void *)v; }
PROBED const char *rtext(const char *s) { return s; }
PROBED struct pair rpair(int32_t a, int64_t b) { return (struct pair){a, b}; }
PROBED struct packed rpacked(struct packed p) { p.a++; return p; }
PROBED struct big rbig(struct big b) { b.a = -b.a; return b; }
PROBED struct mixed rmixed(long n) { return (struct mixed){0.5, n}; }
PROBED double rdouble(int n) { return n; }

static void numbers(int r)
{
	static const uint64_t patterns[] = {0, 1, UINT64_C(0xffffffffffffffff), UINT64_C(0xdeadbeef8000807f), UINT64_C(0x7f7f7f7f7f7f7f80), UINT64_C(0xfedcba9876543210)};
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		uint64_t v = patterns[i] + r;
		r8(v); ru8(v); r16(v); ru16(v); r32(v); ru32(v); r64(v); ru64(v); rbool(v); rchar(v); rcolor(v); rpointer(v);
		say("r8(%" PRIu64 ") = %d;\n", v, (int8_t)v);
		say("ru8(%" PRIu64 ") = %u;\n", v, (uint8_t)v);
		say("r16(%" PRIu64 ") = %d;\n", v, (int16_t)v);
		say("ru16(%" PRIu64 ") = %u;\n", v, (uint16_t)v);
		say("r32(%" PRIu64 ") = %d;\n", v, (int32_t)v);
		say("ru32(%" PRIu64 ") = %u;\n", v, (uint32_t)v);
		say("r64(%" PRIu64 ") = %" PRId64 ";\n", v, (int64_t)v);
		say("ru64(%" PRIu64 ") = %" PRIu64 ";\n", v, v);
		say("rbool(%" PRIu64 ") = %s;\n", v, v & 1 ? "true" : "false");
		say("rchar(%" PRIu64 ") = '%c';\n", v, (int)('a' + v % 26));
		say("rcolor(%" PRIu64 ") = %s;\n", v, v & 1 ? "GREEN" : "BLUE");
		say("rpointer(%" PRIu64 ") = 0x%" PRIx64 ";\n", v, v);
		int64_t sum = ints(v, v, v, v, v, v, v, v, v, v, v, v);
		say("ints(%d, %u, %d, %u, %d, %u, %" PRId64 ", %" PRIu64 ", %d, %u, %d, %" PRId64 ") = %" PRId64 ";\n", (int8_t)v, (uint8_t)v, (int16_t)v, (uint16_t)v,
			(int32_t)v, (uint32_t)v, (int64_t)v, v, (int8_t)v, (uint16_t)v, (int32_t)v, (int64_t)v, sum);
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 2;
	struct node c = {NULL, "third", 30, {-3, 3, {31, 32, 33, 34}}, "12345678", 0.125, {1, -2, 0.5}, 5, 100, -9};
	struct node b = {&c, "second", 20, {-2, 2, {21, 22, 23, 24}}, "bb", -2.5, {0, 0, 0}, 1, 2, 3}, a = {&b, "first", 10, {-1, 1, {11, 12, 13, 14}}, "", 1e100, {0, 0, 0}, 0, 0, 0};
	for (int r = 0; r < rounds; r++) {
		numbers(r);
		kinds(r & 1, 'A' + r, r & 1 ? RED : BLUE, FLAG_A | FLAG_B, -300, &said, "text", (union either){.number = 77});
		say("kinds(%s, '%c', %s, 3, -300, 0x%" PRIx64 ", \"text\");\n", r & 1 ? "true" : "false", 'A' + r, r & 1 ? "RED" : "BLUE", (uint64_t)(uintptr_t)&said);
		thirteen(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13);
		say("thirteen(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);\n");
		double d = -0.25;
		float f = 1.5f;
		reals(&d, &f, NULL);
		say("reals(-0.25, 1.5, ?);\n");
		floats(0.5, 40 + r, 0.25f, -2);
		say("floats(%d, -2) = %d;\n", 40 + r, 38 + r);
		struct pair p = {-r - 1, INT64_MIN};
		struct packed q = {-8, 200, -16000, 4000000000u, -r};
		struct mixed m = {2.5, -7};
		struct big big = {1 + r, -2, "big", {7, 8, 9}};
		values(p, q, m, big, 99);
		say("values(%d, %" PRId64 ", -8, 200, -16000, 4000000000, %d, -7, %d, -2, \"big\", 99);\n", p.a, p.b, -r, 1 + r);
		chain(&a, r);
		say("chain(%d, 10, \"second\", \"third\", 30, -3, 33, \"12345678\", 0.125, -2) = 10;\n", r);
		texts("plain", NULL, (const unsigned char *)"unsigned", "a\0b\xff", 4);
		say("texts(\"plain\", NULL, \"unsigned\", \"a\\x00b\\xff\", 4);\n");
		rtext("returned");
		say("rtext(\"returned\") = \"returned\";\n");
		rtext(NULL);
		say("rtext(NULL) = NULL;\n");
		rpair(-5 - r, 1L << 40);
		say("rpair(%d, %ld) = (%d, %ld);\n", -5 - r, 1L << 40, -5 - r, 1L << 40);
		rpacked(q);
		say("rpacked() = (-7, 200, -16000, 4000000000, %d);\n", -r);
		rbig(big);
#if defined(__aarch64__) /* what is returned in memory has an address that only the caller knows; registers are given out by size, not by type */
		say("rbig();\n");
#else
		say("rbig() = (%d, -2, \"big\", \"\\a\\b\\t\");\n", -1 - r);
#endif
		rmixed(r);
#if defined(__aarch64__)
		say("rmixed(%d) = (0.5, %d);\n", r, r);
#else
		say("rmixed(%d) = %d;\n", r, r);
#endif
	}
	fputs(said, stdout);
	return 0;
}
