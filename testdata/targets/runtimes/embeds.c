/* Loads a libpython with dlopen, and runs the Python script of its argument in it. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	void *python = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
	if (!python) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	void (*initialize)(int) = dlsym(python, "Py_InitializeEx");
	int (*run)(const char *) = dlsym(python, "PyRun_SimpleString");
	initialize(0);
	return run(argv[2]) != 0;
}
