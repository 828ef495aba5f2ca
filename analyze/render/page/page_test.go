package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"utrace/analyze"
	"utrace/analyze/compare"
	"utrace/analyze/render"
	"utrace/format"
)

// fixtures are the traces in testdata/traces, as files.
func fixtures(t *testing.T) (paths []string) {
	t.Helper()
	root, err := filepath.Abs("../../../testdata/traces")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob(filepath.Join(root, "*.txt"))
	if err != nil || len(sources) < 20 {
		t.Fatal(len(sources), err)
	}
	dir := t.TempDir()
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, writeText(t, filepath.Join(dir, strings.TrimSuffix(filepath.Base(source), ".txt")), string(text)))
	}
	return append(paths, filepath.Join(root, "demo.arrow"))
}

// writeText makes a trace of its text.
func writeText(t testing.TB, path, text string) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := format.ReadText(strings.NewReader(text), f); err != nil {
		t.Fatal(path, err)
	}
	return path
}

func digestOf(t *testing.T, opts analyze.Options, paths ...string) *analyze.Digest {
	t.Helper()
	d, err := analyze.MakeDigest(paths, opts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// write makes the page of a digest, and returns its path.
func write(t *testing.T, in *Input) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, in); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, out.Bytes())
}

func writeFile(t *testing.T, page []byte) string {
	t.Helper()
	if len(page) > MaxBytes {
		t.Errorf("a page of %d bytes", len(page))
	}
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, page, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// figure is a row of the table on a page: the exact figures by key, and the texts.
type figure struct {
	Name  string            `json:"name"`
	Exact map[string]string `json:"exact"`
	Text  map[string]string `json:"text"`
}

// figures reads the table of functions.
func figures(p *tab) []figure {
	p.t.Helper()
	return eval[[]figure](p, `(() => {
		for (let more; (more = document.querySelector("button.more")) && !more.hidden;) more.click();
		const keys = [...document.querySelectorAll("table.functions thead th")].map((th) => th.querySelector("button")?.dataset.sort ?? th.textContent);
		return [...document.querySelectorAll("table.functions tbody tr")].map((tr) => {
			const row = {name: tr.querySelector("th a").textContent, exact: {}, text: {}};
			[...tr.children].forEach((td, i) => { row.text[keys[i]] = td.textContent; row.exact[keys[i]] = td.dataset.ns ?? td.textContent; });
			return row;
		});
	})()`)
}

// TestFigures compares the tables, distributions, heatmaps, flame graphs and slowest calls of all
// traces with what the other views of the same traces have.
func TestFigures(t *testing.T) {
	b := newBrowser(t)
	paths := fixtures(t)
	for _, path := range append(paths, strings.Join(paths[:3], " ")) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			files := strings.Fields(path)
			d := digestOf(t, analyze.Options{}, files...)
			var report bytes.Buffer
			if err := render.JSON(&report, d.Result, render.Words{}); err != nil {
				t.Fatal(err)
			}
			var want struct {
				Functions []map[string]any `json:"functions"`
			}
			dec := json.NewDecoder(&report)
			dec.UseNumber()
			if err := dec.Decode(&want); err != nil {
				t.Fatal(err)
			}
			p := b.open(t, write(t, &Input{Digest: d}), "view=functions")
			rows := figures(p)
			if len(rows) != len(want.Functions) {
				t.Fatalf("%d rows, want %d", len(rows), len(want.Functions))
			}
			for i := range rows {
				checkFigures(t, &rows[i], &d.Rows[i], want.Functions[i])
			}
			for i := range d.Rows[:min(3, len(d.Rows))] {
				checkFunction(t, p, d, i, files)
			}
			checkFlame(t, p, d)
			p.load("view=timeline")
			p.load("view=summary")
			if n := len(p.list(".facts dt")); n < 10 {
				t.Errorf("%d facts", n)
			}
			p.quiet()
		})
	}
}

