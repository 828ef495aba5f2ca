// Like values.c, for what C++ has more.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#define S(f, path, format, value) printf(f " " path " " format "\n", value)
#define NO(f, path, why) printf(f " " path " !" why "\n")
#ifdef __clang__
#define NOINLINE __attribute__((noinline, weak))
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif
#define READ(object) __asm__ volatile("" ::"r"(&object) : "memory")

volatile long sink;

enum class Level : uint8_t { Low = 1, High = 200 };
enum Plain { A = -1, B = 1 };
struct Base { long id; const char *name; };
struct Other { virtual ~Other() {} int other = 5; };
struct Derived : Base, Other { int own = 7; std::string text = "a text"; };
struct Point { int x, y; };
struct Copied { int n; Copied(int n) : n(n) {} Copied(const Copied &o) : n(o.n) {} };
struct Destroyed { long n; ~Destroyed() { sink++; } };
struct Empty {};
struct Holder { Point p; static int shared; std::string_view view; Point &ref; };
int Holder::shared = 3;
namespace app {
struct Server {
	int port;
	std::string host;
	NOINLINE int t_method(int n, const std::string &path, Level level);
	NOINLINE Point t_point(Point p) const;
	NOINLINE static int t_static(int n, bool b);
	NOINLINE std::string t_string(std::string by_value, std::string_view view, int after);
};
int Server::t_method(int n, const std::string &path, Level level) { sink++; READ(path); return n + port; }
Point Server::t_point(Point p) const { sink++; return {p.y, port}; }
int Server::t_static(int n, bool b) { sink++; return n; }
std::string Server::t_string(std::string by_value, std::string_view view, int after) { sink++; READ(by_value); return by_value + "!"; }
template <typename T> NOINLINE T t_template(T a, const T &b) { sink++; READ(b); return a; }
template <typename... T> NOINLINE int t_pack(int first, T... rest) { sink++; return first; }
}
struct Made { int a; std::string s; NOINLINE Made(int t, const char *s) : a(t), s(s) { sink++; } };
NOINLINE void t_made(Made &m, Made &&moved, Made *p) { READ(m); READ(moved); READ(*p); sink++; }
NOINLINE int t_derived(Derived *d, const Base &base, Other &other) { READ(*d); READ(base); READ(other); sink++; return d->own; }
NOINLINE Copied t_copied(Copied c, int after, Destroyed d, Empty e, int last) { READ(c); READ(d); sink++; return c; }
NOINLINE Level t_level(Level a, Plain p, const int &r, int *&rp) { READ(r); READ(rp); sink++; return a; }
NOINLINE std::string_view t_view(Holder h, std::unique_ptr<Point> up, decltype(nullptr) np, int after) { READ(h); READ(up); sink++; return h.view; }
NOINLINE int t_pointers(int Point::*member, int (app::Server::*method)(int, const std::string &, Level), int after) { sink++; return after; }

int main() {
	app::Server s{80, "example.org"};
	S("t_method", "this->port", "%d", 80); S("t_method", "this->host", "%s", "example.org"); S("t_method", "n", "%d", 3); S("t_method", "path", "%s", "/a/path"); S("t_method", "level", "%s", "High"); S("t_method", "ret", "%d", 83);
	sink = s.t_method(3, "/a/path", Level::High);
	S("t_point", "p.x", "%d", 1); S("t_point", "p.y", "%d", -2); S("t_point", "this->port", "%d", 80); S("t_point", "ret.x", "%d", -2); S("t_point", "ret.y", "%d", 80);
	sink = s.t_point({1, -2}).x;
	S("t_static", "n", "%d", 4); S("t_static", "b", "%s", "true"); S("t_static", "ret", "%d", 4);
	sink = app::Server::t_static(4, true);
	std::string longer = "a text that is too long to be kept in the object itself";
	S("t_string", "by_value", "%s", longer.c_str()); S("t_string", "view", "%s", "seen"); S("t_string", "after", "%d", 6); S("t_string", "this->host", "%s", "example.org"); S("t_string", "ret", "%s!", longer.c_str());
	sink = s.t_string(longer, std::string_view("seen by all", 4), 6).size();
	S("t_string", "by_value", "%s", "short"); S("t_string", "view", "%s", ""); S("t_string", "after", "%d", 7); S("t_string", "this->host", "%s", "example.org"); S("t_string", "ret", "%s", "short!");
	sink = s.t_string("short", "", 7).size();
	S("t_template", "a", "%d", 5); S("t_template", "b", "%d", 6); S("t_template", "ret", "%d", 5);
	sink = app::t_template<short>(5, 6);
	S("t_pack", "first", "%d", 1); S("t_pack", "ret", "%d", 1);
	sink = app::t_pack(1, 'c', 2l, "three");
	S("Made", "t", "%d", 9); S("Made", "s", "%s", "made"); S("Made", "t", "%d", 10); S("Made", "s", "%s", "other");
	Made made(9, "made"), other(10, "other");
	S("t_made", "m.a", "%d", 9); S("t_made", "m->s", "%s", "made"); S("t_made", "moved.s", "%s", "other"); S("t_made", "p->s", "%s", "other");
	t_made(made, std::move(other), &other);
	S("Made", "t", "%d", 11); S("Made", "s", "%s", "third");
	Made third(11, "third");
	sink = third.a;
	Derived d; d.id = 99; d.name = "derived";
	S("t_derived", "d->id", "%d", 99); S("t_derived", "d->name", "%s", "derived"); S("t_derived", "d->own", "%d", 7); S("t_derived", "d->text", "%s", "a text"); S("t_derived", "d->other", "%d", 5); S("t_derived", "base.id", "%d", 99); S("t_derived", "other.other", "%d", 5); S("t_derived", "ret", "%d", 7);
	sink = t_derived(&d, d, d);
	S("t_copied", "c.n", "%d", 21); S("t_copied", "after", "%d", 22); S("t_copied", "d.n", "%d", 23); S("t_copied", "last", "%d", 24); S("t_copied", "ret.n", "%d", 21);
	sink = t_copied(Copied(21), 22, Destroyed{23}, Empty{}, 24).n;
	int r = 31, *rp = &r;
	S("t_level", "a", "%s", "Low"); S("t_level", "p", "%s", "A"); S("t_level", "r", "%d", 31); S("t_level", "rp", "%p", (void *)rp); S("t_level", "*rp", "%d", 31); S("t_level", "ret", "%s", "Low");
	sink = (long)t_level(Level::Low, A, r, rp);
	Point at{41, 42};
	S("t_view", "h.p.y", "%d", 42); S("t_view", "h.view", "%s", "held"); S("t_view", "h.ref.x", "%d", 41); S("t_view", "after", "%d", 43); S("t_view", "up", "%s", "{}"); S("t_view", "ret", "%s", "held");
	sink = t_view(Holder{at, "held", at}, std::make_unique<Point>(at), nullptr, 43).size();
	S("t_pointers", "after", "%d", 51); NO("t_pointers", "member", "it is a pointer to a member"); S("t_pointers", "ret", "%d", 51);
	sink = t_pointers(&Point::y, &app::Server::t_method, 51);
}
