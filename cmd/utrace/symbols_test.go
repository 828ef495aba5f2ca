//go:build linux

package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"utrace/format"
)

// split has a stripped program, and its debug file.
const split = "../../testdata/elf/split"

// namelessTrace writes a trace of two functions of split/pie.elf without names, and a place on a
// stack in a third. nm names them by_tail_call, late_cold and middle.
func namelessTrace(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nameless.arrow")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	text := `meta {"recorder":"test","host":"h","kernel":"6.18","arch":"amd64","args":["utrace"],"cpus":1,"ring_bytes":4096,"start":{"mono_ns":0,"wall_ns":0},"stacks":true}
module {"path":"/bin/prog","build_id":"47de647fa468b046f1c4e8e9a224029de07b6d96"}
module {"path":"/bin/other"}
func {"name":"sub_950","module":0,"addr":2384}
func {"name":"sub_9a0","module":0,"addr":2464}
func {"name":"named","module":0,"addr":2544}
func {"name":"sub_100","module":1,"addr":256}
process {"pid":10,"comm":"prog"}
thread {"pid":10,"tid":10,"comm":"prog"}
100 0 entry 0 sp=0x1000 value=1
200 0 entry 1 sp=0xf00
300 0 return 1 sp=0xf00
400 0 return 0 sp=0x1000
500 0 entry 2 sp=0x1000
600 0 return 2 sp=0x1000
700 0 entry 3 sp=0x1000
800 0 return 3 sp=0x1000
flush
func {"name":"0x9d8","module":0,"addr":2520}
stack {"func":4,"addr":2521}
end {"stop":{"mono_ns":1000,"wall_ns":0},"reason":"test","events":8,"entries":4}
`
	if err := format.ReadText(strings.NewReader(text), out); err != nil {
		t.Fatal(err)
	}
	return path
}

func runCommand(args ...string) (stdout, stderr string, err error) {
	var out, errOut bytes.Buffer
	cmd := newRootCommand()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	err = cmd.Execute()
	return out.String(), errOut.String(), err
}

// The debug file gives names to functions, with their source lines, and to places on stacks.
func TestAnalyzeSymbols(t *testing.T) {
	trace := namelessTrace(t)
	out, _, err := analyzeCommand("--csv", trace)
	if err != nil || !strings.Contains(out, "sub_950,") {
		t.Fatalf("%v: %s", err, out)
	}
	for _, from := range []string{split + "/pie.debug", split} { // a file, a directory
		out, warnings, err := analyzeCommand("--csv", "--symbols", from, trace)
		if err != nil || warnings != "" {
			t.Fatalf("%v, %s", err, warnings)
		}
		for _, want := range []string{"by_tail_call,/bin/prog,/fixture/src/split.c,12,", "late_cold,", "named,", "sub_100,"} {
			if !strings.Contains(out, want) {
				t.Errorf("--symbols %s: no %q in\n%s", from, want, out)
			}
		}
		if strings.Contains(out, "sub_950") {
			t.Errorf("--symbols %s: a function has no name:\n%s", from, out)
		}
		if out, _, _ = analyzeCommand("--tree", "--symbols", from, trace); !strings.Contains(out, "middle") {
			t.Errorf("--symbols %s: the caller has no name:\n%s", from, out)
		}
	}
}

// A file of another build gives no name, and that is said.
func TestAnalyzeSymbolsOfAnotherBuild(t *testing.T) {
	trace := namelessTrace(t)
	for _, from := range []string{split + "/nopie.debug", split + "/nopie.elf", t.TempDir()} {
		out, warnings, err := analyzeCommand("--symbols", from, trace)
		if err != nil || !strings.Contains(out, "sub_950") || strings.Contains(out, "by_tail_call") {
			t.Errorf("--symbols %s: %v\n%s", from, err, out)
		}
		if !strings.Contains(warnings, "--symbols "+from+": no function got a name") {
			t.Errorf("--symbols %s: %s", from, warnings)
		}
	}
	for _, from := range []string{"missing", "symbols_test.go"} {
		if _, _, err := analyzeCommand("--symbols", from, trace); !errors.As(err, new(usageError)) || !strings.Contains(err.Error(), "--symbols: ") {
			t.Errorf("--symbols %s: %v", from, err)
		}
	}
}

func TestSymbols(t *testing.T) {
	trace := namelessTrace(t)
	t.Setenv("DEBUGINFOD_URLS", "")
	out, _, err := runCommand("symbols", trace)
	const want = `# NAMELESS FUNCTIONS        CALLS  MODULE
         3         4            2  /bin/prog
                                   build ID 47de647fa468b046f1c4e8e9a224029de07b6d96
         1         1            1  /bin/other
                                   no build ID: link it with --build-id, and record again
`
	if err != nil || !strings.HasPrefix(out, want) || !strings.Contains(out, "set DEBUGINFOD_URLS") {
		t.Errorf("%v:\n%s", err, out)
	}
	out, _, err = runCommand("symbols", "--symbols", split, trace)
	if err != nil || strings.Contains(out, "/bin/prog") || !strings.HasSuffix(out, "no build ID: link it with --build-id, and record again\n") {
		t.Errorf("%v:\n%s", err, out)
	}
	if out, _, err = runCommand("symbols", "../../testdata/traces/demo.arrow"); err != nil || out != "all functions have names\n" {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestSymbolsOfOthers: other commands that read traces take names from files, too.
func TestSymbolsOfOthers(t *testing.T) {
	trace := namelessTrace(t)
	spans := filepath.Join(t.TempDir(), "spans.json")
	for _, args := range [][]string{{"diff", "--json", trace, trace}, {"export", "--otlp", spans, trace}} {
		for symbols, named := range map[string]bool{split: true, "../../testdata/elf/cet.elf": false} {
			out, errOut, err := runCommand(append([]string{args[0], "--symbols", symbols}, args[1:]...)...)
			text, _ := os.ReadFile(spans)
			if err != nil || strings.Contains(out+string(text), "by_tail_call") != named || strings.Contains(errOut, "no function got a name") == named {
				t.Errorf("%s --symbols %s: %v\n%s%s%s", args[0], symbols, err, out, text, errOut)
			}
		}
	}
}

// The missing debug file is downloaded, and then gives the names.
func TestSymbolsAreDownloaded(t *testing.T) {
	trace := namelessTrace(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, split+"/pie.debug") }))
	defer server.Close()
	cache := t.TempDir()
	t.Setenv("DEBUGINFOD_URLS", server.URL)
	t.Setenv("DEBUGINFOD_CACHE_PATH", cache)
	out, errOut, err := runCommand("symbols", trace)
	file := filepath.Join(cache, "47de647fa468b046f1c4e8e9a224029de07b6d96", "debuginfo")
	if err != nil || errOut != "" || !strings.Contains(out, "--symbols "+file+"\n") {
		t.Fatalf("%v: %s\n%s", err, errOut, out)
	}
	for _, from := range []string{file, cache} {
		if out, _, err := analyzeCommand("--symbols", from, trace); err != nil || !strings.Contains(out, "by_tail_call") {
			t.Errorf("--symbols %s: %v\n%s", from, err, out)
		}
	}
}
