// Functions of C++ with arguments and results of every kind. The program prints what each call must
// show, in the words of utrace analyze --flow.
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#if defined(__clang__)
#define PROBED __attribute__((noinline, optnone))
#else
#define PROBED __attribute__((noipa))
#endif

static char said[1 << 20];
static size_t length;

static void say(const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	length += vsnprintf(said + length, sizeof(said) - length, format, ap);
	va_end(ap);
}

enum class Color : uint8_t { red, green = 7, blue = 255 };
enum class Level : int16_t { low = -5, high = 500 };

struct Point { int32_t x, y; };                  // one register
struct Range { int64_t from, to; };              // two
struct Box { int64_t a, b, c; };                 // memory
struct Owner { int32_t id; explicit Owner(int i) : id(i) {} Owner(const Owner &o) : id(o.id) {} ~Owner() {} }; // by reference, in secret

class Base {
public:
	int32_t id = 11;
	std::string label = "base";
	virtual ~Base() {}
	PROBED virtual int32_t shape(int scale) { return id * scale; }
};

class Derived : public Base {
public:
	int64_t extra = -22;
	PROBED int32_t shape(int scale) override { return -id * scale; }
	PROBED int64_t method(int32_t n, const std::string &s) const { return extra + n + s.size(); }
	PROBED static int32_t fixed(int32_t n) { return n + 1; }
};

PROBED int32_t strings(const std::string &a, std::string b, std::string *c, std::string_view d) { return a.size() + b.size() + c->size() + d.size(); }
PROBED bool kinds(bool yes, Color c, Level l, int32_t &n, const int64_t &m, uint8_t &&k) { return !yes; }
PROBED int64_t structs(Point p, Range r, Box b, Owner o) { return p.x + p.y + r.from + r.to + b.c + o.id; }
PROBED int32_t over(int n) { return n; }
PROBED int32_t over(long n) { return n; }
PROBED int32_t over(const char *s, unsigned n) { return n; }
template <class T> PROBED T twice(T v) { return v + v; }
PROBED std::string rstring(int n) { return std::string(n, 'x'); }
PROBED std::string_view rview(const char *s) { return s; }
PROBED Point rpoint(int n) { return {n, -n}; }
PROBED Range rrange(int n) { return {n, -n}; }
PROBED Box rbox(int n) { return {n, n + 1, n + 2}; }
PROBED Color rcolor(int n) { return n & 1 ? Color::green : Color::blue; }
PROBED int32_t &rref(int32_t &n) { return n; }

namespace ns { namespace deep { PROBED int16_t inside(int16_t v) { return -v; } } }

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 2;
	for (int r = 0; r < rounds; r++) {
		std::string tiny = "tiny", large(100, 'L'), empty;
		strings(tiny, large, &empty, std::string_view("viewed at", 6));
		say("strings(\"tiny\", \"%s\", \"\", \"viewed\") = 110;\n", large.c_str());
		int32_t n = -5 - r;
		kinds(r & 1, Color::green, Level::low, n, 1L << 40, 200);
		say("kinds(%s, green, low, %d, %ld, 200) = %s;\n", r & 1 ? "true" : "false", n, 1L << 40, r & 1 ? "false" : "true");
		int64_t sum = structs({1, -2 - r}, {INT64_MIN, 3}, {4, 5, 6 + r}, Owner(77));
		say("structs(1, %d, %ld, 3, 4, 5, %d, 77) = %ld;\n", -2 - r, INT64_MIN, 6 + r, sum);
		over(r);
		say("over(int)(%d) = %d;\n", r, r);
		over(100L + r);
		say("over(long)(%d) = %d;\n", 100 + r, 100 + r);
		over("text", 7);
		say("over(char const*, unsigned int)(\"text\", 7) = 7;\n");
		twice<int16_t>(-300);
		say("short twice<short>(short)(-300) = -600;\n");
		twice<uint64_t>(1UL << 63);
		say("unsigned long twice<unsigned long>(unsigned long)(9223372036854775808) = 0;\n");
		rstring(3 + r * 40);
		say("rstring(%d) = \"%s\";\n", 3 + r * 40, std::string(3 + r * 40, 'x').c_str());
		rview("seen");
		say("rview(\"seen\") = \"seen\";\n");
		rpoint(r + 1);
		say("rpoint(%d) = (%d, %d);\n", r + 1, r + 1, -r - 1);
		rrange(r + 1);
		say("rrange(%d) = (%d, %d);\n", r + 1, r + 1, -r - 1);
		rbox(r);
		say("rbox(%d) = (%d, %d, %d);\n", r, r, r + 1, r + 2);
		rcolor(r);
		say("rcolor(%d) = %s;\n", r, r & 1 ? "green" : "blue");
		rref(n);
		say("rref(%d) = %d;\n", n, n);
		Derived d;
		d.id = 30 + r;
		Base *b = &d;
		int32_t s = b->shape(2);
		say("Derived::shape(%d, \"base\", -22, 2) = %d;\n", d.id, s);
		d.method(5, tiny);
		say("Derived::method(%d, -22, 5, \"tiny\") = -13;\n", d.id);
		Derived::fixed(r);
		say("Derived::fixed(%d) = %d;\n", r, r + 1);
		ns::deep::inside(-9);
		say("ns::deep::inside(-9) = 9;\n");
	}
	fputs(said, stdout);
	return 0;
}
