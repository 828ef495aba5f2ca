package analyze

import (
	"time"

	"utrace/analyze/internal/windows"
	"utrace/format"
)

// Survey says what recordings with a limit on the overhead have probed, and what that has cost.
type Survey struct {
	Functions    int     // to choose from
	Unprobed     int     // those that were never probed
	LimitPercent float64 // of the processor time of a process
	// CPU is the processor time of the processes without their probes, Cost that of the probes.
	CPU, Cost time.Duration
	// ByCPU is set if the processor time of some program says how much its windows stand for. That
	// contains an estimate, the cost of the probes.
	ByCPU bool
}

// UsedPercent is the part of the processor time that the probes took.
func (s *Survey) UsedPercent() float64 {
	return 100 * float64(s.Cost) / float64(max(1, s.CPU+s.Cost))
}

// plus adds the survey of another trace. Both may be nil. Traces are mostly of the same functions.
func (s *Survey) plus(other *Survey) *Survey {
	switch {
	case s == nil:
		return other
	case other == nil:
		return s
	}
	return &Survey{
		Functions: max(s.Functions, other.Functions), Unprobed: min(s.Unprobed, other.Unprobed),
		LimitPercent: max(s.LimitPercent, other.LimitPercent),
		CPU:          min(s.CPU+other.CPU, maxTimeNs), Cost: min(s.Cost+other.Cost, maxTimeNs),
		ByCPU: s.ByCPU || other.ByCPU,
	}
}

// surveyOf sums up the surveys of a trace's modules. It returns nil if there are none.
func surveyOf(src *source) *Survey {
	t := &src.tables
	surveys := windows.Surveys(t)
	if len(surveys) == 0 || src.meta.MaxOverheadPercent <= 0 {
		return nil
	}
	s := &Survey{LimitPercent: src.meta.MaxOverheadPercent}
	for _, of := range surveys {
		s.Functions += min(max(0, of.Funcs), maxDefinitions)
		s.CPU = min(s.CPU+time.Duration(min(of.CPUNs, maxTimeNs)), maxTimeNs)
		s.Cost = min(s.Cost+time.Duration(min(of.CostNs, maxTimeNs)), maxTimeNs)
		s.ByCPU = s.ByCPU || !of.ByIO
	}
	used := make([]bool, len(t.ProbeSets))
	for i := range t.Windows {
		used[t.Windows[i].Set] = true
	}
	probed := map[format.FuncID]bool{}
	for i, set := range t.ProbeSets {
		for _, fn := range set.Funcs {
			if used[i] {
				probed[fn] = true
			}
		}
	}
	s.Unprobed = max(0, s.Functions-len(probed))
	return s
}

// warnCallers warns if a view of call paths lacks functions, since their callers are unknown.
func (s *summary) warnCallers(path string, src *source) {
	lacking := uint64(0)
	for fn := range src.tables.Funcs {
		if src.cover.Weight(format.FuncID(fn)) == 0 {
			lacking++
		}
	}
	if lacking > 0 {
		s.warn(path, "%s only in windows without all others: callers are unknown, so these are not in this view",
			Plural(lacking, "function was probed", "functions were probed"))
	}
}
