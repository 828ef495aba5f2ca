//go:build linux

package record

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/clock"
	"utrace/record/internal/flight"
	"utrace/record/internal/output"
	"utrace/record/internal/probe"
)

// Rule is a condition for a moment that a flight recorder waits for.
type Rule = flight.Rule

// ErrRule is wrapped by errors about the text of a Rule.
var ErrRule = flight.ErrRule

// ParseRule parses a condition for a moment, see flight.ParseRule.
func ParseRule(text string) (*Rule, error) { return flight.ParseRule(text) }

// Flight says for which moments a flight recorder writes a trace, and how much. Its zero value is
// not useful.
type Flight struct {
	Rules   []*Rule          // any of them makes a moment
	Last    time.Duration    // recorded before a moment
	After   time.Duration    // and after it
	Times   int              // how many traces to write before the recording ends; 0: no limit
	Every   time.Duration    // least time between two moments
	Bytes   int64            // of memory
	Signals <-chan os.Signal // each one is a moment; may be nil
}

// FlightFigures says what a flight recorder has done.
type FlightFigures struct {
	Moments uint64 // how often a condition was met
	Traces  []string
	Kept    time.Duration // how far back the memory reached at the end
	Bytes   int64         // of memory in use at the end
}

// Probes returns the probes of the rules.
func (f *Flight) Probes() (list []*Probe) {
	for _, r := range f.Rules {
		if r.Probe != nil {
			list = append(list, r.Probe)
		}
	}
	return list
}

// flightLag is by how much windows of a survey can come after the events in them.
const flightLag = time.Second

// flightRecorder writes the traces of a recording with Config.Flight. Its methods belong to the
// drainer's goroutine.
type flightRecorder struct {
	s       *session
	cfg     *Flight
	memory  *flight.Memory
	present map[string]bool // files of rules, when they were last looked for
	killed  uint32          // the latest process that a signal has killed
	writing *writtenTrace   // nil if no trace is being written
	traces  []string        // paths of those that were written
	bytes   int64           // of these
	err     error           // of the last one that failed
}

// writtenTrace is a trace that is being written.
type writtenTrace struct {
	*flight.Trace
	out  *output.File
	path string
	done chan error // gets the result
}