// checkFigures compares a row of the table with its row of --json.
func checkFigures(t *testing.T, got *figure, row *analyze.Row, want map[string]any) {
	t.Helper()
	if name := strings.TrimPrefix(got.Name, "~"); name != row.Label {
		t.Errorf("row %q, want %q", name, row.Label)
	}
	for key, exact := range got.Exact {
		value, ok := want[key]
		switch {
		case !ok && key != "name" && key != "Distribution" && key != "Process":
			t.Errorf("%s: no %s in --json", row.Label, key)
		case !ok || key == "name" || key == "calls_error" || key == "covered":
		case strings.HasSuffix(key, "_ns"):
			if exact != fmt.Sprint(value) {
				t.Errorf("%s: %s is %s, want %v", row.Label, key, exact, value)
			}
			if text, want := got.Text[key], shown(row, key, value); text != want {
				t.Errorf("%s: %s is %q, want %q", row.Label, key, text, want)
			}
		case strings.ReplaceAll(exact, ",", "") != fmt.Sprint(value):
			t.Errorf("%s: %s is %s, want %v", row.Label, key, exact, value)
		}
	}
}

// shown is the text of a figure.
func shown(row *analyze.Row, key string, value any) string {
	ns, _ := value.(json.Number).Int64()
	d, cut := &row.Durations, row.Censored.Count()
	calls, mark := d.Count()+cut, ""
	quantile := map[string]uint64{"p50_ns": 500, "p90_ns": 900, "p99_ns": 990, "p999_ns": 999}[key]
	switch {
	case key == "max_ns" && d.Count() == 0, quantile > 0 && calls == 0, key == "avg_ns" && calls+row.Dropped == 0, calls+row.Uncertain+row.Dropped == 0:
		return "-"
	case (key == "cpu_ns" || key == "runnable_ns" || key == "blocked_ns") && row.Waits.Unknown > 0 && row.Waits.Unknown >= row.Total:
		return "-"
	case key == "self_ns" && row.SelfAtMost && row.MeanAtLeast():
		return "-"
	case (key == "total_ns" || key == "self_ns" || key == "avg_ns") && row.MeanAtLeast(), quantile > 0 && row.QuantileAtLeast(quantile):
		mark = ">"
	case key == "self_ns" && row.SelfAtMost:
		mark = "<"
	}
	return mark + analyze.FormatDuration(time.Duration(ns))
}

// sum adds up the numbers in attributes. Of several in one text, the first counts.
func sum(texts []string) (sum uint64) {
	for _, text := range texts {
		n, _ := strconv.ParseUint(strings.Fields(text)[0], 10, 64)
		sum += n
	}
	return sum
}

// checkFunction compares the view of a function with its distribution, heatmap and slowest calls.
func checkFunction(t *testing.T, p *tab, d *analyze.Digest, i int, files []string) {
	t.Helper()
	row := &d.Rows[i]
	p.load(fmt.Sprintf("view=function&row=%d", i))
	if got := p.text("h2"); got != row.Label {
		t.Errorf("the function is %q, want %q", got, row.Label)
	}
	if got := sum(p.attributes(".histogram [data-calls]", "data-calls")); got != row.Durations.Count() {
		t.Errorf("%s: %d calls in the distribution, want %d", row.Label, got, row.Durations.Count())
	}
	opts := analyze.Options{}
	var err error
	if opts.Function, err = analyze.ParsePattern("/^" + regexp.QuoteMeta(row.Name) + "$/"); err != nil {
		t.Fatal(err)
	}
	maps, _, err := analyze.Heatmaps(files, opts)
	if err != nil {
		t.Fatal(err)
	}
	for j := range maps {
		if maps[j].Function == row.Function {
			if got := sum(p.attributes(".heatmap [data-calls]", "data-calls")); got != maps[j].Calls {
				t.Errorf("%s: %d calls in the heatmap, want %d", row.Label, got, maps[j].Calls)
			}
		}
	}
	slow, err := analyze.Slowest(files, 10, opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Select(opts.Function)) > 1 { // other functions have the same name
		return
	}
	var want []string
	for j := range slow.Calls {
		want = append(want, fmt.Sprint(int64(slow.Calls[j].Duration)))
	}
	if got := p.attributes(".slowest tbody [data-ns]", "data-ns"); !slices.Equal(got, want) {
		t.Errorf("%s: slowest calls %v, want %v", row.Label, got, want)
	}
}

