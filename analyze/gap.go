package analyze

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"utrace/format"
)

// maxPlaceholders is how many numbers of one kind are filled in for lost definitions.
const maxPlaceholders = 1 << 16

// gap is a damaged part of a trace, between two parts that can be read.
type gap struct {
	offset, bytes int64  // in the file
	reason        string // why it cannot be read
	afterNs       int64  // time of the latest event before it
}

// skip notes a damaged part of the file. A part that follows directly, or without events in
// between, belongs to the same gap.
func (s *source) skip(offset, bytes int64, reason string) {
	if n := len(s.gaps); n > 0 && s.gapEvents == s.events+s.switches {
		last := &s.gaps[n-1]
		last.bytes = offset + bytes - last.offset
		return
	}
	s.gapEvents = s.events + s.switches
	s.gaps = append(s.gaps, gap{offset, bytes, Printable(reason), s.nowNs})
	s.gapTimes = append(s.gapTimes, s.nowNs)
	for id := range s.clocks {
		s.clocks[id] = s.nowNs
	}
}

// advance moves the clocks of the threads of a batch of events, and notes which have events.
func (s *source) advance(b *batch) {
	for len(s.clocks) < len(s.tables.Threads) {
		s.clocks = append(s.clocks, 0)
	}
	for _, r := range b.runs {
		c := &s.clocks[r.thread]
		*c = min(*c+r.tookNs, maxTimeNs)
		s.nowNs = max(s.nowNs, *c)
		if l := &s.lives[r.thread]; r.active && !l.active {
			l.active = true
			s.threads++
			if l.process != none {
				s.called[l.process] = true
			}
		}
	}
}

// fillFuncs makes the first n functions known: those whose definitions are in a gap have numbers
// for names.
func (s *source) fillFuncs(n int) error {
	t := &s.tables
	if err := s.canFill("function", n, len(t.Funcs)); err != nil {
		return err
	}
	if n > len(t.Funcs) {
		if err := s.fillModules(1); err != nil {
			return err
		}
	}
	for id := len(t.Funcs); id < n; id++ {
		t.Funcs = append(t.Funcs, format.Func{Name: fmt.Sprintf("[lost function %d]", id)})
		s.lostFuncs++
	}
	return nil
}

func (s *source) fillModules(n int) error {
	if err := s.canFill("module", n, len(s.tables.Modules)); err != nil {
		return err
	}
	for len(s.tables.Modules) < n {
		s.tables.Modules = append(s.tables.Modules, format.Module{Path: "[lost]"})
	}
	return nil
}

// fillThreads does the same as fillFuncs for threads, which then have no IDs.
func (s *source) fillThreads(n int) error {
	if err := s.canFill("thread", n, len(s.tables.Threads)); err != nil {
		return err
	}
	for len(s.tables.Threads) < n {
		s.tables.Threads = append(s.tables.Threads, format.Thread{Comm: "[lost]"})
		s.processes = append(s.processes, &format.Process{Comm: "[lost]"})
		s.lives = append(s.lives, life{process: none})
		s.lostThreads++
	}
	return nil
}

// canFill returns an error if n of a kind are needed, have are defined, and no gap explains the
// difference, or nothing would have its right name.
func (s *source) canFill(kind string, n, have int) error {
	switch {
	case n <= have:
		return nil
	case len(s.gaps) == 0 || have == 0 && kind != "module":
		return fmt.Errorf("%s %d is not defined: a part of the trace is missing", kind, n-1)
	case n-have > maxPlaceholders:
		return errors.New("too many definitions are missing")
	}
	return nil
}

// fillBefore fills in the definitions that a gap may have had before def. It reports whether def
// can be used.
func (s *source) fillBefore(def format.Definition) (bool, error) {
	if len(s.gaps) == 0 {
		return true, nil
	}
	switch def.Kind {
	case format.KindModule:
		return true, s.fillModules(int(def.ID))
	case format.KindThread:
		return true, s.fillThreads(int(def.ID))
	case format.KindFunc:
		var f struct{ Module format.ModuleID }
		if err := json.Unmarshal(def.Info, &f); err != nil {
			return false, err
		}
		if err := s.fillModules(int(f.Module) + 1); err != nil {
			return false, err
		}
		return true, s.fillFuncs(int(def.ID))
	case format.KindStack: // it names others by number, so all behind a lost one are unknown
		return int(def.ID) == len(s.tables.Stacks)+1, nil
	}
	return true, nil
}

// addGaps warns of the damaged parts of a trace that was read.
func (s *summary) addGaps(path string, src *source) {
	if len(src.gaps) == 0 {
		return
	}
	for i, g := range src.gaps {
		if i == maxWarned {
			s.warn(path, "%s more damaged", Plural(uint64(len(src.gaps)-i), "part is", "parts are"))
			break
		}
		s.warn(path, "%s from byte %d are damaged (%s): events after %s are missing, and calls that were open there are incomplete",
			Plural(uint64(g.bytes), "byte", "bytes"), g.offset, g.reason, FormatDuration(time.Duration(g.afterNs)))
	}
	end := src.tables.End
	if end == nil || end.Events > src.events {
		s.warn(path, "times after the damage are too early, by as long as the damaged part lasted")
	}
	if end != nil && end.Events > src.events {
		lost := end.Events - src.events
		s.trace.Lost += lost
		s.warn(path, "%s in the damaged part", Plural(lost, "event was", "events were"))
	}
	if src.lostFuncs+src.lostThreads > 0 {
		s.warn(path, "the names of %s and %s were in the damaged part", Plural(src.lostFuncs, "function", "functions"), Plural(src.lostThreads, "thread", "threads"))
	}
}
