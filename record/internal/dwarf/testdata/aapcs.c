// Parameters by the calling convention of aarch64, without any library.
struct pair { int a, b; };
struct big { long a, b, c; };
struct hfa { float x, y; };
struct two { long a, b; };
volatile long sink;
#define NOINLINE __attribute__((noinline, weak))
NOINLINE long mixed(int a, char b, struct pair p, struct two t, struct big g, double d, struct hfa h, __int128 w, long last, short onstack, struct two t2) { sink += a + b + p.a + p.b + t.b + g.c + w + last + onstack + t2.a; return d + h.y; }
NOINLINE struct two registers(struct big *p, struct hfa *q, float x, int n) { sink += p->b + n; struct two r = {1, 2}; return r; }
NOINLINE struct big memory(int n, long m) { sink += n + m; struct big r = {1, n, m}; return r; }
NOINLINE long wide(long a, __int128 w, long b, long c, long d, long e, long f, int g, char h) { sink += a + w + b + c + d + e + f + g + h; return h; }