// checkFlame compares the frames of outermost calls with the call tree.
func checkFlame(t *testing.T, p *tab, d *analyze.Digest) {
	t.Helper()
	for mode, of := range map[string]func(*analyze.Node) int64{
		"time":  func(n *analyze.Node) int64 { return widthOf(n) },
		"calls": func(n *analyze.Node) int64 { return callsOf(n) },
	} {
		p.load("view=flame&mode=" + mode)
		want := int64(0)
		for _, n := range d.Roots {
			want += of(n)
		}
		got := p.attributes(".frame.all", "data-value")
		if want > 0 && (len(got) != 1 || got[0] != fmt.Sprint(want)) {
			t.Errorf("flame graph by %s: %v, want %d", mode, got, want)
		}
	}
}

func widthOf(n *analyze.Node) int64 {
	inside := int64(n.Self)
	for _, child := range n.Children {
		inside += widthOf(child)
	}
	return max(inside, int64(n.Total))
}

func callsOf(n *analyze.Node) int64 {
	calls := int64(n.Calls)
	for _, child := range n.Children {
		calls += callsOf(child)
	}
	return calls
}

// demo is the page of a trace of a small server.
func demo(t *testing.T) (string, *analyze.Digest) {
	t.Helper()
	d := digestOf(t, analyze.Options{}, "../../../testdata/traces/demo.arrow")
	return write(t, &Input{Digest: d, Version: "1"}), d
}

// TestSelect selects an area of a heatmap: the table, the slowest calls and the timeline follow, and
// so does a link to that state.
func TestSelect(t *testing.T) {
	b := newBrowser(t)
	path, d := demo(t)
	row := slices.IndexFunc(d.Rows, func(r analyze.Row) bool { return r.Name == "handle_request" })
	p := b.open(t, path, fmt.Sprintf("view=function&row=%d", row))
	box := eval[struct{ X, Y, W, H float64 }](p, `(() => { const r = document.querySelector(".heatmap .ground").getBoundingClientRect(); return {X: r.x, Y: r.y, W: r.width, H: r.height}; })()`)
	p.run(
		chromedp.MouseEvent("mousePressed", box.X+box.W*0.3, box.Y+1, chromedp.ButtonLeft, chromedp.ClickCount(1)),
		chromedp.MouseEvent("mouseMoved", box.X+box.W*0.6, box.Y+box.H-2, chromedp.ButtonLeft),
		chromedp.MouseEvent("mouseReleased", box.X+box.W*0.6, box.Y+box.H-2, chromedp.ButtonLeft, chromedp.ClickCount(1)),
	)
	if text := p.text(".chip"); !strings.HasPrefix(text, "Selected: calls that began") {
		t.Fatalf("nothing is selected: %q", text)
	}
	state := eval[struct{ From, To int64 }](p, `(() => { const s = new URLSearchParams(location.hash.slice(1)); return {From: Number(s.get("from")), To: Number(s.get("to"))}; })()`)
	p.click(`nav [data-view="functions"]`)
	got := map[string]string{}
	for _, r := range figures(p) {
		got[r.Name] = strings.ReplaceAll(r.Text["calls"], ",", "")
	}
	opts := analyze.Options{From: time.Duration(state.From), To: time.Duration(state.To)}
	want, err := analyze.Report(d.Trace.Files, opts)
	if err != nil || len(want.Rows) == 0 {
		t.Fatal(err, opts)
	}
	for i := range want.Rows {
		if n := fmt.Sprint(want.Rows[i].Durations.Count()); got[want.Rows[i].Name] != n {
			t.Errorf("%s: %s calls selected, want %s", want.Rows[i].Name, got[want.Rows[i].Name], n)
		}
	}
	selected := 0
	p.click(`nav [data-view="function"]`)
	for _, calls := range p.attributes(".histogram [data-calls]", "data-calls") {
		n, _ := strconv.Atoi(strings.Fields(calls)[1]) // of all, and of those selected
		selected += n
	}
	if fmt.Sprint(selected) != got["handle_request"] {
		t.Errorf("%d selected calls in the distribution, want %s", selected, got["handle_request"])
	}
	p.click(`nav [data-view="functions"]`)
	fragment := eval[string](p, `location.hash.slice(1)`)
	p.load(fragment)
	again := map[string]string{}
	for _, r := range figures(p) {
		again[r.Name] = strings.ReplaceAll(r.Text["calls"], ",", "")
	}
	if !reflect.DeepEqual(got, again) {
		t.Errorf("with the link %s, the table is %v, want %v", fragment, again, got)
	}
	p.click("#clear")
	if p.count(".chip") != 0 || len(figures(p)) != len(d.Rows) || p.count(`[data-sort="total_ns"]`) != 1 {
		t.Error("the selection is not gone")
	}
	p.quiet()
}

