package analyze

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"utrace/format"
)

const gapFuncs = 4

// gapTrace writes a trace with a new function and a new thread ahead of each of several batches of
// events. Each call of function n, in any thread, takes 100*(n+1) ns. It returns the trace and
// where its batches are.
func gapTrace(t *testing.T) (data []byte, batches [][2]int64) {
	path := filepath.Join(t.TempDir(), "whole.arrow")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := format.NewWriter(f, format.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	m := w.AddModule(format.Module{Path: "/bin/x"})
	now := uint64(0)
	for batch := range gapFuncs {
		w.AddFunc(format.Func{Name: fmt.Sprint("f", batch), Module: m, Addr: uint64(batch)})
		w.AddThread(format.Thread{PID: 1, TID: 1 + batch, Comm: fmt.Sprint("t", batch)})
		for th := range batch + 1 {
			for fn := range batch + 1 {
				sp := uint64(1<<20 + 16*th)
				w.Append(&format.Event{TimeNs: now, SP: sp, Thread: format.ThreadID(th), Func: format.FuncID(fn), Kind: format.Entry})
				now += 100 * uint64(fn+1)
				w.Append(&format.Event{TimeNs: now, SP: sp, Thread: format.ThreadID(th), Func: format.FuncID(fn), Kind: format.Return})
				now += 7
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(format.End{}); err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	r, err := format.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var msg format.Message
	for r.Next(&msg) == nil {
		from, to := msg.Range()
		batches = append(batches, [2]int64{from, to})
	}
	return data, batches
}

// callsOf returns the number of complete calls by function, of a trace that may be damaged. Each
// must have the duration of its function.
func callsOf(t *testing.T, data []byte) (calls map[string]uint64, warnings string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace.arrow")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Report([]string{path}, Options{})
	if err != nil {
		return nil, "", err
	}
	calls = map[string]uint64{}
	for i := range r.Rows {
		row := &r.Rows[i]
		n := 0
		if _, err := fmt.Sscanf(row.Name, "f%d", &n); err != nil {
			fmt.Sscanf(row.Name, "[lost function %d]", &n)
		}
		if row.Durations.Min() != row.Durations.Max() || row.Durations.Max().Nanoseconds() != int64(100*(n+1)) || row.Incomplete > 0 {
			t.Errorf("%s: %v to %v, %d incomplete", row.Name, row.Durations.Min(), row.Durations.Max(), row.Incomplete)
		}
		calls[row.Name] = row.Durations.Count()
	}
	return calls, strings.Join(texts(r.Warnings), "\n"), nil
}

// A damaged batch is skipped, whatever has happened to it. All other batches are read.
func TestGap(t *testing.T) {
	data, batches := gapTrace(t)
	if len(batches) != 2*gapFuncs+1 {
		t.Fatalf("%d batches", len(batches))
	}
	damages := map[string]func(part []byte) []byte{
		"a flip":         func(part []byte) []byte { part[len(part)-40] ^= 4; part[len(part)/2] ^= 4; return part },
		"no header":      func(part []byte) []byte { part[0] = 0; return part },
		"too short":      func(part []byte) []byte { return part[:len(part)/2] },
		"another length": func(part []byte) []byte { return append(part, 1, 2, 3) },
		"zeros":          func(part []byte) []byte { clear(part); return part },
		"gone":           func(part []byte) []byte { clear(part[:8]); return part[:9] },
	}
	for name, damage := range damages {
		for i, b := range batches[2 : 2*gapFuncs] {
			batch := (i + 2) / 2 // of definitions, or of the events that follow
			damaged := append(append(bytes.Clone(data[:b[0]]), damage(bytes.Clone(data[b[0]:b[1]]))...), data[b[1]:]...)
			calls, warnings, err := callsOf(t, damaged)
			if err != nil {
				t.Fatalf("%s, batch %d: %v", name, i, err)
			}
			events := i%2 == 1
			for fn := range gapFuncs {
				want := uint64(0) // one call in each thread of each batch in which the function exists
				for k := fn; k < gapFuncs; k++ {
					if !events || k != batch {
						want += uint64(k + 1)
					}
				}
				is := fmt.Sprint("f", fn)
				if !events && fn == batch {
					is = fmt.Sprintf("[lost function %d]", fn)
				}
				if events && name == "another length" { // the batch itself is whole
					want += uint64(batch+1) * map[bool]uint64{true: 1}[fn <= batch]
				}
				if !events && name == "another length" {
					is = fmt.Sprint("f", fn)
				}
				if calls[is] != want {
					t.Errorf("%s, batch %d: %d calls of %s, want %d: %v", name, i, calls[is], is, want, calls)
				}
			}
			if !strings.Contains(warnings, fmt.Sprintf("from byte %d are damaged", b[0])) && name != "another length" {
				t.Errorf("%s, batch %d at %d: warnings %s", name, i, b[0], warnings)
			}
			if lost := events && name != "another length"; lost != strings.Contains(warnings, "events were in the damaged part") {
				t.Errorf("%s, batch %d: warnings %s", name, i, warnings)
			}
		}
	}
}

// A part of a trace without its first definitions, or without anything else, is an error that says
// so.
func TestDefinitionsMissing(t *testing.T) {
	data, batches := gapTrace(t)
	first, last := batches[0], batches[len(batches)-1]
	zeroed := bytes.Clone(data)
	clear(zeroed[first[0]:first[1]])
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"cut out":          {append(bytes.Clone(data[:first[0]]), data[first[1]:]...), "function 0 is not defined: a part of the trace is missing"},
		"zeroed":           {zeroed, "is not defined: a part of the trace is missing"},
		"everything":       {append(bytes.Clone(data[:first[0]]), data[last[1]:]...), "it has neither events nor an end"},
		"cut in the first": {data[:first[1]-10], "it ends in the middle of a batch"},
		"zeros from there": {append(bytes.Clone(data[:first[0]]), make([]byte, len(data)-int(first[0]))...), "no message begins"},
	} {
		if _, _, err := callsOf(t, c.data); !errors.Is(err, ErrUnreadable) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A call that is open where the trace is damaged is incomplete, and its return belongs to no other
// call. Times go on after the damage.
func TestOpenAcrossGap(t *testing.T) {
	path := fromText(t, `module {"path": "/bin/a"}
func {"name": "f", "module": 0, "addr": 1}
thread {"pid": 7, "tid": 7}
100 0 entry 0 sp=0x1000
flush
200 0 entry 0 sp=0xf00
300 0 return 0 sp=0xf00
flush
400 0 return 0 sp=0x1000
500 0 entry 0 sp=0x1000
560 0 return 0 sp=0x1000
end {}`)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := format.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var msg format.Message
	for range 3 {
		if r.Next(&msg) != nil {
			t.Fatal("batches are missing")
		}
	}
	from, to := msg.Range()
	clear(data[from:to])
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var steps []string
	if _, err := Flow(path, Options{}, false, func(s *Step) error {
		steps = append(steps, fmt.Sprint(s.Kind, s.At.Nanoseconds(), s.State, s.Duration.Nanoseconds()))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{fmt.Sprint(Enter, 100, Complete, 0), fmt.Sprint(Leave, 100, Unwound, 0), fmt.Sprint(Enter, 300, Complete, 0), fmt.Sprint(Leave, 360, Complete, 60)}
	if fmt.Sprint(steps) != fmt.Sprint(want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
}

// A flipped bit changes nothing, or is noticed.
func TestFlips(t *testing.T) {
	data, _ := gapTrace(t)
	path := filepath.Join(t.TempDir(), "trace.arrow")
	read := func(data []byte) (rows string, noticed bool) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Report([]string{path}, Options{})
		if err != nil {
			return "", true
		}
		for i := range r.Rows {
			rows += r.Rows[i].Name + " " + figures(&r.Rows[i].Stats) + "\n"
		}
		return rows, len(r.Warnings) > 0
	}
	want, noticed := read(data)
	if noticed {
		t.Fatal("the whole trace has a warning")
	}
	step := 17
	if testing.Short() {
		step = 211
	}
	for i := 0; i < len(data); i += step {
		flipped := bytes.Clone(data)
		flipped[i] ^= 1 << (i % 8)
		if got, noticed := read(flipped); !noticed && got != want {
			t.Errorf("bit %d of byte %d: not noticed, and the rows become %s", i%8, i, got)
		}
	}
}
