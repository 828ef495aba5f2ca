package analyze

import (
	"slices"

	"utrace/format"
)

// numSlices is the number of slices of equal time that a trace is cut into to see how its figures vary.
const numSlices = 64

// quantiles are those that a Comparison looks at, in thousandths.
func quantiles() [3]uint64 { return [3]uint64{500, 900, 990} }

// slice is what one function did in one slice of time. Calls are counted where they end.
type slice struct {
	calls    uint32
	complete uint32
	above    [3]uint32 // complete calls longer than the function's quantiles
	sumNs    int64     // of the complete calls
	maxNs    int64
	totalNs  int64
	selfNs   int64
}

// sliced is the view that sums up the calls of each function by time. What counts, and how, is up to latency.
type sliced struct {
	latency
	widthNs int64
	limits  [][3]int64 // by function: its quantiles
	parts   []*[numSlices]slice
}

func (v *sliced) define(funcs []format.Func) {
	v.latency.define(funcs)
	v.parts = append(v.parts, make([]*[numSlices]slice, len(funcs)-len(v.parts))...)
	for len(v.limits) < len(funcs) { // the trace has grown since its limits were taken
		v.limits = append(v.limits, [3]int64{})
	}
}

// at returns the slice in which fn is now.
func (v *sliced) at(t *thread, fn format.FuncID) *slice {
	if v.parts[fn] == nil {
		v.parts[fn] = new([numSlices]slice)
	}
	return &v.parts[fn][min(t.nowNs/v.widthNs, numSlices-1)]
}

func (v *sliced) leave(t *thread, f *frame, state State) {
	s := v.of(t, uint32(f.fn))
	calls, complete, sum, total, self := s.Calls, s.Durations.count, s.Durations.sum, s.Total, s.Self
	v.latency.leave(t, f, state)
	part := v.at(t, f.fn)
	part.calls += uint32(s.Calls - calls)
	part.totalNs += int64(s.Total - total)
	part.selfNs += int64(s.Self - self)
	if s.Durations.count == complete {
		return
	}
	ns := s.Durations.sum - sum
	part.complete++
	part.sumNs += ns
	part.maxNs = max(part.maxNs, ns)
	for i, limit := range v.limits[f.fn] {
		if ns > limit {
			part.above[i]++
		}
	}
}

func (v *sliced) hit(t *thread, fn format.FuncID) {
	calls := v.of(t, uint32(fn)).Calls
	v.latency.hit(t, fn)
	v.at(t, fn).calls += uint32(v.of(t, uint32(fn)).Calls - calls)
}

// add adds the slices of the same function from other threads.
func (s *slice) add(other *slice) {
	s.calls += other.calls
	s.complete += other.complete
	for i, n := range other.above {
		s.above[i] += n
	}
	s.sumNs += other.sumNs
	s.maxNs = max(s.maxNs, other.maxNs)
	s.totalNs += other.totalNs
	s.selfNs += other.selfNs
}

// side is one side of a comparison: its traces, summed up, and how each function's calls lie in time.
type side struct {
	result *Result
	unrest float64           // see measureUnrest
	slices []map[int][]slice // by row, then by trace: numSlices each; nil for traces without the function
}

// readSide reads the traces twice: the slices need the quantiles of the whole.
func readSide(paths []string, opts Options) (*side, error) {
	r, parts, err := report(paths, opts)
	if err != nil {
		return nil, err
	}
	s := &side{result: r, unrest: measureUnrest(r.Rows), slices: make([]map[int][]slice, len(r.Rows))}
	limits := make([][3]int64, len(r.Rows))
	for i := range r.Rows {
		s.slices[i] = map[int][]slice{}
		for k, q := range quantiles() {
			limits[i][k] = int64(r.Rows[i].Durations.Quantile(q))
		}
	}
	for trace, path := range paths {
		if err := s.readSlices(trace, path, opts, &parts[trace], limits); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *side) readSlices(trace int, path string, opts Options, p *part, limits [][3]int64) error {
	src, err := openSource(path)
	if err != nil {
		return err
	}
	defer src.close()
	mine := make([][3]int64, len(p.rows))
	for fn, row := range p.rows {
		if row != none {
			mine[fn] = limits[row]
		}
	}
	views := make([]view, shards())
	for i := range views {
		views[i] = &sliced{latency: latency{opts: &opts}, widthNs: p.lastNs/numSlices + 1, limits: slices.Clone(mine)}
	}
	if _, err := src.pair(&opts, format.Columns{}, views); err != nil {
		return err
	}
	for _, v := range views {
		for fn, parts := range v.(*sliced).parts {
			if parts == nil || fn >= len(p.rows) || p.rows[fn] == none {
				continue
			}
			of := s.slices[p.rows[fn]]
			if of[trace] == nil {
				of[trace] = parts[:]
				continue
			}
			for i := range parts {
				of[trace][i].add(&parts[i])
			}
		}
	}
	return nil
}
