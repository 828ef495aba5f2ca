/* With -DHOST the program that loads the plugin, otherwise the plugin. */
#ifdef HOST
#include <dlfcn.h>
#include <stdio.h>

__attribute__((noinline, noipa)) int call_plugin(int (*fn)(int), int i) { return fn(i) + 1; }

int main(int argc, char **argv)
{
	int sum = 0;
	for (int round = 0; round < 3; round++) {
		void *lib = dlopen(argv[1], RTLD_NOW);
		if (!lib)
			return fprintf(stderr, "%s\n", dlerror()), 1;
		int (*fn)(int) = (int (*)(int))dlsym(lib, "plugin_entry");
		for (int i = 0; i < 10; i++)
			sum += call_plugin(fn, i);
		dlclose(lib);
	}
	return sum != 165;
}
#else
__attribute__((noinline, noipa)) static int plugin_inner(int x) { return x; }
int plugin_entry(int x) { return plugin_inner(x) + 0; }
#endif
