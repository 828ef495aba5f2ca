// A stream of its own whose reader throws through fread.
#include <cstdio>

static ssize_t reader(void *, char *, size_t) { throw 7; }
int main()
{
	cookie_io_functions_t functions = {reader, nullptr, nullptr, nullptr};
	FILE *stream = fopencookie(nullptr, "r", functions);
	char byte;

	try {
		fread(&byte, 1, 1, stream);
	} catch (int e) {
		printf("caught %d\n", e);
	}
	return 3;
}