func newFlightRecorder(s *session) (*flightRecorder, error) {
	cfg := s.cfg.Flight
	lag := time.Duration(0)
	if s.survey != nil {
		lag = flightLag
	}
	memory, err := flight.NewMemory(flight.Config{Rules: cfg.Rules, Last: cfg.Last, After: cfg.After, Every: cfg.Every, Bytes: cfg.Bytes, Lag: lag}, s.meta())
	if err != nil {
		return nil, err
	}
	f := &flightRecorder{s: s, cfg: cfg, memory: memory, present: map[string]bool{}}
	for _, r := range cfg.Rules {
		if r.File != "" {
			f.present[r.File] = exists(r.File)
		}
	}
	return f, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// announce says what the recorder waits for.
func (f *flightRecorder) announce() {
	for _, text := range slices.Concat(f.memory.Unmatched(), f.memory.Problems()) {
		f.s.notice("warning: %s", text)
	}
	var texts []string
	for _, r := range f.cfg.Rules {
		texts = append(texts, r.Text)
	}
	f.s.notice("keeping the last %s in at most %s of memory, until: %s", f.cfg.Last, humanize.IBytes(uint64(f.cfg.Bytes)), strings.Join(texts, " | "))
}

// onTask notes a recorded process that a signal has killed.
func (f *flightRecorder) onTask(rec *bpf.Task) {
	if rec.Kind != bpf.TaskProcessExit || rec.KilledBy() == 0 || rec.PID == f.killed { // several threads may report it
		return
	}
	f.killed = rec.PID
	if slices.ContainsFunc(f.cfg.Rules, func(r *Rule) bool { return r.ExitSignal }) {
		text := fmt.Sprintf("process %d (%s) was killed by %s", rec.PID, rec.Comm, unix.SignalName(rec.KilledBy()))
		f.memory.Happened(clock.SinceStart(rec.TimeNs, f.s.drainer.startNs), text)
	}
}

// next does what is due after a flush. It returns a reason to end the recording, "" if there is
// none.
func (f *flightRecorder) next() (reason string, err error) {
	if err := f.memory.Advance(clock.SinceStart(f.s.drainer.completeNs, f.s.drainer.startNs)); err != nil {
		return "", err
	}
	f.s.drainer.threads.Forget(f.memory.Keeps)
	f.memory.Sweep()
	for _, text := range f.memory.Problems() {
		f.s.notice("warning: %s", text)
	}

	if f.writing != nil {
		select {
		case err := <-f.writing.done:
			f.written(err)
		default:
			return "", nil
		}
	}
	if f.cfg.Times > 0 && len(f.traces) >= f.cfg.Times {
		return reasonTimes, nil
	}
	if moment := f.memory.Due(false); moment != nil {
		f.begin(moment)
	}
	return "", nil
}

// look looks for signals that utrace has got, and files that have appeared.
func (f *flightRecorder) look() {
	now := clock.SinceStart(clock.MonotonicNs(), f.s.drainer.startNs)
	select {
	case sig := <-f.cfg.Signals:
		f.memory.Happened(now, "utrace got the signal "+unix.SignalName(sig.(unix.Signal)))
	default:
	}
	for path, was := range f.present {
		is := exists(path)
		f.present[path] = is
		if is && !was {
			f.memory.Happened(now, path+" appeared")
		}
	}
}

// begin begins to write the trace of a moment. If that fails, recording goes on.
func (f *flightRecorder) begin(moment *flight.Moment) {
	path := flightPath(f.s.cfg.Output, f.cfg.Times, len(f.traces)+1)
	out, err := output.Create(path, f.s.cfg.Force)
	if err != nil {
		f.fail(path, err)
		return
	}
	trace, err := f.memory.NewTrace(out.File, moment, clock.Now(), f.defineStacks)
	if err != nil {
		f.fail(path, errors.Join(err, out.Close()))
		return
	}
	f.writing = &writtenTrace{Trace: trace, out: out, path: path, done: make(chan error, 1)}
	go func(t *writtenTrace) {
		err := t.Write()
		if err == nil {
			err = t.out.Publish()
		}
		t.done <- errors.Join(err, t.out.Close())
	}(f.writing)
}

// defineStacks writes the stacks of the recording.
func (f *flightRecorder) defineStacks(w *format.Writer) {
	if st := f.s.drainer.stacks; st != nil {
		st.Define(w, f.s.drainer.catalog.probed())
	}
}

// written takes the result of writing a trace.
func (f *flightRecorder) written(err error) {
	t := f.writing
	f.writing = nil
	if err = errors.Join(err, f.memory.Release(t.Trace)); err != nil {
		f.fail(t.path, err)
		return
	}
	f.traces = append(f.traces, t.path)
	events, bytes := t.Figures()
	f.bytes += bytes
	before, after := t.Reach()
	f.s.notice("%s: wrote %s, %s events from %s before to %s after", t.Moment.Text, t.path, humanize.Comma(int64(events)),
		before.Round(time.Millisecond), after.Round(time.Millisecond))
}

func (f *flightRecorder) fail(path string, err error) {
	f.err = fmt.Errorf("trace %s: %w", path, err)
	f.s.notice("warning: %v", f.err)
}

// finish writes the trace of a moment that has come, and waits until it is written. The error is
// one of writing, if no trace was written.
func (f *flightRecorder) finish() error {
	if err := f.memory.Flush(); err != nil {
		return err
	}
	if err := f.memory.Advance(clock.SinceStart(clock.MonotonicNs(), f.s.drainer.startNs)); err != nil {
		return err
	}
	for {
		if f.writing != nil {
			f.written(<-f.writing.done)
		}
		moment := f.memory.Due(true)
		if moment == nil || f.cfg.Times > 0 && len(f.traces) >= f.cfg.Times {
			break
		}
		f.begin(moment)
	}
	if len(f.traces) == 0 {
		return f.err
	}
	return nil
}

func (f *flightRecorder) figures() *FlightFigures {
	return &FlightFigures{Moments: f.memory.Moments(), Traces: f.traces, Kept: f.memory.Kept(), Bytes: f.memory.Size()}
}

// close frees the memory, also after an error.
func (f *flightRecorder) close() error {
	if f.writing != nil {
		<-f.writing.done
	}
	return f.memory.Free()
}

// flightPath returns the path of a trace by its number, from 1. A single one has no number.
func flightPath(path string, times, n int) string {
	if times == 1 {
		return path
	}
	ext := filepath.Ext(path)
	return fmt.Sprintf("%s-%d%s", strings.TrimSuffix(path, ext), n, ext)
}

// withRules returns the probes of a recording with those of the rules that it waits for. If no probe
// is named, utrace chooses: then functions of rules are among the chosen ones, or are not probed.
func (c *Config) withRules() []*probe.Probe {
	if c.Flight == nil || !c.NamesProbes() {
		return c.Probes
	}
	return slices.Concat(c.Probes, c.Flight.Probes())
}