// TestKeyboard uses the page without a mouse.
func TestKeyboard(t *testing.T) {
	b := newBrowser(t)
	path, d := demo(t)
	p := b.open(t, path, "")
	current := func(want string) {
		t.Helper()
		if got := p.text("nav [aria-current]"); got != want {
			t.Errorf("the view is %q, want %q", got, want)
		}
	}
	current("Summary")
	p.keys("2")
	current("Functions")
	eval[bool](p, `document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "/", bubbles: true, cancelable: true}))`)
	p.keys("render")
	if n := p.count("tr[data-row]"); n != 2 {
		t.Errorf("%d functions match the search, want 2", n)
	}
	p.keys(kb.Escape)
	if n := p.count("tr[data-row]"); n != len(d.Rows) {
		t.Errorf("%d functions after the search, want %d", n, len(d.Rows))
	}
	p.keys(kb.Escape)
	p.keys("j")
	p.keys("j")
	if got := p.attributes(`tr[aria-selected="true"]`, "data-row"); len(got) != 1 || got[0] != "1" {
		t.Errorf("selected rows: %v", got)
	}
	p.keys(kb.Enter)
	current(d.Rows[1].Label)
	p.keys(kb.Escape)
	current("Functions")
	p.keys("4")
	current("Flame graph")
	p.run(chromedp.Focus(chromedp.CSS(`.frame[tabindex="0"]`)))
	p.keys(kb.ArrowUp)
	p.keys(kb.ArrowUp)
	p.keys(kb.Enter)
	if zoom := eval[*string](p, `new URLSearchParams(location.hash.slice(1)).get("zoom")`); zoom == nil || *zoom != "1" {
		t.Errorf("zoomed to frame %v, want 1", zoom)
	}
	themes := []string{"dark", "light", ""} // the first differs from the system's
	if eval[bool](p, `matchMedia("(prefers-color-scheme: dark)").matches`) {
		themes[0], themes[1] = themes[1], themes[0]
	}
	for _, theme := range themes {
		p.keys("t")
		if got := p.attributes("html", "data-theme"); got[0] != theme {
			t.Errorf("theme %q, want %q", got, theme)
		}
	}
	p.keys("?")
	if text := p.text("#help[open]"); !strings.Contains(text, "d3-hierarchy") || !strings.Contains(text, "Permission to use, copy, modify") {
		t.Errorf("licences: %q", text)
	}
	p.quiet()
}

// TestClicks opens what can be clicked, and sorts by each column.
func TestClicks(t *testing.T) {
	b := newBrowser(t)
	path, d := demo(t)
	p := b.open(t, path, "view=functions")
	for _, key := range p.attributes("thead [data-sort]", "data-sort") {
		p.click(`[data-sort="` + key + `"]`)
		if key == "name" {
			continue
		}
		if p.attributes(`th:has([data-sort="`+key+`"])`, "aria-sort")[0] == "ascending" {
			p.click(`[data-sort="` + key + `"]`)
		}
		rows := figures(p)
		for i := 1; i < len(rows); i++ {
			a, _ := strconv.ParseFloat(strings.ReplaceAll(rows[i-1].Exact[key], ",", ""), 64)
			b, _ := strconv.ParseFloat(strings.ReplaceAll(rows[i].Exact[key], ",", ""), 64)
			if a < b {
				t.Errorf("by %s, %v comes before %v", key, a, b)
			}
		}
	}
	p.click("tr[data-row] th")
	if p.count(".histogram") != 1 || p.count(".heatmap") != 1 || p.count(".timeline") != 1 {
		t.Error("the function has no pictures")
	}
	for _, scale := range []string{"linear", "log"} {
		for _, axis := range []string{"durations", "calls"} {
			p.click(`[aria-label="` + axis + `"] [data-choice="` + scale + `"]`)
			if n := p.count(".histogram .bars rect"); n == 0 {
				t.Errorf("no bars with %s %s", scale, axis)
			}
		}
	}
	p.load("view=function&row=1")
	calls := p.attributes("[data-call]", "data-call")
	if len(calls) < 2 {
		t.Fatal(calls)
	}
	p.click(`[data-call="` + calls[1] + `"]`)
	slow := d.Details[d.Rows[1].Function].Slowest
	if text := strings.Join(p.list("h3"), "\n"); !strings.Contains(text, "Inside the call of "+analyze.FormatDuration(slow[1].Duration)) {
		t.Errorf("not inside the second slowest call: %s", text)
	}
	p.load("view=flame")
	all := p.count(".frame")
	p.click(".frame:nth-of-type(4)")
	if p.count(".frame.around") == 0 {
		t.Error("not zoomed")
	}
	p.click("#reset")
	if p.count(".frame") != all {
		t.Error("the zoom was not reset")
	}
	p.click(`[aria-label="callers"] [data-choice="1"]`)
	p.run(chromedp.SendKeys(chromedp.CSS("#search"), "hash"))
	if p.count(".frame.hit") == 0 {
		t.Error("the search has found no frame")
	}
	p.load("view=timeline")
	if n := p.count(".timeline .thread"); n != 3 {
		t.Errorf("%d threads, want 3", n)
	}
	p.quiet()
}

