package analyze

import (
	"maps"
	"runtime"
	"slices"
	"sync"

	"utrace/format"
)

// maxShards limits the memory of a run. Decoding could not feed more of them.
const maxShards = 8

// shards is the number of views, and goroutines, of a run.
func shards() int { return min(runtime.GOMAXPROCS(0), maxShards) }

// shard pairs the events of some of a trace's threads, on a goroutine of its own.
type shard struct {
	pairer  *pairer
	threads map[format.ThreadID]*thread
	work    chan share
}

// share is the part of a batch for one shard, with the definitions as they were at that batch.
type share struct {
	batch   *batch
	runs    []run
	defs    definitions
	threads []format.Thread
	process []*format.Process // by thread
}

// tally is what a run over a trace counts besides its views.
type tally struct {
	firstNs int64 // time of the first event of the selected threads; 0 if there is none
	lastNs  int64 // time of their last row
	orphans uint64
	skipped uint64

	tracedNs              int64 // of all threads, from the first event of each to its last
	insideNs, correctedNs int64 // see pairer
	// hitNs is the cost of the hits of all threads. If more of it was computed for a thread than
	// can have been in its traced time, bounded is set, and only that counts.
	hitNs       int64
	bounded     bool
	preemptedNs int64  // in displacements, in addition to hitNs
	awaitedNs   int64  // in the probes of threads that were waited for, in addition to hitNs
	used        []bool // by function: it has an event
	touched     []TouchedThread
}

// thread adds a thread that was read to its end.
func (t *tally) thread(th *thread) {
	t.lastNs = max(t.lastNs, th.nowNs)
	traced := int64(0)
	if th.firstNs > 0 {
		if t.firstNs == 0 || th.firstNs < t.firstNs {
			t.firstNs = th.firstNs
		}
		traced = max(0, th.nowNs-th.firstNs-th.idleNs-th.sampledNs)
	}
	hits, limit := th.hitNs-th.preemptedNs-th.awaitedNs, max(0, traced-th.preemptedNs-th.awaitedNs)
	t.tracedNs += traced
	t.preemptedNs += th.preemptedNs
	t.awaitedNs += th.awaitedNs
	t.hitNs += min(hits, limit)
	t.bounded = t.bounded || hits > limit
	if th.uncertain > 0 {
		t.touched = append(t.touched, TouchedThread{th.info.PID, th.info.TID, th.info.Comm, th.uncertain})
	}
}

// pairer adds the counts of a pairer.
func (t *tally) pairer(p *pairer) {
	t.orphans += p.orphans
	t.skipped += p.skipped
	t.insideNs += p.insideNs
	t.correctedNs += p.correctedNs
	t.used = append(t.used, make([]bool, max(0, len(p.funcs)-len(t.used)))...)
	for fn := range p.funcs {
		t.used[fn] = t.used[fn] || p.funcs[fn].used
	}
}

// pair pairs all events of the selected threads, and reports them to the views. Each view sees some
// of the threads. cols are the columns that the views need.
func (s *source) pair(opts *Options, cols format.Columns, views []view) (tally, error) {
	var wg sync.WaitGroup
	shards := make([]*shard, len(views))
	for i, v := range views {
		shards[i] = newShard(v)
		shards[i].pairer.sched = s.meta.Sched
		if w, ok := v.(waiter); ok {
			shards[i].pairer.waited = w.waited
		}
		wg.Go(shards[i].run)
	}

	selected := []bool{}
	err := s.each(cols, func(b *batch) error {
		for _, t := range s.tables.Threads[len(selected):] {
			selected = append(selected, opts.thread(t))
		}
		parts := make([][]run, len(shards))
		for _, r := range b.runs {
			if selected[r.thread] {
				i := int(r.thread) % len(shards)
				parts[i] = append(parts[i], r)
			}
		}
		for i, runs := range parts {
			if len(runs) > 0 {
				b.users.Add(1)
				shards[i].work <- share{b, runs, *s.defined(opts.Raw), s.tables.Threads, s.processes}
			}
		}
		b.release()
		return nil
	})
	for _, sh := range shards {
		close(sh.work)
	}
	wg.Wait()

	var sum tally
	for _, sh := range shards {
		for _, t := range sh.threads {
			sum.thread(t)
		}
		sum.pairer(sh.pairer)
	}
	return sum, err
}

func newShard(v view) *shard {
	return &shard{pairer: newPairer(v), threads: map[format.ThreadID]*thread{}, work: make(chan share, 4)}
}

func (sh *shard) run() {
	for w := range sh.work {
		sh.pairer.learn(&w.defs)
		for i := range w.runs {
			r := &w.runs[i]
			t := sh.thread(r.thread, &w)
			t.startRun(r)
			sh.pairer.process(t, &w.batch.Batch, r.from, r.to)
		}
		w.batch.release()
	}
	for _, id := range slices.Sorted(maps.Keys(sh.threads)) { // always the same order, so that limits cut off the same values
		sh.pairer.finish(sh.threads[id])
	}
}

func (sh *shard) thread(id format.ThreadID, w *share) *thread {
	t := sh.threads[id]
	if t == nil {
		t = &thread{id: id, info: w.threads[id], process: w.process[id]}
		sh.threads[id] = t
	}
	return t
}
