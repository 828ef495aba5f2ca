package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"utrace/analyze"
)

// formatFields are the members of an event by its phase, as the description of the format requires
// (Trace Event Format, Google, 2016): those that it must have, and those that it may have.
var formatFields = map[string]struct{ must, may string }{
	"X": {"name ph ts dur pid tid", "cat args"},
	"i": {"name ph ts s pid tid", "cat args"},
	"M": {"name ph pid tid args", ""},
	"s": {"name cat ph id ts pid tid", "args"},
	"f": {"name cat ph id ts pid tid bp", "args"},
}

// formatMetadata are the names of metadata events, and the member of args that each has.
var formatMetadata = map[string]string{"process_name": "name", "process_labels": "labels", "thread_name": "name"}

// checkFormat checks a file of trace events against the description of the format, and returns its
// arrows, as text. Both ends of an arrow must be in a call.
func checkFormat(t *testing.T, data []byte) (arrows []string) {
	t.Helper()
	var file map[string]json.RawMessage
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(file)); !slices.Equal(got, []string{"displayTimeUnit", "otherData", "traceEvents"}) {
		t.Errorf("members %v", got)
	}
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(file["traceEvents"], &list); err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		phase := strings.Trim(string(e["ph"]), `"`)
		fields, ok := formatFields[phase]
		if !ok {
			t.Errorf("phase %q", phase)
		}
		for _, name := range strings.Fields(fields.must) {
			if e[name] == nil {
				t.Errorf("%s without %s: %s", phase, name, e)
			}
		}
		for name := range e {
			if !slices.Contains(strings.Fields(fields.must+" "+fields.may), name) {
				t.Errorf("%s with %s: %s", phase, name, e)
			}
		}
	}
	events := parseEvents(t, data)
	inCall := func(e *parsed) bool {
		return slices.ContainsFunc(events, func(call parsed) bool {
			return call.Ph == "X" && *call.Pid == *e.Pid && *call.Tid == *e.Tid && call.startNs() <= e.startNs() && e.startNs() <= call.endNs()
		})
	}
	begun := map[uint64]parsed{}
	for _, e := range events {
		switch e.Ph {
		case "M":
			if key := formatMetadata[e.Name]; e.Args[key] == nil || len(e.Args) != 1 {
				t.Errorf("%+v", e)
			}
			continue
		case "i":
			if !strings.Contains("gpt", e.S) {
				t.Errorf("%+v", e)
			}
		case "s":
			if _, twice := begun[*e.ID]; twice || !inCall(&e) {
				t.Errorf("begins twice, or outside of a call: %+v", e)
			}
			begun[*e.ID] = e
		case "f":
			from, ok := begun[*e.ID]
			if !ok || from.Name != e.Name || from.Cat != e.Cat || from.startNs() > e.startNs() || e.Bp != "e" || !inCall(&e) {
				t.Errorf("%+v from %+v", e, from)
				continue
			}
			delete(begun, *e.ID)
			arrows = append(arrows, fmt.Sprintf("%d at %d to %d at %d", *from.Tid, from.startNs(), *e.Tid, e.startNs()))
		}
		if *e.Ts < 0 {
			t.Errorf("%+v", e)
		}
	}
	if len(begun) > 0 {
		t.Errorf("arrows without an end: %v", begun)
	}
	return arrows
}

// TestTraceFormat: files are as the description of the format says. Arrows lead from the thread
// that wakes another, when it does, to the woken one, when it runs.
func TestTraceFormat(t *testing.T) {
	for _, name := range append(traces(), "../../docs/testdata/causes.arrow") {
		path := name
		if filepath.Ext(name) == "" {
			path = trace(t, name)
		}
		r := report(t, path)
		var out bytes.Buffer
		if _, err := TraceEvent(&out, []string{path}, analyze.Options{}, nil, &r.Trace); err != nil {
			t.Fatal(err)
		}
		arrows := checkFormat(t, out.Bytes())
		switch {
		case name == "sched":
			// 101 wakes 100 at 9000 ns, which runs at 9500 ns. Interrupts end the other waits.
			if want := []string{"101 at 9000 to 100 at 9500"}; !slices.Equal(arrows, want) {
				t.Errorf("%v, want %v", arrows, want)
			}
		case filepath.Ext(name) != "":
			if len(arrows) == 0 {
				t.Errorf("%s: no arrows", name)
			}
		case len(arrows) > 0:
			t.Errorf("%s: arrows %v", name, arrows)
		}
	}
}

// TestTraceEventFacts: the file says what was recorded, and a call where its function is.
func TestTraceEventFacts(t *testing.T) {
	path := filepath.Join("..", "..", "testdata", "traces", "demo.arrow")
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	r := report(t, path)
	var out bytes.Buffer
	if _, err := TraceEvent(&out, []string{path}, analyze.Options{}, nil, &r.Trace); err != nil {
		t.Fatal(err)
	}
	var file struct{ OtherData map[string]string }
	if err := json.Unmarshal(out.Bytes(), &file); err != nil {
		t.Fatal(err)
	}
	if got := file.OtherData; got["command"] != strings.Join(r.Trace.Commands, "; ") || got["command"] == "" || got["host"] != r.Trace.Hosts[0] || got["started"] == "" {
		t.Errorf("%v", got)
	}
	sources, labels := map[string]bool{}, 0
	for _, e := range parseEvents(t, out.Bytes()) {
		if e.Ph == "X" {
			sources[fmt.Sprint(e.Name, " ", filepath.Base(fmt.Sprint(e.Args["file"])), ":", e.Args["line"])] = true
		}
		if e.Name == "process_labels" {
			labels++
		}
	}
	for _, row := range r.Rows {
		if want := fmt.Sprint(row.Name, " ", filepath.Base(row.File), ":", row.Line); row.File != "" && !sources[want] {
			t.Errorf("no call %q in %v", want, sources)
		}
	}
	if len(r.Rows) == 0 || r.Rows[0].File == "" || labels != 1 {
		t.Errorf("%d rows, %d labels", len(r.Rows), labels)
	}
}
