//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pageData is the data of a page.
func pageData(t *testing.T, page string) (data struct {
	Kind, By string
	Rows     struct{ Label []string }
	Why      map[string]any
}) {
	t.Helper()
	packed := regexp.MustCompile(`id="data">([^<]+)<`).FindStringSubmatch(page)
	if packed == nil {
		t.Fatal("no page")
	}
	raw, err := base64.StdEncoding.DecodeString(packed[1])
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(zip).Decode(&data); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestHTML: a page is written beside the report, or instead of it, with what is selected.
func TestHTML(t *testing.T) {
	trace := traceFile(t, "values")
	file := filepath.Join(t.TempDir(), "page.html")
	out, _, err := analyzeCommand("--html", file, "--by", "path", "--function", "serve", "--top", "2", "--why", "serve", trace)
	if err != nil || !strings.HasPrefix(out, "# function  serve") {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data := pageData(t, string(text))
	if data.Kind != "analyze" || data.By != "path" || data.Why["reason"] == "" || !slices.Equal(data.Rows.Label, []string{"serve", "serve"}) {
		t.Errorf("the page has %+v", data)
	}
	if out, _, err = analyzeCommand("--html", "-", trace); err != nil || !strings.HasPrefix(out, "<!DOCTYPE html>") || len(pageData(t, out).Rows.Label) != 4 {
		t.Errorf("no page on standard output: %v", err)
	}
	if out, _, err = analyzeCommand("--html", file, trace); err != nil || !strings.HasPrefix(out, "# file") {
		t.Errorf("no report beside the page: %v\n%s", err, out)
	}
	if _, _, err = analyzeCommand("--html", trace, trace); err == nil {
		t.Error("the page has replaced the trace")
	}
	if _, _, err = analyzeCommand("--html", file, "--why", "nothing", trace); err == nil {
		t.Error("no function matches --why")
	}
	if _, _, err = analyzeCommand("--html", file, "--pprof", file, trace); err == nil {
		t.Error("two files of one name")
	}
}

// TestDiffHTML does the same for a comparison.
func TestDiffHTML(t *testing.T) {
	one, slow := pace(t, "one", "", 1), pace(t, "slow", "second", 2)
	file := filepath.Join(t.TempDir(), "page.html")
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		cmd := newRootCommand()
		cmd.SetArgs(append(append([]string{"diff"}, args...), one, slow))
		cmd.SetOut(&out)
		cmd.SetErr(io.Discard)
		err := cmd.Execute()
		return out.String(), err
	}
	if out, err := run("--html", file, "--top", "2"); err != nil || !strings.HasPrefix(out, "# old") {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := run("--html", "-"); err != nil || len(pageData(t, out).Rows.Label) != 4 {
		t.Errorf("no page on standard output: %v", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if data := pageData(t, string(text)); data.Kind != "diff" || len(data.Rows.Label) != 2 {
		t.Errorf("the page has %+v", data)
	}
	for _, args := range [][]string{{"--html", one}, {"--html", "-", "--json"}, {"--html", file, "--pprof", file}, {"--html", file, "--why", "outer"}} {
		if _, err := run(args...); err == nil {
			t.Errorf("%v is no error", args)
		}
	}
}
