package docs_test

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// inBackticks matches what a line of the manual has in backticks.
var inBackticks = regexp.MustCompile("`([^`]+)`")

// TestPaths: development.md names files and packages that exist. A file without a directory is in the one named before it in
// the same line.
func TestPaths(t *testing.T) {
	text, err := os.ReadFile("development.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		dir := ""
		for _, m := range inBackticks.FindAllStringSubmatch(line, -1) {
			name := strings.TrimSuffix(strings.TrimSuffix(m[1], "/"), "/…")
			isFile := regexp.MustCompile(`^[\w./-]+\.(go|h|c|sh|md)$`).MatchString(name)
			isPackage := regexp.MustCompile(`^(analyze|bpf|cmd|docs|format|record|testdata)(/[\w.-]+)*$`).MatchString(name)
			switch {
			case isFile && !strings.Contains(name, "/") && dir != "":
				name = path.Join(dir, name)
			case isFile && strings.Contains(name, "/"):
				dir = path.Dir(name)
			case isPackage:
				dir = name
			default:
				continue
			}
			n++
			if _, err := os.Stat(path.Join("..", name)); err != nil {
				t.Errorf("there is no %s:\n%s", name, line)
			}
		}
	}
	if n < 100 {
		t.Errorf("%d paths were found", n)
	}
}
