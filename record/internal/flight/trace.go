//go:build linux

package flight

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"utrace/format"
)

// Trace is the trace of a moment, to be written.
type Trace struct {
	Moment *Moment

	m            *Memory
	w            *format.Writer
	fromNs, toNs uint64 // since the start of the recording
	segments     []*segment
	sets         map[format.SetID]format.ProbeSet
	counters     map[format.ModuleID]counters
	calibrations []format.Calibration
	end          format.End
	newSets      map[format.SetID]format.SetID
	threads      map[*thread]format.ThreadID
	lastProcess  map[int]*format.Process // the last one defined, by PID
}

// NewTrace begins a trace of a moment in an empty file. now is a moment of both clocks; stacks adds
// the stacks of the recording. Write writes the rest, then Release must be called.
func (m *Memory) NewTrace(f format.File, moment *Moment, now format.Anchor, stacks func(*format.Writer)) (*Trace, error) {
	if err := m.Flush(); err != nil {
		return nil, err
	}
	if err := m.rotate(); err != nil {
		return nil, err
	}
	t := &Trace{
		Moment: moment, m: m, fromNs: m.traceFromNs(moment), toNs: min(m.nowNs, moment.TimeNs+uint64(m.cfg.After)),
		segments: slices.Clone(m.segments[:len(m.segments)-1]),
		sets:     map[format.SetID]format.ProbeSet{}, counters: map[format.ModuleID]counters{}, calibrations: slices.Clone(m.calibrations),
		newSets: map[format.SetID]format.SetID{}, threads: map[*thread]format.ThreadID{}, lastProcess: map[int]*format.Process{},
	}
	t.toNs = max(t.toNs, t.fromNs)
	if oldest := t.segments[0].fromNs; oldest > t.fromNs {
		t.end.Missing = m.missing(time.Duration(moment.TimeNs - min(oldest, moment.TimeNs)))
		t.fromNs = min(oldest, t.toNs)
	}
	for id, c := range m.surveyed {
		t.counters[id] = counters{c}
	}
	for _, s := range t.segments {
		s.traces++
		for _, c := range s.surveys {
			t.counters[c.Module] = append(t.counters[c.Module], c)
		}
		for _, w := range s.windows {
			if set, ok := m.sets[w.Set]; ok {
				t.sets[w.Set] = set
			}
		}
	}
	at := func(ns uint64) format.Anchor {
		mono := m.meta.Start.MonoNs + int64(ns)
		return format.Anchor{MonoNs: mono, WallNs: now.WallNs - (now.MonoNs - mono)}
	}
	meta := m.meta
	meta.Start, meta.DurationNs, meta.MaxBytes = at(t.fromNs), 0, 0
	t.end.Stop, t.end.Reason = at(t.toNs), moment.Text
	w, err := format.NewWriter(f, meta)
	if err != nil {
		m.Release(t)
		return nil, err
	}
	t.w = w
	for _, mod := range m.modules {
		w.AddModule(mod)
	}
	for i := range m.funcs {
		w.AddFunc(m.funcs[i])
	}
	for _, l := range m.leftOut {
		w.AddLeftOut(l)
	}
	for _, pid := range meta.PIDs {
		if p := m.processes[pid]; p != nil {
			t.process(p)
		}
	}
	stacks(w)
	return t, nil
}

// missing says that the memory does not reach back as far as it should.
func (m *Memory) missing(kept time.Duration) []string {
	if m.segments[0].fromNs == 0 { // the recording has only begun
		return nil
	}
	return []string{fmt.Sprintf("the memory of %d MiB was full: it reached back %s instead of %s before the moment",
		m.cfg.Bytes>>20, kept.Round(time.Millisecond), m.cfg.Last)}
}

// Release gives back the memory that the trace needs.
func (m *Memory) Release(t *Trace) (err error) {
	for _, s := range t.segments {
		s.traces--
		if ferr := s.free(); err == nil {
			err = ferr
		}
	}
	m.retired = slices.DeleteFunc(m.retired, func(s *segment) bool { return s.traces == 0 })
	return err
}

// Write writes the events and completes the file. It may run in another goroutine than the Memory.
func (t *Trace) Write() error {
	t.addCosts()
	for i, s := range t.segments {
		t.addDefinitions(s)
		if i == len(t.segments)-1 {
			t.addCounters(t.toNs)
		}
		r, err := format.NewReader(s.file, s.size)
		if err != nil {
			return err
		}
		if err := format.CopyEvents(t.w, r, func(e *format.Event) bool { return t.change(e, s) }); err != nil {
			return err
		}
		if damage := r.Damage(); damage != "" {
			return fmt.Errorf("events in memory: %s", damage)
		}
	}
	return t.w.Close(t.end)
}

// Figures returns the events of the trace, and its bytes, once it is written.
func (t *Trace) Figures() (events uint64, bytes int64) {
	events, _ = t.w.Events()
	return events, t.w.Size()
}

