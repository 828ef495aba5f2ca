/* The program of "make demo": a small server. Two workers take requests from
 * a queue; each is parsed, looked up (one in fifty has to wait for the disk)
 * and rendered, which takes longer the more there is to show. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noipa))
#define REQUESTS 1000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int next_request;

NOINLINE static unsigned hash(unsigned x)
{
	for (int i = 0; i < 2000; i++)
		x = x * 1664525u + 1013904223u;
	return x;
}

NOINLINE static unsigned parse_header(int id) { return hash(id); }
NOINLINE static unsigned parse_request(int id) { return parse_header(id) ^ parse_header(id + 1); }

NOINLINE static void read_from_disk(void) { usleep(20000); }
NOINLINE static unsigned db_lookup(unsigned key, int id)
{
	if (id % 50 == 0)
		read_from_disk();
	return hash(key);
}

NOINLINE static unsigned render_row(unsigned x) { return hash(x); }
NOINLINE static unsigned render(unsigned x)
{
	unsigned sum = 0;
	for (unsigned row = 0; row <= x % 8; row++)
		sum += render_row(x + row);
	return sum;
}

NOINLINE static unsigned handle_request(int id)
{
	return render(db_lookup(parse_request(id), id));
}

NOINLINE static void *worker(void *arg)
{
	unsigned sum = 0;
	for (;;) {
		pthread_mutex_lock(&lock);
		int id = next_request++;
		pthread_mutex_unlock(&lock);
		if (id >= REQUESTS)
			return (void *)(long)sum;
		sum += handle_request(id);
	}
}

int main(void)
{
	pthread_t t[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], 0, worker, 0);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], 0);
	printf("served %d requests\n", REQUESTS);
	return 0;
}
