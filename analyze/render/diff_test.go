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
)

// diffed is a comparison of two traces as it is shown: the lines of the table by the last word of each, and the JSON by function.
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
	c, err := analyze.Diff(paths[:1], paths[1:], analyze.Options{}, 0.05)
	if err != nil {
		t.Fatal(err)
	}
	var table, object bytes.Buffer
	if err := Diff(&table, c, len(c.Changes)); err != nil {
		t.Fatal(err)
	}
	if err := DiffJSON(&object, c, nil); err != nil {
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

// Functions that are too short for what is known of their probes, on one side at least, are marked.
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
