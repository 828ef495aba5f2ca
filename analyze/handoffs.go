package analyze

import "utrace/format"

// maxAllDelayPoints limits the memory for the delays of all threads of a trace: 64 MiB.
const maxAllDelayPoints = 4 << 20

// handoffs knows by how much probes have delayed each thread. So it knows how much of a wait is the
// cost of the probes of other threads. It needs the rows of the scheduler, and sees the batches
// before they are divided by thread:
//
//  1. A hit, or a displacement, delays its thread by its cost (package documentation).
//  2. A thread that is blocked, and is woken up by another one of the trace, has been delayed in
//     the meantime as that one was, but by no more than the time that passed.
//  3. So has a thread that could run, and gets the processor from another one of the trace, if that
//     one made way by what it did: it is blocked now, or has just woken up a thread.
//  4. Otherwise a thread off the processor is not delayed, as far as is known.
type handoffs struct {
	costs   costs
	threads []delayedThread         // by thread
	byTID   map[int]format.ThreadID // the latest
	byGoID  map[goroutineKey]format.ThreadID
	left    map[uint16]departure // by processor
	parks   bool                 // a goroutine has waited: from then on, rows say when they do
	room    int                  // points of delays that may still be kept
	queue   queue                // threads of the batch, by the time of their next row of the scheduler
}

// delayedThread is a thread with its delay up to nowNs.
type delayedThread struct {
	pid         int
	goroutine   bool
	isIO        bool // it left as uninterruptible
	delay       delayHistory
	nowNs       int64
	displacedNs int64 // when the recorder last gave the processor back
	gaps        int
	off         bool  // the processor, since offNs
	blocked     bool  // it was not able to run when it left
	woken       bool  // it is since sinceNs
	offNs       int64 // goroutines have no SchedIn: they run again with their next event
	sinceNs     int64 // since when it can run
	wokeNs      int64 // when it last woke up a thread
}

// departure is that a thread leaves its processor. own says that it did something that made it.
type departure struct {
	thread format.ThreadID
	atNs   int64
	own    bool
}

// goroutineKey is a goroutine as a Wakeup has it.
type goroutineKey struct {
	pid int
	id  uint32
}

// uninterruptible is the state of threads that wait for a device, or in the kernel for each other.
const uninterruptible = 2

// unknownWaker is in run.awaited where the wakeup was not by a thread of the trace.
const unknownWaker = -1

// ownDepartureNs is how long after a wakeup the waker makes way for another thread because of that.
const ownDepartureNs = 20_000

func newHandoffs() *handoffs {
	return &handoffs{byTID: map[int]format.ThreadID{}, byGoID: map[goroutineKey]format.ThreadID{}, left: map[uint16]departure{}, room: maxAllDelayPoints}
}

// batch sets what was awaited in all runs of a batch.
func (h *handoffs) batch(b *batch, d *definitions, threads []format.Thread) {
	h.costs.define(d.funcs)
	h.costs.calibrate(d.costs)
	for id := len(h.threads); id < len(threads); id++ {
		t := &threads[id]
		h.threads = append(h.threads, delayedThread{pid: t.PID, goroutine: t.Goroutine != 0})
		switch {
		case t.Goroutine != 0:
			h.byGoID[goroutineKey{t.PID, uint32(t.Goroutine)}] = format.ThreadID(id)
		case t.Track == 0:
			h.byTID[t.TID] = format.ThreadID(id)
		}
	}
	h.queue = h.queue[:0]
	for i := range b.runs {
		r := &b.runs[i]
		h.threads[r.thread].cross(d.gaps)
		r.parks = h.parks && h.threads[r.thread].goroutine
		if c := (cursor{run: r, row: r.from}); h.advance(&b.Batch, &c) {
			h.queue = append(h.queue, c)
		}
	}
	h.queue.order()
	for len(h.queue) > 0 {
		c := &h.queue[0]
		h.switched(&b.Batch, c)
		c.row++
		h.queue.moved(h.advance(&b.Batch, c))
	}
}

