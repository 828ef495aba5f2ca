package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"utrace/analyze"
	"utrace/analyze/compare"
	"utrace/analyze/render/terminal"
)

// diffed is the output for two traces: the lines of the table by their last word, and the JSON by
// function.
type diffed struct {
	text  string
	lines map[string]string
	json  map[string]map[string]any
}

func diffOf(t *testing.T, before, after string) diffed {
	t.Helper()
	dir := t.TempDir()
	paths := []string{filepath.Join(dir, "old"), filepath.Join(dir, "new")}
	for i, text := range []string{before, after} {
		source := paths[i] + ".txt"
		if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		writeTrace(t, source, paths[i])
	}
	c, err := compare.Diff(paths[:1], paths[1:], analyze.Options{}, 0.05)
	if err != nil {
		t.Fatal(err)
	}
	var table, object bytes.Buffer
	if err := Diff(&table, c, len(c.Changes), terminal.Screen{}); err != nil {
		t.Fatal(err)
	}
	if err := DiffJSON(&object, c, nil, Words{}); err != nil {
		t.Fatal(err)
	}
	var all struct{ Functions []map[string]any }
	if err := json.Unmarshal(object.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	d := diffed{table.String(), map[string]string{}, map[string]map[string]any{}}
	for _, line := range strings.Split(d.text, "\n") {
		if words := strings.Fields(line); len(words) > 0 {
			d.lines[words[len(words)-1]] = line
		}
	}
	for _, fn := range all.Functions {
		d.json[fmt.Sprint(fn["name"])] = fn
	}
	return d
}

// Functions that are shorter than the uncertainty of their probes' cost, on at least one side, are
// marked.
func TestDiffBelowResolution(t *testing.T) {
	const trace = `meta {}
module {"path":"/bin/app"}
func {"name":"short","module":0,"addr":1,"entry_class":"nop5","return_class":"trampoline"}
func {"name":"long","module":0,"addr":2,"entry_class":"nop5","return_class":"trampoline"}
calibration {"sites":[{"entry":"nop5","return":"trampoline","entry_ns":100,"inside_ns":1000,"call_ns":1500}]}
thread {"pid":1,"tid":1}
0 0 entry 0 sp=0x7000
1200 0 return 0 sp=0x7000
2000 0 entry 1 sp=0x7000
9000 0 return 1 sp=0x7000
end {}
`
	d := diffOf(t, trace, strings.Replace(trace, "1200 0", "1900 0", 1))
	if d.lines["~short"] == "" || d.lines["long"] == "" {
		t.Error(d.text)
	}
	if d.json["short"]["below_resolution"] != true || d.json["long"]["below_resolution"] != false {
		t.Errorf("%v", d.json)
	}
}

// A figure that is missing on one side, or is of other calls there, has no change, in the table and
// in JSON.
func TestDiffWithoutChange(t *testing.T) {
	const trace = `meta {}
module {"path":"/bin/app"}
func {"name":"touched","module":0,"addr":1}
func {"name":"off","module":0,"addr":2}
func {"name":"gone","module":0,"addr":3}
func {"name":"whole","module":0,"addr":4}
thread {"pid":1,"tid":1}
1000 0 entry 0 sp=0x7000
2000 0 return 0 sp=0x7000
3000 0 entry 1 sp=0x7000
4000 0 return 1 sp=0x7000
5000 0 entry 2 sp=0x7000
6000 0 return 2 sp=0x7000
7000 0 entry 3 sp=0x7000
8000 0 return 3 sp=0x7000
end {}
`
	after := strings.NewReplacer(
		"meta {}", `meta {"max_overhead_percent":5}`,
		"5000 0 entry 2 sp=0x7000\n6000 0 return 2 sp=0x7000\n", "",
		"8000 0", "9000 0",
		"end {}", `loss {"cpu":0,"first_ns":1500,"last_ns":1600,"entries":1,"returns":1}
probe-set {"funcs":[1]}
window {"set":0,"from_ns":2500,"to_ns":4500,"off_ns":4500,"cpu_ns":1000}
survey {"module":0,"funcs":1,"cpu_ns":4000}
end {"lost":2,"func_lost":[{"func":0,"entries":1,"returns":1}]}`,
	).Replace(trace)
	d := diffOf(t, trace, after)
	type cell struct {
		word    string // in the table
		percent any    // in the JSON
	}
	for name, want := range map[string]struct {
		suffix string
		cells  map[string]cell
	}{
		"touched": {", new: 1 entry lost", map[string]cell{"calls": {"+0.0%", 0.0}, "total": {"+0.0%", 0.0}, "p50": {"-", nil}, "p99": {"-", nil}, "avg": {"", nil}}},
		"off":     {", new: calls ±575%", map[string]cell{"calls": {"+300.0%", 300.0}, "total": {"+300.0%", 300.0}, "self": {"-", nil}, "p50": {"+0.0%", 0.0}, "max": {"", nil}}},
		"gone":    {"", map[string]cell{"calls": {"gone", nil}, "p50": {"gone", nil}, "max": {"", nil}}},
		"whole":   {"", map[string]cell{"calls": {"+0.0%", 0.0}, "total": {"+100.0%", 100.0}, "self": {"+100.0%", 100.0}, "p50": {"+100.0%", 100.0}}},
	} {
		at := strings.Index(d.text, "  "+name+want.suffix+"\n")
		if at < 0 {
			t.Fatalf("no line of %s%s:\n%s", name, want.suffix, d.text)
		}
		line := d.text[strings.LastIndex(d.text[:at], "\n")+1 : at]
		words := strings.Fields(strings.NewReplacer(" us", "us").Replace(line))
		if len(words) != 15 {
			t.Fatalf("%q", line)
		}
		for metric, c := range want.cells {
			got := d.json[name]["metrics"].(map[string]any)[metric].(map[string]any)
			if got["change_percent"] != c.percent || got["comparable"] != (c.percent != nil) || c.percent == nil && got["beyond_percent"] != nil {
				t.Errorf("%s of %s: %v", metric, name, got)
			}
			at, shown := map[string]int{"calls": 2, "total": 5, "self": 8, "p50": 11, "p99": 14}[metric]
			if shown && words[at] != c.word {
				t.Errorf("%s of %s: %s, want %s\n%s", metric, name, words[at], c.word, line)
			}
		}
	}
}

// TestDiffSides: each side says which processes it is of, and what was asked for. Static probes
// with the same name show their providers.
func TestDiffSides(t *testing.T) {
	root, err := filepath.Abs("../../testdata/traces")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	writeTrace(t, filepath.Join(root, "asked.txt"), "asked.arrow")
	writeTrace(t, filepath.Join(root, "providers.txt"), "providers.arrow")
	diff := func(path string) (text, object string) {
		c, err := compare.Diff([]string{path}, []string{path}, analyze.Options{}, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		var table, json bytes.Buffer
		if err := Diff(&table, c, len(c.Changes), terminal.Screen{}); err != nil {
			t.Fatal(err)
		}
		if err := DiffJSON(&json, c, nil, Words{}); err != nil {
			t.Fatal(err)
		}
		return table.String(), strings.Join(strings.Fields(json.String()), " ")
	}

	text, object := diff("asked.arrow")
	want := "asked.arrow: 2.100 us, 2 events, process 100 prog: ./prog -x two words, and 1 more, asked for work(n:s32) if n > 1, it's, preset dns\n"
	if strings.Count(text, want) != 2 {
		t.Errorf("not twice %q in\n%s", want, text)
	}
	for _, want := range []string{
		`"commands": [], "processes": [ { "pid": 100, "name": "prog", "command": "./prog -x two words", "exe": "/usr/bin/prog", "called": true }`,
		`"asked_for": [ "work(n:s32) if n > 1", "it's", "preset dns" ]`,
	} {
		if strings.Count(object, want) != 2 {
			t.Errorf("not twice %q in\n%s", want, object)
		}
	}

	text, object = diff("providers.arrow")
	if strings.Contains(text, "gone") || !strings.Contains(text, "  a:hit\n") || !strings.Contains(object, `"provider": "b"`) {
		t.Errorf("providers are mixed up:\n%s\n%s", text, object)
	}
}
