package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module is packages in which everything happens that the summary must tell apart.
var module = map[string]string{
	"go.mod":           "module example\n\ngo 1.24\n",
	"good/a.go":        "package good\n",
	"none/a.go":        "package none\n",
	"broken/a.go":      "package broken\n\nfunc f() int { return missing }\n",
	"broken/a_test.go": "package broken\n",
	"good/a_test.go": `package good

import "testing"

func TestGood(t *testing.T) { t.Log("not to be seen") }

func TestTable(t *testing.T) {
	t.Run("a/slash/one", func(t *testing.T) {})
	t.Run("two", func(t *testing.T) { t.Skip("needs two") })
}

func TestNeedsTwo(t *testing.T) {
	t.Log("a note")
	t.Skipf("needs two\n    x.go:1: further line")
}

func TestNeedsMore(t *testing.T) { t.Skip("needs more") }
`,
	"bad/a_test.go": `package bad

import "testing"

func TestTable(t *testing.T) {
	t.Run("one", func(t *testing.T) {})
	t.Run("a/two", func(t *testing.T) { t.Error("two is wrong") })
}

func TestBad(t *testing.T) { t.Error("this is wrong") }
`,
	"main/a_test.go": `package main

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) { fmt.Println("cannot begin"); os.Exit(1) }
`,
	"dies/a_test.go": `package dies

import (
	"fmt"
	"os"
	"testing"
)

func TestDies(t *testing.T) { fmt.Println("last words"); os.Exit(3) }
`,
}

// summarize runs go test on the module by each of the commands.
func summarize(t *testing.T, commands ...string) (text string, failed int) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range module {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	var out strings.Builder
	s := newSummary(&out)
	for _, command := range commands {
		if s.run(command) != nil {
			failed++
		}
	}
	s.write(0)
	return out.String(), failed
}

func TestSummary(t *testing.T) {
	text, failed := summarize(t, "go test ./...")
	if failed != 1 {
		t.Error("go test does not fail")
	}
	for _, want := range []string{
		"ok  \texample/good\t", "undefined: missing\n", "FAIL\texample/broken [build failed]\n",
		"--- FAIL: TestBad (0.00s)\n    a_test.go:10: this is wrong\n", "two is wrong\n", "cannot begin\n", "last words\n",
		"skipped 2: needs two (TestTable/two, TestNeedsTwo)\nskipped 1: needs more (TestNeedsMore)\n",
		"failed: example/bad TestTable/a/two\n", "failed: example/bad TestBad\n", "failed: example/broken\n", "failed: example/main\n",
		"failed: example/dies TestDies (not finished)\n", "\n3 passed, 5 failed, 3 skipped, in 0s\n",
	} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is not there once", want)
		}
	}
	if strings.Contains(text, "not to be seen") || strings.Contains(text, "=== RUN") {
		t.Error("the output of a test that passed is there")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestRuns: the runs are added up, and a failed run does not hide behind a later one.
func TestRuns(t *testing.T) {
	text, failed := summarize(t, "go test ./bad", "go test -run Good|More ./good", "go test -timeout nonsense ./good", "true")
	if failed != 3 || !strings.HasSuffix(text, "\n2 passed, 2 failed, 1 skipped, in 0s\n") {
		t.Errorf("%d failed:\n%s", failed, text)
	}
}
