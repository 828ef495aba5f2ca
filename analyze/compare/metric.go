package compare

import (
	"math"

	"utrace/analyze"
)

// Metric is a figure of a function that a Comparison compares.
type Metric uint8

// The metrics: Calls is a number, all others are nanoseconds.
const (
	Calls Metric = iota
	Total
	Self
	Avg
	P50
	P90
	P99
	Max
	numMetrics
)

func metricNames() [numMetrics]string {
	return [numMetrics]string{"calls", "total", "self", "avg", "p50", "p90", "p99", "max"}
}

// String returns the name of the metric in thresholds and JSON, such as p50.
func (m Metric) String() string { return metricNames()[m] }

// quantiles are those of P50, P90 and P99, in thousandths.
func quantiles() [3]uint64 { return [3]uint64{500, 900, 990} }

// of returns the metric of a row; calls, total and self are per trace. traces is their number.
func (m Metric) of(r *analyze.Row, traces int) int64 {
	if r == nil {
		return 0
	}
	each := func(sum int64) int64 { return (sum + int64(traces)/2) / int64(traces) }
	switch m {
	case Calls:
		return each(int64(r.Calls))
	case Total:
		return each(int64(r.Total))
	case Self:
		return each(int64(r.Self))
	case Avg:
		return int64(r.Mean())
	case P50, P90, P99:
		return int64(r.Quantile(quantiles()[m-P50]))
	}
	return int64(r.Durations.Max())
}

// uncertainty is the largest error of the metric of a row, from lost events and from the part of
// the subtracted cost that may be wrong.
func (m Metric) uncertainty(r *analyze.Row, traces int) float64 {
	switch m {
	case Calls:
		return float64(r.Lost) / float64(traces)
	case Total, Self:
		scale := 1.0 // of the recorded calls
		if r.CallsError > 0 {
			scale = float64(r.Calls) / float64(max(1, r.Recorded))
		}
		return (scale*float64(r.Unresolved+r.UncertainTotal) + float64(r.Lost)*float64(r.Mean())) / float64(traces)
	}
	return float64(r.Unresolved) / float64(max(1, r.Durations.Count()))
}

// bound reports whether the metric of a row is a bound only: the windows of long calls ended first,
// or callees are unknown. The longest call of a sample says little about the longest of all.
func (m Metric) bound(r *analyze.Row) bool {
	switch m {
	case Total, Avg:
		return r.MeanAtLeast()
	case Self:
		return r.SelfAtMost || r.MeanAtLeast()
	case P50, P90, P99:
		return r.QuantileAtLeast(quantiles()[m-P50])
	case Max:
		return r.CallsError > 0
	}
	return false
}

// samplingError is the standard error of the metric of a row, as a part of it, from estimating it
// from windows; 0 if it is exact, or if slices of time show the error.
func (m Metric) samplingError(r *analyze.Row) float64 {
	const margin = 1.96 // standard errors in half of a 95% interval
	switch m {
	case Calls:
		return float64(r.CallsError) / margin / float64(max(1, r.Calls))
	case Total, Self:
		return float64(r.TotalError) / margin / float64(max(1, r.Total))
	}
	return 0
}

// ownShare is the part of the time of a function's complete calls that its callees do not take.
func ownShare(r *analyze.Row) float64 {
	if r.CallsError > 0 { // the durations are of the recorded calls only
		return min(1, float64(r.Self)/float64(max(1, r.Total)))
	}
	if sum := r.Durations.Sum() + r.UncertainTime + r.DroppedSum; sum > 0 {
		return min(1, float64(r.Self)/float64(sum))
	}
	return 0
}

// Delta is a metric of a function on both sides.
type Delta struct {
	Old, New int64   // calls, total and self are per trace
	Shift    float64 // the change of all functions, which New contains: 0.1 is 10% more
	// P is the probability that, with nothing changed, any function of the comparison shows as
	// clear a change as this one. It is 1 if the change could not be tested.
	P           float64
	Tested      bool // there was enough data to know the noise
	Significant bool
	Unlike      bool // the two sides have different calls, see Comparison.Warnings
	metric      Metric
}

// Relative is the change beyond the shift: 0.1 is 10% more. It is infinite if Old is 0.
func (d *Delta) Relative() float64 {
	switch {
	case d.Old == d.New && d.Shift == 0:
		return 0
	case d.Old == 0:
		return math.Inf(1)
	}
	return float64(d.New)/(float64(d.Old)*(1+d.Shift)) - 1
}

// Absolute is the change beyond the shift, in calls or nanoseconds.
func (d *Delta) Absolute() int64 {
	return d.New - int64(math.Round(float64(d.Old)*(1+d.Shift)))
}
