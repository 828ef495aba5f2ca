//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"utrace/format"
)

// traceFile writes a trace of testdata/traces.
func traceFile(t *testing.T, name string) string {
	t.Helper()
	in, err := os.Open(filepath.Join("..", "..", "testdata", "traces", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(t.TempDir(), name+".arrow"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := format.ReadText(in, out); err != nil {
		t.Fatal(err)
	}
	return out.Name()
}

func analyzeCommand(args ...string) (stdout, stderr string, err error) {
	var out, errOut bytes.Buffer
	cmd := newRootCommand()
	cmd.SetArgs(append([]string{"analyze"}, args...))
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	err = cmd.Execute()
	return out.String(), errOut.String(), err
}

func TestAnalyzeUsage(t *testing.T) {
	trace := traceFile(t, "nesting")
	for _, args := range [][]string{
		{}, {"--sort", "size", trace}, {"--flow=curly", trace}, {"--function", "/(/", trace}, {"--top", "-1", trace},
		{"--from", "2s", "--to", "1s", trace}, {"--hist", trace}, {"--pid", "x", trace},
	} {
		if _, _, err := analyzeCommand(args...); !errors.As(err, new(usageError)) {
			t.Errorf("analyze %q: %v is no usage error", args, err)
		}
	}
	for _, args := range [][]string{{"/does/not/exist"}, {os.Args[0]}, {"--pprof", "/does/not/exist/p", trace}} {
		if _, _, err := analyzeCommand(args...); err == nil || errors.As(err, new(usageError)) {
			t.Errorf("analyze %q: %v is a usage error", args, err)
		}
	}
}

func TestAnalyzeViews(t *testing.T) {
	trace := traceFile(t, "lost")
	pb := filepath.Join(t.TempDir(), "out.pb.gz")
	out, warnings, err := analyzeCommand("--flow", "--tree", "--json", "--pprof", pb, trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# DURATION     TID     FUNCTION\n", "# TOTAL TIME   FUNCTION\n", `"functions": [`} {
		if strings.Count(out, want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, out)
		}
	}
	if strings.Contains(out, "Total time") {
		t.Error("the table is there, too")
	}
	if n := strings.Count(warnings, "utrace: warning: 4 events were lost"); n != 1 {
		t.Errorf("%d warnings of loss:\n%s", n, warnings)
	}
	f, err := os.Open(pb)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if p, err := profile.Parse(f); err != nil || len(p.Sample) != 3 {
		t.Errorf("%v: %v", p, err)
	}
	if names, err := filepath.Glob(filepath.Join(filepath.Dir(pb), ".*")); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestAnalyzeSelection(t *testing.T) {
	trace := traceFile(t, "threads")
	out, _, err := analyzeCommand("--json", "--sort", "name", "--top", "2", "--tid", "101", trace, trace)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Functions []struct {
			Name  string
			Calls int
		}
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Functions) != 2 || r.Functions[0].Name != "step" || r.Functions[0].Calls != 4 || r.Functions[1].Name != "work" {
		t.Errorf("%+v", r.Functions)
	}
}
