//go:build linux

package record

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/clock"
	"utrace/record/internal/stacks"
	"utrace/record/internal/threads"
)

// Intervals at which the buffers are drained: the fuller they are, the shorter.
const (
	minDrain = time.Millisecond
	maxDrain = 50 * time.Millisecond
	// targetFill is the fill level of a buffer that a round should find at most.
	targetFill = 0.1
	// targetEvents is the number of events that a round should find in all buffers, so that they
	// fit into one batch.
	targetEvents = format.BatchRows / 2
)

const (
	// maxBatch limits the rows of a batch, however many events a round has found.
	maxBatch = 1 << 20
	// maxHeld limits the events that wait for an older one, and so their memory.
	maxHeld = 8 << 20
)

// untilEnd is later than any event.
const untilEnd = math.MaxUint64

// heldEvent is an event that waits for older ones. It identifies its thread as the kernel does.
type heldEvent struct {
	bpf.Event
	values uint32 // index into drainer.values, counted from 1
	cpu    uint16
	tries  uint8 // rounds in which its name was not known
}

// drainer moves events from the lanes and rings to the trace.
//
// A thread that moves to another CPU leaves events in two buffers (lanes or rings). The drainer
// puts them back in order:
//
//  1. Before a round, note the time T. Drain every buffer to the end that it had.
//  2. A thread's events are written one after another. So all of them older than T have now been
//     read, unless a record that was still being written held a buffer up. Such a buffer keeps the
//     T of its last complete round.
//  3. Release events older than the smallest T to the trace. Hold the others for a later round.
//
// So every batch is complete up to a moment, and batches follow each other in time. What happens to
// tasks arrives through one more ring, by the same rule, and is released before the events.
type drainer struct {
	buffers []buffer
	losses  *bpf.Losses
	w       sink
	threads *threads.Set
	catalog *catalog
	tracks  tracks
	startNs uint64 // CLOCK_MONOTONIC of the trace's time 0

	held, waiting []heldEvent  // waiting is scratch
	values        []bpf.Values // of held events
	freeValues    []uint32     // indexes into values, counted from 1
	names         []heldName
	json          []byte // scratch
	heldTasks     []bpf.Task
	lost          lostCount
	interval      time.Duration
	completeNs    uint64 // everything before has been released, CLOCK_MONOTONIC

	stacks    *stacks.Set // nil if neither entries nor samples have stacks
	callers   bool        // entries have stacks
	sampler   *sampler    // nil without samples
	newStacks []bpf.Stack
	ended     []bpf.Task // processes whose stacks are to be forgotten

	definitions  *definitions
	processEnded bool // a recorded process has ended; others clear it
	// onTask, unless nil, is called for each task that is released.
	onTask func(*bpf.Task)
}

// buffer is a lane or ring that the BPF programs fill.
type buffer struct {
	drain    func(fn func(rec []byte)) (done bool, filled float64)
	take     func(rec []byte)
	complete uint64 // everything before this time has been read
}

// goStackTop is the top of every goroutine's stack in a trace: their real addresses change.
const goStackTop = 1 << 40

type lostCount struct{ entries, returns, sched uint64 }

func newDrainer(objs *bpf.Objects, w sink, defs *definitions, startNs uint64) *drainer {
	d := &drainer{losses: objs.Losses, definitions: defs, w: w, threads: threads.NewSet(w), catalog: newCatalog(w), tracks: tracks{}, startNs: startNs, interval: minDrain}
	for cpu, lane := range objs.Lanes {
		d.buffers = append(d.buffers, buffer{drain: lane.Drain, take: d.take(cpu)})
	}
	for cpu, ring := range objs.Rings {
		d.buffers = append(d.buffers, buffer{drain: ring.Drain, take: d.takeLarge(cpu)})
	}
	if objs.Tasks != nil { // otherwise the kernel does not report tasks
		d.buffers = append(d.buffers, buffer{drain: objs.Tasks.Drain, take: d.takeTask})
	}
	return d
}

