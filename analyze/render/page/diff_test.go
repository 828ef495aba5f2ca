package page

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"utrace/analyze"
	"utrace/analyze/compare"
)

// writeDiff makes the page of a comparison.
func writeDiff(t *testing.T, before, after string) string {
	t.Helper()
	c, err := compare.Diff([]string{before}, []string{after}, analyze.Options{}, 0.05)
	if err != nil {
		t.Fatal(err)
	}
	in := DiffInput{Comparison: c}
	for path, tree := range map[string]**analyze.Tree{before: &in.Old, after: &in.New} {
		if *tree, err = analyze.CallTree([]string{path}, analyze.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if before == after {
		in.Old = in.New
	}
	var out bytes.Buffer
	if err := WriteDiff(&out, &in); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, out.Bytes())
}

// phases is a trace of two functions. The second takes longer as slow grows.
func phases(t *testing.T, name string, slow int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`meta {"recorder":"t","host":"h","kernel":"6","arch":"amd64","args":["utrace"],"cpus":1,"ring_bytes":4096,"start":{"mono_ns":0,"wall_ns":1700000000000000000}}
module {"path":"/bin/prog","segments":[{"addr":4096,"file_off":4096,"size":65536}]}
func {"name":"serve","module":0,"addr":4096}
func {"name":"parse","module":0,"addr":4160}
func {"name":"reply","module":0,"addr":4224}
`)
	fmt.Fprintf(&b, "func {\"name\":\"only_%s\",\"module\":0,\"addr\":4288}\n", name)
	b.WriteString("process {\"pid\":1,\"comm\":\"prog\"}\nthread {\"pid\":1,\"tid\":1,\"comm\":\"prog\"}\n")
	now := 0
	row := func(text string, after int) {
		now += after
		fmt.Fprintf(&b, "%d 0 %s\n", now, text)
	}
	for i := range 4000 {
		row("entry 0 sp=0x7000", 500)
		row("entry 1 sp=0x6f00", 10)
		row("return 1 sp=0x6f00", 2000+i%7)
		row("entry 2 sp=0x6f00", 10)
		row("return 2 sp=0x6f00", slow+i%13)
		row("return 0 sp=0x7000", 10)
	}
	row("entry 3 sp=0x7000", 10)
	row("return 3 sp=0x7000", 3_000_000)
	fmt.Fprintf(&b, "end {\"stop\":{\"mono_ns\":%d,\"wall_ns\":%d},\"reason\":\"exit\"}\n", now, 1700000000000000000+now)
	return writeText(t, filepath.Join(t.TempDir(), name), b.String())
}

// TestDiff compares the page of a comparison with --json.
func TestDiff(t *testing.T) {
	b := newBrowser(t)
	before, after := phases(t, "old", 3000), phases(t, "new", 4500)
	c, err := compare.Diff([]string{before}, []string{after}, analyze.Options{}, 0.05)
	if err != nil {
		t.Fatal(err)
	}
	p := b.open(t, writeDiff(t, before, after), "view=functions")
	rows := eval[[][]string](p, `[...document.querySelectorAll("table.diff tbody tr")].map((tr) => [tr.querySelector("a").textContent, ...[...tr.querySelectorAll("td")].map((td) => td.dataset.value ?? td.textContent)])`)
	var want [][]string
	for i := range c.Changes {
		ch := &c.Changes[i]
		line := []string{ch.Label}
		for _, m := range []compare.Metric{compare.Calls, compare.Total, compare.Self, compare.P50, compare.P99} {
			d := &ch.Deltas[m]
			side := func(r *analyze.Row, v int64) string {
				if r == nil {
					return "-"
				}
				return fmt.Sprint(v)
			}
			change := fmt.Sprintf("%+.1f%%", 100*(float64(d.New)/float64(d.Old)-1))
			switch {
			case ch.Old == nil:
				change = "new"
			case ch.New == nil:
				change = "gone"
			case d.Significant:
				change += "*"
			}
			line = append(line, side(ch.Old, d.Old), side(ch.New, d.New), change)
		}
		want = append(want, line)
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("the table is\n%v\nwant\n%v", rows, want)
	}
	reply := slices.IndexFunc(c.Changes, func(ch compare.Change) bool { return ch.Name == "reply" })
	if !c.Changes[reply].Significant() {
		t.Fatal("the change is not significant")
	}
	p.click(`[aria-label="changes"] [data-choice="1"]`)
	if got := p.list("tr[data-row] th a"); !slices.Contains(got, "reply") || slices.Contains(got, "parse") {
		t.Errorf("significant: %v", got)
	}
	p.load(fmt.Sprintf("view=function&row=%d", reply))
	if n := sum(p.attributes(".histogram [data-calls]", "data-calls")); n != 4000 || p.count(".bars.s-old rect") == 0 || p.count(".bars.s-new rect") == 0 {
		t.Errorf("%d old calls in the distributions", n)
	}
	if got := p.list("table.callers tbody td"); !slices.Equal(got[:4], []string{"serve", "4,000", "4,000", "="}) {
		t.Errorf("callers of reply: %v", got)
	}
	serve := slices.IndexFunc(c.Changes, func(ch compare.Change) bool { return ch.Name == "serve" })
	p.load(fmt.Sprintf("view=function&row=%d", serve))
	callees := map[string][]string{}
	for cells := range slices.Chunk(p.list("table.callees tbody td"), 7) {
		callees[cells[0]] = cells[1:]
	}
	if len(callees) != 2 || callees["parse"][5] != "=" || !strings.HasPrefix(callees["reply"][5], "+49.") || callees["reply"][2] != "=" {
		t.Errorf("callees of serve: %v", callees)
	}
	onlyNew := slices.IndexFunc(c.Changes, func(ch compare.Change) bool { return ch.Name == "only_new" })
	p.load(fmt.Sprintf("view=function&row=%d", onlyNew))
	if got := p.list("table.callers tbody td"); !slices.Equal(got[:4], []string{"(no traced caller)", "0", "1", "new"}) {
		t.Errorf("callers of only_new: %v", got)
	}
	p.load("view=flame")
	colours := eval[map[string]string](p, `Object.fromEntries([...document.querySelectorAll(".frame")].map((f) => [f.getAttribute("aria-label").split(",")[0], f.getAttribute("class").split(" ")[1]]))`)
	if colours["reply"] != "dr2" && colours["reply"] != "dr3" || colours["parse"] != "d0" || colours["only_new"] != "dr3" {
		t.Errorf("colours: %v", colours)
	}
	p.load("view=summary")
	d := &c.Changes[reply].Deltas[compare.P50]
	want = [][]string{{"P50", fmt.Sprint(d.Old), fmt.Sprint(d.New), fmt.Sprintf("%+.1f%%*", 100*(float64(d.New)/float64(d.Old)-1))}}
	lines := eval[[][]string](p, `[...document.querySelectorAll("table.changes tbody tr")].map((tr) => [...tr.querySelectorAll("td")].slice(1).map((td) => td.dataset.value ?? td.textContent))`)
	if names := p.list("table.changes a"); !slices.Contains(names, "reply") || !slices.ContainsFunc(lines, func(line []string) bool { return slices.Equal(line, want[0]) }) {
		t.Errorf("the summary has %v of %v, want %v", lines, names, want[0])
	}
	p.quiet()
}
