// Functions that overwrite at once what their arguments point to, or what lies on the stack. They print what they are called with.
#include <stdio.h>

struct request { int n, left; };

__attribute__((noipa)) int finish(struct request *r) { return r->n + r->left; }

__attribute__((noipa)) int reset(struct request *r)
{
	r->n = 0;
	return finish(r);
}

__attribute__((noipa)) int count(struct request *r)
{
	r->left--;
	if (r->n)
		return finish(r) + 1;
	return 0;
}

int main(void)
{
	for (int i = 40; i < 43; i++) {
		struct request r = {i, i * 2};
		printf("count(%d);\n", r.left);
		count(&r);
		printf("reset(%d);\n", r.n);
		reset(&r);
	}
}
