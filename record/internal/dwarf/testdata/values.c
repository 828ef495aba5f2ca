// Functions with parameters of every kind. The program says of each call what it passes:
// FUNCTION PATH VALUE, where ret is the result, and "!why" stands for what cannot be read.
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// clang passes nothing for a parameter that the function does not use, if it can see that.
#ifdef __clang__
#define NOINLINE __attribute__((noinline, weak))
#define LOCAL static __attribute__((noinline))
#else
#define LOCAL static __attribute__((noinline, noclone, noipa))
#define NOINLINE __attribute__((noinline, noclone))
#endif
#define S(f, path, format, value) printf(f " " path " " format "\n", value)
#define NO(f, path, why) printf(f " " path " !" why "\n")
#define VECTOR "it is in a floating-point register"

volatile long sink;

// Compilers leave out what is stored in an object that nobody reads.
#define READ(object) __asm__ volatile("" ::"r"(&object) : "memory")

enum color { RED, GREEN = 5, BLUE = 70000 };
enum sign { MINUS = -3, PLUS = 3 };
typedef unsigned long long big;
typedef struct { int a, b; } pair;
struct inner { char tag; short level; long weight; };
struct node { struct node *next; const char *path; struct inner in[3]; union { int i; float f; }; unsigned flag : 3; char label[12]; uint8_t raw[4]; };
struct large { long a, b, c; const char *name; };
struct mixed { double d; int n; };
struct packed { char c; short s; int i; } ;
struct bytes16 { char s[16]; };
struct three { int x, y, z; };
struct __attribute__((packed)) tight { char c; int i; };
struct floats { float x, y; };

NOINLINE int t_ints(signed char a, unsigned char b, short c, unsigned short d, int e, unsigned f, long g, big h) { sink = a + b; return e - 1; }
NOINLINE bool t_bool(bool yes, bool no, char c, enum color color, enum sign sign) { sink++; return yes; }
NOINLINE const char *t_text(const char *s, char *mutable, unsigned char *u, void *p, const char **list) { sink++; return s + 1; }
NOINLINE double t_float(double d, int n, float f, int m) { sink++; return d * 2; }
NOINLINE pair t_pair(pair p, int n) { sink++; return (pair){p.b, p.a}; }
NOINLINE struct packed t_packed(struct packed p, struct mixed m, struct floats xy, int after) { sink++; p.s++; return p; }
NOINLINE struct large t_large(struct large l, int after, struct large *p) { sink++; l.b = -5; return l; }
NOINLINE struct mixed t_mixed(struct node *n, struct node **pp) { sink++; return (struct mixed){1.5, n->i}; }
NOINLINE struct three t_three(struct three v, struct bytes16 text, struct tight t) { sink++; v.z++; return v; }
NOINLINE __int128 t_wide(int a, __int128 w, int b, int c, int d, __int128 w2, long last) { sink++; return w + 1; }
NOINLINE long t_stack(int a, int b, int c, int d, int e, int f, short g, const char *h, pair p, long double ld, char last) { sink++; return g; }
NOINLINE int t_unused(int a, int b, int c) { return 7; }
NOINLINE enum color t_enum(enum color c, int (*f)(int)) { sink++; return c; }
NOINLINE int t_variadic(const char *format, int n, ...) { va_list ap; va_start(ap, n); int x = va_arg(ap, int); va_end(ap); sink++; return x; }
NOINLINE int t_array(int list[4], int m[2][3], const char names[2][8]) { sink++; return list[0] + m[1][2] + names[0][0]; }
NOINLINE float t_single(_Complex double z, float f) { sink++; return f; }
LOCAL int t_local(struct node *n, int depth, const char *why) { sink += depth; return n->i + (int)strlen(why); }

// A copy is made of it for its one argument, or its argument is taken apart.
static __attribute__((noinline)) int t_clone(struct node *n, int mode, int unused) { sink += mode; return n->i + n->in[1].level; }

