//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestManualPages: each command and topic has a page, with all flags, and groff has nothing to say
// about it.
func TestManualPages(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "run", "-tags", "man", ".", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	for _, cmd := range newRootCommand().Commands() {
		section := ".1"
		switch {
		case cmd.IsAdditionalHelpTopicCommand():
			section = ".7"
		case !cmd.IsAvailableCommand():
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, "utrace-"+cmd.Name()+section))
		if err != nil {
			t.Error(err)
			continue
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			name := `\fB\-\-` + strings.ReplaceAll(f.Name, "-", `\-`) + `\fR`
			if strings.Contains(string(text), name) == f.Hidden {
				t.Errorf("utrace-%s: --%s, hidden %v", cmd.Name(), f.Name, f.Hidden)
			}
		})
	}

	pages, err := filepath.Glob(filepath.Join(dir, "*.?"))
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("needs groff")
	}
	for _, page := range pages {
		if out, err := exec.Command("groff", "-man", "-ww", "-z", "-Kutf8", page).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("groff %s: %v\n%s", filepath.Base(page), err, out)
		}
	}
}
