package format

import (
	"errors"
	"fmt"
)

// Validate reads a trace to its end and checks every rule of the format, including rules that a
// reader does not depend on. It is for tests of writers.
func Validate(r *Reader) error {
	if err := CheckLabels(r.Meta().Labels); err != nil {
		return err
	}
	v := validator{processes: map[int]bool{}}
	err := eachBatch(r, func(b *Batch, tables *Tables, clocks []clock) error {
		if v.ended {
			return errors.New("a batch after the end")
		}
		if b.Rows == 0 {
			return errors.New("an empty batch")
		}
		if len(b.Defs) > 0 {
			return v.definitions(b, tables)
		}
		return v.events(b, tables, clocks)
	})
	switch {
	case err != nil:
		return err
	case r.Damage() != "":
		return errors.New(r.Damage())
	case !v.ended:
		return errors.New("no end")
	}
	return nil
}

type validator struct {
	processes       map[int]bool
	eventRows       uint64
	entries         uint64
	sched           uint64
	samples         uint64
	threads, losses int
	sets, windows   int
	dropped         int
	depths          []int  // of stacks
	stack           uint64 // the highest number that an entry or sample has
	ended           bool
}

func (v *validator) definitions(b *Batch, tables *Tables) error {
	for i, d := range b.Defs {
		if _, known := kindNames()[d.Kind]; !known {
			return fmt.Errorf("definition of unknown %s", d.Kind)
		}
		if b.DeltaNs[i] != 0 || b.StackBytes[i] != 0 {
			return fmt.Errorf("definition of a %s with a time or a stack", d.Kind)
		}
	}
	for _, p := range tables.Processes {
		if p.Cgroup == "" && p.Unit+p.Container+p.Pod != "" {
			return fmt.Errorf("process %d is in a unit, container or pod, but in no control group", p.PID)
		}
		v.processes[p.PID] = true
	}
	for _, t := range tables.Threads[v.threads:] {
		if !v.processes[t.PID] {
			return fmt.Errorf("thread %d belongs to the unknown process %d", t.TID, t.PID)
		}
	}
	v.threads = len(tables.Threads)
	for _, l := range tables.Losses[v.losses:] {
		if l.FirstNs > l.LastNs || l.Entries+l.Returns+l.Sched == 0 {
			return fmt.Errorf("a loss of nothing, or one that ends before it begins: %+v", l)
		}
	}
	v.losses = len(tables.Losses)
	for _, set := range tables.ProbeSets[v.sets:] {
		for _, fn := range set.Funcs {
			if int(fn) >= len(tables.Funcs) {
				return fmt.Errorf("function %d is in a set of probes, but is not defined", fn)
			}
		}
	}
	v.sets = len(tables.ProbeSets)
	for _, w := range tables.Windows[v.windows:] {
		if w.FromNs > w.ToNs || w.ToNs > w.OffNs {
			return fmt.Errorf("a window that ends before it begins: %+v", w)
		}
	}
	v.windows = len(tables.Windows)
	for _, d := range tables.Dropped[v.dropped:] {
		if int(d.Func) >= len(tables.Funcs) {
			return fmt.Errorf("calls of function %d were dropped, but it is not defined", d.Func)
		}
		if d.TotalNs > d.SumNs || d.SelfNs > d.SumNs {
			return fmt.Errorf("dropped calls with a part longer than the whole: %+v", d)
		}
	}
	v.dropped = len(tables.Dropped)
	for _, s := range tables.Stacks[len(v.depths):] {
		depth := 1
		if s.Outer != 0 {
			depth += v.depths[s.Outer-1]
		}
		if depth > MaxStack {
			return fmt.Errorf("stack %d has more than %d places", len(v.depths)+1, MaxStack)
		}
		v.depths = append(v.depths, depth)
	}
	if end := tables.End; end != nil {
		v.ended = true
		if v.stack > uint64(len(tables.Stacks)) {
			return fmt.Errorf("an entry or sample has stack %d, which is not defined", v.stack)
		}
		if end.Events != v.eventRows || end.Entries != v.entries || end.Sched != v.sched || end.Samples != v.samples {
			return fmt.Errorf("the end counts %d events, %d entries, %d rows of the scheduler, %d samples; there are %d, %d, %d, %d",
				end.Events, end.Entries, end.Sched, end.Samples, v.eventRows, v.entries, v.sched, v.samples)
		}
	}
	return nil
}

func (v *validator) events(b *Batch, tables *Tables, clocks []clock) error {
	for i := range b.Rows {
		if i > 0 && b.Thread[i] < b.Thread[i-1] {
			return fmt.Errorf("row %d: thread %d after %d: not sorted", i, b.Thread[i], b.Thread[i-1])
		}
		c := &clocks[b.Thread[i]]
		e := c.event(b, i)
		fail := func(what string) error { return fmt.Errorf("row %d (%s): %s", i, e.Kind, what) }
		switch {
		case e.Kind == Pause || e.Kind == StackBase:
			if b.StackBytes[i] != 0 || e.Func != 0 {
				return fail("it has more than a time or a base")
			}
			continue
		case e.Kind.IsSched():
			if b.StackBytes[i] != 0 || e.Func != 0 || len(b.Args(i)) > 0 || e.Kind == SchedIn && e.Value != 0 {
				return fail("it has more than a time, a processor and a value")
			}
			v.sched++
			continue
		case e.Kind == Sample:
			if b.StackBytes[i] != 0 || e.Func != 0 || len(b.Args(i)) > 0 {
				return fail("it has more than a time, a processor and a stack")
			}
			v.stack = max(v.stack, e.Value)
			v.samples++
			continue
		case e.Kind == Exit:
			if b.StackBytes[i] != 0 || e.Func != 0 || e.Value > 1 || e.Value == 0 && len(b.Args(i)) > 0 || len(b.Args(i)) > 0 && !isArray(string(b.Args(i))) {
				return fail("it has more than a time and the name of a program")
			}
			continue
		case !e.Kind.IsEvent():
			return fail("unknown kind")
		case int(e.Func) >= len(tables.Funcs):
			return fail("unknown function")
		case b.StackBytes[i] != 0 && c.base == 0:
			return fail("it has a stack pointer without a base")
		case len(b.Args(i)) > 0 && !isArray(string(b.Args(i))):
			return fail("its values are not a JSON array")
		case e.Kind == Hit && e.Value != 0:
			return fail("it has a value")
		case (e.Kind == Hit) != tables.Funcs[e.Func].Hit:
			return fail("its function has other kinds of events")
		}
		v.eventRows++
		if e.Kind.IsEntry() {
			v.stack = max(v.stack, e.Value)
			v.entries++
		}
	}
	return nil
}
