package ldso

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"utrace/record/internal/elffile"
	"utrace/record/internal/elftest"
)

func TestLibraryMatches(t *testing.T) {
	const libc, ssl, old = "/usr/lib/x86_64-linux-gnu/libc.so.6", "/opt/ssl/libssl.so.3.0.11", "/lib/libc-2.31.so"
	for _, c := range []struct {
		pattern, path, soname string
		want                  bool
	}{
		{"c", libc, "libc.so.6", true},
		{"c", old, "", true},
		{"c-2.31", old, "", true},
		{"c", "/usr/lib/libcrypt.so.1", "libcrypt.so.1", false},
		{"libc", libc, "", true},
		{"libc.so.6", libc, "", true},
		{"libc.so", libc, "", false},
		{"ssl", ssl, "libssl.so.3", true},
		{"libssl.so.3", ssl, "libssl.so.3", true},
		{"libssl.so.3.0.11", ssl, "libssl.so.3", true},
		{"libssl.so.1.1", ssl, "libssl.so.3", false},
		{"lib*", ssl, "", true},
		{"ss?", ssl, "", true},
		{"*", "/usr/bin/ls", "", true},
		{"ls", "/usr/bin/ls", "", true},
		{libc, libc, "", true},
		{"/usr/lib/*/libc.so.6", libc, "", true},
		{"/lib/libc.so.6", libc, "", false},
		{"_ssl.*", "/usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so", "", true},
		{"stdc++", "/usr/lib/libstdc++.so.6.0.30", "libstdc++.so.6", true},
		{"gobject", "/usr/lib/libgobject-2.0.so.0", "libgobject-2.0.so.0", true},
		{"x", "/usr/lib/libx-y.so.1", "", false},
		{"", libc, "", false},
		{"[", libc, "", false},
	} {
		if got := Matches(c.pattern, c.path, c.soname); got != c.want {
			t.Errorf("Matches(%q, %q, %q) = %v", c.pattern, c.path, c.soname, got)
		}
	}
}

