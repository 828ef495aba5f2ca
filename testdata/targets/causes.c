// A server whose calls of handle() are sometimes slow, for one planted cause: causes MODE SECONDS.
// In each mode, about one call in fifty is slow, and takes at least five times as long.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROBED __attribute__((noinline, noclone))
#define MAX_THREADS 64

static const char *mode;
static long end_us;
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
static volatile long sink;

static int is(const char *name) { return strcmp(mode, name) == 0; }

static long now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

static long cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

// spin uses the processor for a time.
static void spin(long us)
{
	long until = cpu_us() + us;
	while (cpu_us() < until)
		for (int i = 0; i < 200; i++)
			sink += i;
}

static void rest(long us) { usleep(us); }

// chance is a random number below n (xorshift).
static unsigned chance(unsigned *state, unsigned n)
{
	unsigned x = *state;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	*state = x;
	return (x >> 8) % n;
}

// seed is different in each thread, and never 0.
static unsigned seed(void)
{
	static unsigned count;
	unsigned n = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) + (unsigned)getpid() * 1000003u;
	return (n * 2654435761u) | 1;
}

PROBED void lock_table(void) { pthread_mutex_lock(&table); __asm__ volatile("" ::: "memory"); }
PROBED void unlock_table(void) { pthread_mutex_unlock(&table); __asm__ volatile("" ::: "memory"); }
PROBED void compute(long us) { spin(us); __asm__ volatile("" ::: "memory"); }
PROBED void load_backend(int key) { rest(2000); sink += key; }
PROBED int lookup(int key)
{
	if (is("miss") && key % 50 == 7)
		load_backend(key);
	spin(20);
	return key;
}
PROBED int attempt(int n) { rest(300); sink += n; return 1; }
PROBED void write_log(int n) { rest(n ? 5000 : 100); sink += n; }
PROBED void recover(int code) { rest(3000); sink += code; }
PROBED void warm_up(void) { rest(4000); sink++; }

PROBED void on_timer(void) { spin(3000); __asm__ volatile("" ::: "memory"); }

// The list grows by each call, and each call walks it.
PROBED void walk(long length) { spin(length); __asm__ volatile("" ::: "memory"); }

static long grown, next_timer;

PROBED int handle(int key, int size)
{
	static __thread unsigned state;
	static __thread int calls;
	if (!state)
		state = seed();
	calls++;
	int result = 0;
	lookup(key);
	compute(50 + chance(&state, 20));
	if (is("lock") || is("pause") || is("burst")) {
		lock_table();
		compute(is("burst") ? 300 : 20);
		unlock_table();
	}
	if (is("retry"))
		for (int i = 0, n = chance(&state, 50) ? 1 : 8; i < n; i++)
			attempt(i);
	if (is("disk"))
		write_log(chance(&state, 50) == 0);
	if (is("argument"))
		compute(size > 4000 ? 900 : 100);
	if (is("first") && calls == 1)
		warm_up();
	if (is("error") && chance(&state, 60) == 0) {
		recover(-5);
		result = -EIO;
	}
	if (is("timer") && now_us() >= next_timer) {
		next_timer = now_us() + 40000;
		on_timer();
	}
	if (is("growth"))
		walk(__atomic_add_fetch(&grown, 1, __ATOMIC_RELAXED) / 2);
	return result;
}

// hold_table keeps the lock for long.
PROBED void hold_table(void)
{
	pthread_mutex_lock(&table);
	rest(10000);
	pthread_mutex_unlock(&table);
}

// collect_garbage stops all calls of handle.
PROBED void collect_garbage(void)
{
	pthread_mutex_lock(&table);
	spin(30000);
	pthread_mutex_unlock(&table);
}

static void *holder(void *arg)
{
	while (now_us() < end_us) {
		rest(150000);
		hold_table();
	}
	return arg;
}

static void *collector(void *arg)
{
	while (now_us() < end_us) {
		rest(700000);
		collect_garbage();
	}
	return arg;
}

static void *worker(void *arg)
{
	unsigned state = seed();
	for (int n = 0; now_us() < end_us && !(is("first") && n == 60); n++) {
		if (is("burst")) { // all threads at once, four times a second; alone in between
			long next = 250000 - now_us() % 250000, alone = 1500 + chance(&state, 25000);
			rest(alone < next ? alone : next);
		}
		handle((int)chance(&state, 200), (int)(chance(&state, 40) ? chance(&state, 4000) : 4001 + chance(&state, 4000)));
		if (is("growth"))
			rest(200);
		else if (!is("burst") && !is("cpu"))
			rest(300 + chance(&state, 300));
		if (is("cpu"))
			rest(100);
	}
	return arg;
}

// steal takes the processor from all others, for 20 ms each 100 ms.
static void steal(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	struct sched_param p = {.sched_priority = 10};
	sched_setaffinity(0, sizeof set, &set);
	sched_setscheduler(0, SCHED_FIFO, &p);
	for (int i = 0; now_us() < end_us; i++) {
		rest(100000);
		long until = now_us() + 20000;
		while (now_us() < until)
			sink++;
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	mode = argv[1];
	end_us = now_us() + (long)(atof(argv[2]) * 1e6);
	struct sched_param p = {.sched_priority = 1}; // other programs of the machine are no cause
	if (sched_setscheduler(0, SCHED_FIFO, &p) != 0)
		perror("sched_setscheduler");
	pthread_t threads[MAX_THREADS], other;
	int count = is("burst") ? 12 : is("growth") || is("cpu") || is("timer") ? 1 : 3;
	pid_t thief = 0;
	if (is("cpu")) {
		if ((thief = fork()) == 0)
			steal();
		cpu_set_t set;
		CPU_ZERO(&set);
		CPU_SET(0, &set);
		sched_setaffinity(0, sizeof set, &set);
	}
	if (is("lock"))
		pthread_create(&other, NULL, holder, NULL);
	if (is("pause"))
		pthread_create(&other, NULL, collector, NULL);
	do { // mode first has new threads again and again
		for (int i = 0; i < count; i++)
			pthread_create(&threads[i], NULL, worker, NULL);
		for (int i = 0; i < count; i++)
			pthread_join(threads[i], NULL);
	} while (now_us() < end_us && is("first"));
	if (is("lock") || is("pause"))
		pthread_join(other, NULL);
	if (thief)
		waitpid(thief, NULL, 0);
	return 0;
}