// TestWaits: the timeline has waits by kind, and who ended them.
func TestWaits(t *testing.T) {
	b := newBrowser(t)
	text, err := os.ReadFile("../../../testdata/traces/sched.txt")
	if err != nil {
		t.Fatal(err)
	}
	d := digestOf(t, analyze.Options{}, writeText(t, filepath.Join(t.TempDir(), "sched"), string(text)))
	p := b.open(t, write(t, &Input{Digest: d}), "view=timeline")
	for _, kind := range []string{"blocked", "runnable", "unknown"} {
		if p.count(".timeline .wait."+kind) == 0 {
			t.Errorf("no wait that is %s", kind)
		}
	}
	if p.count(".arrows .head") == 0 {
		t.Error("no arrow from a waker")
	}
	p.load("view=flame&mode=off")
	off := int64(0)
	var add func([]*analyze.Node)
	add = func(nodes []*analyze.Node) {
		for _, n := range nodes {
			off += int64(n.SelfWaits.Blocked + n.SelfWaits.Runnable)
			add(n.Children)
		}
	}
	add(d.Roots)
	if got := p.attributes(".frame.all", "data-value"); len(got) != 1 || got[0] != fmt.Sprint(off) || off == 0 {
		t.Errorf("%v off the processor, want %d", got, off)
	}
	p.quiet()
}

// TestArguments: the page of a function has its calls by the values of each argument.
func TestArguments(t *testing.T) {
	b := newBrowser(t)
	text, err := os.ReadFile("../../../testdata/traces/values.txt")
	if err != nil {
		t.Fatal(err)
	}
	d := digestOf(t, analyze.Options{}, writeText(t, filepath.Join(t.TempDir(), "values"), string(text)))
	row := slices.IndexFunc(d.Rows, func(r analyze.Row) bool { return r.Name == "serve" })
	p := b.open(t, write(t, &Input{Digest: d}), fmt.Sprintf("view=function&row=%d", row))
	of := d.Details[d.Rows[row].Function]
	if names := p.attributes("[data-argument]", "data-argument"); !slices.Equal(names, []string{"path", "flags"}) {
		t.Errorf("arguments %v", names)
	}
	var want, got []string
	for i := range of.Arguments[0].Values {
		v := &of.Arguments[0].Values[i]
		want = append(want, v.Text, fmt.Sprint(v.Durations.Count()), analyze.FormatDuration(v.Durations.Quantile(500)), analyze.FormatDuration(v.Durations.Quantile(990)), analyze.FormatDuration(v.Durations.Max()))
	}
	if got = p.list(`[data-argument="path"] tbody td`); !slices.Equal(got, want) || len(want) < 10 {
		t.Errorf("values %q, want %q", got, want)
	}
	p.quiet()
}

