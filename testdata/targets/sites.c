/* Calls one function, named by the first argument, for as many seconds of processor time as the second
 * says, and prints nanoseconds a call. With a third argument it waits for a line of input before. The functions
 * differ in how they begin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FUNCTION(name, first) \
	__asm__(".globl " #name "\n.type " #name ",@function\n" #name ":\n" first "\nmov %rsp,%rbp\npop %rbp\nret\n.size " #name ",.-" #name "\n"); \
	void name(long, long, const char *)

FUNCTION(begins_push, "push %rbp");
FUNCTION(begins_endbr64, "endbr64\npush %rbp");
FUNCTION(begins_nop5, ".byte 0x0f,0x1f,0x44,0,0\npush %rbp");
FUNCTION(begins_mov, "mov %rax,%rdx\nlea -8(%rsp),%rsp\nmov %rbp,(%rsp)");

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	void (*fn)(long, long, const char *) = argc < 2 ? 0 :
		!strcmp(argv[1], "begins_push") ? begins_push :
		!strcmp(argv[1], "begins_endbr64") ? begins_endbr64 :
		!strcmp(argv[1], "begins_nop5") ? begins_nop5 : begins_mov;
	double start, end;
	long n = 0;

	if (argc > 3)
		getchar();
	start = now();
	end = start + (argc > 2 ? atof(argv[2]) : 1);

	while (now() < end)
		for (int i = 0; i < 1000; i++, n++)
			fn(n, i, "db-7.eu.example.org");
	printf("%.1f\n", (now() - start) * 1e9 / n);
	return 0;
}
