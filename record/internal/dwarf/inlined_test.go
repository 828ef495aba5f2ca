package dwarf_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"utrace/record/internal/demangle"
	"utrace/record/internal/elftest"
)

func TestInlined(t *testing.T) {
	for _, name := range []string{"pie", "nopie", "arm64"} {
		dir := t.TempDir()
		for _, file := range []string{name + ".elf", name + ".debug"} {
			b, err := os.ReadFile(filepath.Join(elftest.SplitDir, file))
			if err != nil {
				t.Fatal(err)
			}
			elftest.WriteFile(t, filepath.Join(dir, file), string(b))
		}
		f := open(t, filepath.Join(dir, name+".elf"))
		for _, c := range []struct {
			function string
			in       []string
		}{
			{"inlined_twice", []string{"first_user", "second_user"}},
			{"inlined_deep", []string{"second_user"}},
			{"leaf", nil},
			{"no_such_function", nil},
		} {
			got, ok, err := f.Inlined(func(name string) bool { return name == c.function })
			if err != nil {
				t.Fatal(err)
			}
			if ok != (c.in != nil) {
				t.Errorf("%s: %s: %+v, %v", name, c.function, got, ok)
			}
			if c.in != nil && (!slices.Equal(got.In, c.in) || got.Name != c.function || got.Own) {
				t.Errorf("%s: %s: %+v, want %v", name, c.function, got, c.in)
			}
		}
	}
}

// C++ functions have their symbols as names. A function that is inlined and also exists is not only
// inlined.
func TestInlinedOfOtherCompilers(t *testing.T) {
	const source = `volatile int sink;
namespace shop {
struct Cart { int n; inline __attribute__((always_inline)) int twice(int x) { sink = x; return x * n * 2; } };
inline __attribute__((always_inline)) int thrice(int x) { sink = x * 5; return x * 3; }
__attribute__((noinline)) int both(int x) { return x + 9; }
}
__attribute__((noinline)) int user(int x) { shop::Cart c{x}; return c.twice(x) + shop::thrice(x) + shop::both(x); }
int main(int argc, char **) { return user(argc); }
`
	for _, compiler := range [][]string{
		{"g++", "-gdwarf-5"}, {"g++", "-gdwarf-4"}, {"g++", "-gdwarf-3"}, {"clang++", "-gdwarf-5"}, {"clang++", "-gdwarf-4"}, {"g++", "-g", "-flto"},
	} {
		if _, err := exec.LookPath(compiler[0]); err != nil {
			continue
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "prog")
		elftest.WriteFile(t, filepath.Join(dir, "main.cc"), source)
		cmd := exec.Command(compiler[0], append(compiler[1:], "-O2", "-o", path, filepath.Join(dir, "main.cc"))...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Logf("%v: %v\n%s", compiler, err, out)
			continue
		}
		f := open(t, path)
		for _, c := range []struct {
			name string
			own  bool
		}{{"shop::Cart::twice", false}, {"shop::thrice", false}} {
			got, ok, err := f.Inlined(func(name string) bool { return demangle.Short(name) == c.name })
			if err != nil || !ok || got.Own != c.own || !slices.Equal(got.In, []string{"_Z4useri"}) {
				t.Errorf("%v: %s: %+v, %v, %v", compiler, c.name, got, ok, err)
			}
		}
		if got, ok, _ := f.Inlined(func(name string) bool { return demangle.Short(name) == "shop::both" }); ok && !got.Own {
			t.Errorf("%v: shop::both: %+v", compiler, got)
		}
	}
}
