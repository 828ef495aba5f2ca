package analyze

import (
	"cmp"
	"slices"
	"time"

	"utrace/format"
)

// HeatmapSlices is the maximum number of slices of time in a Heatmap.
const HeatmapSlices = 64

// Heatmap is how the latency of a function changes over time. Each trace counts from its own start.
type Heatmap struct {
	Function
	Label     string        // as in a Row
	Start     time.Time     // of the recording; the zero time if there are several
	From      time.Duration // start of the first slice of time, since the start of the trace
	Slice     time.Duration // length of a slice
	Slices    int           // up to the last call
	Calls     uint64        // in all
	Uncertain uint64        // further ones of unknown duration, during which events were lost
	Sampled   bool          // the function was probed in windows: Calls are those that were recorded
	Rows      []HeatmapRow  // from the shortest to the longest, without a gap
}

// HeatmapRow counts the complete calls whose duration is in Low..High.
type HeatmapRow struct {
	Low, High time.Duration
	Calls     [HeatmapSlices]uint64 // by the slice in which the call began
}

// Heatmaps analyzes when the calls of each selected function began, and how long they took. It
// orders functions by name. It also returns the warnings about the traces.
func Heatmaps(paths []string, opts Options) ([]Heatmap, []Warning, error) {
	sum := newSummary(paths)
	fns := newFunctions()
	var grids []*heatGrid
	for _, path := range paths {
		src, err := openSource(path, &opts)
		if err != nil {
			return nil, nil, err
		}
		views := make([]view, shards())
		for i := range views {
			views[i] = &heat{opts: &opts}
		}
		t, err := src.pair(&opts, format.Columns{}, views)
		src.close()
		if err != nil {
			return nil, nil, err
		}
		sum.add(path, src, t, &opts)
		sum.warnDropped(path, src, &opts)
		for _, v := range views {
			for fn, grid := range v.(*heat).grids {
				if grid == nil {
					continue
				}
				i := fns.add(&src.tables.Funcs[fn], src.tables.Modules)
				for len(grids) <= i {
					grids = append(grids, newHeatGrid(&opts))
				}
				grids[i].merge(grid)
				grids[i].sampled = grids[i].sampled || src.cover.Of(format.FuncID(fn)) != nil
			}
		}
	}
	if len(grids) == 0 {
		sum.warnNothing(&opts)
	}
	r := Result{Rows: make([]Row, len(grids))}
	for i := range grids {
		r.Rows[i].Function = fns.list[i]
	}
	r.setLabels()
	maps := make([]Heatmap, len(grids))
	for i, grid := range grids {
		maps[i] = grid.heatmap(1)
		maps[i].Function, maps[i].Label = fns.list[i], r.Rows[i].Label
		if len(paths) == 1 {
			maps[i].Start = sum.trace.Start
		}
	}
	slices.SortFunc(maps, func(a, b Heatmap) int {
		return cmp.Or(cmp.Compare(a.Label, b.Label), a.Function.Compare(&b.Function))
	})
	return maps, sum.warnings, nil
}

// heat is the view that fills a grid for each function asked for.
type heat struct {
	opts    *Options
	matches []bool
	grids   []*heatGrid // by function, nil for those without complete calls
}

func (h *heat) define(funcs []format.Func) {
	for i := len(h.matches); i < len(funcs); i++ {
		h.matches = append(h.matches, h.opts.Function.function(&funcs[i]))
		h.grids = append(h.grids, nil)
	}
}

func (h *heat) enter(*thread, *frame, *frame) {}

func (h *heat) hit(*thread, *frame) {}

func (h *heat) leave(t *thread, f *frame, state State) {
	if state != Complete || !h.matches[f.fn] || h.opts.outside(f.startNs) || h.opts.short(t, f, state) {
		return
	}
	if h.grids[f.fn] == nil {
		h.grids[f.fn] = newHeatGrid(h.opts)
	}
	if f.uncertain {
		h.grids[f.fn].uncertain++
		return
	}
	h.grids[f.fn].add(f.startNs, heatRow(f.durationNs(t)))
}

// heatParts is the number of rows of a heatGrid to an octave.
const heatParts = 4

