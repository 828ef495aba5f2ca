/* Four functions that sleep, wait for a lock, read a slow pipe and spin, and a fifth of which two threads compete
 * for one CPU. The program measures each itself and prints: name, wall time, CPU time, time that the thread was
 * runnable but did not run, in nanoseconds. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noipa))

enum { ROUNDS = 20, PERIOD_US = 10000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int slow[2], turn[2];

static long now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

/* How long the thread has waited for a CPU, of which the file is /proc/thread-self/schedstat. */
static long run_delay(int file)
{
	char text[100];
	long cpu, delay = 0;
	ssize_t n = pread(file, text, sizeof(text) - 1, 0);

	if (n > 0) {
		text[n] = 0;
		sscanf(text, "%ld %ld", &cpu, &delay);
	}
	return delay;
}

struct times {
	long wall, cpu, delay;
};

/* All at one moment: the thread has not been preempted in between. */
static struct times look(int file)
{
	struct times t;

	do {
		t.delay = run_delay(file);
		t.cpu = now(CLOCK_THREAD_CPUTIME_ID);
		t.wall = now(CLOCK_MONOTONIC);
	} while (t.delay != run_delay(file));
	return t;
}

static void spin(long cpu_us)
{
	long end = now(CLOCK_THREAD_CPUTIME_ID) + cpu_us * 1000;

	while (now(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

NOINLINE void sleeper(void)
{
	usleep(PERIOD_US);
	__asm__ volatile(""); /* not a jump to usleep, at which it would seem to return where returns are probed at instructions */
}

NOINLINE void locker(void)
{
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
}

NOINLINE void reader(void)
{
	char byte;

	if (read(slow[0], &byte, 1) != 1)
		perror("read");
}

NOINLINE void spinner(void) { spin(PERIOD_US); }
NOINLINE void contender(void) { spin(PERIOD_US * ROUNDS / 4); }

/* Takes the lock for a while, whenever it is told to, and says when it has it. */
static void *holder(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		if (write(turn[1], "x", 1) != 1)
			perror("write");
		usleep(PERIOD_US);
		pthread_mutex_unlock(&lock);
		usleep(1000);
	}
	return NULL;
}

static void *writer(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		usleep(PERIOD_US);
		if (write(slow[1], "x", 1) != 1)
			perror("write");
	}
	return NULL;
}

/* All calls are measured at once, since to look at the clocks takes time, too; or, if each has to wait for its turn, one by one. */
static void measure(const char *name, void (*call)(void), int rounds, int wait_turn)
{
	struct times sum = {0}, from, to;
	int file = open("/proc/thread-self/schedstat", O_RDONLY);

	for (int done = 0; done < rounds;) {
		char byte;

		if (wait_turn && read(turn[0], &byte, 1) != 1)
			perror("read");
		from = look(file);
		do
			call();
		while (++done < rounds && !wait_turn);
		to = look(file);
		sum.wall += to.wall - from.wall;
		sum.cpu += to.cpu - from.cpu;
		sum.delay += to.delay - from.delay;
	}
	close(file);
	printf("%s %ld %ld %ld\n", name, sum.wall, sum.cpu, sum.delay);
}

static void *contend(void *arg)
{
	measure("contender", contender, 4, 0);
	return NULL;
}

int main(void)
{
	pthread_t thread[2];
	cpu_set_t one;

	if (pipe(slow) || pipe(turn))
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	measure("sleeper", sleeper, ROUNDS, 0);
	pthread_create(&thread[0], NULL, holder, NULL);
	measure("locker", locker, ROUNDS, 1);
	pthread_join(thread[0], NULL);
	pthread_create(&thread[0], NULL, writer, NULL);
	measure("reader", reader, ROUNDS, 0);
	pthread_join(thread[0], NULL);
	measure("spinner", spinner, ROUNDS, 0);

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, contend, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	return 0;
}
