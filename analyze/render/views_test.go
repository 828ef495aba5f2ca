package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/analyze"
	"utrace/analyze/render/terminal"
	"utrace/analyze/why"
)

// trace writes a trace of testdata/traces, and returns its path.
func trace(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".arrow")
	writeTrace(t, filepath.Join("..", "..", "testdata", "traces", name+".txt"), path)
	return path
}

// traces are those of testdata/traces whose names, threads and ends of calls differ.
func traces() []string {
	return []string{"nesting", "names", "threads", "recursion", "open", "longjmp", "noreturn", "coroutine", "lost", "deep",
		"sched", "values", "probecost", "stacks", "tailcall"}
}

func report(t *testing.T, path string) *analyze.Result {
	t.Helper()
	r, err := analyze.Report([]string{path}, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestHist: the lines are those of bcc's print_log2_hist (bcc's table.py) for the same values.
func TestHist(t *testing.T) {
	var row, long, none analyze.Row
	row.Label, long.Label, none.Label = "f", "sleep", "never"
	for ns, n := range map[time.Duration]int{0: 1, 1: 1, 2: 3, 5: 9, 7: 1, 40: 4} {
		for range n {
			row.Durations.Add(ns)
		}
	}
	long.Durations.Add(5 * time.Second)
	var out strings.Builder
	if err := Hist(&out, []analyze.Row{row, none, long}, ""); err != nil {
		t.Fatal(err)
	}
	want := `
Function = f
     nsecs               : count     distribution
         0 -> 1          : 2        |********                                |
         2 -> 3          : 3        |************                            |
         4 -> 7          : 10       |****************************************|
         8 -> 15         : 0        |                                        |
        16 -> 31         : 0        |                                        |
        32 -> 63         : 4        |****************                        |

avg = 11 nsecs, total: 219 nsecs, count: 19

Function = sleep
               nsecs                         : count     distribution
                   0 -> 1                    : 0        |                    |
`
	if got := out.String(); !strings.HasPrefix(got, want) || strings.Contains(got, "never") ||
		!strings.Contains(got, "          4294967296 -> 8589934591           : 1        |********************|\n") {
		t.Errorf("%s", got)
	}
}

// TestHistGroups: titles have the values of grouped distributions, and dropped calls are reported.
func TestHistGroups(t *testing.T) {
	r, err := analyze.Report([]string{trace(t, "values")}, analyze.Options{By: "path"})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := Hist(&out, r.Rows, r.By); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "Function = serve path=\"/index.html\"\n") {
		t.Errorf("%s", out.String())
	}
	out.Reset()
	if err := Hist(&out, report(t, trace(t, "dropped")).Rows, ""); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "count: 2\nof the calls that met their condition; 3 more did not\n") {
		t.Errorf("%s", out.String())
	}
}

// TestUncertainWaits: the parts of the time are shown even if no call is certain.
func TestUncertainWaits(t *testing.T) {
	s := &analyze.Stats{Calls: 1, Uncertain: 1, Total: 3000, UncertainTime: 3000, Waits: analyze.Waits{Blocked: 1000}}
	if line := waitCells(s, 3); !slices.Equal(line, []string{"2.000 us", "0.000 us", "1.000 us"}) {
		t.Errorf("%q", line)
	}
	if s.Uncertain = 0; waitCells(s, 1)[0] != "-" {
		t.Error("figures of a function without complete calls")
	}
}

// TestFolded: the values of paths that end in a function add up to its self time. Names cannot be
// misread.
func TestFolded(t *testing.T) {
	for _, name := range traces() {
		path := trace(t, name)
		tree, err := analyze.CallTree([]string{path}, analyze.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := Folded(&out, tree); err != nil {
			t.Fatal(err)
		}
		self := map[string]int64{}
		for line := range strings.Lines(out.String()) {
			at := strings.LastIndexByte(line, ' ') // as flamegraph.pl reads it
			ns, err := strconv.ParseInt(strings.TrimSuffix(line[at+1:], "\n"), 10, 64)
			if err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			frames := strings.Split(line[:at], ";")
			self[frames[len(frames)-1]] += ns
		}
		want := map[string]int64{}
		for _, row := range report(t, path).Rows {
			if row.Self > 0 {
				want[row.Name] += int64(row.Self)
			}
		}
		if fmt.Sprint(self) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v\n%s", name, self, want, out.String())
		}
	}
}

