package analyze

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"utrace/analyze/internal/windows"
	"utrace/format"
)

// Limits on the definitions of a trace.
const (
	maxDefinitions     = 1 << 20 // of each kind
	maxDefinitionBytes = 128 << 20
	maxObjects         = 4 << 20 // in their JSON: an empty object takes 3 bytes there, up to 200 in memory
	maxSegments        = 512     // of a module: each of its functions looks at all of them
	maxArgs            = 64      // of an event
	maxArgNames        = 4 << 10 // bytes of their names: an export repeats them with each event
)

// ErrUnreadable is wrapped by the error for a trace that is damaged before its first event, or ends
// there.
var ErrUnreadable = errors.New("nothing of this trace can be read")

// source reads the events of one trace in the order of the file. Several goroutines decode them.
type source struct {
	path   string
	name   func(*format.Module, *format.Func) // see Options.Name
	reader *format.Reader
	meta   format.Meta
	tables format.Tables
	cover  *windows.Coverage // nil if all functions were probed all the time
	// handoffs is nil if the scheduler was not recorded, or nothing is to be subtracted.
	handoffs *handoffs
	exposure *exposure // nil if nothing is to be subtracted
	defs     int       // bytes of all definitions
	// objects is the number of opening braces in them: at least the number of objects.
	objects int
	events  uint64 // so far

	switches  uint64 // so far, as is the next
	samples   uint64
	running   map[int]int       // by PID: the process that it is at this point of the file
	processes []*format.Process // by thread: its process
	called    []bool            // by process: it has events
	lives     []life            // by thread
	threads   int               // with events

	gaps      []gap   // damaged parts that were skipped
	gapTimes  []int64 // their afterNs
	gapEvents uint64  // events and switches before the last gap
	clocks    []int64 // by thread: the time of its last row
	nowNs     int64   // the latest of them

	lostFuncs, lostThreads uint64 // whose definitions are in a gap
}

// batch is a batch of events. Whoever gets it owns it until they release it.
type batch struct {
	format.Batch
	runs     []run
	funcs    uint32 // all function numbers are below
	events   uint64
	switches uint64 // how often threads left a processor
	samples  uint64
	message  format.Message
	ready    chan error // filled when decoded
	users    atomic.Int32
	free     chan<- *batch
	skipped  int64 // damaged bytes before it, for the reason damage
	damage   string
}

// run is a stretch of rows from..to, all of one thread.
type run struct {
	thread   format.ThreadID
	from, to int
	tookNs   int64 // sum of its deltas
	active   bool  // it has events
	// awaited is set if source.handoffs is. It has a number of ns for each row of the kinds
	// Wakeup and SchedIn: what the probes of others cost while the thread was blocked, or
	// waited for the processor. It is unknownWaker if that is not known.
	awaited []int64
	others  others // set if source.exposure is
	parks   bool   // its thread is a goroutine, and the trace says when goroutines wait
}

// life says of a thread which process it belongs to, and if it has events.
type life struct {
	process int // none if it is unknown
	active  bool
}

// release gives up one hold on the batch.
func (b *batch) release() {
	if b.users.Add(-1) == 0 {
		b.free <- b
	}
}

