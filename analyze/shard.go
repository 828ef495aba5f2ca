package analyze

import (
	"runtime"
	"sync"

	"utrace/format"
)

// maxShards bounds the memory of a run: decoding feeds no more of them anyway.
const maxShards = 8

// shards is the number of views, and goroutines, of a run.
func shards() int { return min(runtime.GOMAXPROCS(0), maxShards) }

// shard pairs the events of its share of a trace's threads, on a goroutine of
// its own.
type shard struct {
	pairer  *pairer
	threads map[format.ThreadID]*thread
	work    chan share
	lastNs  int64
}

// share is the part of a batch that is for one shard, with the definitions as
// they were at that batch: the tables only ever grow at their ends.
type share struct {
	batch   *batch
	runs    []run
	funcs   []format.Func
	threads []format.Thread
	off     []format.TakenOff
}

// tally is what a run over a trace counts beside its views.
type tally struct {
	lastNs  int64 // time of the last row of the selected threads
	orphans uint64
	skipped uint64
}

// pair pairs all events of the selected threads and tells the views, each of
// which sees some of the threads, with the columns that the views need.
func (s *source) pair(opts *Options, cols format.Columns, views []view) (tally, error) {
	var wg sync.WaitGroup
	shards := make([]*shard, len(views))
	for i, v := range views {
		shards[i] = newShard(v)
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
				shards[i].work <- share{b, runs, s.tables.Funcs, s.tables.Threads, s.tables.TakenOff}
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
		sum.lastNs = max(sum.lastNs, sh.lastNs)
		sum.orphans += sh.pairer.orphans
		sum.skipped += sh.pairer.skipped
	}
	return sum, err
}

func newShard(v view) *shard {
	return &shard{pairer: newPairer(v), threads: map[format.ThreadID]*thread{}, work: make(chan share, 4)}
}

func (sh *shard) run() {
	for w := range sh.work {
		sh.pairer.define(w.funcs)
		sh.pairer.takeOff(w.off, w.funcs)
		for _, r := range w.runs {
			t := sh.thread(r.thread, w.threads)
			sh.pairer.process(t, &w.batch.Batch, r.from, r.to)
			sh.lastNs = max(sh.lastNs, t.nowNs)
		}
		w.batch.release()
	}
	for _, t := range sh.threads {
		sh.pairer.finish(t)
	}
}

func (sh *shard) thread(id format.ThreadID, threads []format.Thread) *thread {
	t := sh.threads[id]
	if t == nil {
		t = &thread{id: id, info: threads[id]}
		sh.threads[id] = t
	}
	return t
}
