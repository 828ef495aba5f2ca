package analyze

import (
	"math"
	"time"

	"utrace/analyze/internal/estimate"
	"utrace/analyze/internal/windows"
	"utrace/format"
)

// sample is what the calls of a function were in its windows.
type sample struct {
	calls, ns [windows.NumStrata]float64 // calls, and their time, by stratum
	// wholeNs and wholeSelfNs are the durations and self times of the complete calls in whole
	// windows: their callees are known.
	wholeNs, wholeSelfNs float64
}

func (s *callStats) makeSample() {
	if s.sample == nil {
		s.sample = &sample{}
	}
}

// take adds a call to the sample of a function with windows.
func (s *callStats) take(f *frame, ns int64) {
	s.makeSample()
	s.sample.calls[f.place.Stratum]++
	s.sample.ns[f.place.Stratum] += float64(ns)
}

// takeSelf adds what is known of the callees of a complete call, if not all of them were recorded.
func (s *callStats) takeSelf(f *frame, ns, selfNs int64) {
	switch {
	case !f.place.Windowed:
		s.missedNs += f.missedNs
		s.SelfAtMost = s.SelfAtMost || f.calleesUnknown
	case f.place.Whole:
		s.makeSample()
		s.sample.wholeNs += float64(ns)
		s.sample.wholeSelfNs += float64(selfNs)
	}
}

// merge adds the figures from another thread.
func (s *callStats) merge(other *callStats) {
	s.Stats.Merge(&other.Stats)
	s.missedNs += other.missedNs
	for p := range other.programs {
		s.programs[p] = true
	}
	if other.sample == nil {
		return
	}
	s.makeSample()
	for i := range s.sample.calls {
		s.sample.calls[i] += other.sample.calls[i]
		s.sample.ns[i] += other.sample.ns[i]
	}
	s.sample.wholeNs += other.sample.wholeNs
	s.sample.wholeSelfNs += other.sample.wholeSelfNs
}

// estimate turns the figures of the recorded calls of a trace into figures of all calls. w are the
// windows of the function, nil if it was probed all the time.
func (s *callStats) estimate(w *windows.Windows) {
	if w == nil { // its callees may have windows
		s.Self = max(0, s.Self-time.Duration(s.missedNs))
		return
	}
	s.makeSample()
	calls, margin := estimate.Sum(s.sample.calls[:len(w.Sizes)], w.Sizes, w.Spans, estimate.CountVariance(float64(s.Calls)))
	margin = math.Hypot(margin, estimate.SizeError(s.sample.calls[:len(w.Sizes)], w.Sizes, w.Spans, w.SizeErrors))
	s.Calls, s.CallsError = whole(calls), whole(math.Ceil(margin))
	s.Errors = whole(w.Scale() * float64(s.Errors))
	s.estimateTimes(w, calls, margin)
}

// maxUneven is how much the total time by windows may differ from the number of calls times their
// mean: if the program has phases, both are right.
const maxUneven = 2

// estimateTimes estimates total and self time. calls is the number of calls. Where calls are
// recursive, the outermost ones have the same part of the time of all calls as in the sample.
func (s *callStats) estimateTimes(w *windows.Windows, calls, callsMargin float64) {
	if s.Durations.Count()+s.Uncertain == 0 { // perhaps its calls never return
		s.Total, s.Self, s.Waits, s.SelfWaits = 0, 0, Waits{}, Waits{}
		return
	}
	curve := s.curve()
	mean, _ := curve.Mean()
	known := float64(s.Durations.Count() + s.Censored.Count())
	seen := 0.0
	for i := range w.Sizes {
		seen += s.sample.ns[i]
	}
	sum, margin := estimate.Sum(s.sample.ns[:len(w.Sizes)], w.Sizes, w.Spans, known*curve.Square())
	margin = math.Hypot(margin, estimate.SizeError(s.sample.ns[:len(w.Sizes)], w.Sizes, w.Spans, w.SizeErrors))
	if seen > 0 { // calls that were cut off have taken longer than was seen
		longer := (known*mean + float64(s.UncertainTime)) / seen
		sum, margin = sum*longer, margin*longer
	}
	if least := calls * mean / maxUneven; sum < least || sum > least*maxUneven*maxUneven { // few windows count, and have hardly any whole calls
		sum, margin = calls*mean, max(margin, callsMargin*mean)
	}
	outermost := 1.0
	if all := s.Durations.Sum() + s.UncertainTime; all > 0 {
		outermost = float64(s.Total) / float64(all)
	}
	total := sum * outermost
	s.TotalError = nanoseconds(margin * outermost)
	self := sum
	if s.sample.wholeNs > 0 {
		self *= s.sample.wholeSelfNs / s.sample.wholeNs
	} else {
		s.SelfAtMost = sum > 0
	}
	s.Waits = s.Waits.scaled(total / max(1, float64(s.Total)))
	s.SelfWaits = s.SelfWaits.scaled(self / max(1, float64(s.Self)))
	s.Total, s.Self = nanoseconds(total), nanoseconds(self)
}