// openSource opens a trace. In a trace with a limit on the overhead, it first reads all definitions:
// windows may come after the events that they are of.
func openSource(path string, opts *Options) (*source, error) {
	s, err := openEvents(path, opts)
	if err != nil {
		return nil, err
	}
	if !opts.Raw {
		s.exposure = &exposure{}
		if s.meta.Sched {
			s.handoffs = newHandoffs()
		}
	}
	if s.meta.MaxOverheadPercent <= 0 {
		return s, nil
	}
	if s.cover, err = readCoverage(path, opts); err != nil {
		s.close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func openEvents(path string, opts *Options) (*source, error) {
	r, err := opts.open(path)
	if err != nil {
		return nil, err
	}
	return &source{path: path, name: opts.Name, reader: r, meta: printableMeta(r.Meta()), running: map[int]int{}}, nil
}

// readCoverage reads the definitions of a whole trace.
func readCoverage(path string, opts *Options) (*windows.Coverage, error) {
	s, err := openEvents(path, opts)
	if err != nil {
		return nil, err
	}
	defer s.close()
	err = s.each(format.Columns{None: true}, func(b *batch) error {
		b.release()
		return nil
	})
	if err != nil && !errors.Is(err, ErrUnreadable) { // the next pass says so
		return nil, err
	}
	return windows.New(&s.tables, s.durationNs(), int64(opts.From), int64(opts.To))
}

// durationNs is how long the recording took. Without an end, it is the time of the last window.
func (s *source) durationNs() int64 {
	if end := s.tables.End; end != nil {
		return max(0, min(end.Stop.MonoNs-s.meta.Start.MonoNs, maxTimeNs))
	}
	last := uint64(0)
	for i := range s.tables.Windows {
		last = max(last, s.tables.Windows[i].OffNs)
	}
	return int64(min(last, maxTimeNs))
}

func (s *source) close() { s.reader.Close() }

// each passes the batches of events to consume, one after another, with one hold on each. By then
// s.tables has the definitions ahead of the batch. Batches that cannot be read are skipped and
// become gaps. A batch that breaks the rules of the format ends the trace; damage then says why. If
// no event can be read, the error is ErrUnreadable. An error of consume ends the run and is
// returned.
//
// The reader goroutine passes each batch to the decoders and, in the order of the file, to the
// calling goroutine, which waits until it is decoded. There is a fixed number of batches, which are
// used again.
func (s *source) each(cols format.Columns, consume func(*batch) error) error {
	cols.CPU = cols.CPU || s.handoffs != nil
	workers := min(runtime.GOMAXPROCS(0), maxShards)
	count := 3*workers + 2
	free := make(chan *batch, count)
	jobs := make(chan *batch, count)
	ordered := make(chan *batch, count)
	quit := make(chan struct{})
	for range workers {
		d, err := format.NewDecoder()
		if err != nil {
			close(jobs)
			return fmt.Errorf("decoder: %w", err)
		}
		go func() {
			defer d.Close()
			for b := range jobs {
				err := d.Decode(&b.message, cols, &b.Batch)
				if err == nil && len(b.Defs) == 0 {
					err = b.inspect()
				}
				b.ready <- err
			}
		}()
	}
	for range count {
		free <- &batch{ready: make(chan error, 1), free: free}
	}
	go s.readAll(free, jobs, ordered, quit)

	for b := range ordered {
		err := <-b.ready
		b.users.Store(1)
		from, to := b.message.Range()
		if b.skipped > 0 {
			s.skip(from-b.skipped, b.skipped, b.damage)
		}
		if err != nil {
			s.skip(from, to-from, err.Error())
			b.release()
			continue
		}
		if err := s.accept(b); err != nil {
			stop(quit, ordered)
			s.reader.Fail(&b.message, err)
			break
		}
		if len(b.Defs) > 0 {
			b.release()
			continue
		}
		s.compare(b)
		if err := consume(b); err != nil {
			stop(quit, ordered)
			return err
		}
	}
	return s.unreadable()
}

// compare sets what the runs of a batch know of other threads.
func (s *source) compare(b *batch) {
	if s.exposure == nil {
		return
	}
	d := s.defined(false)
	s.exposure.batch(b, d, s.clocks, s.nowNs)
	if s.handoffs != nil {
		s.handoffs.batch(b, d, s.tables.Threads)
	}
}

// unreadable returns ErrUnreadable if nothing was read of a trace that is not complete.
func (s *source) unreadable() error {
	damage := s.damage()
	switch {
	case s.events+s.switches > 0:
		return nil
	case damage != "":
	case len(s.gaps) > 0:
		damage = fmt.Sprintf("at byte %d: %s", s.gaps[0].offset, s.gaps[0].reason)
	case s.tables.End == nil:
		damage = "it has neither events nor an end"
	default:
		return nil
	}
	return fmt.Errorf("%s: %w: %s", s.path, ErrUnreadable, damage)
}

// stop ends the reader goroutine and waits for it.
func stop(quit chan<- struct{}, ordered <-chan *batch) {
	close(quit)
	for range ordered {
	}
}

func (s *source) readAll(free <-chan *batch, jobs, ordered chan<- *batch, quit <-chan struct{}) {
	defer close(ordered)
	defer close(jobs)
	for {
		select {
		case <-quit:
			return
		case b := <-free:
			if !s.next(b) {
				return
			}
			jobs <- b
			ordered <- b
		}
	}
}

// next reads the next batch that is not damaged.
func (s *source) next(b *batch) bool {
	b.skipped, b.damage = 0, ""
	for s.reader.Next(&b.message) != nil {
		damage := s.reader.Damage()
		skipped := s.reader.Resync()
		if skipped == 0 {
			return false
		}
		if b.damage == "" {
			b.damage = damage
		}
		b.skipped += skipped
	}
	return true
}

// damage says, after each, why the trace ends early; "" if it does not.
func (s *source) damage() string { return Printable(s.reader.Damage()) }

// inspect finds the runs of a decoded batch, and its largest function number.
func (b *batch) inspect() error {
	b.runs, b.funcs, b.events, b.switches, b.samples = b.runs[:0], 0, 0, 0, 0
	threads, onlyCalls := b.Thread, b.OnlyCalls()
	for from := 0; from < len(threads); {
		to := from + 1
		for to < len(threads) && threads[to] == threads[from] {
			to++
		}
		took, active := int64(0), onlyCalls
		for _, delta := range b.DeltaNs[from:to] {
			took += int64(delta)
		}
		for row := from; row < to && !active; row++ {
			active = format.Kind(b.Kind[row]).IsEvent()
		}
		if from > 0 && threads[from] < threads[from-1] {
			return errors.New("its rows are not sorted by thread")
		}
		b.runs = append(b.runs, run{thread: format.ThreadID(threads[from]), from: from, to: to, tookNs: took, active: active})
		from = to
	}
	last := uint32(0)
	for _, fn := range b.Func {
		last = max(last, fn)
	}
	if last >= maxDefinitions {
		return fmt.Errorf("function %d is not defined", last)
	}
	b.funcs = last + 1
	if onlyCalls {
		b.events = uint64(len(b.Kind))
		return nil
	}
	for _, k := range b.Kind {
		switch kind := format.Kind(k); {
		case kind.IsEvent():
			b.events++
		case kind == format.SchedOut:
			b.switches++
		case kind == format.Sample:
			b.samples++
		}
	}
	return nil
}

// accept applies the definitions of a batch, or checks its events against earlier definitions.
func (s *source) accept(b *batch) error {
	for _, def := range b.Defs {
		if err := s.define(def); err != nil {
			return err
		}
	}
	if len(b.Defs) > 0 || b.Rows == 0 {
		return nil
	}
	if err := s.fillFuncs(int(b.funcs)); err != nil {
		return err
	}
	if err := s.fillThreads(int(b.runs[len(b.runs)-1].thread) + 1); err != nil {
		return err
	}
	s.advance(b)
	s.events += b.events
	s.switches += b.switches
	s.samples += b.samples
	return nil
}

// define applies one definition, within the limits, and makes its text fit for a terminal.
func (s *source) define(def format.Definition) error {
	t := &s.tables
	s.defs += len(def.Info)
	s.objects += bytes.Count(def.Info, []byte("{"))
	count := max(len(t.Modules), len(t.Funcs), len(t.Processes), len(t.Threads), len(t.Losses), len(t.LeftOut), len(t.Dropped),
		len(t.Stacks), len(t.Calibrations), len(t.Surveys), len(t.ProbeSets), len(t.Windows))
	if s.defs > maxDefinitionBytes || s.objects > maxObjects || count >= maxDefinitions {
		return errors.New("too many definitions")
	}
	if usable, err := s.fillBefore(def); err != nil || !usable {
		return err
	}
	if err := t.Apply(def); err != nil {
		return err
	}
	switch def.Kind {
	case format.KindModule:
		m := &t.Modules[len(t.Modules)-1]
		if len(m.Segments) > maxSegments {
			return fmt.Errorf("a module of %d segments", len(m.Segments))
		}
		m.Path, m.BuildID = printableName(m.Path), Printable(m.BuildID[:min(len(m.BuildID), maxBuildID)])
	case format.KindFunc:
		f := &t.Funcs[len(t.Funcs)-1]
		if tooManyArgs(f.Args) || tooManyArgs(f.Results) {
			return errors.New("a function with too many arguments or results")
		}
		if s.name != nil {
			s.name(&t.Modules[f.Module], f)
		}
		f.Name, f.Symbol, f.File = printableName(f.Name), Printable(f.Symbol), printableName(f.File)
		f.USDT = Printable(f.USDT)
		if f.Name == "" {
			f.Name = fmt.Sprintf("%#x", f.Addr)
		}
	case format.KindProcess:
		p := &t.Processes[len(t.Processes)-1]
		p.Comm, p.Args, p.Exe = Printable(p.Comm), printables(p.Args), printableName(p.Exe)
		p.Cgroup, p.Unit = printableName(p.Cgroup), printableName(p.Unit)
		p.Container, p.Pod = printableName(p.Container), printableName(p.Pod)
		s.running[p.PID] = len(t.Processes) - 1
		s.called = append(s.called, false)
	case format.KindThread:
		th := &t.Threads[len(t.Threads)-1]
		th.Comm = Printable(th.Comm)
		process, ok := s.running[th.PID]
		if !ok {
			process = none
		}
		s.lives = append(s.lives, life{process: process})
		s.processes = append(s.processes, s.process(th.PID))
	case format.KindLeftOut:
		l := &t.LeftOut[len(t.LeftOut)-1]
		l.Name, l.Module, l.Reason = Printable(l.Name), Printable(l.Module), Printable(l.Reason)
	case format.KindEnd:
		t.End.Reason, t.End.Missing = Printable(t.End.Reason), printables(t.End.Missing)
	}
	return nil
}

// process returns a process as it is at this point of the file. It has no name if it is unknown.
func (s *source) process(pid int) *format.Process {
	if i, ok := s.running[pid]; ok {
		return &s.tables.Processes[i]
	}
	return &format.Process{PID: pid}
}

// tooManyArgs reports whether an event has more arguments than the limit, or longer names.
func tooManyArgs(list []format.Arg) bool {
	names := 0
	for _, a := range list {
		names += len(a.Name)
	}
	return len(list) > maxArgs || names > maxArgNames
}
