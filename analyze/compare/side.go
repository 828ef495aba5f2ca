package compare

import (
	"cmp"
	"math"
	"slices"
	"time"

	"utrace/analyze"
)

// side is one side of a comparison: the report of its traces, by slices of time.
type side struct {
	*analyze.Sliced
	unrest float64 // see measureUnrest
}

func readSide(paths []string, opts analyze.Options) (*side, error) {
	r, err := analyze.ReportSliced(paths, opts, quantiles())
	if err != nil {
		return nil, err
	}
	return &side{r, measureUnrest(r.Rows)}, nil
}

// blockSizes are numbers of slices that are taken together. Slices within a long disturbance look
// alike; blocks that are longer than it do not.
func blockSizes() []int { return []int{1, 2, 4, 8} }

// figure splits a metric's figure in a slice into a value and its divisor.
type figure func(*analyze.Slice) (value, per float64)

// figure returns the figure of a metric, nil if slices do not show its noise. A quantile's figure
// is the share of the calls above it.
func (m Metric) figure() figure {
	switch m {
	case Calls:
		return func(s *analyze.Slice) (float64, float64) { return float64(s.Calls), 1 }
	case Total:
		return func(s *analyze.Slice) (float64, float64) { return float64(s.Total), 1 }
	case Self:
		return func(s *analyze.Slice) (float64, float64) { return float64(s.Self), 1 }
	case Avg:
		return func(s *analyze.Slice) (float64, float64) { return float64(s.Sum), float64(s.Complete) }
	case P50, P90, P99:
		return func(s *analyze.Slice) (float64, float64) { return float64(s.Above[m-P50]), float64(s.Complete) }
	}
	return nil
}

// blocks sums up a figure of a function over blocks of slices of each trace.
func (s *side) blocks(row int, f figure, size int) (values, pers []float64) {
	for trace := range s.Trace.Files {
		parts := s.Slices[row][trace]
		for from := 0; from < analyze.NumSlices; from += size {
			value, per := 0.0, 0.0
			for i := from; i < from+size; i++ {
				var sl analyze.Slice
				if parts != nil {
					sl = parts[i]
				}
				v, p := f(&sl)
				value += v
				per += p
			}
			values, pers = append(values, value), append(pers, per)
		}
	}
	return values, pers
}

// noiseOf is the noise of the logarithm of a figure of a function, by blocks of a size. up says on
// which side of a quantile it counts, see noiseOfQuantile.
func (s *side) noiseOf(row int, m Metric, size int, up bool) noise {
	if err := m.samplingError(&s.Rows[row]); err > 0 { // slices have as many calls as they have windows
		return noise{err, maxFreedom}
	}
	estimate, n := ratio(s.blocks(row, m.figure(), size))
	if size < analyze.NumSlices && n.freedom < minBlocks-1 || n.freedom < minRuns-1 {
		return noise{}
	}
	switch m {
	case P50, P90, P99:
		if size < analyze.NumSlices {
			above := float64(1000-quantiles()[m-P50]) / 1000
			n.err = math.Hypot(n.err, above*(runShare+unrestShare*max(0, s.unrest-calm)))
		}
		return noiseOfQuantile(&s.Rows[row].Durations, quantiles()[m-P50], n, up)
	}
	if estimate <= 0 {
		return noise{}
	}
	return noise{n.err / estimate, n.freedom}
}

// logMax is the mean of the logarithms of each trace's longest call, and its noise.
func (s *side) logMax(row int) (float64, noise) {
	var logs []float64
	for trace := range s.Trace.Files {
		longest := time.Duration(0)
		if parts := s.Slices[row][trace]; parts != nil {
			for i := range parts {
				longest = max(longest, parts[i].Max)
			}
		}
		if longest > 0 {
			logs = append(logs, math.Log(float64(longest)))
		}
	}
	n := float64(len(logs))
	if n < minRuns {
		return 0, noise{}
	}
	sum, squares := 0.0, 0.0
	for _, l := range logs {
		sum += l
	}
	for _, l := range logs {
		squares += (l - sum/n) * (l - sum/n)
	}
	return sum / n, noise{math.Sqrt(squares / (n - 1) / n), n - 1}
}

// measureUnrest measures how busy the machine was: how much longer than P50 calls are on average,
// as a logarithm, by the median of the functions.
func measureUnrest(rows []analyze.Row) float64 {
	var list []weighted
	for i := range rows {
		r := &rows[i]
		if p50 := r.Quantile(500); p50 > 0 && r.Durations.Count() > 0 {
			list = append(list, weighted{math.Log(float64(r.Durations.Mean()) / float64(p50)), ownShare(r)})
		}
	}
	if effectiveNumber(list) == 0 {
		return 0
	}
	return max(0, median(list))
}

// weighted is a value with a weight.
type weighted struct{ value, weight float64 }

// effectiveNumber is the number of values of equal weight that would carry as much information.
func effectiveNumber(list []weighted) float64 {
	sum, squares := 0.0, 0.0
	for _, w := range list {
		sum += w.weight
		squares += w.weight * w.weight
	}
	if squares == 0 {
		return 0
	}
	return sum * sum / squares
}

// median is the value with half of the weight on either side.
func median(list []weighted) float64 {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b weighted) int { return cmp.Compare(a.value, b.value) })
	half := 0.0
	for _, w := range list {
		half += w.weight / 2
	}
	seen := 0.0
	for i, w := range list {
		seen += w.weight
		if math.Abs(seen-half) < 1e-9*half && i+1 < len(list) {
			return (w.value + list[i+1].value) / 2
		}
		if seen > half {
			return w.value
		}
	}
	return list[len(list)-1].value
}
