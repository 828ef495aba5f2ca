package elffile

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/elftest"
)

const versionedSource = `
__asm__(".symver old, f@V1\n.symver new, f@@V2");
int old(int x) { return x + 1; }
int new(int x) { return x + 2; }
int only(int x) { return x; }
`

// TestSymbolVersions compares the versions of functions with those that readelf prints.
func TestSymbolVersions(t *testing.T) {
	elftest.NeedsTool(t, "gcc", "readelf", "strip")
	dir := t.TempDir()
	script, lib, stripped := filepath.Join(dir, "map"), filepath.Join(dir, "lib.so"), filepath.Join(dir, "stripped.so")
	source := filepath.Join(dir, "lib.c")
	for path, text := range map[string]string{script: "V1 { global: f; local: *; }; V2 { global: only; } V1;", source: versionedSource} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"gcc", "-O1", "-shared", "-fPIC", "-Wl,--version-script=" + script, "-o", lib, source}, {"strip", "-o", stripped, lib},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}

	files := []string{lib, stripped}
	libc, _ := filepath.Glob("/lib/*/libc.so.6")
	for _, path := range append(files, libc...) {
		want, owners := readelfVersions(t, path)
		f := open(t, path)
		funcs, err := f.Funcs()
		if err != nil {
			t.Fatal(err)
		}
		for _, fn := range slices.Concat(funcs, f.IFuncs()) {
			if !slices.Equal(fn.Versions, want[fn.Addr]) {
				t.Errorf("%s: %s at %#x: versions %q, readelf prints %q", path, fn.Name, fn.Addr, fn.Versions, want[fn.Addr])
			}
			for _, v := range fn.Versions {
				name, _, _ := strings.Cut(v, "@")
				if got := fn.VersionOf(name); (got != "") != (len(owners[name]) > 1) || got != "" && !slices.Contains(fn.Versions, name+got) {
					t.Errorf("%s: VersionOf(%s) at %#x is %q, and readelf prints it at %d addresses", path, name, fn.Addr, got, len(owners[name]))
				}
			}
			delete(want, fn.Addr)
		}
		if len(want) > 0 || slices.Contains(files, path) && len(owners["f"]) != 2 {
			t.Errorf("%s: not found: %v", path, want)
		}
	}
}

// readelfVersions returns the functions of .dynsym with their versions, by address, and the
// addresses of each name.
func readelfVersions(t *testing.T, path string) (versions map[abi.Addr][]string, owners map[string]map[abi.Addr]bool) {
	t.Helper()
	out, err := exec.Command("readelf", "-W", "--dyn-syms", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	versions, owners = map[abi.Addr][]string{}, map[string]map[abi.Addr]bool{}
	for line := range strings.Lines(string(out)) {
		w := strings.Fields(line) // Num: Value Size Type Bind Vis Ndx Name
		if len(w) < 8 || w[3] != "FUNC" && w[3] != "IFUNC" || w[6] == "UND" || !strings.Contains(w[7], "@") {
			continue
		}
		n, err := strconv.ParseUint(w[1], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		a := abi.Addr(n)
		name, _, _ := strings.Cut(w[7], "@")
		if owners[name] == nil {
			owners[name] = map[abi.Addr]bool{}
		}
		owners[name][a] = true
		versions[a] = append(versions[a], w[7])
		slices.Sort(versions[a])
	}
	return versions, owners
}
