//go:build linux

package flight

import (
	"fmt"
	"slices"
	"time"

	"utrace/format"
	"utrace/record/internal/calls"
)

const (
	// partsOfTime and partsOfBytes are how many segments fill the time and the memory. What is kept
	// varies by one segment.
	partsOfTime  = 16
	partsOfBytes = 32
	// maxCalibrations is how many calibrations before the first segment are kept: a reader takes the
	// median of so many.
	maxCalibrations = 5
	// maxSets limits the sets of probes that are kept, the latest ones. A survey adds some a second.
	maxSets = 1 << 14
	// definitionBytes is the memory of a function's definition, about.
	definitionBytes = 512
)

// Config says what to keep, and for which moments to write it.
type Config struct {
	Rules []*Rule
	Last  time.Duration // to keep before a moment
	After time.Duration // to keep after it
	Every time.Duration // least time between two moments
	Lag   time.Duration // by which definitions can be later than the events that they are about
	Bytes int64         // of memory for events and functions
}

// Memory keeps the latest events of a recording. It has the methods of a format.Writer that a
// recording needs. All its methods belong to one goroutine.
type Memory struct {
	cfg  Config
	meta format.Meta

	modules   []format.Module
	funcs     []format.Func
	leftOut   []format.LeftOut
	processes map[int]*format.Process // by PID
	threads   []*thread               // by ThreadID; nil for those that are forgotten
	free      []format.ThreadID       // numbers of forgotten threads

	sets         map[format.SetID]format.ProbeSet
	nextSet      format.SetID
	surveyed     map[format.ModuleID]format.Survey // the latest counters before the first segment
	calibrations []format.Calibration              // the latest before the first segment

	segments []*segment // in order of time; the last one is being written
	retired  []*segment // dropped, but a trace is being written from them
	nowNs    uint64     // everything before has been read
	lossNs   uint64     // when events were last lost

	events, entries, sched uint64
	defined                int // threads, over all time

	follower calls.Follower
	bound    [][]bound // by FuncID: the rules for its calls
	moments  moments
	matched  map[*Rule]bool   // a function is defined that the rule names
	unmet    map[*Rule]string // why none of these can meet it
	problems []string         // rules that a function cannot meet
}

// thread is a thread of events that are kept.
type thread struct {
	format.Thread
	process  *format.Process
	segment  *segment // the last one with rows of it
	local    format.ThreadID
	segments int  // with rows of it
	open     bool // calls of functions with rules are open
}

// NewMemory returns an empty Memory for a recording that meta describes.
func NewMemory(cfg Config, meta format.Meta) (*Memory, error) {
	m := &Memory{
		cfg: cfg, meta: meta, processes: map[int]*format.Process{},
		sets: map[format.SetID]format.ProbeSet{}, surveyed: map[format.ModuleID]format.Survey{}, matched: map[*Rule]bool{}, unmet: map[*Rule]string{},
	}
	m.moments = moments{waitNs: uint64(cfg.After + cfg.Lag), everyNs: uint64(cfg.Every)}
	m.follower = calls.Follower{
		Follows: func(fn format.FuncID) bool { return len(m.bound[fn]) > 0 },
		Entered: m.entered, Returned: m.returned,
	}
	return m, m.begin()
}

// begin begins a segment.
func (m *Memory) begin() error {
	s, err := newSegment(m.nowNs)
	if err == nil {
		m.segments = append(m.segments, s)
	}
	return err
}

func (m *Memory) current() *segment { return m.segments[len(m.segments)-1] }

// AddModule implements a format.Writer's method, as do the following.
func (m *Memory) AddModule(mod format.Module) format.ModuleID {
	m.modules = append(m.modules, mod)
	return format.ModuleID(len(m.modules) - 1)
}

// AddFunc defines a function, and finds the rules for its calls.
func (m *Memory) AddFunc(fn format.Func) format.FuncID {
	m.funcs = append(m.funcs, fn)
	m.follower.Define(&fn)
	var list []bound
	for _, r := range m.cfg.Rules {
		if !r.matches(&fn, m.modules[fn.Module].Path) {
			continue
		}
		first := !m.matched[r]
		m.matched[r] = true
		b, problem := r.bind(&fn)
		if problem != "" {
			m.problems = append(m.problems, problem)
			if first {
				m.unmet[r] = problem
			}
			continue
		}
		delete(m.unmet, r)
		list = append(list, b)
	}
	m.bound = append(m.bound, list)
	return format.FuncID(len(m.funcs) - 1)
}

