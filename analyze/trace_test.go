package analyze

import (
	"reflect"
	"slices"
	"testing"
)

// A process executes another program before any event of it is written. Its first thread ran the
// first program; the later program is the last of its PID, whatever the names.
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
		calls = append(calls, c.Function.Name+" "+c.Process.Comm)
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
	if want := []Process{{PID: 99, Name: "other"}, {PID: 100, Name: "sh", Called: true}, {PID: 100, Name: "prog", Called: true}}; !slices.Equal(r.Trace.Processes, want) {
		t.Errorf("processes %v, want %v", r.Trace.Processes, want)
	}
}

// A process that executes another program has the name of the program that called the function. If
// all its calls were dropped, it has the name of the last program.
func TestProgramsOfFunctions(t *testing.T) {
	path := fromText(t, `module {"path": "/bin/sh"}
func {"name": "fork", "module": 0, "addr": 1}
func {"name": "main", "module": 0, "addr": 2}
func {"name": "both", "module": 0, "addr": 3}
func {"name": "gone", "module": 0, "addr": 4}
process {"pid": 7, "comm": "sh"}
thread {"pid": 7, "tid": 7, "comm": "sh"}
10 0 entry 0 sp=0x1000
20 0 return 0 sp=0x1000
30 0 entry 2 sp=0x1000
40 0 return 2 sp=0x1000
flush
process {"pid": 7, "comm": "ls"}
thread {"pid": 7, "tid": 7, "comm": "ls"}
50 1 entry 1 sp=0x1000
60 1 return 1 sp=0x1000
70 1 entry 2 sp=0x1000
80 1 return 2 sp=0x1000
dropped {"func":0,"pid":7,"complete":3,"sum_ns":9,"total_ns":9,"self_ns":9}
dropped {"func":3,"pid":7,"complete":3,"sum_ns":9,"total_ns":9,"self_ns":9}
end {}
`)
	r, err := Report([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]Program{}
	for i := range r.Rows {
		got[r.Rows[i].Name] = r.Rows[i].Programs
		if pids := r.Rows[i].PIDs(); !slices.Equal(pids, []int{7}) {
			t.Errorf("%s: processes %v", r.Rows[i].Name, pids)
		}
	}
	want := map[string][]Program{"fork": {{7, "sh"}}, "main": {{7, "ls"}}, "both": {{7, "ls"}, {7, "sh"}}, "gone": {{7, "ls"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
