package format

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The documentation of the format lists every kind of row there is.
func TestKindsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(strings.ReplaceAll(string(doc), "//", " ")), " ")
	for kind, text := range kindNames() {
		name := ""
		for word := range strings.SplitSeq(text, "-") {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
		if want := fmt.Sprintf(" %d %s", kind, name); !strings.Contains(words, want+" ") && !strings.Contains(words, want+",") && !strings.Contains(words, want+".") {
			t.Errorf("no %q", want)
		}
	}
	if !strings.Contains(words, "inside_ns") {
		t.Error("no inside_ns")
	}
}
