// A thread that is cancelled while a function of C calls it back, below a destructor. Nothing throws.
#include <atomic>
#include <cstdio>
#include <pthread.h>
#include <unistd.h>

extern "C" int run(void (*callback)(int), int v); // quiet.c

static std::atomic<int> waits, cleaned;
struct guard {
	~guard() { cleaned++; }
};

static void wait_for_ever(int)
{
	for (waits = 1;;)
		usleep(1000);
}
static void *guarded(void *)
{
	guard g;
	run(wait_for_ever, 1);
	return nullptr;
}
int main()
{
	pthread_t t;

	run([](int) {}, 1);
	pthread_create(&t, nullptr, guarded, nullptr);
	while (!waits)
		usleep(1000);
	pthread_cancel(t);
	pthread_join(t, nullptr);
	printf("cleaned %d\n", cleaned.load());
	return 3;
}
