/* Serves requests for some milliseconds, in stages that compute for about 10 to 100 us each and one that waits.
 * A stage may be made slower: stages MILLISECONDS [STAGE PERCENT]. Prints how many requests it has served. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noipa))

static const char *slow = "";
static int percent;

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* A step takes about as long as a multiplication and an addition that wait for each other. */
NOINLINE static unsigned compute(const char *stage, int steps, unsigned x)
{
	if (!strcmp(stage, slow))
		steps += steps / 100 * percent;
	for (int i = 0; i < steps; i++)
		x = x * 1664525u + 1013904223u;
	return x;
}

#define STAGE(name, steps) NOINLINE static unsigned name(unsigned x) { return compute(#name, steps, x); }
STAGE(parse, 7000)
STAGE(check, 14000)
STAGE(lookup, 21000)
STAGE(encode, 35000)
STAGE(pack, 70000)

/* As long as its input has it: from a third of a stage to all of it. */
NOINLINE static unsigned filter(unsigned x) { return compute("filter", 10000 + x % 20000, x); }

NOINLINE static unsigned store(unsigned x)
{
	usleep(200);
	return x + 1;
}

NOINLINE static unsigned render(unsigned x) { return pack(encode(x)); }

/* Which way a request takes depends on its number only, so that a slower stage changes nothing else. */
NOINLINE static unsigned handle(unsigned id)
{
	lookup(check(parse(id)));
	unsigned x = render(filter(id * 2654435761u));
	return id % 8 ? x : store(x);
}

int main(int argc, char **argv)
{
	double end = now_ms() + (argc > 1 ? atof(argv[1]) : 1000);
	if (argc > 3) {
		slow = argv[2];
		percent = atoi(argv[3]);
	}
	unsigned x = 0, requests = 0;
	for (; now_ms() < end; requests++)
		x ^= handle(requests);
	printf("%u requests, sum %u\n", requests, x);
	return 0;
}