func TestFoldedEscapes(t *testing.T) {
	leaf := &analyze.Node{Function: &analyze.Function{Name: "g<A;B>(a b)"}, Self: 7}
	root := &analyze.Node{Function: &analyze.Function{Name: "L;f"}, Children: []*analyze.Node{leaf}}
	var out strings.Builder
	if err := Folded(&out, &analyze.Tree{Threads: []analyze.ThreadTree{{Roots: []*analyze.Node{root}}}}); err != nil {
		t.Fatal(err)
	}
	if out.String() != "L:f;g<A:B>(a b) 7\n" {
		t.Errorf("%q", out.String())
	}
}

// TestCSV: header and fields are the keys and values of JSON.
func TestCSV(t *testing.T) {
	for _, name := range traces() {
		r := report(t, trace(t, name))
		var text, object bytes.Buffer
		if err := CSV(&text, r); err != nil {
			t.Fatal(err)
		}
		if err := JSON(&object, r, Words{}); err != nil {
			t.Fatal(err)
		}
		var want struct{ Functions []map[string]any }
		dec := json.NewDecoder(&object)
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(&text).ReadAll()
		if err != nil || len(lines) != len(want.Functions)+1 {
			t.Fatalf("%s: %d lines: %v", name, len(lines), err)
		}
		for i, f := range want.Functions {
			if _, ok := f["by"]; !ok {
				f["by"] = "" // a column in every line, but a key only if the report is grouped
			}
			if len(lines[0]) != len(f) {
				t.Errorf("%d columns, %d keys", len(lines[0]), len(f))
			}
			for c, key := range lines[0] {
				value := fmt.Sprint(f[key])
				if _, ok := f[key].([]any); ok {
					value = strings.Trim(value, "[]")
				}
				if lines[i+1][c] != value {
					t.Errorf("%s: %s of function %d is %q, want %q", name, key, i, lines[i+1][c], value)
				}
			}
		}
	}
}

// TestCSVFormulas: a spreadsheet executes no name. Numbers stay numbers.
func TestCSVFormulas(t *testing.T) {
	for text, want := range map[string]string{
		`=HYPERLINK("http://x")`: `'=HYPERLINK("http://x")`, "+cmd": "'+cmd", "-[NSView draw]": "'-[NSView draw]", "@SUM(1)": "'@SUM(1)",
		"\tx": "'\tx", "\rx": "'\rx", "-5": "-5", "+1.5e3": "+1.5e3", "a=b": "a=b", "": "", "'x": "'x", "-": "'-", "-1+cmd|' /C calc'!A0": "'-1+cmd|' /C calc'!A0",
	} {
		r := &analyze.Result{Rows: []analyze.Row{{Function: analyze.Function{Name: text}}}}
		var out bytes.Buffer
		if err := CSV(&out, r); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(&out).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if column := slices.Index(lines[0], "name"); lines[1][column] != want {
			t.Errorf("%q becomes %q, want %q", text, lines[1][column], want)
		}
	}
}

// texts parses XML strictly and returns the text of all elements of a name.
func texts(t *testing.T, data []byte, element string) []string {
	t.Helper()
	var list []string
	dec := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := dec.Token()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, data)
		}
		if start, ok := token.(xml.StartElement); ok {
			for _, attr := range start.Attr {
				if strings.HasPrefix(attr.Name.Local, "on") || attr.Name.Local == "href" || attr.Name.Local == "src" {
					t.Errorf("attribute %s=%q", attr.Name.Local, attr.Value)
				}
			}
			if start.Name.Local == element {
				var text string
				if err := dec.DecodeElement(&text, &start); err != nil {
					t.Fatal(err)
				}
				list = append(list, text)
			}
		}
	}
}