// Reach returns the time of the trace before the moment, and after it.
func (t *Trace) Reach() (before, after time.Duration) {
	return time.Duration(t.Moment.TimeNs - t.fromNs), time.Duration(t.toNs - min(t.toNs, t.Moment.TimeNs))
}

// change makes an event of a segment one of the trace. It reports false for events of other times.
func (t *Trace) change(e *format.Event, s *segment) bool {
	if e.TimeNs < t.fromNs || e.TimeNs > t.toNs {
		return false
	}
	th := s.threads[e.Thread]
	id, ok := t.threads[th]
	if !ok {
		t.process(th.process)
		id = t.w.AddThread(th.Thread)
		t.threads[th] = id
	}
	e.Thread, e.TimeNs = id, e.TimeNs-t.fromNs
	return true
}

// process defines a process if another one had its PID, or none.
func (t *Trace) process(p *format.Process) {
	if t.lastProcess[p.PID] != p {
		t.lastProcess[p.PID] = p
		t.w.AddProcess(*p)
	}
}

// addCosts writes what was known before the first segment.
func (t *Trace) addCosts() {
	for _, c := range t.calibrations {
		c.TimeNs = 0
		t.w.AddCalibration(c)
	}
	t.addCounters(t.fromNs)
}

// addCounters writes the counters of all surveyed modules at a time. A module without counters would
// count as probed all the time.
func (t *Trace) addCounters(ns uint64) {
	for _, id := range slices.Sorted(maps.Keys(t.counters)) {
		t.addCounter(t.counters[id].at(ns))
	}
}

// addCounter writes the counters of a module since the beginning of the trace.
func (t *Trace) addCounter(c format.Survey) {
	begin := t.counters[c.Module].at(t.fromNs)
	c.CPUNs -= min(begin.CPUNs, c.CPUNs)
	c.CostNs -= min(begin.CostNs, c.CostNs)
	c.IOCalls -= min(begin.IOCalls, c.IOCalls)
	c.TimeNs = t.time(c.TimeNs)
	t.w.AddSurvey(c)
}

// counters are those of a module, in order of time.
type counters []format.Survey

// at returns the counters at a time, interpolated. They are 0 at the start of the recording, and stay
// as they are after the last ones.
func (list counters) at(ns uint64) format.Survey {
	i := slices.IndexFunc(list, func(c format.Survey) bool { return c.TimeNs >= ns })
	if i < 0 {
		last := list[len(list)-1]
		last.TimeNs = ns
		return last
	}
	var from format.Survey
	if i > 0 {
		from = list[i-1]
	}
	c := list[i]
	part := 1.0
	if c.TimeNs > from.TimeNs {
		part = float64(ns-min(from.TimeNs, ns)) / float64(c.TimeNs-from.TimeNs)
	}
	between := func(a, b uint64) uint64 { return a + uint64(part*float64(b-min(a, b))) }
	c.TimeNs, c.CPUNs, c.CostNs, c.IOCalls = ns, between(from.CPUNs, c.CPUNs), between(from.CostNs, c.CostNs), between(from.IOCalls, c.IOCalls)
	return c
}

// addDefinitions writes what arrived in the time of a segment.
func (t *Trace) addDefinitions(s *segment) {
	for _, c := range s.calibrations {
		c.TimeNs = t.time(c.TimeNs)
		t.w.AddCalibration(c)
	}
	for _, l := range s.losses {
		if l.LastNs >= t.fromNs && l.FirstNs <= t.toNs {
			t.end.Lost += l.Entries + l.Returns
			l.FirstNs, l.LastNs = t.time(l.FirstNs), t.time(l.LastNs)
			t.w.AddLoss(l)
		}
	}
	for _, c := range s.surveys {
		if c.TimeNs > t.fromNs && c.TimeNs < t.toNs {
			t.addCounter(c)
		}
	}
	for _, w := range s.windows {
		t.addWindow(w)
	}
}

// addWindow writes the part of a window in the time of the trace.
func (t *Trace) addWindow(w format.Window) {
	set, ok := t.sets[w.Set]
	if !ok || w.OffNs < t.fromNs || w.FromNs > t.toNs {
		return
	}
	id, ok := t.newSets[w.Set]
	if !ok {
		id = t.w.AddProbeSet(set)
		t.newSets[w.Set] = id
	}
	w.Set = id
	if length := w.ToNs - w.FromNs; length > 0 && (w.FromNs < t.fromNs || w.ToNs > t.toNs) {
		part := float64(min(w.ToNs, t.toNs)-min(max(w.FromNs, t.fromNs), min(w.ToNs, t.toNs))) / float64(length)
		w.CPUNs, w.IOCalls, w.Rough = uint64(part*float64(w.CPUNs)), uint64(part*float64(w.IOCalls)), true
	}
	w.FromNs, w.ToNs, w.OffNs = t.time(w.FromNs), t.time(w.ToNs), t.time(w.OffNs)
	t.w.AddWindow(w)
}

// time returns a time since the beginning of the trace, within the trace.
func (t *Trace) time(ns uint64) uint64 { return min(max(ns, t.fromNs), t.toNs) - t.fromNs }
