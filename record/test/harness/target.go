//go:build linux

package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Testdata returns the absolute path of a file below testdata in the repository.
func Testdata(t testing.TB, path string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "testdata", path)
		}
	}
	t.Fatal("no go.mod in the directory of the test or above")
	return ""
}

// Target builds a C or C++ program of testdata/targets with debug information, and returns its
// path. The test is skipped without a compiler.
func Target(t testing.TB, source string, flags ...string) string {
	t.Helper()
	compiler := "gcc"
	if strings.HasSuffix(source, ".cpp") {
		compiler = "g++"
	}
	out := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(source), filepath.Ext(source)))
	command := []string{compiler, "-g", "-w", "-o", out, Testdata(t, "targets/"+source), "-lpthread"}
	Run(t, append(command, flags...)...)
	return out
}

// Library builds a shared library from a file of testdata/targets, with -O1 before the flags, and
// returns the path that it was given.
func Library(t testing.TB, path, source string, flags ...string) string {
	t.Helper()
	compiler := "gcc"
	if strings.HasSuffix(source, ".cpp") {
		compiler = "g++"
	}
	Run(t, append([]string{compiler, "-O1", "-shared", "-fPIC", "-o", path, Testdata(t, "targets/"+source)}, flags...)...)
	return path
}

// Program builds a C program from its text, with -O0 before the flags, and returns its path. The
// test is skipped without a compiler.
func Program(t testing.TB, name, text string, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	source, out := filepath.Join(dir, name+".c"), filepath.Join(dir, name)
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	Run(t, append([]string{"gcc", "-O0", "-o", out, source, "-lpthread"}, flags...)...)
	return out
}

// GoTarget builds the Go program testdata/targets/NAME/main.go, with flags for go build, and
// returns its path.
func GoTarget(t testing.TB, name string, flags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	command := append([]string{"go", "build", "-o", out}, flags...)
	Run(t, append(command, Testdata(t, "targets/"+name+"/main.go"))...)
	return out
}

// Run runs a program to its end and returns what it prints. If the program fails, so does the test,
// with that text. The test is skipped where the program is not installed.
func Run(t testing.TB, command ...string) string {
	t.Helper()
	NeedTool(t, command[0])
	text, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", command, err, text)
	}
	return string(text)
}