// advance adds the cost of hits up to the next row of the scheduler. It reports whether there is
// one.
func (h *handoffs) advance(b *format.Batch, c *cursor) bool {
	t := &h.threads[c.run.thread]
	for ; c.row < c.run.to; c.row++ {
		t.nowNs = min(t.nowNs+int64(b.DeltaNs[c.row]), maxTimeNs)
		kind := format.Kind(b.Kind[c.row])
		switch kind {
		case format.SchedIn:
			c.nextNs = t.nowNs + 1 // the other thread leaves first
			return true
		case format.SchedOut, format.Wakeup:
			c.nextNs = t.nowNs
			return true
		case format.Displaced:
			took := min(int64(min(b.Value[c.row], maxTimeNs))+h.costs.displacedNs, t.nowNs-t.displacedNs)
			t.displacedNs = t.nowNs
			h.delay(t, max(0, took))
		default:
			t.off = t.off && !kind.IsEvent()
			h.delay(t, h.costs.row(kind, format.FuncID(b.Func[c.row])))
		}
	}
	return false
}

func (h *handoffs) delay(t *delayedThread, ns int64) {
	if ns > 0 {
		t.delay.add(t.nowNs, ns, &h.room)
	}
}

// switched handles a row of the scheduler. All threads are known up to its time.
func (h *handoffs) switched(b *format.Batch, c *cursor) {
	id := c.run.thread
	t := &h.threads[id]
	value, cpu := b.Value[c.row], b.CPU[c.row]
	switch format.Kind(b.Kind[c.row]) {
	case format.SchedOut:
		t.isIO = value == uninterruptible
		h.parks = h.parks || t.goroutine
		t.off, t.blocked, t.woken, t.offNs, t.sinceNs = true, value != 0, false, t.nowNs, t.nowNs
		t.delay.put(t.nowNs, t.delay.sum(), &h.room)
		h.left[cpu] = departure{id, t.nowNs, t.blocked || t.nowNs-t.wokeNs < ownDepartureNs}
	case format.Wakeup:
		c.run.awaited = append(c.run.awaited, h.wake(id, value))
	case format.SchedIn:
		ns := int64(0)
		from := h.left[cpu]
		runnable := t.off && (t.woken || !t.blocked)
		if runnable && from.own && from.atNs == t.nowNs && from.thread != id {
			ns = t.delay.follow(h.threads[from.thread].delay, t.sinceNs, t.nowNs, &h.room)
		}
		t.off = false
		t.delay.put(t.nowNs, t.delay.sum(), &h.room)
		c.run.awaited = append(c.run.awaited, ns)
	}
}

// wake handles a wakeup, and returns what was awaited until then.
func (h *handoffs) wake(id format.ThreadID, value uint64) int64 {
	t := &h.threads[id]
	waker, known := h.waker(t.pid, value)
	known = known && waker != id
	if known {
		h.threads[waker].wokeNs = t.nowNs
	}
	if !t.off || !t.blocked {
		return 0
	}
	t.woken, t.sinceNs = true, t.nowNs
	switch {
	case !known && value&format.WakeupInInterrupt != 0 && (t.isIO || value&format.WakeupSlept != 0):
		return 0 // it waited for a device, or for a time
	case !known:
		return unknownWaker
	}
	return t.delay.follow(h.threads[waker].delay, t.offNs, t.nowNs, &h.room)
}

// waker returns the thread that has woken up another one, which is of process pid.
func (h *handoffs) waker(pid int, value uint64) (id format.ThreadID, known bool) {
	if value&format.WakeupGoroutine != 0 {
		id, known = h.byGoID[goroutineKey{pid, uint32(value)}]
		return id, known
	}
	if value&format.WakeupInInterrupt != 0 && value&format.WakeupSent == 0 {
		return 0, false
	}
	id, known = h.byTID[int(uint32(value))]
	return id, known
}

// cross forgets the state of a thread at damaged parts of the trace.
func (t *delayedThread) cross(gaps []int64) {
	for ; t.gaps < len(gaps); t.gaps++ {
		t.nowNs, t.off = max(t.nowNs, gaps[t.gaps]), false
	}
}
