package render

import (
	"encoding/json"
	"io"
	"math"

	"utrace/analyze"
	"utrace/analyze/compare"
)

// jsonDiff is a comparison for programs. Its keys are a contract, like those of jsonReport.
type jsonDiff struct {
	Old       jsonDiffSide       `json:"old"`
	New       jsonDiffSide       `json:"new"`
	Shifts    map[string]float64 `json:"shift_percent"` // by metric
	ByRuns    bool               `json:"by_runs"`
	Raw       bool               `json:"raw"` // the cost of probes is not subtracted
	Functions []jsonChange       `json:"functions"`
	Failed    []jsonFailure      `json:"failed"`
	Warnings  []string           `json:"warnings"`
}

type jsonDiffSide struct {
	Files       []string `json:"files"`
	DurationNs  int64    `json:"duration_ns"`  // from the beginning of the first recording to the end of the last
	DurationsNs []int64  `json:"durations_ns"` // of each of the files
	Events      uint64   `json:"events"`
	Lost        uint64   `json:"lost"`

	Commands  []string      `json:"commands"`
	Processes []jsonProcess `json:"processes"`
	AskedFor  []string      `json:"asked_for"` // probes as typed, and presets
}

type jsonChange struct {
	Name            string               `json:"name"`
	Module          string               `json:"module"`
	File            string               `json:"file"`
	Line            int                  `json:"line"`
	Provider        string               `json:"provider"` // of a static probe (USDT)
	State           string               `json:"state"`    // both, new or gone
	Significant     bool                 `json:"significant"`
	BelowResolution bool                 `json:"below_resolution"` // on either side
	Metrics         map[string]jsonDelta `json:"metrics"`
}

type jsonDelta struct {
	Old           int64    `json:"old"` // nanoseconds, or calls; calls, total and self per trace
	New           int64    `json:"new"`
	Comparable    bool     `json:"comparable"`     // both sides have it, of the same calls
	ChangePercent *float64 `json:"change_percent"` // as measured; null if it is not comparable, or old is 0
	BeyondPercent *float64 `json:"beyond_percent"` // beyond the shift
	P             float64  `json:"p"`              // see compare.Delta
	Tested        bool     `json:"tested"`
	Significant   bool     `json:"significant"`
}

type jsonFailure struct {
	Condition string   `json:"condition"`
	Functions []string `json:"functions"`
}

// DiffJSON writes a comparison as one object, with the thresholds it meets and with warnings in the
// caller's words.
func DiffJSON(w io.Writer, c *compare.Comparison, verdicts []Verdict, words Words) error {
	side := func(t *analyze.Trace) jsonDiffSide {
		durations := []int64{}
		for _, d := range t.Durations {
			durations = append(durations, int64(d))
		}
		return jsonDiffSide{
			Files: append([]string{}, t.Files...), DurationNs: int64(t.Duration), DurationsNs: durations, Events: t.Events, Lost: t.Lost,
			Commands: append([]string{}, t.Commands...), Processes: newJSONProcesses(t.Processes), AskedFor: t.AskedFor(),
		}
	}
	out := jsonDiff{
		Old: side(&c.Old), New: side(&c.New), Shifts: map[string]float64{}, ByRuns: c.ByRuns, Raw: c.Old.Probes.Raw,
		Functions: []jsonChange{}, Failed: []jsonFailure{}, Warnings: words.Warnings(c.Warnings),
	}
	for m, shift := range c.Shifts {
		out.Shifts[m.String()] = 100 * shift
	}
	for i := range c.Changes {
		out.Functions = append(out.Functions, newJSONChange(&c.Changes[i]))
	}
	for _, v := range verdicts {
		if len(v.Met) == 0 {
			continue
		}
		f := jsonFailure{Condition: v.Condition.String()}
		for _, ch := range v.Met {
			f.Functions = append(f.Functions, ch.Label)
		}
		out.Failed = append(out.Failed, f)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

// JSONChanges returns changes as JSON has them, for encoding/json.
func JSONChanges(changes []compare.Change) []any {
	list := make([]any, len(changes))
	for i := range changes {
		list[i] = newJSONChange(&changes[i])
	}
	return list
}

func newJSONChange(ch *compare.Change) jsonChange {
	f := jsonChange{
		Name: ch.Name, Module: ch.Module, File: ch.File, Line: ch.Line, Provider: ch.Provider(), State: "both",
		Significant: ch.Significant(), BelowResolution: ch.BelowResolution(), Metrics: map[string]jsonDelta{},
	}
	if ch.Old == nil {
		f.State = "new"
	} else if ch.New == nil {
		f.State = "gone"
	}
	percent := func(v float64) *float64 {
		if v *= 100; !math.IsInf(v, 0) && !math.IsNaN(v) {
			return &v
		}
		return nil
	}
	for m := range ch.Deltas {
		d, metric := &ch.Deltas[m], compare.Metric(m)
		j := jsonDelta{Old: d.Old, New: d.New, Comparable: hasChange(ch, metric), P: d.P, Tested: d.Tested, Significant: d.Significant}
		if j.Comparable {
			j.ChangePercent, j.BeyondPercent = percent(float64(d.New)/float64(d.Old)-1), percent(d.Relative())
		}
		f.Metrics[metric.String()] = j
	}
	return f
}