// AddProcess defines a process.
func (m *Memory) AddProcess(p format.Process) { m.processes[p.PID] = &p }

// AddThread defines a thread. It may get the number of one that is forgotten.
func (m *Memory) AddThread(t format.Thread) format.ThreadID {
	m.defined++
	added := &thread{Thread: t, process: m.processes[t.PID]}
	if n := len(m.free); n > 0 {
		id := m.free[n-1]
		m.free = m.free[:n-1]
		m.threads[id] = added
		return id
	}
	m.threads = append(m.threads, added)
	return format.ThreadID(len(m.threads) - 1)
}

// AddLoss reports lost events.
func (m *Memory) AddLoss(l format.Loss) {
	m.lossNs = max(m.lossNs, l.LastNs)
	s := m.current()
	s.losses = append(s.losses, l)
}

// AddLeftOut reports a function that is not probed.
func (m *Memory) AddLeftOut(l format.LeftOut) { m.leftOut = append(m.leftOut, l) }

// AddDropped does nothing: these counts are of the whole recording.
func (m *Memory) AddDropped(format.Dropped) {}

// AddStack does nothing: a trace gets stacks when it is written.
func (m *Memory) AddStack(format.Stack) format.StackID { return 0 }

// AddSurvey reports what a survey of a module has cost so far.
func (m *Memory) AddSurvey(s format.Survey) {
	m.current().surveys = append(m.current().surveys, s)
}

// AddProbeSet defines a set of functions.
func (m *Memory) AddProbeSet(s format.ProbeSet) format.SetID {
	id := m.nextSet
	m.nextSet++
	m.sets[id] = s
	if len(m.sets) > maxSets {
		m.forgetSets()
	}
	return id
}

// forgetSets forgets the older half of the sets that no window in memory has.
func (m *Memory) forgetSets() {
	used := map[format.SetID]bool{}
	for _, s := range m.segments {
		for _, w := range s.windows {
			used[w.Set] = true
		}
	}
	for id := range m.sets {
		if !used[id] && id < m.nextSet-maxSets/2 {
			delete(m.sets, id)
		}
	}
}

// AddWindow reports when the functions of a set were probed.
func (m *Memory) AddWindow(w format.Window) { m.current().windows = append(m.current().windows, w) }

// AddCalibration reports the cost of hits.
func (m *Memory) AddCalibration(c format.Calibration) {
	m.current().calibrations = append(m.current().calibrations, c)
}

// Append adds an event.
func (m *Memory) Append(e *format.Event) error { return m.AppendArgs(e, "") }

// AppendArgs adds an event with values, a JSON array.
func (m *Memory) AppendArgs(e *format.Event, args string) error {
	t := m.threads[e.Thread]
	switch {
	case e.Kind == format.Exit:
		if t.open {
			m.follower.Add(e, "")
		}
	case e.Kind == format.Sample:
	case e.Kind.IsSched():
		m.sched++
	default:
		m.events++
		if e.Kind.IsEntry() {
			m.entries++
		}
		if len(m.bound[e.Func]) > 0 || t.open && e.Kind.IsEntry() {
			m.follower.Add(e, args)
		}
	}
	s := m.current()
	local := *e
	local.Thread = s.thread(t)
	if args == "" {
		return s.w.Append(&local)
	}
	return s.w.AppendArgs(&local, args)
}

// Pending returns the number of events that the next Flush will encode, PendingArgs the bytes of
// their values.
func (m *Memory) Pending() int     { return m.current().w.Pending() }
func (m *Memory) PendingArgs() int { return m.current().w.PendingArgs() }

// Flush encodes the pending events, and looks for moments among them.
func (m *Memory) Flush() error {
	m.follower.Settle()
	return m.current().w.Flush()
}

// Advance says that everything before a time has been read and flushed. It drops what need not be
// kept any longer.
func (m *Memory) Advance(nowNs uint64) error {
	m.nowNs = nowNs
	m.findOverdue()
	s := m.current()
	if nowNs-min(s.fromNs, nowNs) >= uint64(m.cfg.Last)/partsOfTime || s.bytes() >= m.cfg.Bytes/partsOfBytes {
		if err := m.rotate(); err != nil {
			return err
		}
	}
	for len(m.segments) > 1 && (m.segments[1].fromNs < m.neededNs() || m.Size() > m.cfg.Bytes) {
		if err := m.evict(); err != nil {
			return err
		}
	}
	return nil
}