// whole rounds a number, up to a limit that a trace from a stranger may exceed.
func whole(v float64) uint64 { return uint64(math.Round(min(v, maxTimeNs))) }

// nanoseconds is a duration of that many, within the limit of all times.
func nanoseconds(ns float64) time.Duration { return time.Duration(math.Round(min(ns, maxTimeNs))) }

// curve is the distribution of the durations of calls, from those that are complete and those that
// were cut off.
func (s *Stats) curve() *estimate.Curve { return estimate.NewCurve(points(&s.Durations, &s.Censored)) }

// Quantile returns the shortest duration such that perMille thousandths of the calls take no longer,
// with a relative error of at most 1%. It returns 0 if there are no durations.
func (s *Stats) Quantile(perMille uint64) time.Duration {
	d, _ := s.quantile(perMille)
	return d
}

// QuantileAtLeast reports whether a quantile is at least as long as Quantile says: the windows of
// the longer calls ended first.
func (s *Stats) QuantileAtLeast(perMille uint64) bool {
	_, known := s.quantile(perMille)
	return !known
}

func (s *Stats) quantile(perMille uint64) (d time.Duration, known bool) {
	if s.Censored.Count() == 0 {
		return s.Durations.Quantile(perMille), true
	}
	at, known := s.curve().Quantile(float64(perMille) / 1000)
	return nanoseconds(at), known
}

// Mean returns the average of the calls, dropped ones included. Calls whose end is beyond all that
// was seen count with the longest duration that was.
func (s *Stats) Mean() time.Duration {
	n, sum := float64(s.Durations.Count()+s.Censored.Count()), float64(s.Durations.Sum())
	if s.Censored.Count() > 0 {
		mean, _ := s.curve().Mean()
		sum = n * mean
	}
	if s.Dropped > 0 && s.CallsError > 0 { // dropped calls are estimated, those in n are not
		scale := float64(s.Calls-s.Dropped-s.DroppedIncomplete) / float64(max(1, s.Recorded))
		n, sum = n*scale, sum*scale
	}
	if n += float64(s.Dropped); n == 0 {
		return 0
	}
	return time.Duration((sum + float64(s.DroppedSum)) / n)
}

// maxUnseen is the part of a mean from which it counts as too short, if it is the time of calls
// whose end was not seen.
const maxUnseen = 0.05

// MeanAtLeast reports whether the mean is at least as long as Mean says, and Total likewise.
func (s *Stats) MeanAtLeast() bool {
	if s.Censored.Count() == 0 {
		return false
	}
	mean, unseen := s.curve().Mean()
	return unseen > maxUnseen*mean
}

// traceStats are the figures of one trace, by row and function.
type traceStats struct {
	of    map[traceRow]*callStats
	order []traceRow
}

type traceRow struct {
	row int
	fn  format.FuncID
}

func newTraceStats() *traceStats { return &traceStats{of: map[traceRow]*callStats{}} }

// add adds figures of a function from some threads, for a row.
func (p *traceStats) add(row int, fn format.FuncID, s *callStats) {
	key := traceRow{row, fn}
	if p.of[key] == nil {
		p.of[key] = s
		p.order = append(p.order, key)
		return
	}
	p.of[key].merge(s)
}