// TestPictures: SVG is well-formed and has each function with its figures. Names cannot inject
// anything.
func TestPictures(t *testing.T) {
	for _, name := range traces() {
		path := trace(t, name)
		tree, err := analyze.CallTree([]string{path}, analyze.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var flame, heat bytes.Buffer
		if err := Flame(&flame, tree); err != nil {
			t.Fatal(err)
		}
		titles := texts(t, flame.Bytes(), "title")
		self := time.Duration(0)
		for _, row := range report(t, path).Rows {
			self += row.Self
			want := row.Name + ": "
			if row.Self > 0 && !slices.ContainsFunc(titles, func(s string) bool { return strings.HasPrefix(s, want) }) {
				t.Errorf("%s: no %q in %q", name, want, titles)
			}
		}
		if want := "all: " + analyze.FormatDuration(self) + ", 100.00%"; self > 0 && titles[0] != want {
			t.Errorf("%s: %q, want %q", name, titles[0], want)
		}
		if scripts := texts(t, flame.Bytes(), "script"); len(scripts) != 1 || !strings.Contains(scripts[0], flameScript) {
			t.Errorf("%s: %d scripts", name, len(scripts))
		}
		maps, _, err := analyze.Heatmaps([]string{path}, analyze.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := HeatmapSVG(&heat, maps); err != nil {
			t.Fatal(err)
		}
		if texts(t, heat.Bytes(), "script") != nil {
			t.Errorf("%s: a script in a heatmap", name)
		}
		complete, cells := uint64(0), 0
		for _, row := range report(t, path).Rows {
			complete += row.Durations.Count()
		}
		for _, title := range texts(t, heat.Bytes(), "title") {
			n, err := strconv.Atoi(strings.Fields(title)[0])
			if err != nil {
				t.Fatal(title)
			}
			cells += n
		}
		if uint64(cells) != complete {
			t.Errorf("%s: %d calls in the heatmaps, want %d", name, cells, complete)
		}
		var text strings.Builder
		if err := Heatmap(&text, maps); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text.String()) {
			if at := strings.LastIndex(line, "| "); at >= 0 && !strings.HasPrefix(line, "#") {
				calls, err := strconv.Atoi(strings.TrimSpace(line[at+2:]))
				if err != nil {
					t.Fatal(line)
				}
				cells -= calls
			}
		}
		if cells != 0 {
			t.Errorf("%s: the text has %d calls less than the picture", name, cells)
		}
	}
}

// A flame graph by value names each value at the frame where it begins.
func TestFlameValues(t *testing.T) {
	fn, inner := analyze.Function{Name: "serve"}, analyze.Function{Name: "read"}
	var roots []*analyze.Node
	for _, text := range []string{`"a<b"`, "7", ""} {
		value := analyze.Value{Text: text}
		child := &analyze.Node{Function: &inner, Value: value, Calls: 1, Total: 4, Self: 4}
		roots = append(roots, &analyze.Node{Function: &fn, Value: value, Calls: 1, Total: 9, Self: 5, Children: []*analyze.Node{child}})
	}
	var out bytes.Buffer
	if err := Flame(&out, &analyze.Tree{By: "host", Threads: []analyze.ThreadTree{{Roots: roots}}}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, title := range texts(t, out.Bytes(), "title") {
		name, _, _ := strings.Cut(title, ": ")
		names = append(names, name)
	}
	if want := []string{"all", `serve host="a<b"`, "read", "serve host=7", "read", "serve", "read"}; !slices.Equal(names, want) {
		t.Errorf("frames %q, want %q", names, want)
	}
}

// TestFlameOrigin: a flame graph says what was recorded, where and when.
func TestFlameOrigin(t *testing.T) {
	tree, err := analyze.CallTree([]string{trace(t, "nesting")}, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Flame(&out, tree); err != nil {
		t.Fatal(err)
	}
	want := []string{"./prog -x, on box, 2023-11-14 22:13:20 UTC", "3.000 s in complete calls; click a frame to zoom, press / to search"}
	if got := texts(t, out.Bytes(), "text"); !slices.Equal(got[:2], want) {
		t.Errorf("%q, want %q", got[:2], want)
	}
}

// TestFlameDiff: frames are as wide as in the new trace, red where their self time has grown and
// blue where it has shrunk. Times are means of the traces of a side.
func TestFlameDiff(t *testing.T) {
	node := func(name string, calls uint64, self time.Duration, children ...*analyze.Node) *analyze.Node {
		n := &analyze.Node{Function: &analyze.Function{Name: name}, Calls: calls, Self: self, Total: self, Children: children}
		for _, child := range children {
			n.Total += child.Total
		}
		return n
	}
	tree := func(files int, roots ...*analyze.Node) *analyze.Tree {
		return &analyze.Tree{Threads: []analyze.ThreadTree{{Roots: roots}}, Trace: analyze.Trace{Files: make([]string, files)}}
	}
	before := tree(2, node("main", 2, 200, node("faster", 4, 2000), node("gone", 2, 600), node("same", 2, 400)))
	after := tree(1, node("main", 1, 100, node("faster", 2, 400), node("same", 1, 200), node("slower", 1, 100)))
	var out bytes.Buffer
	if err := FlameDiff(&out, before, after); err != nil {
		t.Fatal(err)
	}
	titles := texts(t, out.Bytes(), "title")
	want := []string{
		"all: 0.800 us, 100.00%",
		"main: 0.800 us, 100.00%, was 1.600 us; self 0.100 us, was 0.100 us; 1 calls, were 1",
		"faster: 0.400 us, 50.00%, was 1.000 us; self 0.400 us, was 1.000 us; 2 calls, were 2",
		"same: 0.200 us, 25.00%, was 0.200 us; self 0.200 us, was 0.200 us; 1 calls, were 1",
		"slower: 0.100 us, 12.50%, was 0.000 us; self 0.100 us, was 0.000 us; 1 calls, were 0",
	}
	if !slices.Equal(titles, want) {
		t.Errorf("%s\nwant:\n%s", strings.Join(titles, "\n"), strings.Join(want, "\n"))
	}
	for name, hue := range map[string]string{"faster": "hsl(215,", "slower": "hsl(5,", "same": "hsl(0,0%", "main": "hsl(0,0%"} {
		frame := regexp.MustCompile(`data-name="` + name + `".*?fill="(.*?)"`).FindStringSubmatch(out.String())
		if frame == nil || !strings.HasPrefix(frame[1], hue) {
			t.Errorf("%s is %q, want %s", name, frame, hue)
		}
	}
}

// TestHeatmapAxis: the axis has the time since the start and by the clock, and a legend says how
// many calls a colour is.
func TestHeatmapAxis(t *testing.T) {
	m := analyze.Heatmap{Label: "f", Slice: time.Second, Slices: 20, From: time.Second, Calls: 17, Rows: []analyze.HeatmapRow{{Low: 1, High: 2}}}
	m.Rows[0].Calls[0], m.Rows[0].Calls[19] = 1, 16
	m.Start = time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	svg := func() []string {
		var out bytes.Buffer
		if err := HeatmapSVG(&out, []analyze.Heatmap{m}); err != nil {
			t.Fatal(err)
		}
		return texts(t, out.Bytes(), "text")[2:]
	}
	want := []string{"1.000 s", "2026-11-29 10:00:01.000 UTC", "17.000 s", "10:00:17.000", "calls in a cell:", "1", "2", "4", "8", "16"}
	if got := svg(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	m.Start = time.Time{}
	if got := svg(); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, ":0") }) {
		t.Errorf("several recordings: %q", got)
	}
}

func TestPictureNames(t *testing.T) {
	name := `"/><script>alert(1)</script>]]>&'`
	fn := analyze.Function{Name: name}
	tree := &analyze.Tree{Threads: []analyze.ThreadTree{{Roots: []*analyze.Node{{Function: &fn, Calls: 1, Total: 9, Self: 9}}}}}
	var flame, heat bytes.Buffer
	if err := Flame(&flame, tree); err != nil {
		t.Fatal(err)
	}
	if n := len(texts(t, flame.Bytes(), "script")); n != 1 {
		t.Errorf("%d scripts", n)
	}
	if titles := texts(t, flame.Bytes(), "title"); !strings.HasPrefix(titles[len(titles)-1], name+": ") {
		t.Errorf("%q", titles)
	}
	if err := HeatmapSVG(&heat, []analyze.Heatmap{{Label: name, Slice: 1, Slices: 1}}); err != nil {
		t.Fatal(err)
	}
	if texts(t, heat.Bytes(), "script") != nil || !strings.HasPrefix(texts(t, heat.Bytes(), "text")[0], name+": ") {
		t.Errorf("%s", heat.Bytes())
	}
}

// TestSparklines: the column is one field before the name. The columns to its left do not change.
func TestSparklines(t *testing.T) {
	for _, name := range traces() {
		r := report(t, trace(t, name))
		var plain, sparks strings.Builder
		if err := Report(&plain, r, Style{}); err != nil {
			t.Fatal(err)
		}
		if err := Report(&sparks, r, Style{Sparks: true}); err != nil {
			t.Fatal(err)
		}
		with := strings.Split(sparks.String(), "\n")
		header := with[slices.IndexFunc(with, func(s string) bool { return strings.Contains(s, "  Function") })]
		at := strings.Index(header, "Distribution")
		for i, line := range strings.Split(plain.String(), "\n") {
			if line == "" && i > 12 {
				break // below the table
			}
			if line == "" || line[0] == '#' || strings.Contains(line, "Function") {
				continue
			}
			runes := []rune(with[i])
			spark := string(runes[at:][:sparkWidth])
			if got := strings.Replace(with[i], spark+"  ", "", 1); got != line || strings.ContainsAny(spark, " ") {
				t.Errorf("%s: %q with %q, want %q", name, got, spark, line)
			}
		}
	}
	var counts [64]uint64
	counts[10], counts[12], counts[25] = 8, 4, 1
	if got := sparkline(counts[10:26], 1); got != "█.▄............▁" {
		t.Errorf("%s", got)
	}
}

// TestFileNames: views of several traces show file names, which must be harmless for a terminal.
func TestFileNames(t *testing.T) {
	dir := t.TempDir()
	paths := []string{filepath.Join(dir, "a\x1b[31m"), filepath.Join(dir, "b\x1b[31m")}
	for _, path := range paths {
		writeTrace(t, filepath.Join("..", "..", "testdata", "traces", "dropped.txt"), path)
	}
	opts := analyze.Options{TIDs: []int{100}} // it is unknown which threads made dropped calls, so the report also warns
	for name, view := range map[string]func(io.Writer) ([]analyze.Warning, error){
		"flow":        func(w io.Writer) ([]analyze.Warning, error) { return Flow(w, paths, opts, DefaultFields()) },
		"arrows":      func(w io.Writer) ([]analyze.Warning, error) { return FlowArrows(w, paths, opts) },
		"trace event": func(w io.Writer) ([]analyze.Warning, error) { return TraceEvent(w, paths, opts, nil, &analyze.Trace{}) },
		"report": func(w io.Writer) ([]analyze.Warning, error) {
			r, err := analyze.Report(paths, opts)
			if err != nil {
				return nil, err
			}
			return r.Warnings, Report(w, r, Style{})
		},
		"slowest": func(w io.Writer) ([]analyze.Warning, error) {
			s, err := analyze.Slowest(paths, 3, opts)
			if err != nil {
				return nil, err
			}
			return s.Warnings, Slowest(w, s)
		},
		"why": func(w io.Writer) ([]analyze.Warning, error) {
			x, err := why.Explain(paths, nil, why.Than{}, opts)
			if err != nil {
				return nil, err
			}
			return x.Warnings, Why(w, x, Words{}, terminal.Screen{})
		},
	} {
		var out strings.Builder
		warnings, err := view(&out)
		if err != nil {
			t.Fatal(err)
		}
		text := out.String() + strings.Join(Words{}.Warnings(warnings), "\n")
		if strings.Contains(text, "\x1b") || !strings.Contains(text, `a\x1b[31m: `) {
			t.Errorf("%s: %q", name, text)
		}
	}
}

// TestJSONAdmits: JSON also has the notes of the header and the table.
func TestJSONAdmits(t *testing.T) {
	r := report(t, trace(t, "dropped"))
	r.Trace.LeftOut, r.Trace.Probes = 4, analyze.ProbeCost{Measured: true, Hits: 9, Dropped: 7, UnmeasuredFuncs: 3}
	var out bytes.Buffer
	if err := JSON(&out, r, Words{}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Trace struct {
			LeftOut    int `json:"left_out"`
			Conditions []string
			Probes     struct {
				HitsNs    int `json:"hits_ns"`
				DroppedNs int `json:"dropped_ns"`
				Unknown   int `json:"unknown_functions"`
			}
		}
		Functions []struct {
			Name       string
			Incomplete int `json:"dropped_incomplete"`
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	conditions := []string{"handle if duration > 5us", "inner if duration > 10us", "query if duration > 1us"}
	if tr := &got.Trace; tr.LeftOut != 4 || !slices.Equal(tr.Conditions, conditions) || tr.Probes.HitsNs != 9 || tr.Probes.DroppedNs != 7 || tr.Probes.Unknown != 3 {
		t.Errorf("%+v", got.Trace)
	}
	for _, f := range got.Functions {
		if want := map[string]int{"handle": 1}[f.Name]; f.Incomplete != want {
			t.Errorf("%s: %d incomplete dropped calls, want %d", f.Name, f.Incomplete, want)
		}
	}
}

// TestUncertain: in the trace, main and one call of f that returned are uncertain, and a call of g
// is certain. Views that leave out uncertain calls say how many they are. Other views mark them.
func TestUncertain(t *testing.T) {
	path := trace(t, "lost")
	paths := []string{path}
	const further = "1 further call is uncertain: events were lost meanwhile\n"
	slow, err := analyze.Slowest(paths, 10, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	maps, warnings, err := analyze.Heatmaps(paths, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(Words{}.Warnings(warnings), "no calls were recorded") {
		t.Errorf("%q", warnings)
	}
	for name, c := range map[string]struct {
		view func(io.Writer) error
		want []string
	}{
		"slowest": {func(w io.Writer) error { return Slowest(w, slow) }, []string{"# 1 slowest of 1 calls\n# 2 further calls are uncertain: events were lost meanwhile\n"}},
		"hist":    {func(w io.Writer) error { return Hist(w, report(t, path).Rows, "") }, []string{"\nFunction = main\n" + further, "\nFunction = f\n" + further, "count: 1\n"}},
		"heatmap": {func(w io.Writer) error { return Heatmap(w, maps) }, []string{"# " + further, "# a character is"}},
		"picture": {func(w io.Writer) error { return HeatmapSVG(w, maps) }, []string{">main: 0 complete calls by latency and when they began; 1 further call is uncertain:", ">g: 1 complete call by latency and when they began<"}},
		"flow": {func(w io.Writer) error { _, err := Flow(w, paths, analyze.Options{}, DefaultFields()); return err },
			[]string{"| } /* main: uncertain */\n", "|   f(); /* uncertain */\n", "|   g();\n", "|   } /* f: unwound */\n"}},
		"long calls": {func(w io.Writer) error {
			_, err := Flow(w, paths, analyze.Options{Min: 100}, DefaultFields())
			return err
		},
			[]string{"| } /* main: uncertain */\n", "|   f(); /* uncertain */\n"}},
	} {
		var out strings.Builder
		if err := c.view(&out); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, out.String())
			}
		}
	}
	var out bytes.Buffer
	if _, err := TraceEvent(&out, paths, analyze.Options{}, nil, &analyze.Trace{}); err != nil {
		t.Fatal(err)
	}
	var events struct {
		TraceEvents []struct {
			Name, Ph string
			Args     struct {
				End       string
				Uncertain bool
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &events); err != nil {
		t.Fatal(err)
	}
	uncertain := map[string]int{}
	for _, e := range events.TraceEvents {
		if e.Args.Uncertain && e.Ph == "X" && e.Args.End == "" {
			uncertain[e.Name]++
		}
	}
	if len(uncertain) != 2 || uncertain["main"] != 1 || uncertain["f"] != 1 {
		t.Errorf("uncertain in the trace events: %v", uncertain)
	}
}

// A heatmap and a histogram of a function that was probed in windows say that their counts are
// those of recorded calls, and only these do.
func TestSampledCounts(t *testing.T) {
	path := trace(t, "survey")
	maps, _, err := analyze.Heatmaps([]string{path}, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var heat, hist strings.Builder
	if err := Heatmap(&heat, maps); err != nil {
		t.Fatal(err)
	}
	if err := Hist(&hist, report(t, path).Rows, ""); err != nil {
		t.Fatal(err)
	}
	for text, n := range map[string]int{"# a sample: 6 recorded calls, in": 1, "# a sample: 1 recorded call, in": 1, "a sample": 2} {
		if strings.Count(heat.String(), text) != n {
			t.Errorf("want %d times %q in\n%s", n, text, heat.String())
		}
	}
	for text, n := range map[string]int{"a sample: 5 recorded calls, which stand for about 29\n": 1, "a sample": 2} {
		if strings.Count(hist.String(), text) != n {
			t.Errorf("want %d times %q in\n%s", n, text, hist.String())
		}
	}
}
