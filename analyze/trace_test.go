package analyze

import (
	"slices"
	"testing"
)

// A process that executes another program before any event of it is written: its first thread ran the first program, and
// the later one is the last of its PID, whatever the names are.
func TestProgramsOfOneProcess(t *testing.T) {
	path := fromText(t, `
module {"path": "/bin/sh"}
func {"name": "fork", "module": 0, "addr": 1}
func {"name": "main", "module": 0, "addr": 2}
process {"pid": 100, "comm": "sh"}
thread {"pid": 100, "tid": 100, "comm": "sh"}
process {"pid": 100, "comm": "prog"}
thread {"pid": 100, "tid": 100, "comm": "prog"}
process {"pid": 99, "comm": "other"}
10 0 entry 0 sp=0x1000
20 0 return 0 sp=0x1000
30 1 entry 1 sp=0x1000
40 1 return 1 sp=0x1000
end {}`)
	var calls []string
	if _, err := EachCall([]string{path}, Options{}, func(c *Call) error {
		calls = append(calls, c.Function.Name+" "+c.Process)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"fork sh", "main prog"}; !slices.Equal(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
	r, err := Report([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []Process{{99, "other", ""}, {100, "sh", ""}, {100, "prog", ""}}; !slices.Equal(r.Trace.Processes, want) {
		t.Errorf("processes %v, want %v", r.Trace.Processes, want)
	}
}
