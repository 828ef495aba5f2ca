/* A client calls request some hundred times, and waits in it for another thread that calls step
 * 200 times before it answers. The first argument is how they hand over:
 *
 *	cond    a condition variable
 *	mutex   the other thread has the lock
 *	pipe    two pipes, to another process
 *	socket  a pair of sockets
 *	tcp     a connection on this machine, to another process
 *	epoll   a pair of sockets, and epoll on both sides
 *	chain   pipes, by way of a third thread that also calls step, 40 times
 *	serverN as socket, with N clients that do not pause: requests wait in a queue
 *	none    nothing: request calls step itself
 *	sleep   nothing: request sleeps, while another thread calls step
 *
 * The second argument is the number of requests. It prints mean and median of a request by its own
 * clock, in ns, and of the 200 calls in it. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noipa))

enum { STEPS = 200, CHAIN_STEPS = 40, STEP_TURNS = 3000, PAUSE_US = 100, MAX_REQUESTS = 10000 };

static int there[2], back[2], relay_there[2], relay_back[2];
static int epoll_there, epoll_back;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t asked = PTHREAD_COND_INITIALIZER, answered = PTHREAD_COND_INITIALIZER;
static int question, answer;
static volatile int asking;

/* One turn depends on the one before: nothing is gained by doing several at once. */
NOINLINE void step(void)
{
	unsigned long x = STEP_TURNS;

	for (long i = STEP_TURNS; i-- > 0;)
		__asm__ volatile("imul $7, %0, %0" : "+r"(x));
}

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

/* How long it took to answer, in memory that all processes share. */
static struct answers {
	long n, times[MAX_REQUESTS];
} *answers;

static void steps(int n)
{
	while (n-- > 0)
		step();
}

NOINLINE void serve(void)
{
	long start = now();

	steps(STEPS);
	answers->times[answers->n++] = now() - start;
}

static void put(int fd)
{
	if (write(fd, "x", 1) != 1)
		perror("write");
}

static int get(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1;
}

static void wait_readable(int epoll)
{
	struct epoll_event event;

	while (epoll_wait(epoll, &event, 1, -1) < 0 && errno == EINTR)
		;
}

NOINLINE void request_cond(void)
{
	pthread_mutex_lock(&lock);
	question = 1;
	pthread_cond_signal(&asked);
	while (!answer)
		pthread_cond_wait(&answered, &lock);
	answer = 0;
	pthread_mutex_unlock(&lock);
}

