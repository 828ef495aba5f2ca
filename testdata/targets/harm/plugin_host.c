/* A program in C that loads the library PLUGIN, lets it call back, and calls into it. */
#include <dlfcn.h>
#include <stdio.h>

static volatile int sink;
static int (*call)(void (*)(int), int);
static void (*leave)(int);

__attribute__((noinline)) void inner(int v) { leave(v); sink++; }
__attribute__((noinline)) void outer(int v) { inner(v); sink++; }
__attribute__((noinline)) int step(int v) { int sum = call(outer, v); sink++; return sum; }

int main(void)
{
	int sum = 0;
	void *plugin = dlopen(PLUGIN, RTLD_NOW);

	if (!plugin)
		return 1;
	call = dlsym(plugin, "run");
	leave = dlsym(plugin, "thrower");
	for (int i = 0; i < 10; i++)
		sum += step(i);
	printf("sum %d\n", sum);
	return 3;
}
