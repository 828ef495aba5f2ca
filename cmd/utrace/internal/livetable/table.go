package livetable

import (
	"path/filepath"
	"time"

	"utrace/analyze"
	"utrace/format"
)

// Table counts calls by function. It is a record.Observer. Its methods belong to one goroutine.
type Table struct {
	interval time.Duration              // 0: only Finish makes a snapshot
	show     func(*Snapshot, bool) bool // see New
	funcs    []function
	begun    time.Time // of the first interval
	last     time.Time // end of the last interval
	lost     uint64    // in this interval
}

// function has the calls of a function in the current interval.
type function struct {
	name, module string
	calls        uint64
	durations    analyze.Histogram
	errors       uint64
	allCalls     uint64
	probed       time.Duration // in windows of a survey
	probedTo     time.Duration
	windows      bool
}

// Snapshot has the calls of an interval.
type Snapshot struct {
	Time    time.Time     // its end
	Took    time.Duration // how long it was
	Calls   uint64        // of all functions
	Lost    uint64        // events
	Rows    []Row         // functions with calls, in no order
	Windows bool          // some functions were probed at times only
}

// Row has the calls of a function in an interval.
type Row struct {
	Name, Module  string
	Calls         uint64 // that began
	Rate          float64
	Total         time.Duration // of the calls that returned
	P50, P99, Max time.Duration
	Errors        uint64
	Covered       float64 // share of the time so far in which the function was probed, 0 to 1
	AllCalls      uint64  // since the start
}

// New returns a Table that makes a snapshot of each interval. show gets it, and whether it is the
// last one. It may return false, unless it is the last one: then the interval goes on.
func New(interval time.Duration, show func(s *Snapshot, last bool) bool) *Table {
	return &Table{interval: interval, show: show}
}

// Define implements record.Observer, as do the following.
func (t *Table) Define(fn format.Func, path string) {
	t.funcs = append(t.funcs, function{name: analyze.Printable(fn.Name), module: analyze.Printable(filepath.Base(path))})
}

// Entered counts a call.
func (t *Table) Entered(fn format.FuncID) {
	t.funcs[fn].calls++
	t.funcs[fn].allCalls++
}

// Returned counts the duration of a call.
func (t *Table) Returned(fn format.FuncID, took time.Duration, failed bool) {
	t.funcs[fn].durations.Add(took)
	if failed {
		t.funcs[fn].errors++
	}
}

// Lost counts lost events.
func (t *Table) Lost(events uint64) { t.lost += events }

// Probed notes a window of a survey.
func (t *Table) Probed(fns []format.FuncID, from, to time.Duration) {
	for _, fn := range fns {
		f := &t.funcs[fn]
		f.windows = true
		f.probed += max(0, to-max(from, f.probedTo))
		f.probedTo = max(f.probedTo, to)
	}
}

// Settled ends the interval if it is over.
func (t *Table) Settled(now time.Time) {
	if t.begun.IsZero() {
		t.begun, t.last = now, now
	}
	if t.interval > 0 && now.Sub(t.last) >= t.interval {
		t.end(now, false)
	}
}

// Finish ends the last interval, if it has calls or is the only one.
func (t *Table) Finish(now time.Time) {
	s := t.snapshot(now)
	if len(s.Rows) > 0 || s.Lost > 0 || t.last.Equal(t.begun) {
		t.end(now, true)
	}
}

func (t *Table) end(now time.Time, last bool) {
	if !t.show(t.snapshot(now), last) {
		return
	}
	t.last, t.lost = now, 0
	for i := range t.funcs {
		f := &t.funcs[i]
		f.calls, f.errors, f.durations = 0, 0, analyze.Histogram{}
	}
}

func (t *Table) snapshot(now time.Time) *Snapshot {
	s := &Snapshot{Time: now, Took: now.Sub(t.last), Lost: t.lost}
	for i := range t.funcs {
		f := &t.funcs[i]
		s.Windows = s.Windows || f.windows
		s.Calls += f.calls
		if f.calls == 0 && f.durations.Count() == 0 {
			continue
		}
		r := Row{Name: f.name, Module: f.module, Calls: f.calls, Errors: f.errors, AllCalls: f.allCalls, Covered: 1,
			Total: f.durations.Sum(), P50: f.durations.Quantile(500), P99: f.durations.Quantile(990), Max: f.durations.Max()}
		if f.windows && f.probedTo > 0 {
			r.Covered = min(1, f.probed.Seconds()/f.probedTo.Seconds())
		}
		r.Rate = float64(f.calls) / max(s.Took.Seconds(), 1e-9)
		s.Rows = append(s.Rows, r)
	}
	return s
}