// round drains all buffers once, and releases the events that are complete. It sets the interval
// until the next round.
func (d *drainer) round() error {
	now := clock.MonotonicNs()
	var fullest float64
	complete := uint64(math.MaxUint64)
	for i := range d.buffers {
		b := &d.buffers[i]
		done, filled := b.drain(b.take)
		if done {
			b.complete = now
		}
		complete = min(complete, b.complete)
		fullest = max(fullest, filled)
	}
	d.losses.Take(d.addLoss)
	for i := range d.newStacks {
		d.stacks.Add(&d.newStacks[i])
	}
	d.newStacks = d.newStacks[:0]
	switch load := max(fullest/targetFill, float64(len(d.held))/targetEvents); {
	case load > 1:
		d.interval = max(d.interval/2, minDrain)
	case load < 0.25:
		d.interval = min(d.interval*2, maxDrain)
	}
	d.completeNs = complete
	if len(d.held) > maxHeld {
		return d.release(untilEnd)
	}
	return d.release(complete)
}

// take returns the handler for plain events of one CPU.
func (d *drainer) take(cpu int) func(rec []byte) {
	return func(rec []byte) {
		e := heldEvent{cpu: uint16(cpu)}
		e.Decode(rec)
		d.held = append(d.held, e)
	}
}

// takeLarge returns the handler for events of one CPU that may carry values, and for stacks.
func (d *drainer) takeLarge(cpu int) func(rec []byte) {
	return func(rec []byte) {
		var stack bpf.Stack
		if stack.Decode(rec) {
			d.newStacks = append(d.newStacks, stack)
			return
		}
		e := heldEvent{cpu: uint16(cpu)}
		e.Decode(rec)
		if d.hold(&e, rec) {
			d.held = append(d.held, e)
		}
	}
}

func (d *drainer) takeTask(rec []byte) {
	d.addTask(bpf.DecodeTask(rec))
}

func (d *drainer) addTask(task bpf.Task) {
	d.processEnded = d.processEnded || task.Kind == bpf.TaskProcessExit
	if d.stacks != nil {
		d.stacks.Code.Task(&task)
	}
	d.heldTasks = append(d.heldTasks, task)
}

// release hands the events before a time (CLOCK_MONOTONIC) to the writer, in batches of limited
// size.
func (d *drainer) release(before uint64) error {
	d.definitions.write(d.catalog)
	for i := range d.names {
		d.catalog.name(d.names[i].fn, &d.names[i].values)
	}
	d.names = d.names[:0]
	d.releaseTasks(before)
	defer d.settle()
	if d.w.Pending() > 0 && d.w.Pending()+len(d.held) > format.BatchRows {
		if err := d.w.Flush(); err != nil {
			return err
		}
	}
	if d.w.Pending()+len(d.held) > maxBatch || d.catalog.keyed || len(d.values) > len(d.freeValues) {
		slices.SortStableFunc(d.held, func(a, b heldEvent) int { return cmp.Compare(a.TimeNs, b.TimeNs) })
	}
	d.waiting = d.waiting[:0]
	for i := range d.held {
		e := &d.held[i]
		if e.TimeNs >= before {
			d.waiting = append(d.waiting, *e)
			continue
		}
		if err := d.releaseEvent(e, before); err != nil {
			return err
		}
		if d.w.Pending() >= maxBatch || d.w.PendingArgs() >= format.BatchArgs {
			if err := d.w.Flush(); err != nil {
				return err
			}
		}
	}
	d.held = append(d.held[:0], d.waiting...)
	return d.releaseExits()
}

