/* Plain C with -fexceptions and a cleanup: it has _Unwind_Resume and __gcc_personality_v0, and is not C++. */
#include <stdlib.h>

extern void work(char *);
static void release(char **p) { free(*p); }

int run(void)
{
	__attribute__((cleanup(release))) char *p = malloc(8);
	work(p);
	return 0;
}
