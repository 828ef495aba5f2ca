/* Hooks functions as an interposer does: it copies the first instructions of a
 * function to memory of its own, so that it can still be called, and looks at
 * the first bytes of functions of the C library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __x86_64__
int work(int n);
__asm__(".globl work\n.type work, @function\n"
	"work: push %rbp\nmov %rsp, %rbp\nlea 5(%rdi), %eax\npop %rbp\nret\n"
	".size work, .-work\n");
enum { COPIED = 4 }; /* push and mov */

static int call_hooked(int n)
{
	unsigned char *copy = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED)
		return 0;
	memcpy(copy, (void *)work, COPIED);
	memcpy(copy + COPIED, "\x49\xbb", 2); /* movabs $rest, %r11 */
	uintptr_t rest = (uintptr_t)work + COPIED;
	memcpy(copy + COPIED + 2, &rest, sizeof rest);
	memcpy(copy + COPIED + 10, "\x41\xff\xe3", 3); /* jmp *%r11 */
	return ((int (*)(int))copy)(n);
}
#else
__attribute__((noinline, noipa)) int work(int n) { return n + 5; }
static int call_hooked(int n) { return work(n); }
#endif

int main(void)
{
	static const char *names[] = {"printf", "getaddrinfo", "malloc", "read"};
	for (int i = 0; i < 4; i++) {
		unsigned char *f = dlsym(RTLD_DEFAULT, names[i]);
		printf("%s", names[i]);
		for (int b = 0; b < 16; b++)
			printf(" %02x", f[b]);
		printf("\n");
	}
	printf("%d %d\n", work(1), call_hooked(1));
	return 0;
}
