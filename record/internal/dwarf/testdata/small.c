// What the fuzzer starts from: few functions, many kinds of types.
enum color { RED, GREEN = 5 };
struct node { struct node *next; const char *path; union { int i; float f; }; unsigned flag : 3; char label[12]; struct { short a, b; } in[2][3]; enum color color; };
typedef struct { int a; double d; } mixed;
volatile int sink;

__attribute__((noinline)) int walk(struct node *n, mixed m, struct node by_value, const char *text, char last) { sink++; return n->i + m.a + by_value.i + text[0] + last; }
__attribute__((noinline)) mixed make(unsigned char a, long long b, int *list, enum color (*f)(int)) { sink++; return (mixed){a + list[0], b}; }
int main(int argc, char **argv) { struct node n = {0}; sink = walk(&n, (mixed){1, 2}, n, argv[0], 'x'); return make(1, 2, &argc, 0).a; }
