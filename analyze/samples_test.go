package analyze

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// sampledTrace has one call, and samples of two threads: main calls work, and the probed function
// leaf is called by both. Thread 11 and process 8 make no call.
const sampledTrace = `
module {"path": "/bin/prog"}
func {"name": "leaf", "module": 0, "addr": 10}
process {"pid": 7, "comm": "prog"}
thread {"pid": 7, "tid": 10, "comm": "first"}
thread {"pid": 7, "tid": 11, "comm": "second"}
process {"pid": 8, "comm": "other"}
thread {"pid": 8, "tid": 8, "comm": "other"}
100 0 entry 0 sp=0x1000
200 0 sample 0 value=3
300 0 return 0 sp=0x1000
400 0 sample 0 value=2
500 0 sample 0 value=2
450 1 sample 0 value=4
460 1 sample 0
470 2 sample 0 value=1
flush
600 0 sample 0 value=3
flush
func {"name": "main", "module": 0, "addr": 20}
func {"name": "work", "module": 0, "addr": 30}
stack {"func": 1, "addr": 21}
stack {"func": 2, "addr": 31, "outer": 1}
stack {"func": 0, "addr": 11, "outer": 2}
stack {"func": 0, "addr": 11, "outer": 1}
end {"stop":{"mono_ns":1000,"wall_ns":0}}`

// samplesIn returns the samples of a profile by thread and stack, and its calls.
func samplesIn(t *testing.T, p *profile.Profile) (samples []string, calls int64) {
	t.Helper()
	if last := p.SampleType[len(p.SampleType)-1]; last.Type != "samples" || last.Unit != "count" || p.DefaultSampleType != "wall" {
		t.Fatalf("sample types %v, %s", p.SampleType, p.DefaultSampleType)
	}
	for _, s := range p.Sample {
		calls += s.Value[0]
		n := s.Value[len(s.Value)-1]
		if n == 0 {
			continue
		}
		var names []string
		for _, l := range s.Location {
			names = append(names, l.Line[0].Function.Name)
		}
		samples = append(samples, fmt.Sprintf("%s %s %d", s.Label["thread"][0], strings.Join(names, "<"), n))
	}
	slices.Sort(samples)
	return samples, calls
}

// Samples have their whole stacks and their threads, and are selected like calls.
func TestProfileOfSamples(t *testing.T) {
	path := fromText(t, sampledTrace)
	leaf, err := ParsePattern("work")
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		opts  Options
		want  []string
		calls int64
	}{
		"all":      {Options{}, []string{"first leaf<work<main 2", "first work<main 2", "other main 1", "second [unknown] 1", "second leaf<main 1"}, 1},
		"thread":   {Options{TIDs: []int{11}}, []string{"second [unknown] 1", "second leaf<main 1"}, 0},
		"function": {Options{Function: leaf}, []string{"first leaf<work<main 2", "first work<main 2"}, 0},
		"time":     {Options{From: 450, To: 600 * time.Nanosecond}, []string{"first work<main 1", "other main 1", "second [unknown] 1", "second leaf<main 1"}, 0},
	} {
		p, _, err := Profile([]string{path}, c.opts)
		if err != nil {
			t.Fatal(err)
		}
		if got, calls := samplesIn(t, p); !slices.Equal(got, c.want) || calls != c.calls {
			t.Errorf("%s: %q and %d calls, want %q and %d", what, got, calls, c.want, c.calls)
		}
		// A function has one location, for its calls and its samples.
		names := map[string]int{}
		for _, l := range p.Location {
			names[l.Line[0].Function.Name]++
		}
		for name := range maps.Keys(names) {
			if names[name] != 1 {
				t.Errorf("%s: %d locations of %s", what, names[name], name)
			}
		}
	}
}

// Samples are counted, and are no events: threads and processes with nothing else have none.
func TestCountSamples(t *testing.T) {
	path := fromText(t, sampledTrace)
	r, err := Report([]string{path, path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Trace.Samples != 14 || r.Trace.Events != 4 || r.Trace.Threads != 2 {
		t.Errorf("%d samples, %d events, %d threads", r.Trace.Samples, r.Trace.Events, r.Trace.Threads)
	}
	if r.Trace.Probes.Traced != 2*200 {
		t.Errorf("%v between the first and last events", r.Trace.Probes.Traced)
	}
	for _, p := range r.Trace.Processes {
		if p.Called != (p.PID == 7) {
			t.Errorf("%+v", p)
		}
	}
}