static void *answer_cond(void *arg)
{
	for (;;) {
		pthread_mutex_lock(&lock);
		while (!question)
			pthread_cond_wait(&asked, &lock);
		question = 0;
		pthread_mutex_unlock(&lock);
		serve();
		pthread_mutex_lock(&lock);
		answer = 1;
		pthread_cond_signal(&answered);
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

NOINLINE void request_mutex(void)
{
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	__asm__ volatile("");
}

static void *answer_mutex(void *arg)
{
	while (get(there[0])) {
		pthread_mutex_lock(&lock);
		put(back[1]);
		while (!asking)
			sched_yield();
		asking = 0;
		serve();
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

NOINLINE void request_bytes(void)
{
	put(there[1]);
	get(back[0]);
	__asm__ volatile("");
}

static void *answer_bytes(void *arg)
{
	while (get(there[0])) {
		serve();
		put(back[1]);
	}
	return arg;
}

NOINLINE void request_epoll(void)
{
	put(there[1]);
	wait_readable(epoll_back);
	get(back[0]);
	__asm__ volatile("");
}

static void *answer_epoll(void *arg)
{
	for (;;) {
		wait_readable(epoll_there);
		if (!get(there[0]))
			return arg;
		serve();
		put(back[1]);
	}
}

static void *relay(void *arg)
{
	while (get(there[0])) {
		steps(CHAIN_STEPS);
		put(relay_there[1]);
		get(relay_back[0]);
		put(back[1]);
	}
	return arg;
}

static void *answer_relayed(void *arg)
{
	while (get(relay_there[0])) {
		serve();
		put(relay_back[1]);
	}
	return arg;
}

static void check(int failed, const char *what)
{
	if (failed) {
		perror(what);
		exit(1);
	}
}

static void thread(void *(*run)(void *))
{
	pthread_t t;

	check(pthread_create(&t, NULL, run, NULL), "pthread_create");
}

/* A server with several clients. A client asks again as soon as it has the answer. */
enum { MAX_CLIENTS = 64 };
static int clients, client_ends[MAX_CLIENTS];
static long requests, *request_times;
static long asked_for; /* atomic: how many requests there were */

NOINLINE void request_queued(int fd)
{
	put(fd);
	get(fd);
	__asm__ volatile("");
}

static void *ask(void *arg)
{
	int fd = *(int *)arg;

	for (;;) {
		long i = __atomic_fetch_add(&asked_for, 1, __ATOMIC_RELAXED), start = now();

		if (i >= requests)
			return NULL;
		request_queued(fd);
		request_times[i] = now() - start;
	}
}

static void *answer_all(void *arg)
{
	for (;;) {
		struct epoll_event event;

		if (epoll_wait(epoll_there, &event, 1, -1) == 1 && get(event.data.fd)) {
			serve();
			put(event.data.fd);
		}
	}
	return arg;
}

static void serve_clients(long n, long *times)
{
	pthread_t threads[MAX_CLIENTS];

	requests = n;
	request_times = times;
	epoll_there = epoll_create1(0);
	for (int i = 0; i < clients; i++) {
		struct epoll_event event = {.events = EPOLLIN};
		int ends[2];

		check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
		client_ends[i] = ends[0];
		event.data.fd = ends[1];
		check(epoll_ctl(epoll_there, EPOLL_CTL_ADD, ends[1], &event), "epoll_ctl");
	}
	thread(answer_all);
	for (int i = 0; i < clients; i++)
		check(pthread_create(&threads[i], NULL, ask, &client_ends[i]), "pthread_create");
	for (int i = 0; i < clients; i++)
		pthread_join(threads[i], NULL);
}

/* Waits for nobody, while another thread calls step. */
NOINLINE void request_sleep(void)
{
	usleep(1000);
	__asm__ volatile("");
}

static void *never_answer(void *arg)
{
	for (;;)
		steps(STEPS);
	return arg;
}

NOINLINE void request_none(void)
{
	serve();
	__asm__ volatile("");
}

static int watch(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(0);

	check(epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll");
	return epoll;
}

/* Both ends of a connection over the loopback device. */
static void connect_tcp(int ends[2])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	check(bind(listener, (void *)&address, size) || listen(listener, 1) || getsockname(listener, (void *)&address, &size), "listen");
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	check(connect(ends[0], (void *)&address, size), "connect");
	ends[1] = accept(listener, NULL, NULL);
	for (int i = 0; i < 2; i++)
		setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	close(listener);
}

/* Makes there and back of one connection, over which bytes go both ways. */
static void both_ways(int ends[2])
{
	there[1] = back[0] = ends[0];
	there[0] = back[1] = ends[1];
}

static int is(const char *a, const char *b) { return !strcmp(a, b); }

/* Another process answers; it ends once the connection is closed. */
static void fork_answer(void)
{
	if (fork() == 0) {
		if (there[1] != back[1])
			close(there[1]);
		if (back[0] != there[0])
			close(back[0]);
		answer_bytes(NULL);
		_exit(0);
	}
}

static void (*prepare(const char *how))(void)
{
	int ends[2];

	if (is(how, "none"))
		return request_none;
	if (is(how, "sleep")) {
		thread(never_answer);
		serve();
		return request_sleep;
	}
	if (is(how, "cond")) {
		thread(answer_cond);
		return request_cond;
	}
	if (is(how, "tcp")) {
		connect_tcp(ends);
		both_ways(ends);
		fork_answer();
		return request_bytes;
	}
	if (is(how, "socket") || is(how, "epoll")) {
		check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
		both_ways(ends);
		if (is(how, "socket")) {
			thread(answer_bytes);
			return request_bytes;
		}
		epoll_there = watch(there[0]);
		epoll_back = watch(back[0]);
		thread(answer_epoll);
		return request_epoll;
	}
	check(pipe(there) || pipe(back), "pipe");
	if (is(how, "mutex")) {
		thread(answer_mutex);
		return request_mutex;
	}
	if (is(how, "pipe")) {
		fork_answer();
		return request_bytes;
	}
	check(!is(how, "chain") || pipe(relay_there) || pipe(relay_back), how);
	thread(relay);
	thread(answer_relayed);
	return request_bytes;
}

static int compare(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

static void print(long *times, long n)
{
	long sum = 0;

	for (long i = 0; i < n; i++)
		sum += times[i];
	qsort(times, n, sizeof(long), compare);
	printf("%ld %ld\n", sum / n, times[n / 2]);
}

int main(int argc, char **argv)
{
	long n = argc > 2 ? atol(argv[2]) : 0, *times = calloc(MAX_REQUESTS, sizeof(long));
	struct sched_param priority = {.sched_priority = 10};
	void (*request)(void);

	sched_setscheduler(0, SCHED_FIFO, &priority); /* if it may: others disturb it less */
	answers = mmap(NULL, sizeof(*answers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (n < 1 || n > MAX_REQUESTS || !times || answers == MAP_FAILED)
		return 1;
	if (sscanf(argv[1], "server%d", &clients) == 1 && clients > 0 && clients <= MAX_CLIENTS) {
		serve_clients(n, times);
		print(times, n);
		print(answers->times, answers->n);
		return 0;
	}
	request = prepare(argv[1]);
	for (long i = 0; i < n; i++) {
		long start;

		usleep(PAUSE_US);
		if (request == request_mutex) {
			put(there[1]);
			get(back[0]);
			asking = 1;
		}
		start = now();
		request();
		times[i] = now() - start;
	}
	print(times, n);
	print(answers->times, answers->n);
	return 0;
}