// releaseExits hands the ends of this pass's threads to the writer.
func (d *drainer) releaseExits() error {
	for _, x := range d.threads.Exits() {
		e := format.Event{Kind: format.Exit, Thread: x.Thread, TimeNs: clock.SinceStart(x.TimeNs, d.startNs)}
		if x.Replaced {
			e.Value = 1
		}
		var err error
		if x.Program == "" {
			err = d.w.Append(&e)
		} else {
			program, _ := json.Marshal([]string{x.Program}) // strings: no error
			err = d.w.AppendArgs(&e, string(program))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// releaseEvent hands an event to the writer.
func (d *drainer) releaseEvent(e *heldEvent, before uint64) error {
	var id format.FuncID
	if e.Kind == format.Sample {
		return d.releaseSample(e)
	}
	if !e.Kind.IsSched() {
		fn := &d.catalog.funcs[e.Func]
		fn.hit(e.Kind)
		if e.values != 0 || e.Named || fn.planned.Keyed {
			return d.releaseValues(e, fn, before)
		}
		id = fn.id
	}
	if (e.Kind == format.Displaced || e.GoID != 0 && e.Kind.IsSched()) && !d.threads.HasID(e.PID, e.TID, e.GoID, e.TimeNs) {
		return nil // the trace has nothing of this thread that could have taken longer
	}
	if e.GoID != 0 && !e.Kind.IsSched() {
		e.SP = goStackTop - e.SP
	}
	if e.Kind.IsEntry() {
		e.Value = d.stackOf(e)
	}
	return d.w.Append(&format.Event{
		TimeNs: clock.SinceStart(e.TimeNs, d.startNs), SP: e.SP, Value: e.Value,
		Thread: d.threads.ID(e.PID, e.TID, e.GoID, e.TimeNs), Func: id, CPU: e.cpu, Kind: e.Kind,
	})
}

// stackOf returns the number of an entry's stack, 0 if it has none.
func (d *drainer) stackOf(e *heldEvent) uint64 {
	if !d.callers {
		return 0
	}
	return uint64(d.stacks.OfEntry(e.PID, e.Value))
}

// releaseSample hands a sample to the writer and the sampler.
func (d *drainer) releaseSample(e *heldEvent) error {
	stack := d.stacks.OfSample(e.PID, e.Value)
	d.sampler.add(stack)
	return d.w.Append(&format.Event{
		TimeNs: clock.SinceStart(e.TimeNs, d.startNs), Value: uint64(stack),
		Thread: d.threads.ID(e.PID, e.TID, 0, e.TimeNs), CPU: e.cpu, Kind: format.Sample,
	})
}

// settle forgets whatever has ended in this pass.
func (d *drainer) settle() {
	for i := range d.ended {
		d.stacks.Forget(d.ended[i].PID, d.ended[i].TimeNs)
	}
	d.ended = d.ended[:0]
	for pid := range d.threads.Gone {
		delete(d.tracks, pid)
	}
	d.threads.Settle()
}

func (d *drainer) releaseTasks(before uint64) {
	if len(d.heldTasks) == 0 {
		return
	}
	slices.SortStableFunc(d.heldTasks, func(a, b bpf.Task) int { return cmp.Compare(a.TimeNs, b.TimeNs) })
	n := 0
	for n < len(d.heldTasks) && d.heldTasks[n].TimeNs < before {
		rec := &d.heldTasks[n]
		d.threads.Task(rec)
		if d.stacks != nil && rec.Kind == bpf.TaskProcessExit {
			d.ended = append(d.ended, *rec)
		}
		if d.onTask != nil {
			d.onTask(rec)
		}
		n++
	}
	d.heldTasks = append(d.heldTasks[:0], d.heldTasks[n:]...)
}

func (d *drainer) addLoss(cpu int, l bpf.Loss) {
	d.lost.entries += l.Entries
	d.lost.returns += l.Returns
	d.lost.sched += l.Sched
	d.w.AddLoss(format.Loss{CPU: cpu, FirstNs: clock.SinceStart(l.FirstNs, d.startNs), LastNs: clock.SinceStart(l.LastNs, d.startNs), Entries: l.Entries, Returns: l.Returns, Sched: l.Sched})
}
