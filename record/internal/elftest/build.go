package elftest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// NeedsTool skips the test if one of the tools is not installed.
func NeedsTool(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s", tool)
		}
	}
}

// Build compiles a program and returns its path. The last word of the command is the source. The
// test is skipped if the compiler is missing.
func Build(t *testing.T, command ...string) string {
	t.Helper()
	if _, err := exec.LookPath(command[0]); err != nil {
		t.Skip("needs " + command[0])
	}
	path := filepath.Join(t.TempDir(), "prog")
	args := append(command[1:len(command)-1:len(command)-1], "-o", path, command[len(command)-1])
	if out, err := exec.Command(command[0], args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
	return path
}

// goSource is a Go program. With cgo it has C functions before Go's text.
const goSource = `package main

import "fmt"

%s

type stack[T any] struct{ list []T }

//go:noinline
func (s *stack[T]) push(v T) { s.list = append(s.list, v) }

//go:noinline
func work(n int) (sum int) {
	var s stack[int]
	for i := range n {
		func() { s.push(i) }()
	}
	for _, v := range s.list {
		sum += v
	}
	return sum
}

func main() { fmt.Println(work(10)%s) }
`

// BuildGo builds goSource twice: as it is, and with the flags that omit symbols and DWARF. Both
// programs are removed with the test.
func BuildGo(t testing.TB, cgo bool, flags ...string) (full, bare string) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs go")
	}
	preamble, use := "", ""
	env := append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if cgo {
		if _, err := exec.LookPath("gcc"); err != nil {
			t.Skip("needs gcc")
		}
		preamble = "/*\nstatic int helper(int x) { return x * 3; }\n__attribute__((noinline)) int outer(int x) { return helper(x) + 1; }\n*/\nimport \"C\""
		use = ", C.outer(4)"
		env = append(env, "CGO_ENABLED=1")
	}
	dir := t.TempDir()
	source := strings.Replace(strings.Replace(goSource, "%s", preamble, 1), "%s", use, 1)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	full, bare = filepath.Join(dir, "full"), filepath.Join(dir, "bare")
	for _, args := range [][]string{{"-o", full}, {"-o", bare, "-ldflags=-s -w"}} {
		cmd := exec.Command("go", append(append(append([]string{"build"}, args...), flags...), "main.go")...)
		cmd.Dir, cmd.Env = dir, env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	return full, bare
}
