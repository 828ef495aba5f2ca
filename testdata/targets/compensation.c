/* Functions that compute for known times, on sites of one class, with other functions of the same class inside:
 *
 *	oTIME_CALLS	computes for about TIME us and calls iTIME_CALLS, which computes for 1 us, CALLS times
 *	rTIME_CALLS	calls recurse, which computes for 1 us and calls itself, CALLS deep
 *	pTIME_CALLS	calls callera and callerb in turns, CALLS times together: each calls tiny, which does nothing
 *
 * The first argument is the class (nop5, push, mov), the second how many threads do so, the third for how long each
 * function is tried, in ms, the fourth how many steps take a us. With a fifth argument, r and p are tried as well as o.
 * Prints for each outer function its name, and mean and median of a call's duration by the program's own clock, in ns.
 * Without arguments it prints how many steps take a us. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void inner_fn(long work);
typedef void outer_fn(long work, long calls, const void *inside);
typedef void nested_fn(long work, long calls, const void *self);

/* One step depends on the one before: nothing is gained by doing several at once. */
static void compute(long steps)
{
	unsigned long x = steps;

	while (steps-- > 0)
		__asm__ volatile("imul $7, %0, %0" : "+r"(x));
}

__attribute__((used)) static void inner_body(long work)
{
	compute(work);
}

static long inner_work;

__attribute__((used)) static void outer_body(long work, long calls, const void *inside)
{
	inner_fn *inner = (inner_fn *)inside;

	compute(work);
	while (calls-- > 0)
		inner(inner_work);
}

__attribute__((used)) static void nested_body(long work, long calls, const void *self)
{
	compute(work);
	if (calls > 1)
		((nested_fn *)self)(work, calls - 1, self);
}

__attribute__((used)) static void deep_body(long work, long calls, const void *inside)
{
	compute(work);
	((nested_fn *)inside)(inner_work, calls, inside);
}

struct pair {
	inner_fn *callers[2], *tiny;
};

__attribute__((used)) static void tiny_body(long unused)
{
	(void)unused;
}

__attribute__((used)) static void caller_body(long tiny)
{
	((inner_fn *)tiny)(0);
}

__attribute__((used)) static void pair_body(long work, long calls, const void *inside)
{
	const struct pair *pair = inside;

	compute(work);
	while (calls-- > 0)
		pair->callers[calls % 2]((long)pair->tiny);
}

#define WRAP(name, enter, body, leave) \
	__asm__(".globl " name "\n.type " name ",@function\n" name ":\n" enter "call " body "\n" leave "ret\n.size " name ",.-" name "\n");
#define PUSH(name, body) WRAP("push_" name, "push %rbp\n", body, "pop %rbp\n")
#define NOP5(name, body) WRAP("nop5_" name, ".byte 0x0f,0x1f,0x44,0,0\npush %rbp\n", body, "pop %rbp\n")
#define MOV(name, body) WRAP("mov_" name, "mov %rax,%r11\nlea -8(%rsp),%rsp\nmov %rbp,(%rsp)\n", body, "mov (%rsp),%rbp\nlea 8(%rsp),%rsp\n")

#define EACH(X) \
	X(1, 0) X(1, 1) X(1, 10) X(1, 100) X(3, 0) X(3, 1) X(3, 10) X(3, 100) X(10, 0) X(10, 1) X(10, 10) X(10, 100) \
	X(100, 0) X(100, 1) X(100, 10) X(100, 100) X(1000, 0) X(1000, 1) X(1000, 10) X(1000, 100)

