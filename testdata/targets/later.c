/* With -DHOST a program that loads a library after a while, and calls it for some
 * seconds; otherwise the library. */
#ifdef HOST
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	usleep(500000);
	void *lib = dlopen(argv[1], RTLD_NOW);
	if (!lib)
		return fprintf(stderr, "%s\n", dlerror()), 1;
	int (*fn)(int) = (int (*)(int))dlsym(lib, "later_entry");
	for (int i = 0; i < 300; i++) {
		fn(i);
		usleep(10000);
	}
	return 0;
}
#else
__attribute__((noinline, noipa)) static int later_inner(int x) { return x; }
int later_entry(int x) { return later_inner(x) + 0; }
#endif