// copyFixture puts a fixture at a path, with its NEEDED names replaced by others of at most the
// same length.
func copyFixture(t *testing.T, fixture, to string, replace ...string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elftest.Dir, fixture+".elf"))
	if err != nil {
		t.Fatal(err)
	}
	s := string(b)
	for i := 0; i < len(replace); i += 2 {
		from, with := replace[i]+"\x00", replace[i+1]+"\x00"
		if !strings.Contains(s, from) || len(with) > len(from) {
			t.Fatalf("cannot put %q for %q", with, from)
		}
		s = strings.ReplaceAll(s, from, with+strings.Repeat("\x00", len(from)-len(with)))
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte(s), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestClosureSearchOrder(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	// prog needs a.so (in $ORIGIN/lib by DT_RUNPATH), which needs b.so.
	copyFixture(t, "stripped", in("prog"), "libc.so.6", "a.so")
	copyFixture(t, "stripped", in("lib/a.so"), "libc.so.6", "b.so", "libfixture.so.1", "a.so")
	copyFixture(t, "stripped", in("env/b.so"), "libc.so.6", "gone.so", "libfixture.so.1", "b.so")
	copyFixture(t, "stripped", in("cache/b.so"), "libc.so.6", "gone.so", "libfixture.so.1", "b.so")
	copyFixture(t, "arm64", in("wrong/b.so"))
	prog := open(t, in("prog"))

	check := func(name string, s *Search, wantPaths, wantMissing []string) {
		t.Helper()
		for i, p := range wantPaths {
			wantPaths[i] = in(p)
		}
		paths, missing := s.Closure(prog)
		if !slices.Equal(paths, wantPaths) || !slices.Equal(missing, wantMissing) {
			t.Errorf("%s: %v, missing %v; want %v, missing %v", name, paths, missing, wantPaths, wantMissing)
		}
	}
	cache := []cacheEntry{
		{"b.so", in("cache/glibc-hwcaps/x86-64-v9/b.so"), flagX8664},
		{"b.so", in("wrong/b.so"), flagAArch64},
		{"b.so", in("cache/b.so"), flagX8664},
	}
	check("nothing", &Search{}, []string{"lib/a.so"}, []string{"b.so"}) // RUNPATH is not inherited
	check("cache", &Search{cache: cache}, []string{"lib/a.so", "cache/b.so"}, []string{"gone.so"})
	check("environment before cache", &Search{cache: cache, envDirs: []string{"relative", in("wrong"), in("env")}},
		[]string{"lib/a.so", "env/b.so"}, []string{"gone.so"})

	// DT_RPATH of the program also counts for its libraries.
	old := &elffile.File{Path: in("prog"), Machine: prog.Machine, RPath: []string{"${ORIGIN}/cache"}, Needed: []string{"x.so"}}
	copyFixture(t, "cleanup", in("cache/x.so"), "libc.so.6", "b.so", "libgcc_s.so.1", "b.so")
	paths, missing := (&Search{}).Closure(old)
	if !slices.Equal(paths, []string{in("cache/x.so"), in("cache/b.so")}) || !slices.Equal(missing, []string{"gone.so"}) {
		t.Errorf("RPATH: %v, missing %v", paths, missing)
	}
}

// The dynamic linker lists the same files.
func TestClosureAgreesWithLdd(t *testing.T) {
	ldd, err := exec.LookPath("ldd")
	if err != nil {
		t.Skip("ldd is not installed")
	}
	s := New(nil)
	for _, path := range []string{"/bin/ls", "/usr/bin/python3.11", "/usr/bin/openssl", "/usr/bin/gdb", "/usr/bin/git"} {
		out, err := exec.Command(ldd, path).Output()
		if err != nil {
			continue // not on this machine
		}
		var want []string
		for line := range strings.Lines(string(out)) {
			for _, w := range strings.Fields(line) {
				if filepath.IsAbs(w) {
					want = append(want, realPath(t, w))
				}
			}
		}
		paths, missing := s.Closure(open(t, path))
		var got []string
		for _, p := range paths {
			got = append(got, realPath(t, p))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || len(missing) > 0 {
			t.Errorf("%s:\ngot  %v\nwant %v\nmissing %v", path, got, want, missing)
		}
	}
}

func realPath(t *testing.T, path string) string {
	t.Helper()
	p, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, v := range []string{"libfix.so.9", "libfix.so.10", "libfixed.so.1"} {
		copyFixture(t, "stripped", filepath.Join(dir, v))
	}
	if err := os.WriteFile(filepath.Join(dir, "libfix.so"), []byte("/* GNU ld script */"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := New([]string{"HOME=/", "LD_LIBRARY_PATH=" + dir})
	if _, ok := s.Find("fix"); !ok {
		t.Skip("this machine does not run the fixtures")
	}
	for name, want := range map[string]string{
		"fix":                               "libfix.so.10", // and not the linker script
		"libfix.so.9":                       "libfix.so.9",
		"fixed":                             "libfixed.so.1",
		filepath.Join(dir, "libfixed.so.1"): "libfixed.so.1",
	} {
		if got, ok := s.Find(name); !ok || got != filepath.Join(dir, want) {
			t.Errorf("Find(%q) = %q, %v; want %s", name, got, ok, want)
		}
	}
	for _, name := range []string{"fi", "", "no such library", "/no/such/file"} {
		if got, ok := s.Find(name); ok {
			t.Errorf("Find(%q) = %q", name, got)
		}
	}
	if got, ok := s.Find("c"); ok && !strings.HasPrefix(filepath.Base(got), "libc.") {
		t.Errorf("Find(c) = %q", got)
	}
}

// What the environment preloads is loaded ahead of what the program needs, and what is not there is
// missing.
func TestClosurePreloads(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	copyFixture(t, "stripped", in("prog"), "libc.so.6", "a.so")
	copyFixture(t, "stripped", in("first.so"), "libc.so.6", "gone.so", "libfixture.so.1", "first.so")
	copyFixture(t, "stripped", in("second.so"), "libc.so.6", "gone.so", "libfixture.so.1", "second.so")
	s := New([]string{"LD_PRELOAD=" + in("first.so") + " absent.so", "LD_AUDIT=" + in("second.so")})
	s.cache = nil
	paths, missing := s.Closure(open(t, in("prog")))
	for _, name := range []string{"first.so", "second.so"} {
		if !slices.Contains(paths, in(name)) {
			t.Errorf("%s is not among %v", name, paths)
		}
	}
	if !slices.Contains(missing, "absent.so") {
		t.Errorf("missing %v", missing)
	}
}

// open opens a file and closes it with the test.
func open(t testing.TB, path string) *elffile.File {
	t.Helper()
	f, err := elffile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