// TestSurveyed: a heatmap shows when the function was probed.
func TestSurveyed(t *testing.T) {
	b := newBrowser(t)
	text, err := os.ReadFile("../../../testdata/traces/survey.txt")
	if err != nil {
		t.Fatal(err)
	}
	d := digestOf(t, analyze.Options{}, writeText(t, filepath.Join(t.TempDir(), "survey"), string(text)))
	row := slices.IndexFunc(d.Rows, func(r analyze.Row) bool {
		of := d.Details[r.Function]
		return of != nil && of.Covered != nil
	})
	if row < 0 {
		t.Fatal("no function with windows has a complete call")
	}
	p := b.open(t, write(t, &Input{Digest: d}), fmt.Sprintf("view=function&row=%d", row))
	want := 0
	for _, part := range d.Details[d.Rows[row].Function].Covered {
		if part >= 0.0005 {
			want++
		}
	}
	if got := p.count(".heatmap [data-covered]"); got != want || want == 0 {
		t.Errorf("%d slices are covered, want %d", got, want)
	}
	p.quiet()
}

// hostile is a trace whose names try to be markup, to run, and to be unreadable.
func hostile() string {
	name := func(text string) string {
		quoted, _ := json.Marshal(text)
		return string(quoted)
	}
	const markup = `</script><img src=x onerror="window.hacked=1"><b>`
	return `meta {"recorder":"t","host":` + name(markup) + `,"kernel":` + name(markup) + `,"arch":"amd64","args":["utrace"],"command":[` + name(markup) + `],"cpus":2,"ring_bytes":4096,"sched":true,"start":{"mono_ns":0,"wall_ns":1700000000000000000}}
module {"path":` + name("/bin/"+markup) + `,"segments":[{"addr":4096,"file_off":4096,"size":65536}]}
module {"path":"/lib/other.so","segments":[{"addr":4096,"file_off":4096,"size":65536}]}
func {"name":` + name(markup) + `,"module":0,"addr":4096,"args":[{"name":` + name(markup) + `,"type":"str"}]}
func {"name":` + name("javascript:alert(1)//\u202egnol\u0000\u001b[31m") + `,"module":0,"addr":4160}
func {"name":` + name(strings.Repeat("very_long_name::", 250)) + `,"module":1,"addr":4160}
func {"name":"__proto__","module":1,"addr":4170}
process {"pid":1,"comm":` + name(markup) + `,"args":[` + name(markup) + `]}
thread {"pid":1,"tid":1,"comm":` + name(markup) + `}
10 0 entry 0 sp=0x7000 args=[` + name(markup) + `]
20 0 entry 1 sp=0x6f00
30 0 entry 2 sp=0x6e00
35 0 entry 3 sp=0x6d00
37 0 return 3 sp=0x6d00
40 0 return 2 sp=0x6e00
50 0 return 1 sp=0x6f00
60 0 return 0 sp=0x7000
end {"stop":{"mono_ns":100,"wall_ns":1700000000000000100},"reason":` + name(markup) + `}
`
}

// TestHostileNames: names are text in all views, and fit.
func TestHostileNames(t *testing.T) {
	b := newBrowser(t)
	path := writeText(t, filepath.Join(t.TempDir(), "<img src=x onerror=alert(1)>"), hostile())
	for _, opts := range []analyze.Options{{}, {By: "</script><img src=x onerror=\"window.hacked=1\"><b>"}} {
		d := digestOf(t, opts, path)
		pages := []string{write(t, &Input{Digest: d, Version: "<b>"}), writeDiff(t, path, path)}
		for _, page := range pages {
			p := b.open(t, page, "")
			for _, view := range []string{"summary", "functions", "flame", "timeline", "function&row=0", "function&row=1", "functions&q=img", "functions&module=%3Cimg%20src=x%3E", "zoo&row=999&sort=__proto__&zoom=1e9", "function&row=0.5&call=7.9", "function&row=-3&t1=NaN"} {
				p.load("view=" + view)
				if eval[bool](p, `"hacked" in window`) || p.count("img, b, #app script") > 0 {
					t.Errorf("%s: a name is markup", view)
				}
				if eval[bool](p, `document.documentElement.scrollWidth > innerWidth`) {
					t.Errorf("%s: the page is wider than the window", view)
				}
			}
			p.load("view=functions")
			names := strings.Join(p.list("tr[data-row] th a"), "\n")
			for i := range d.Rows {
				if !strings.Contains(names, d.Rows[i].Label) {
					t.Errorf("no function %q in %q", d.Rows[i].Label, names)
				}
			}
			p.quiet()
		}
	}
}

