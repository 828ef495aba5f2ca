// An exception thrown in every second call and caught three frames up; names
// with namespaces, templates and overloads.
#include <cstdio>
#include <stdexcept>

#define NOINLINE __attribute__((noinline, noipa))

static volatile int sink;

namespace app {
struct Guard {
	~Guard() { sink = 7; }
};
NOINLINE void fails(int i) { sink = i; if (i % 2) throw std::runtime_error("odd"); sink = 1; }
NOINLINE void passes(int i) { Guard g; fails(i); sink = 2; }
NOINLINE void passes(double d) { passes(int(d)); sink = 3; }
template <typename T> NOINLINE int catches(T v)
{
	try {
		passes(double(v));
	} catch (const std::exception &) {
		return 1;
	}
	return 0;
}
} // namespace app

int main()
{
	int caught = 0;
	for (int i = 0; i < 50; i++)
		caught += app::catches<long>(i);
	std::printf("caught %d\n", caught);
	return caught != 25;
}
