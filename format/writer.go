package format

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// BatchRows is the best number of events in a batch: each column then fits into a block of zstd,
// 128 KiB. For a larger batch Arrow's compressor allocates 16 MiB, and uses them once.
const BatchRows = 16000

// BatchArgs is the number of bytes of values at which a batch must be flushed.
const BatchArgs = 8 << 20

// ErrClosed is returned by a Writer that was closed or has failed before.
var ErrClosed = errors.New("trace writer is closed")

// File has the methods of an *os.File that a Writer needs.
type File interface {
	io.Writer
	Truncate(size int64) error
}

// endOfStream ends the batches, ahead of the footer. Arrow's own writer leaves it out of files.
// Without it only the footer would show that a file is complete.
const endOfStream = "\xff\xff\xff\xff\x00\x00\x00\x00"

// Writer writes a trace. After an error of the file, such as a full disk, it cuts the file back to
// the last complete batch. Every later call then returns an error.
type Writer struct {
	file   File
	out    *countingWriter
	arrow  *ipc.FileWriter
	schema *arrow.Schema
	err    error // sticky

	size    int64 // bytes of complete batches in the file
	events  uint64
	entries uint64
	sched   uint64
	samples uint64

	pending []Event
	args    []string // of the pending events
	argSize int      // bytes of args
	threads []writerThread
	counts  struct{ modules, funcs, stacks, sets uint32 }
	rows    rows
	defs    []definition
	sorted  []Event // scratch of Flush, as are the next two
	dirty   []ThreadID
	slots   []uint32
}

// writerThread is the running state of one thread's rows.
type writerThread struct {
	timeNs uint64 // of its last row
	base   uint64 // stack base in force, 0 before the first
	rows   uint32 // pending
}

// definition is a row that is not an event.
type definition struct {
	kind Kind
	id   uint32
	info string
}

// stackWindow is the distance of a thread's base above its first stack pointer, in bytes: frames of
// callers that are seen later still lie below the base.
const stackWindow = 1 << 20