// TestNoNetwork: the policy of a page forbids requests, and programs that are not its own.
func TestNoNetwork(t *testing.T) {
	b := newBrowser(t)
	path, _ := demo(t)
	p := b.open(t, path, "")
	blocked := eval[[]string](p, `new Promise(async (done) => {
		const list = [];
		document.addEventListener("securitypolicyviolation", (e) => list.push(e.effectiveDirective));
		await fetch("http://127.0.0.1:1/").catch(() => {});
		const image = new Image();
		image.src = "http://127.0.0.1:1/a.png";
		const script = document.createElement("script");
		script.textContent = "window.ran = 1";
		document.body.append(script);
		setTimeout(() => done([...list, window.ran ?? "not run"]), 300);
	})`)
	slices.Sort(blocked)
	if want := []string{"connect-src", "img-src", "not run", "script-src-elem"}; !slices.Equal(blocked, want) {
		t.Errorf("blocked: %v, want %v", blocked, want)
	}
}

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
	p.load("view=flame")
	colours := eval[map[string]string](p, `Object.fromEntries([...document.querySelectorAll(".frame")].map((f) => [f.getAttribute("aria-label").split(",")[0], f.getAttribute("class").split(" ")[1]]))`)
	if colours["reply"] != "dr2" && colours["reply"] != "dr3" || colours["parse"] != "d0" || colours["only_new"] != "dr3" {
		t.Errorf("colours: %v", colours)
	}
	p.load("view=summary")
	if text := p.text("main"); !strings.Contains(text, "reply") || !strings.Contains(text, "→") {
		t.Errorf("the summary does not name the change: %s", text)
	}
	p.quiet()
}

// TestBy: a report by value has its values, also on the page of a function.
func TestBy(t *testing.T) {
	b := newBrowser(t)
	text, err := os.ReadFile("../../../testdata/traces/values.txt")
	if err != nil {
		t.Fatal(err)
	}
	d := digestOf(t, analyze.Options{By: "path"}, writeText(t, filepath.Join(t.TempDir(), "values"), string(text)))
	p := b.open(t, write(t, &Input{Digest: d}), "view=functions")
	got := eval[[]string](p, `[...document.querySelectorAll("table.functions tbody tr")].map((tr) => tr.querySelector("th a").textContent + " " + tr.querySelector("td").textContent)`)
	var want []string
	for i := range d.Rows {
		value := d.Rows[i].Value.Text
		if value == "" {
			value = "-"
		}
		want = append(want, d.Rows[i].Label+" "+value)
	}
	if !slices.Equal(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	p.load("view=function&row=0")
	if text := strings.Join(p.list("h3"), "\n"); !strings.Contains(text, "Calls by path") {
		t.Error("no values on the page of a function")
	}
	p.quiet()
}

// TestSize: a page of a trace with very many functions, values and paths is not too large, and says
// what it lacks.
func TestSize(t *testing.T) {
	d := digestOf(t, analyze.Options{}, "../../../testdata/traces/demo.arrow")
	row := d.Rows[1]
	large := &analyze.Digest{Result: &analyze.Result{Trace: d.Trace}, Details: map[analyze.Function]*analyze.Detail{}}
	state := uint64(1)
	random := func() uint64 { state = state*6364136223846793005 + 1442695040888963407; return state >> 33 }
	for i := range 30_000 {
		r := row
		r.Name = fmt.Sprintf("function_%d_%x", i, random())
		r.Label = r.Name
		r.Stats = analyze.Stats{Calls: random(), Total: time.Duration(random()), Self: time.Duration(random())}
		for range 50 {
			r.Durations.Add(time.Duration(random()))
		}
		large.Rows = append(large.Rows, r)
		f := r.Function
		large.Details[f] = d.Details[row.Function]
		large.Roots = append(large.Roots, &analyze.Node{Function: &f, Calls: 1 + random()%1000, Total: time.Duration(random())})
	}
	var out bytes.Buffer
	if err := Write(&out, &Input{Digest: large}); err != nil {
		t.Fatal(err)
	}
	if out.Len() > MaxBytes || out.Len() < MaxBytes/4 {
		t.Errorf("%d bytes", out.Len())
	}
	p := newBrowser(t).open(t, writeFile(t, out.Bytes()), "view=summary")
	text := strings.Join(p.list(".summary li"), "\n")
	for _, part := range []string{"of 30000 rows", "the distributions of the functions after", "heatmaps and slowest calls of functions after", "call paths of less than", "callers and callees after"} {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q: %s", part, text)
		}
	}
	p.quiet()
}