#define DEFINE(us, n) \
	PUSH("o" #us "_" #n, "outer_body") NOP5("o" #us "_" #n, "outer_body") MOV("o" #us "_" #n, "outer_body") \
	PUSH("i" #us "_" #n, "inner_body") NOP5("i" #us "_" #n, "inner_body") MOV("i" #us "_" #n, "inner_body") \
	outer_fn push_o##us##_##n, nop5_o##us##_##n, mov_o##us##_##n; \
	inner_fn push_i##us##_##n, nop5_i##us##_##n, mov_i##us##_##n;
EACH(DEFINE)

#define SHARED(CLASS, class) \
	CLASS("recurse", "nested_body") CLASS("callera", "caller_body") CLASS("callerb", "caller_body") CLASS("tiny", "tiny_body") \
	nested_fn class##_recurse; \
	inner_fn class##_callera, class##_callerb, class##_tiny; \
	static const struct pair class##_pair = {{class##_callera, class##_callerb}, class##_tiny};
SHARED(PUSH, push)
SHARED(NOP5, nop5)
SHARED(MOV, mov)

#define FEW(X) X(10, 10) X(10, 100) X(100, 100)

#define DEFINE_FEW(us, n) \
	PUSH("r" #us "_" #n, "deep_body") NOP5("r" #us "_" #n, "deep_body") MOV("r" #us "_" #n, "deep_body") \
	PUSH("p" #us "_" #n, "pair_body") NOP5("p" #us "_" #n, "pair_body") MOV("p" #us "_" #n, "pair_body") \
	outer_fn push_r##us##_##n, nop5_r##us##_##n, mov_r##us##_##n, push_p##us##_##n, nop5_p##us##_##n, mov_p##us##_##n;
FEW(DEFINE_FEW)

static const struct {
	long us, calls;
	const char *class, *name;
	outer_fn *outer;
	const void *inside;
} functions[] = {
#define ENTRY(us, n) \
	{us, n, "push", "o" #us "_" #n, push_o##us##_##n, push_i##us##_##n}, \
	{us, n, "nop5", "o" #us "_" #n, nop5_o##us##_##n, nop5_i##us##_##n}, \
	{us, n, "mov", "o" #us "_" #n, mov_o##us##_##n, mov_i##us##_##n},
	EACH(ENTRY)
#define ENTRY_FEW(us, n) \
	{us, n, "push", "r" #us "_" #n, push_r##us##_##n, push_recurse}, {us, n, "push", "p" #us "_" #n, push_p##us##_##n, &push_pair}, \
	{us, n, "nop5", "r" #us "_" #n, nop5_r##us##_##n, nop5_recurse}, {us, n, "nop5", "p" #us "_" #n, nop5_p##us##_##n, &nop5_pair}, \
	{us, n, "mov", "r" #us "_" #n, mov_r##us##_##n, mov_recurse}, {us, n, "mov", "p" #us "_" #n, mov_p##us##_##n, &mov_pair},
	FEW(ENTRY_FEW)
};

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

static double steps_per_us;
static long clock_ns, tried_ns;
static const char *class;
static int all_shapes;
static pthread_mutex_t printing = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *unused)
{
	(void)unused;
	for (unsigned f = 0; f < sizeof(functions) / sizeof(*functions); f++) {
		long expected = (functions[f].us + functions[f].calls) * 1000, n = tried_ns / expected, sum = 0;
		long *times;

		if (strcmp(functions[f].class, class) || (functions[f].name[0] != 'o' && !all_shapes))
			continue;
		n = n < 20 ? 20 : n;
		times = calloc(n, sizeof(long));
		for (long i = 0; i < n; i++) {
			long start = now();

			functions[f].outer(functions[f].us * steps_per_us, functions[f].calls, functions[f].inside);
			times[i] = now() - start - clock_ns;
			sum += times[i];
		}
		qsort(times, n, sizeof(long), compare);
		pthread_mutex_lock(&printing);
		printf("%s_%s %ld %ld\n", class, functions[f].name, sum / n, times[n / 2]);
		pthread_mutex_unlock(&printing);
		free(times);
	}
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t other;
	double best = 0;
	int threads;

	clock_ns = 1000000;
	for (int i = 0; i < 1000; i++) {
		long start = now(), took = now() - start;

		if (took < clock_ns)
			clock_ns = took;
		start = now();
		compute(30000);
		took = now() - start;
		if (30000.0 * 1000 / took > best)
			best = 30000.0 * 1000 / took;
	}
	if (argc < 5) {
		printf("%.3f\n", best);
		return 0;
	}
	class = argv[1];
	all_shapes = argc > 5;
	threads = atoi(argv[2]);
	tried_ns = atol(argv[3]) * 1000000;
	steps_per_us = inner_work = atof(argv[4]);
	if (threads > 1)
		pthread_create(&other, 0, work, 0);
	work(0);
	if (threads > 1)
		pthread_join(other, 0);
	return 0;
}