// NewWriter starts a trace in the empty file f.
func NewWriter(f File, meta Meta) (*Writer, error) {
	text, err := json.Marshal(meta)
	if err != nil {
		return nil, fmt.Errorf("trace metadata: %w", err)
	}
	w := &Writer{file: f, schema: newSchema(string(text), strconv.Itoa(Version))}
	w.out = &countingWriter{w: bufio.NewWriterSize(f, 1<<20)}
	w.arrow, err = ipc.NewFileWriter(w.out, ipc.WithSchema(w.schema), ipc.WithZstd())
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Size returns the bytes of the file so far, complete batches only.
func (w *Writer) Size() int64 { return w.size }

// Sched returns the number of appended rows of the scheduler. They do not count as events.
func (w *Writer) Sched() uint64 { return w.sched }

// Samples returns the number of appended samples. They do not count as events.
func (w *Writer) Samples() uint64 { return w.samples }

// Threads returns the number of threads that were defined.
func (w *Writer) Threads() int { return len(w.threads) }

// Events returns the number of events appended, and how many of them were entries.
func (w *Writer) Events() (events, entries uint64) { return w.events, w.entries }

// AddModule defines a module.
func (w *Writer) AddModule(m Module) ModuleID {
	id := w.counts.modules
	w.counts.modules++
	w.define(KindModule, id, m)
	return ModuleID(id)
}

// AddFunc defines a function; its module must have been defined.
func (w *Writer) AddFunc(f Func) FuncID {
	id := w.counts.funcs
	w.counts.funcs++
	w.define(KindFunc, id, f)
	return FuncID(id)
}

// AddProcess defines a process, before its first thread.
func (w *Writer) AddProcess(p Process) { w.define(KindProcess, 0, p) }

// AddThread defines a thread.
func (w *Writer) AddThread(t Thread) ThreadID {
	id := len(w.threads)
	w.threads = append(w.threads, writerThread{})
	w.define(KindThread, uint32(id), t)
	return ThreadID(id)
}

// AddLoss reports lost events.
func (w *Writer) AddLoss(l Loss) { w.define(KindLoss, 0, l) }

// AddLeftOut reports a function that was asked for but is not probed.
func (w *Writer) AddLeftOut(l LeftOut) { w.define(KindLeftOut, 0, l) }

// AddDropped reports calls that were not kept.
func (w *Writer) AddDropped(d Dropped) { w.define(KindDropped, 0, d) }

// AddSurvey reports what a survey of a module has cost so far.
func (w *Writer) AddSurvey(s Survey) { w.define(KindSurvey, 0, s) }

// AddProbeSet defines a set of functions, which must have been defined.
func (w *Writer) AddProbeSet(s ProbeSet) SetID {
	id := w.counts.sets
	w.counts.sets++
	w.define(KindProbeSet, id, s)
	return SetID(id)
}

// AddWindow reports when the functions of a set, which must have been defined, were probed.
func (w *Writer) AddWindow(win Window) { w.define(KindWindow, 0, win) }

// AddCalibration reports the cost of hits.
func (w *Writer) AddCalibration(c Calibration) { w.define(KindCalibration, 0, c) }

// AddStack defines a stack. Its function and the stack of its caller must have been defined. Events
// with it may come before.
func (w *Writer) AddStack(s Stack) StackID {
	w.counts.stacks++
	w.define(KindStack, w.counts.stacks, s)
	return StackID(w.counts.stacks)
}

func (w *Writer) define(kind Kind, id uint32, value any) {
	info, err := json.Marshal(value)
	if err != nil {
		w.fail(fmt.Errorf("trace definition %s: %w", kind, err))
		return
	}
	w.defs = append(w.defs, definition{kind, id, string(info)})
}

// Append adds an event to the next batch. Within a batch events may come in any order. They must
// not be older than those of the same thread in an earlier batch.
func (w *Writer) Append(e *Event) error {
	if w.err != nil {
		return w.err
	}
	w.pending = append(w.pending, *e)
	switch {
	case e.Kind == Exit:
	case e.Kind == Sample:
		w.samples++
	case e.Kind.IsSched():
		w.sched++
	case e.Kind.IsEntry():
		w.entries++
		fallthrough
	default:
		w.events++
	}
	t := &w.threads[e.Thread]
	if t.rows == 0 {
		w.dirty = append(w.dirty, e.Thread)
	}
	t.rows++
	return nil
}

// AppendArgs is Append for an event with values: args is their JSON array.
func (w *Writer) AppendArgs(e *Event, args string) error {
	w.args = append(w.args, args)
	w.argSize += len(args)
	with := *e
	with.args = uint32(len(w.args))
	return w.Append(&with)
}

// Pending returns the number of events that the next Flush will write.
func (w *Writer) Pending() int { return len(w.pending) }

// PendingArgs returns the bytes of values that the next Flush will write. A Reader refuses a batch
// with more than 32 MiB of them: flush at BatchArgs.
func (w *Writer) PendingArgs() int { return w.argSize }

// Flush writes all pending rows as complete batches: first the definitions, then the events, sorted
// by thread. When it returns nil, the file up to here survives the death of the process.
func (w *Writer) Flush() error {
	if w.err != nil {
		return w.err
	}
	if len(w.defs) > 0 {
		for chunk := range slices.Chunk(w.defs, BatchRows) {
			w.writeDefinitions(chunk)
		}
		w.defs = w.defs[:0]
	}
	if len(w.pending) > 0 {
		w.writeEvents()
	}
	if w.err == nil {
		if err := w.out.w.Flush(); err != nil {
			w.fail(err)
		}
	}
	if w.err != nil {
		return w.err
	}
	w.size = w.out.n
	return nil
}

// Close writes all pending rows, the end and the footer. It does not close the file.
func (w *Writer) Close(end End) error {
	if w.err != nil {
		return w.err
	}
	end.Events, end.Entries, end.Sched, end.Samples = w.events, w.entries, w.sched, w.samples
	if err := w.Flush(); err != nil {
		return err
	}
	w.define(KindEnd, 0, end)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w.out, endOfStream)
	if err == nil {
		err = w.arrow.Close()
	}
	if err == nil {
		err = w.out.w.Flush()
	}
	if err != nil {
		return w.fail(err)
	}
	w.size = w.out.n
	w.err = ErrClosed
	return nil
}

