package render

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"utrace/analyze"
)

// parsed is a trace event as a viewer reads it.
type parsed struct {
	Name string
	Ph   string
	Ts   *float64
	Dur  *float64
	Pid  *int
	Tid  *int
	S    string
	Cat  string
	ID   *uint64
	Bp   string
	Args map[string]any
}

func (p *parsed) startNs() int64 { return int64(math.Round(*p.Ts * 1000)) }

func (p *parsed) endNs() int64 { return p.startNs() + int64(math.Round(*p.Dur*1000)) }

func parseEvents(t *testing.T, data []byte) []parsed {
	t.Helper()
	var file struct {
		DisplayTimeUnit string
		TraceEvents     []parsed
		OtherData       map[string]string
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil || file.DisplayTimeUnit != "ns" {
		t.Fatalf("%v in\n%s", err, data)
	}
	return file.TraceEvents
}

func writeEvents(t *testing.T, paths []string, opts analyze.Options, only []analyze.Row, most uint64) ([]parsed, []string) {
	t.Helper()
	var out bytes.Buffer
	r, err := analyze.Report(paths, opts)
	if err != nil {
		t.Fatal(err)
	}
	w, err := traceEvents(&out, paths, opts, only, &r.Trace, most)
	if err != nil {
		t.Fatal(err)
	}
	return parseEvents(t, out.Bytes()), Words{}.Warnings(w)
}

// TestTraceEvents: events have the fields that the format requires, and nest within each thread.
// They are the calls of the report and the waits of the flow.
func TestTraceEvents(t *testing.T) {
	for _, name := range traces() {
		path := trace(t, name)
		events, _ := writeEvents(t, []string{path}, analyze.Options{}, nil, 1000)
		calls, total := map[string]uint64{}, int64(0)
		var waits, wantWaits [][3]int64
		named := map[string]bool{}
		threads := map[[2]int][]parsed{}
		for _, e := range events {
			if e.Pid == nil || e.Tid == nil {
				t.Fatalf("%s: no pid or tid: %+v", name, e)
			}
			id := [2]int{*e.Pid, *e.Tid}
			switch e.Ph {
			case "M":
				if text, ok := e.Args[formatMetadata[e.Name]].(string); !ok || text == "" {
					t.Errorf("%s: %+v", name, e)
				}
				named[e.Name] = true
				continue
			case "X":
				if e.Ts == nil || e.Dur == nil {
					t.Fatalf("%s: %+v", name, e)
				}
				threads[id] = append(threads[id], e)
				if e.Name == "linux:schedule" {
					waits = append(waits, [3]int64{e.startNs(), e.endNs(), int64(e.Args["blocked_ns"].(float64))})
					continue
				}
				if ns, ok := e.Args["duration_ns"].(float64); ok { // without the cost of probes
					total += int64(ns)
				} else if e.Args["end"] == nil {
					total += int64(math.Round(*e.Dur * 1000))
				}
			case "i":
				if e.Ts == nil || e.S != "t" {
					t.Errorf("%s: %+v", name, e)
				}
			case "s", "f": // see TestTraceFormat
				continue
			default:
				t.Errorf("%s: phase %q", name, e.Ph)
			}
			calls[e.Name]++
		}
		if !named["process_name"] || !named["thread_name"] {
			t.Errorf("%s: names of %v only", name, named)
		}
		sum := int64(0)
		for _, row := range report(t, path).Rows {
			sum += int64(row.Durations.Sum() + row.UncertainTime)
			calls[row.Name] -= row.Calls
			if calls[row.Name] == 0 {
				delete(calls, row.Name)
			}
		}
		if len(calls) > 0 && name != "names" || total != sum {
			t.Errorf("%s: calls differ by %v; %d ns, want %d", name, calls, total, sum)
		}
		if _, err := analyze.Flow(path, analyze.Options{}, false, func(s *analyze.Step) error {
			if s.Kind == analyze.Waited {
				wantWaits = append(wantWaits, [3]int64{int64(s.At - s.Duration), int64(s.At), int64(s.Wait.Blocked)})
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(waits, wantWaits) || (name == "sched") != (len(waits) > 0) {
			t.Errorf("%s: waits %v, want %v", name, waits, wantWaits)
		}
		for id, list := range threads {
			slices.SortStableFunc(list, func(a, b parsed) int {
				return cmp.Or(cmp.Compare(a.startNs(), b.startNs()), cmp.Compare(b.endNs(), a.endNs()))
			})
			var open []parsed
			for _, e := range list {
				for len(open) > 0 && open[len(open)-1].endNs() <= e.startNs() {
					open = open[:len(open)-1]
				}
				if len(open) > 0 && e.endNs() > open[len(open)-1].endNs() {
					t.Errorf("%s: thread %v: %+v ends after %+v", name, id, e, open[len(open)-1])
				}
				open = append(open, e)
			}
		}
	}
}

// TestTraceEventsCut: if there are too many calls, the longest are kept, with a warning.
func TestTraceEventsCut(t *testing.T) {
	path := trace(t, "threads")
	all, warnings := writeEvents(t, []string{path}, analyze.Options{}, nil, 1000)
	if len(warnings) > 0 {
		t.Errorf("%q", warnings)
	}
	var durations []float64
	for _, e := range all {
		if e.Ph == "X" && e.Args["end"] == nil {
			durations = append(durations, *e.Dur)
		}
	}
	slices.Sort(durations)
	events, warnings := writeEvents(t, []string{path}, analyze.Options{}, nil, 3)
	calls := 0
	for _, e := range events {
		if e.Ph == "X" {
			calls++
			if *e.Dur < durations[len(durations)-3] {
				t.Errorf("%+v is not among the longest of %v", e, durations)
			}
		}
	}
	if calls == 0 || calls > 3 || len(warnings) == 0 || !strings.Contains(warnings[0], "only those of at least") {
		t.Errorf("%d calls; %q", calls, warnings)
	}
	r := report(t, path)
	only := r.Rows[:1]
	events, warnings = writeEvents(t, []string{path}, analyze.Options{}, only, 1000)
	n := uint64(0)
	for _, e := range events {
		if e.Ph != "M" {
			n++
			if e.Name != only[0].Name {
				t.Errorf("%+v", e)
			}
		}
	}
	if n != only[0].Calls || len(warnings) > 0 {
		t.Errorf("%d calls of %s, want %d; %q", n, only[0].Name, only[0].Calls, warnings)
	}
}

// TestTraceEventsCutEqual: longer calls are all kept. Of calls of the same duration, the first are
// kept while there is room.
func TestTraceEventsCutEqual(t *testing.T) {
	var text strings.Builder
	text.WriteString("meta {\"start\":{\"mono_ns\":0,\"wall_ns\":0}}\nmodule {\"path\":\"/bin/prog\"}\n" +
		"func {\"name\":\"f\",\"module\":0,\"addr\":1}\nprocess {\"pid\":1,\"comm\":\"prog\"}\nthread {\"pid\":1,\"tid\":1,\"comm\":\"prog\"}\n")
	text.WriteString("1 0 entry 0 sp=0x2000\n")
	for i := range 30 {
		took := 0
		if i >= 28 {
			took = 500
		}
		fmt.Fprintf(&text, "%d 0 entry 0 sp=0x1000\n%d 0 return 0 sp=0x1000\n", 1000*i+1, 1000*i+1+took)
	}
	text.WriteString("end {}\n")
	source, path := filepath.Join(t.TempDir(), "equal.txt"), filepath.Join(t.TempDir(), "equal.arrow")
	if err := os.WriteFile(source, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	writeTrace(t, source, path)
	events, warnings := writeEvents(t, []string{path}, analyze.Options{}, nil, 10)
	calls, long, open := 0, 0, 0
	for _, e := range events {
		if e.Args["end"] != nil {
			open++
		} else if e.Ph == "X" {
			calls++
			if *e.Dur > 0.4 {
				long++
			}
		}
	}
	if calls != 9 || long != 2 || open != 1 || len(warnings) != 1 {
		t.Errorf("%d calls, %d long ones, %d open, want 9, 2, 1; %q", calls, long, open, warnings)
	}
}

// TestTraceEventsOfWaits: waits take no room from the calls around them, which are written later.
func TestTraceEventsOfWaits(t *testing.T) {
	path := trace(t, "sched")
	calls := func(most uint64) (n, waits int) {
		events, _ := writeEvents(t, []string{path}, analyze.Options{}, nil, most)
		for _, e := range events {
			switch {
			case e.Name == "linux:schedule":
				waits++
			case e.Ph == "X":
				n++
			}
		}
		return n, waits
	}
	all, waits := calls(1000)
	if waits == 0 {
		t.Fatal("no waits")
	}
	if n, _ := calls(uint64(all)); n != all {
		t.Errorf("with room for %d calls: %d", all, n)
	}
}

// TestTraceEventsOfDropped: a dropped call around kept calls is written, and marked as dropped.
func TestTraceEventsOfDropped(t *testing.T) {
	events, _ := writeEvents(t, []string{trace(t, "dropped")}, analyze.Options{}, nil, 1000)
	n := 0
	for _, e := range events {
		if end, _ := e.Args["end"].(string); strings.HasPrefix(end, "dropped") {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d calls were dropped, want 3", n)
	}
}

// TestTraceEventsOfSeveral: processes of the same number stay apart.
func TestTraceEventsOfSeveral(t *testing.T) {
	one, _ := writeEvents(t, []string{trace(t, "nesting")}, analyze.Options{}, nil, 1000)
	path := trace(t, "nesting")
	two, _ := writeEvents(t, []string{path, path}, analyze.Options{}, nil, 1000)
	pids := map[int]int{}
	for _, e := range two {
		pids[*e.Pid]++
	}
	if len(two) != 2*len(one) || len(pids) != 2 || pids[100] != len(one) {
		t.Errorf("%d events, %d of each trace: %v", len(two), len(one), pids)
	}
}

// TestTraceEventExec: an exec is a mark of its process, and the calls that it ends end there.
func TestTraceEventExec(t *testing.T) {
	source, err := filepath.Abs("../../testdata/traces/replaced.txt")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	writeTrace(t, source, "replaced.arrow")
	events, _ := writeEvents(t, []string{"replaced.arrow"}, analyze.Options{}, nil, 100)
	marks, ended := 0, 0
	for _, e := range events {
		switch {
		case e.Name == "linux:task-exec: ls" && e.Ph == "i" && e.S == "p" && e.startNs() == 3000 && *e.Pid == 100:
			marks++
		case e.Ph == "X" && e.endNs() == 3000:
			ended++
		}
	}
	if marks != 1 || ended != 4 {
		t.Errorf("%d marks, %d calls end there, want 1 and 4: %+v", marks, ended, events)
	}
}