// heatRow returns the row of a duration in a heatGrid.
func heatRow(ns int64) int {
	o := octave(ns)
	return o*heatParts + int(uint64(ns)*heatParts>>o)%heatParts
}

// heatRowStart returns the shortest duration of a row. An octave has several rows. Short octaves
// have empty rows: the next one starts at the same duration.
func heatRowStart(row, parts int) time.Duration {
	if row == 0 {
		return 0
	}
	start, part := uint64(1)<<(row/parts), uint64(row%parts)
	return time.Duration(start + (start*part+uint64(parts)-1)/uint64(parts))
}

// heatGrid counts calls by when they began and how long they took. It does not know the end of the
// trace, so slices begin at 1 ns, and it merges pairs of them when there would be too many.
type heatGrid struct {
	fromNs    int64
	slice     int64  // of column
	shift     uint   // a slice is 1<<shift ns long
	uncertain uint64 // calls that are not in rows
	sampled   bool
	// column has the calls of the latest slice that are not in rows yet. It is small enough for the
	// processor's caches, while the rows of all functions are not.
	column [octaves * heatParts]uint64
	rows   [octaves * heatParts]*[HeatmapSlices]uint64 // see heatRow
}

func newHeatGrid(opts *Options) *heatGrid { return &heatGrid{fromNs: int64(opts.From)} }

func (g *heatGrid) add(startNs int64, row int) {
	slice := (startNs - g.fromNs) >> g.shift
	if slice > g.slice {
		g.settle()
		for (startNs-g.fromNs)>>g.shift >= HeatmapSlices {
			g.widen()
		}
		slice = (startNs - g.fromNs) >> g.shift
		g.slice = slice
	}
	if slice == g.slice {
		g.column[row]++
		return
	}
	g.insert(slice, row, 1)
}

// settle moves the column into the rows.
func (g *heatGrid) settle() {
	for row, calls := range g.column {
		if calls > 0 {
			g.insert(g.slice, row, calls)
			g.column[row] = 0
		}
	}
}

func (g *heatGrid) insert(slice int64, row int, calls uint64) {
	if g.rows[row] == nil {
		g.rows[row] = new([HeatmapSlices]uint64)
	}
	g.rows[row][slice] += calls
}

// widen doubles the slices. The column must be settled.
func (g *heatGrid) widen() {
	g.shift++
	for _, row := range g.rows {
		if row == nil {
			continue
		}
		for i := range HeatmapSlices / 2 {
			row[i] = row[2*i] + row[2*i+1]
		}
		clear(row[HeatmapSlices/2:])
	}
}

// merge adds the calls of another grid from the same time on.
func (g *heatGrid) merge(other *heatGrid) {
	g.settle()
	other.settle()
	g.uncertain += other.uncertain
	for g.shift < other.shift {
		g.widen()
	}
	g.slice = 0
	for r, row := range other.rows {
		if row == nil {
			continue
		}
		for i, calls := range row {
			if calls > 0 {
				g.insert(int64(i)<<other.shift>>g.shift, r, calls)
			}
		}
	}
}

// heatmap makes the grid for users, with that many rows to an octave: 1 to heatParts.
func (g *heatGrid) heatmap(parts int) Heatmap {
	g.settle()
	m := Heatmap{From: time.Duration(g.fromNs), Slice: 1 << g.shift, Uncertain: g.uncertain, Sampled: g.sampled}
	filled := 0 // rows up to the last with calls
	for i := range octaves * parts {
		row := HeatmapRow{Low: heatRowStart(i, parts), High: heatRowStart(i+1, parts) - 1}
		calls := m.Calls
		for _, fine := range g.rows[i*heatParts/parts : (i+1)*heatParts/parts] {
			if fine == nil {
				continue
			}
			for slice, n := range fine {
				row.Calls[slice] += n
				m.Calls += n
				if n > 0 {
					m.Slices = max(m.Slices, slice+1)
				}
			}
		}
		if row.High < row.Low || m.Calls == 0 {
			continue
		}
		m.Rows = append(m.Rows, row)
		if m.Calls > calls {
			filled = len(m.Rows)
		}
	}
	m.Rows = m.Rows[:filled]
	return m
}
