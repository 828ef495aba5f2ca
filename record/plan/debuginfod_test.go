//go:build linux

package plan

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"utrace/record/debuginfod"
	"utrace/record/internal/probe"
)

// A plan downloads the debug file of a stripped program: its local functions have names and lines.
// Afterwards nothing is downloaded any more. Files without a function probe ask for nothing.
func TestDebugFileIsDownloaded(t *testing.T) {
	split, err := filepath.Abs("../../testdata/elf/split")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(split, "pie.elf"))
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "prog") // its debug file is not beside it
	if err := os.WriteFile(program, content, 0o755); err != nil {
		t.Fatal(err)
	}
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		if !strings.HasSuffix(r.URL.Path, "/debuginfo") {
			t.Errorf("request for %s", r.URL.Path)
		}
		http.ServeFile(w, r, filepath.Join(split, "pie.debug"))
	}))
	defer server.Close()
	cache := t.TempDir()
	newPlan := func(text string) (*Plan, *debuginfod.Client, error) {
		t.Helper()
		env := map[string]string{"DEBUGINFOD_URLS": server.URL, "DEBUGINFOD_CACHE_PATH": cache}
		client, err := debuginfod.New(t.Context(), func(name string) string { return env[name] })
		if err != nil {
			t.Fatal(err)
		}
		client.Notice = func(text string) { t.Error(text) }
		pr, err := probe.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := New(Config{Probes: []*probe.Probe{pr}, Debuginfod: client})
		return p, client, err
	}

	if _, _, err := newPlan("usdt:" + program + ":none:none"); err == nil || requests != 0 {
		t.Errorf("%v, %d requests, want none for a static probe", err, requests)
	}
	for range 2 { // the second time from the cache
		p, client, err := newPlan(program + ":by_tail_call")
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		p.ReadLines()
		if fn := p.Modules[0].Funcs[0]; fn.SourceFile != "/fixture/src/split.c" || fn.Line != 12 || requests != 1 {
			t.Errorf("%s in %s:%d, %d requests", fn.Name, fn.SourceFile, fn.Line, requests)
		}
		client.Fetch(strings.Repeat("ab", 20), "/bin/later")
		if skipped := client.Skipped(); len(skipped) != 1 || requests != 1 {
			t.Errorf("skipped %q, %d requests: a plan must end downloads", skipped, requests)
		}
	}
}
