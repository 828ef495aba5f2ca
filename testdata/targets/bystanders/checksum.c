/* Prints a checksum of its own text and of that of the C library, as they are
 * in memory: what an anti-tampering check sees. */
#include <stdio.h>
#include <string.h>

__attribute__((noinline, noipa)) int work(int n) { return n + 1; }

int main(int argc, char **argv)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[4096], *own = strrchr(argv[0], '/');
	while (maps && fgets(line, sizeof line, maps)) {
		unsigned long from, to, sum = work(0);
		char perm[5], *name = strrchr(line, '/');
		if (!name || sscanf(line, "%lx-%lx %4s", &from, &to, perm) != 3 || perm[2] != 'x')
			continue;
		name[strcspn(name, "\n")] = 0;
		if (strcmp(name, own) && strcmp(name, "/libc.so.6"))
			continue;
		for (unsigned char *p = (unsigned char *)from; p < (unsigned char *)to; p++)
			sum = sum * 31 + *p;
		printf("%s %016lx\n", name, sum);
	}
	return 0;
}
