package analyze

import (
	"slices"
	"time"

	"utrace/format"
)

// NumSlices is the number of slices of equal time that ReportSliced cuts each trace into.
const NumSlices = 64

// Slice is what one function did in one slice of the time of a trace. A call counts in the slice in
// which it ends.
type Slice struct {
	Calls    uint32
	Complete uint32 // those of the calls that are in Stats.Durations
	// Above counts the complete calls that are longer than each of the function's quantiles.
	Above       [3]uint32
	Sum, Max    time.Duration // of the complete calls
	Total, Self time.Duration // as in Stats
}

// Sliced is a report that also says how the calls of each row lie in time.
type Sliced struct {
	*Result // its rows are not sorted
	// Slices has, for each row, the slices of each trace by its number in Trace.Files. A trace in
	// which the function was not called has none.
	Slices []map[int]*[NumSlices]Slice
}

// ReportSliced makes a report of traces, and cuts each trace into slices of equal time. Slice.Above
// counts calls by the three quantiles, in thousandths. It reads each trace twice: the slices need
// the quantiles of all traces.
func ReportSliced(paths []string, opts Options, quantiles [3]uint64) (*Sliced, error) {
	r, parts, err := report(paths, opts)
	if err != nil {
		return nil, err
	}
	s := &Sliced{Result: r, Slices: make([]map[int]*[NumSlices]Slice, len(r.Rows))}
	limits := make([][3]int64, len(r.Rows))
	for i := range r.Rows {
		s.Slices[i] = map[int]*[NumSlices]Slice{}
		for k, q := range quantiles {
			limits[i][k] = int64(r.Rows[i].Quantile(q))
		}
	}
	for trace, path := range paths {
		if err := s.readSlices(trace, path, &opts, &parts[trace], limits); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// readSlices reads the slices of one trace. limits are the quantiles of each row.
func (s *Sliced) readSlices(trace int, path string, opts *Options, p *part, limits [][3]int64) error {
	src, err := openSource(path, opts)
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
		views[i] = &sliced{latency: latency{opts: opts}, widthNs: p.lastNs/NumSlices + 1, limits: slices.Clone(mine)}
	}
	if _, err := src.pair(opts, format.Columns{}, views); err != nil {
		return err
	}
	for _, v := range views {
		for fn, parts := range v.(*sliced).parts {
			if parts == nil || fn >= len(p.rows) || p.rows[fn] == none {
				continue
			}
			of := s.Slices[p.rows[fn]]
			if of[trace] == nil {
				of[trace] = parts
				continue
			}
			for i := range parts {
				of[trace][i].add(&parts[i])
			}
		}
	}
	return nil
}

// add adds the slice of the same function and time from other threads.
func (s *Slice) add(other *Slice) {
	s.Calls += other.Calls
	s.Complete += other.Complete
	for i, n := range other.Above {
		s.Above[i] += n
	}
	s.Sum += other.Sum
	s.Max = max(s.Max, other.Max)
	s.Total += other.Total
	s.Self += other.Self
}

// sliced is the view that sums up the calls of each function by time. Which calls count, and how,
// is decided by latency.
type sliced struct {
	latency
	widthNs int64
	limits  [][3]int64 // by function: its quantiles
	parts   []*[NumSlices]Slice
}

func (v *sliced) define(funcs []format.Func) {
	v.latency.define(funcs)
	v.parts = append(v.parts, make([]*[NumSlices]Slice, len(funcs)-len(v.parts))...)
	for len(v.limits) < len(funcs) { // the trace has grown since its limits were taken
		v.limits = append(v.limits, [3]int64{})
	}
}

// at returns the slice in which fn is now.
func (v *sliced) at(t *thread, fn format.FuncID) *Slice {
	if v.parts[fn] == nil {
		v.parts[fn] = new([NumSlices]Slice)
	}
	return &v.parts[fn][min(t.nowNs/v.widthNs, NumSlices-1)]
}

func (v *sliced) leave(t *thread, f *frame, state State) {
	s := v.of(t, uint32(f.fn))
	calls, complete, sum, total, self := s.Calls, s.Durations.count, s.Durations.sum, s.Total, s.Self
	v.latency.leave(t, f, state)
	part := v.at(t, f.fn)
	part.Calls += uint32(s.Calls - calls)
	part.Total += s.Total - total
	part.Self += s.Self - self
	if s.Durations.count == complete {
		return
	}
	ns := s.Durations.sum - sum
	part.Complete++
	part.Sum += time.Duration(ns)
	part.Max = max(part.Max, time.Duration(ns))
	for i, limit := range v.limits[f.fn] {
		if ns > limit {
			part.Above[i]++
		}
	}
}

func (v *sliced) hit(t *thread, f *frame) {
	calls := v.of(t, uint32(f.fn)).Calls
	v.latency.hit(t, f)
	v.at(t, f.fn).Calls += uint32(v.of(t, uint32(f.fn)).Calls - calls)
}