int main(void) {
	struct node tail = {.path = "/tail", .i = 43, .label = "last"};
	struct node head = {.next = &tail, .path = "/tmp/head", .in = {{'a', -1, 10}, {'b', -2, 20}, {'c', -3, 30}}, .i = 42, .flag = 5, .label = "twelve_bytes", .raw = {1, 2, 254, 255}};
	struct node *ph = &head;
	const char *list[] = {"zero", "one"};
	const char names[2][8] = {"first", "second"};
	int numbers[4] = {9, 8, 7, 6}, m[2][3] = {{1, 2, 3}, {4, 5, 6}};
	for (int i = 0; i < 2; i++) {
		S("t_ints", "a", "%d", -1 - i); S("t_ints", "b", "%d", 200 + i); S("t_ints", "c", "%d", -300 - i); S("t_ints", "d", "%d", 60000 + i);
		S("t_ints", "e", "%d", -70000 - i); S("t_ints", "f", "%u", 4000000000u + i); S("t_ints", "g", "%ld", -5000000000l - i); S("t_ints", "h", "%llu", 18000000000000000000ull + i);
		S("t_ints", "ret", "%d", -70001 - i);
		sink = t_ints(-1 - i, 200 + i, -300 - i, 60000 + i, -70000 - i, 4000000000u + i, -5000000000l - i, 18000000000000000000ull + i);
		S("t_bool", "yes", "%s", i ? "true" : "false"); S("t_bool", "no", "%s", "false"); S("t_bool", "c", "%d", 'A' + i);
		S("t_bool", "color", "%s", i ? "BLUE" : "GREEN"); S("t_bool", "sign", "%s", i ? "MINUS" : "PLUS"); S("t_bool", "ret", "%s", i ? "true" : "false");
		sink = t_bool(i, false, 'A' + i, i ? BLUE : GREEN, i ? MINUS : PLUS);
	}
	S("t_text", "s", "%s", "hello"); S("t_text", "mutable", "%s", "(nil)"); S("t_text", "u", "%p", (void *)&sink); S("t_text", "p", "%p", (void *)list); S("t_text", "list", "%p", (void *)list);
	S("t_text", "list[1]", "%s", "one"); S("t_text", "*list", "%s", "zero"); S("t_text", "s[1]", "%d", 'e'); S("t_text", "*s", "%d", 'h'); S("t_text", "ret", "%s", "ello"); S("t_text", "*ret", "%d", 'e');
	sink = (long)t_text("hello", NULL, (unsigned char *)&sink, list, list);
	NO("t_float", "d", VECTOR); NO("t_float", "f", VECTOR); NO("t_float", "ret", VECTOR); S("t_float", "n", "%d", 11); S("t_float", "m", "%d", 12);
	sink = t_float(1.5, 11, 2.5, 12);
	S("t_pair", "p.a", "%d", -7); S("t_pair", "p.b", "%d", 8); S("t_pair", "p", "%s", "{}"); S("t_pair", "n", "%d", 9); S("t_pair", "ret.a", "%d", 8); S("t_pair", "ret.b", "%d", -7);
	sink = t_pair((pair){-7, 8}, 9).a;
	S("t_packed", "p.c", "%d", 'x'); S("t_packed", "p.s", "%d", -2); S("t_packed", "p.i", "%d", 3); NO("t_packed", "m.d", VECTOR); S("t_packed", "m.n", "%d", 77); NO("t_packed", "xy.y", VECTOR);
	S("t_packed", "after", "%d", 78); S("t_packed", "ret.c", "%d", 'x'); S("t_packed", "ret.s", "%d", -1); S("t_packed", "ret.i", "%d", 3);
	sink = t_packed((struct packed){'x', -2, 3}, (struct mixed){2.5, 77}, (struct floats){1, 2}, 78).s;
	struct large l = {1, -2, 3, "large one"};
	S("t_large", "l.a", "%d", 1); S("t_large", "l.b", "%d", -2); S("t_large", "l.name", "%s", "large one"); S("t_large", "after", "%d", 79); S("t_large", "p->c", "%d", 3); S("t_large", "p->name", "%s", "large one");
	S("t_large", "ret.b", "%d", -5); S("t_large", "ret.name", "%s", "large one"); S("t_large", "*p", "%s", "{}");
	sink = t_large(l, 79, &l).b;
	S("t_mixed", "n->path", "%s", "/tmp/head"); S("t_mixed", "n->next->path", "%s", "/tail"); S("t_mixed", "n->in[2].weight", "%d", 30); S("t_mixed", "n->in[1].level", "%d", -2); S("t_mixed", "n->in[0].tag", "%d", 'a');
	S("t_mixed", "n->i", "%d", 42); S("t_mixed", "n->label", "%s", "twelve_bytes"); S("t_mixed", "n->next->label", "%s", "last"); S("t_mixed", "n->raw", "%s", "0102feff"); S("t_mixed", "n->raw[2]", "%d", 254);
	NO("t_mixed", "n->flag", "it is a bit field"); S("t_mixed", "*n->path", "%d", '/'); S("t_mixed", "*n->next->path", "%d", '/');
	S("t_mixed", "(*pp)", "%s", "!no such member: no parameter is called"); S("t_mixed", "**pp", "%s", "{}"); S("t_mixed", "*pp", "%p", (void *)&head); S("t_mixed", "pp[0]->next->i", "%d", 43); S("t_mixed", "n.path", "%s", "/tmp/head");
	S("t_mixed", "n->pth", "%s", "!no such member: struct node has no member \"pth\" (did you mean path?); it has next, path, in, flag, label, raw, i, f");
	S("t_mixed", "n->i->x", "%s", "!no such member"); S("t_mixed", "n->in[3]", "%s", "!no such member: n->in has 3 elements, from [0] to [2]");
	S("t_mixed", "n->next->next", "%s", "0x0"); S("t_mixed", "n->next->next->i", "%s", "!unreadable"); S("t_mixed", "n->next->next->next->next->i", "%s", "!it takes more than 4 loads");
	NO("t_mixed", "ret.d", VECTOR); S("t_mixed", "ret.n", "%d", 42);
	printf("t_mixed n->next->f 6e-44\n"); // the same bytes as 43
	READ(head); READ(ph);
	sink = t_mixed(&head, &ph).n;
	S("t_three", "v.x", "%d", 1); S("t_three", "v.y", "%d", -2); S("t_three", "v.z", "%d", 3); NO("t_three", "text.s", "it is in registers, and has no address"); S("t_three", "text.s[9]", "%d", 'j'); S("t_three", "t.c", "%d", 'T'); S("t_three", "t.i", "%d", -99);
	S("t_three", "ret.y", "%d", -2); S("t_three", "ret.z", "%d", 4);
	sink = t_three((struct three){1, -2, 3}, (struct bytes16){"abcdefghijklmno"}, (struct tight){'T', -99}).z;
	NO("t_wide", "w", "it is a number of 16 bytes"); S("t_wide", "a", "%d", 1); S("t_wide", "b", "%d", 2); S("t_wide", "c", "%d", 3); S("t_wide", "d", "%d", 4); S("t_wide", "last", "%d", -6);
	sink = (long)t_wide(1, 5, 2, 3, 4, 6, -6);
	S("t_stack", "f", "%d", 6); S("t_stack", "g", "%d", -7); S("t_stack", "h", "%s", "on the stack"); S("t_stack", "p.b", "%d", -10); NO("t_stack", "ld", "it is a floating-point number of 16 bytes"); S("t_stack", "last", "%d", 'z');
	sink = t_stack(1, 2, 3, 4, 5, 6, -7, "on the stack", (pair){9, -10}, 1.0L, 'z');
	S("t_unused", "a", "%d", 31); S("t_unused", "b", "%d", 32); S("t_unused", "c", "%d", 33); S("t_unused", "ret", "%d", 7);
	sink = t_unused(31, 32, 33);
	S("t_enum", "c", "%s", "RED"); S("t_enum", "ret", "%s", "RED"); S("t_enum", "f", "%s", "0x10");
	sink = t_enum(RED, (int (*)(int))0x10);
	S("t_variadic", "format", "%s", "%d%d"); S("t_variadic", "n", "%d", 2); S("t_variadic", "ret", "%d", 5);
	sink = t_variadic("%d%d", 2, 5, 6);
	S("t_array", "list[3]", "%d", 6); S("t_array", "m[1][2]", "%d", 6); S("t_array", "names[1]", "%s", "second"); S("t_array", "*m", "%s", "{}"); S("t_array", "m[1]", "%s", "{}"); S("t_array", "ret", "%d", 9 + 6 + 'f');
	READ(numbers); READ(m); READ(names);
	sink = t_array(numbers, m, names);
	NO("t_single", "z", "it is a complex number"); NO("t_single", "f", VECTOR);
	sink = t_single(1, 2);
	S("t_local", "n->path", "%s", "/tail"); S("t_local", "depth", "%d", 3); S("t_local", "why", "%s", "because"); S("t_local", "ret", "%d", 50);
	sink = t_local(&tail, 3, "because");
	S("t_local", "n->path", "%s", "/tmp/head"); S("t_local", "depth", "%d", 4); S("t_local", "why", "%s", "so"); S("t_local", "ret", "%d", 44);
	sink = t_local(&head, 4, "so");
	S("t_clone", "mode", "%d", 17); S("t_clone", "ret", "%d", 40);
	sink = t_clone(&head, 17, 1);
	S("t_clone", "mode", "%d", 17); S("t_clone", "ret", "%d", 40);
	sink = t_clone(&head, 17, 2);
	return 0;
}
