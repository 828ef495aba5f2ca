//go:build linux

package live

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"utrace/format"
)

// log is an Observer that notes what it gets.
type log []string

func (l *log) Define(fn format.Func, path string) { l.add("define %s of %s", fn.Name, path) }
func (l *log) Entered(fn format.FuncID)           { l.add("enter %d", fn) }
func (l *log) Returned(fn format.FuncID, took time.Duration, failed bool) {
	l.add("return %d after %d, failed %v", fn, took, failed)
}
func (l *log) Lost(events uint64) { l.add("lost %d", events) }
func (l *log) Probed(fns []format.FuncID, from, to time.Duration) {
	l.add("probed %v from %d to %d", fns, from, to)
}
func (l *log) Settled(time.Time)              { l.add("settled") }
func (l *log) add(format string, args ...any) { *l = append(*l, fmt.Sprintf(format, args...)) }

// TestSink: calls are passed on once they are complete, and after losses open calls have no end.
func TestSink(t *testing.T) {
	var got log
	s := NewSink(&got)
	mod := s.AddModule(format.Module{Path: "/bin/p"})
	f := s.AddFunc(format.Func{Name: "f", Module: mod, Results: []format.Arg{{Name: "ret", Type: "s32"}}})
	thread := s.AddThread(format.Thread{})
	add := func(kind format.Kind, ns, sp uint64, args string) {
		t.Helper()
		if err := s.AppendArgs(&format.Event{Kind: kind, TimeNs: ns, SP: sp, Thread: thread, Func: f}, args); err != nil {
			t.Fatal(err)
		}
	}
	add(format.Entry, 10, 100, "")
	add(format.Return, 15, 100, "[-1]")
	add(format.Entry, 20, 100, "")
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	s.AddWindow(format.Window{Set: s.AddProbeSet(format.ProbeSet{Funcs: []format.FuncID{f}}), FromNs: 1, ToNs: 2})
	s.AddLoss(format.Loss{Entries: 2, Returns: 1})
	add(format.Return, 25, 100, "[0]")
	if err := s.Close(format.End{}); err != nil {
		t.Fatal(err)
	}
	want := log{"define f of /bin/p", "enter 0", "return 0 after 5, failed true", "enter 0", "settled", "probed [0] from 1 to 2", "lost 3", "settled"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if events, entries := s.Events(); events != 4 || entries != 2 {
		t.Errorf("%d events, %d entries", events, entries)
	}
}

// TestSweep: threads without open calls are forgotten, so that their number does not grow.
func TestSweep(t *testing.T) {
	var got log
	s := NewSink(&got)
	f := s.AddFunc(format.Func{Module: s.AddModule(format.Module{})})
	open := s.AddThread(format.Thread{})
	s.Append(&format.Event{Thread: open, Func: f, SP: 100})
	for range 1000 {
		id := s.AddThread(format.Thread{})
		s.Append(&format.Event{Thread: id, Func: f, SP: 100})
		s.Append(&format.Event{Thread: id, Func: f, SP: 100, Kind: format.Return, TimeNs: 1})
		s.Flush()
		s.Sweep()
		s.Sweep()
		if s.Keeps(id) || !s.Keeps(open) {
			t.Fatalf("thread %d is kept: %v; the one with an open call: %v", id, s.Keeps(id), s.Keeps(open))
		}
	}
	if len(s.used) > 3 {
		t.Errorf("%d threads", len(s.used))
	}
}
