/* Two threads call 50 functions at random for some seconds (default 10). The duration of each call
 * is drawn from a distribution of its function, and the function works until it is over, by the
 * clock. Then it notes how long it really took: another thread may have run meanwhile. Half of the
 * functions are called a hundred times as often as the others. With "phases", only one half of the
 * functions is called for two seconds, then only the other.
 *
 * Prints for each function: name, calls, sum of the durations in ns, and their median, 90th and
 * 99th percentile. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, noipa))

enum { FUNCS = 50, KEPT = 1 << 20 };

static long calls[FUNCS], sum[FUNCS];
static float *took[FUNCS]; /* of the first KEPT calls */
static double seconds = 10;
static int phases;

static inline __attribute__((always_inline)) long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static inline __attribute__((always_inline)) void work(int fn, long ns)
{
	long begin = now(), t, n = __sync_fetch_and_add(&calls[fn], 1);
	volatile float *kept = &took[fn][n < KEPT ? n : KEPT - 1];

	/* What is written after the measured time is brought into the cache during it. */
	*kept = 0;
	__sync_fetch_and_add(&sum[fn], 0);
	while ((t = now()) < begin + ns)
		;
	__sync_fetch_and_add(&sum[fn], t - begin);
	*kept = t - begin;
}

#define F(n) NOINLINE void f##n(long ns) { work(n - 10, ns); }
#define TEN(d) F(d##0) F(d##1) F(d##2) F(d##3) F(d##4) F(d##5) F(d##6) F(d##7) F(d##8) F(d##9)
TEN(1) TEN(2) TEN(3) TEN(4) TEN(5)

#define NAMES(d) f##d##0, f##d##1, f##d##2, f##d##3, f##d##4, f##d##5, f##d##6, f##d##7, f##d##8, f##d##9
static void (*const funcs[FUNCS])(long) = {NAMES(1), NAMES(2), NAMES(3), NAMES(4), NAMES(5)};

static double uniform(struct drand48_data *rng)
{
	double x;

	drand48_r(rng, &x);
	return x;
}

/* Durations in ns: constant, of two kinds, lognormal, exponential, and rarely very long. */
static long draw(int fn, struct drand48_data *rng)
{
	double base = 2000 * (1 + fn / 5), x = uniform(rng);

	switch (fn % 5) {
	case 0:
		return base;
	case 1:
		return x < 0.8 ? base : 10 * base;
	case 2:
		return base * exp(0.8 * sqrt(-2 * log(1 - x)) * cos(6.283185307 * uniform(rng)));
	case 3:
		return base * -log(1 - x);
	}
	return x < 0.9995 ? 10000 : 100000000;
}

static void *run(void *arg)
{
	struct drand48_data rng;
	long begin = now(), end = begin + seconds * 1e9;

	srand48_r((long)arg, &rng);
	for (long t; (t = now()) < end;) {
		int often = uniform(&rng) < 0.99, fn = 2 * (int)(uniform(&rng) * FUNCS / 2) + often;

		if (phases && (fn < FUNCS / 2) != (t - begin) / 2000000000 % 2)
			continue;
		funcs[fn](draw(fn, &rng));
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	pthread_t t[2];

	if (argc > 1)
		seconds = atof(argv[1]);
	phases = argc > 2 && !strcmp(argv[2], "phases");
	for (int i = 0; i < FUNCS; i++)
		took[i] = malloc(KEPT * sizeof(float));
	for (long i = 0; i < 2; i++)
		pthread_create(&t[i], 0, run, (void *)(i + time(0)));
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], 0);
	for (int i = 0; i < FUNCS; i++) {
		long n = calls[i] < KEPT ? calls[i] : KEPT;

		if (n == 0)
			continue;
		qsort(took[i], n, sizeof(float), compare);
		printf("f%d %ld %ld %.0f %.0f %.0f\n", 10 + i, calls[i], sum[i], took[i][n / 2], took[i][n * 9 / 10], took[i][n * 99 / 100]);
	}
	return 0;
}