// rotate ends the current segment and begins another.
func (m *Memory) rotate() error {
	if err := m.current().close(); err != nil {
		return err
	}
	return m.begin()
}

// neededNs is the time from which on events are kept.
func (m *Memory) neededNs() uint64 {
	if p := m.moments.pending; p != nil {
		return m.traceFromNs(p)
	}
	return m.nowNs - min(m.nowNs, uint64(m.cfg.Last))
}

// traceFromNs is the time from which on a moment's trace has events. The call that met the rule may
// have begun earlier than the time to keep.
func (m *Memory) traceFromNs(p *Moment) uint64 {
	return min(p.TimeNs-min(p.TimeNs, uint64(m.cfg.Last)), p.BeginNs)
}

// evict drops the oldest segment.
func (m *Memory) evict() error {
	s := m.segments[0]
	m.segments = slices.Delete(m.segments, 0, 1)
	for _, t := range s.threads {
		t.segments--
	}
	for _, c := range s.surveys {
		m.surveyed[c.Module] = c
	}
	m.calibrations = append(m.calibrations, s.calibrations...)
	m.calibrations = slices.Delete(m.calibrations, 0, max(0, len(m.calibrations)-maxCalibrations))
	s.evicted = true
	if s.traces > 0 {
		m.retired = append(m.retired, s)
	}
	return s.free()
}

// Keeps reports whether events of a thread are kept, or one of its calls is awaited.
func (m *Memory) Keeps(id format.ThreadID) bool {
	t := m.threads[id]
	return t != nil && (t.segments > 0 || t.open)
}

// Sweep forgets the threads that Keeps denies. Whoever has their numbers must have forgotten them.
// It also forgets processes without threads, except those that the recording names.
func (m *Memory) Sweep() {
	used := map[int]bool{}
	for _, pid := range m.meta.PIDs {
		used[pid] = true
	}
	for id, t := range m.threads {
		switch {
		case t == nil:
		case m.Keeps(format.ThreadID(id)):
			used[t.PID] = true
		default:
			m.threads[id] = nil
			m.free = append(m.free, format.ThreadID(id))
		}
	}
	for pid := range m.processes {
		if !used[pid] {
			delete(m.processes, pid)
		}
	}
}

// Size returns the bytes of memory in use for events and functions.
func (m *Memory) Size() int64 {
	size := int64(len(m.funcs)) * definitionBytes
	for _, s := range m.segments {
		size += s.bytes()
	}
	for _, s := range m.retired {
		size += s.bytes()
	}
	return size
}

// Kept returns how far back the memory reaches.
func (m *Memory) Kept() time.Duration {
	return time.Duration(m.nowNs - min(m.segments[0].fromNs, m.nowNs))
}

// Events returns the number of events of the whole recording, and how many of them were entries.
func (m *Memory) Events() (events, entries uint64) { return m.events, m.entries }

// Sched returns the number of rows of the scheduler of the whole recording.
func (m *Memory) Sched() uint64 { return m.sched }

// Threads returns the number of threads of the whole recording.
func (m *Memory) Threads() int { return m.defined }

// Problems returns why functions that rules name cannot meet them, and forgets it.
func (m *Memory) Problems() []string {
	list := m.problems
	m.problems = nil
	return list
}

// Check returns an error for rules that match functions, if no call of any of them can meet the
// rule. It wraps ErrRule.
func (m *Memory) Check() error {
	for _, r := range m.cfg.Rules {
		if problem, ok := m.unmet[r]; ok {
			return fmt.Errorf("%w can never be met: %s", ErrRule, problem)
		}
	}
	return nil
}

// Unmatched returns the rules about calls for which no function has been defined.
func (m *Memory) Unmatched() (texts []string) {
	for _, r := range m.cfg.Rules {
		if r.Probe != nil && !m.matched[r] {
			texts = append(texts, fmt.Sprintf("--until '%s': no such function is probed yet", r.Text))
		}
	}
	return texts
}

// Close encodes what is pending. The End is that of the recording: no trace gets it.
func (m *Memory) Close(format.End) error { return m.Flush() }

// Free frees the memory.
func (m *Memory) Free() (err error) {
	for _, s := range append(m.segments, m.retired...) {
		if cerr := s.file.Close(); err == nil {
			err = cerr
		}
	}
	return err
}