// fail keeps err for later calls, and cuts the file back to its last complete batch.
func (w *Writer) fail(err error) error {
	w.err = fmt.Errorf("write trace: %w", err)
	if terr := w.file.Truncate(w.size); terr != nil {
		w.err = errors.Join(w.err, terr)
	}
	return w.err
}

// writeEvents turns the pending events into a batch.
//
//  1. A counting sort by thread, which keeps the order within each thread.
//  2. Per thread, a sort by time if the events were not in order: the thread moved from one CPU to
//     another.
//  3. Per thread, times become differences, and stack pointers become distances from the stack
//     base. Where these do not fit, a Pause or StackBase is inserted.
func (w *Writer) writeEvents() {
	slices.Sort(w.dirty)
	w.slots = slices.Grow(w.slots[:0], len(w.threads))[:len(w.threads)]
	next := uint32(0)
	for _, id := range w.dirty {
		w.slots[id] = next
		next += w.threads[id].rows
		w.threads[id].rows = 0
	}
	w.sorted = slices.Grow(w.sorted[:0], len(w.pending))[:len(w.pending)]
	for i := range w.pending {
		e := &w.pending[i]
		w.sorted[w.slots[e.Thread]] = *e
		w.slots[e.Thread]++
	}
	from := uint32(0)
	for _, id := range w.dirty {
		sortByTime(w.sorted[from:w.slots[id]])
		from = w.slots[id]
	}
	w.pending, w.dirty = w.pending[:0], w.dirty[:0]

	r := &w.rows
	r.reset()
	for i := range w.sorted {
		e := &w.sorted[i]
		t := &w.threads[e.Thread]
		if e.TimeNs < t.timeNs {
			e.TimeNs = t.timeNs // breaks Append's rule: at least keep the order
		}
		for e.TimeNs-t.timeNs > math.MaxUint32 {
			if len(r.deltaNs) >= BatchRows { // years of silence
				w.write(r, nil)
				r.reset()
			}
			r.add(math.MaxUint32, e.Thread, Event{Kind: Pause, CPU: e.CPU})
			t.timeNs += math.MaxUint32
		}
		if e.SP != 0 && (e.SP >= t.base || t.base-e.SP > math.MaxUint32) {
			t.base = max(e.SP, e.SP+stackWindow)
			r.add(0, e.Thread, Event{Kind: StackBase, CPU: e.CPU, Value: t.base})
		}
		var depth uint32
		if e.SP != 0 {
			depth = uint32(t.base - e.SP)
		}
		r.addAt(uint32(e.TimeNs-t.timeNs), depth, e)
		t.timeNs = e.TimeNs
	}
	w.write(r, nil)
	w.args, w.argSize = w.args[:0], 0
}

func sortByTime(events []Event) {
	byTime := func(a, b Event) int { return cmp.Compare(a.TimeNs, b.TimeNs) }
	if !slices.IsSortedFunc(events, byTime) {
		slices.SortStableFunc(events, byTime)
	}
}

func (w *Writer) writeDefinitions(defs []definition) {
	r := &w.rows
	r.reset()
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	for _, d := range defs {
		var thread, fn uint32
		switch d.kind {
		case KindThread:
			thread = d.id
		case KindFunc:
			fn = d.id
		}
		r.add(0, ThreadID(thread), Event{Kind: d.kind, Func: FuncID(fn), Value: uint64(d.id)})
		b.Append(d.info)
	}
	info := b.NewArray()
	defer info.Release()
	w.write(r, info)
}

// write writes a batch. info is nil for events.
func (w *Writer) write(r *rows, info arrow.Array) {
	if w.err != nil {
		return
	}
	batch := r.batch(w.schema, info, w.args)
	defer batch.Release()
	if err := w.arrow.Write(batch); err != nil {
		w.fail(err)
	}
}

// countingWriter counts the bytes that it writes. Seek returns that count as the position; it
// cannot move.
type countingWriter struct {
	w *bufio.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (c *countingWriter) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, errors.ErrUnsupported
	}
	return c.n, nil
}
