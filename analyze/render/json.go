package render

import (
	"encoding/json"
	"io"
	"strings"

	"utrace/analyze"
)

// jsonReport is the report for programs. Its keys are a contract: keys may be added, none may
// change. Times are in nanoseconds.
type jsonReport struct {
	Trace     jsonTrace      `json:"trace"`
	Functions []jsonFunction `json:"functions"`
	Warnings  []string       `json:"warnings"`
}

type jsonTrace struct {
	File       string `json:"file"`
	Host       string `json:"host"`
	Kernel     string `json:"kernel"`
	Command    string `json:"command"`
	Start      string `json:"start"` // RFC 3339, UTC
	DurationNs int64  `json:"duration_ns"`
	Events     uint64 `json:"events"`
	Lost       uint64 `json:"lost"`
	Unmatched  uint64 `json:"unmatched_returns"`  // whose entry was not seen
	Switches   uint64 `json:"switches,omitempty"` // how often threads left a processor; 0 if the scheduler was not recorded
	PIDs       []int  `json:"pids"`
	// Calls that took less were not kept; 0: all were kept, or it depends on the function.
	SlowerThanNs int64    `json:"slower_than_ns"`
	Conditions   []string `json:"conditions"` // under which calls were kept; none: all were kept
	LeftOut      int      `json:"left_out"`   // functions that were asked for and not probed

	Survey  *jsonSurvey   `json:"survey"` // null: all functions were probed all the time
	Probes  jsonProbes    `json:"probes"`
	Losses  []jsonLoss    `json:"losses"`
	Touched []jsonTouched `json:"touched_threads"`

	Processes  []jsonProcess   `json:"processes"`
	Recordings []jsonRecording `json:"recordings"` // of each file
}

// jsonProbes is the cost of probes.
type jsonProbes struct {
	Known        bool   `json:"known"`         // the cost of hits was measured
	Raw          bool   `json:"raw"`           // nothing was to be subtracted: hits_ns, recorder_ns, awaited_ns and subtracted_ns are 0
	HitsNs       int64  `json:"hits_ns"`       // all hits
	RecorderNs   int64  `json:"recorder_ns"`   // in which the recorder had pre-empted traced threads
	AwaitedNs    int64  `json:"awaited_ns"`    // in which threads waited for the probes of others
	TracedNs     int64  `json:"traced_ns"`     // of all threads, from the first event of each to its last
	InsideNs     int64  `json:"inside_ns"`     // outermost complete calls, as measured
	SubtractedNs int64  `json:"subtracted_ns"` // from inside_ns
	DroppedNs    int64  `json:"dropped_ns"`    // the part of hits_ns in dropped calls; it is subtracted from no call
	Unmet        uint64 `json:"unmet"`         // hits that did not meet a condition on arguments
	UnmetNs      int64  `json:"unmet_ns"`      // their cost, not in hits_ns
	// UnknownFunctions counts functions with events whose cost of hits was not measured.
	UnknownFunctions int `json:"unknown_functions"`
}

func newJSONProbes(p *analyze.ProbeCost) jsonProbes {
	return jsonProbes{
		Known: p.Measured, Raw: p.Raw, HitsNs: int64(p.Hits), RecorderNs: int64(p.Displaced), AwaitedNs: int64(p.Awaited), TracedNs: int64(p.Traced),
		InsideNs: int64(p.Inside), SubtractedNs: int64(p.Subtracted), DroppedNs: int64(p.Dropped), UnknownFunctions: p.UnmeasuredFuncs,
		Unmet: p.Unmet, UnmetNs: int64(p.UnmetTime),
	}
}

// jsonLoss is a time in which events were lost. Times are since the start.
type jsonLoss struct {
	FromNs  int64  `json:"from_ns"`
	ToNs    int64  `json:"to_ns"`
	Entries uint64 `json:"entries"`
	Returns uint64 `json:"returns"`
}

// jsonTouched is a thread with calls that a loss may have touched.
type jsonTouched struct {
	PID       int    `json:"pid"`
	TID       int    `json:"tid"`
	Name      string `json:"name"`
	Uncertain uint64 `json:"uncertain"`
}

// jsonSurvey is about functions that were probed in windows.
type jsonSurvey struct {
	Functions    int     `json:"functions"` // to choose from
	Unprobed     int     `json:"unprobed"`  // those that were never probed
	LimitPercent float64 `json:"limit_percent"`
	UsedPercent  float64 `json:"used_percent"`
}

func newJSONSurvey(s *analyze.Survey) *jsonSurvey {
	if s == nil {
		return nil
	}
	return &jsonSurvey{s.Functions, s.Unprobed, s.LimitPercent, s.UsedPercent()}
}

type jsonFunction struct {
	Name       string `json:"name"`
	Module     string `json:"module"`
	File       string `json:"file"`
	Line       int    `json:"line"`
	Calls      uint64 `json:"calls"`      // of the whole recording: an estimate unless calls_error is 0
	Incomplete uint64 `json:"incomplete"` // of the recorded calls
	TotalNs    int64  `json:"total_ns"`
	SelfNs     int64  `json:"self_ns"`
	MinNs      int64  `json:"min_ns"`
	AvgNs      int64  `json:"avg_ns"`
	P50Ns      int64  `json:"p50_ns"`
	P90Ns      int64  `json:"p90_ns"`
	P99Ns      int64  `json:"p99_ns"`
	P999Ns     int64  `json:"p999_ns"`
	MaxNs      int64  `json:"max_ns"`
	Errors     uint64 `json:"errors"`
	Dropped    uint64 `json:"dropped"` // complete calls in calls, sums and average, but not in percentiles, min and max
	PIDs       []int  `json:"pids"`

	By map[string]any `json:"by,omitempty"` // the value of all its calls; null: it could not be read, or is a null pointer
	// Uncertain counts complete calls during which events were lost. They count in total_ns and
	// self_ns, but not in the figures from min_ns to max_ns.
	Uncertain       uint64 `json:"uncertain"`
	UncertainNs     int64  `json:"uncertain_ns"`
	Lost            uint64 `json:"lost"` // entries that are not in the trace
	BelowResolution bool   `json:"below_resolution"`
	AwaitsProbes    bool   `json:"awaits_probes"`
	// DroppedIncomplete counts the dropped calls in incomplete.
	DroppedIncomplete uint64 `json:"dropped_incomplete"`
	Provider          string `json:"provider"` // of a static probe (USDT); "" for other functions

	CallsError   uint64   `json:"calls_error"`    // half of the 95% interval of calls; 0: exact
	Recorded     uint64   `json:"recorded"`       // calls in the file
	Cut          uint64   `json:"cut"`            // those of incomplete whose window ended first
	Covered      float64  `json:"covered"`        // share of the recording in which the function was probed
	TotalErrorNs int64    `json:"total_error_ns"` // half of the 95% interval of total_ns
	LowerBounds  []string `json:"lower_bounds"`   // keys of figures that are at least as large; a key in both lists is unknown
	UpperBounds  []string `json:"upper_bounds"`   // keys of figures that are at most as large

	*jsonWaits // nil if the scheduler was not recorded
}

// jsonWaits are the parts of total_ns and self_ns.
type jsonWaits struct {
	CPUNs          int64 `json:"cpu_ns"`
	RunnableNs     int64 `json:"runnable_ns"`
	BlockedNs      int64 `json:"blocked_ns"`
	UnknownNs      int64 `json:"unknown_ns"`
	SelfCPUNs      int64 `json:"self_cpu_ns"`
	SelfRunnableNs int64 `json:"self_runnable_ns"`
	SelfBlockedNs  int64 `json:"self_blocked_ns"`
	SelfUnknownNs  int64 `json:"self_unknown_ns"`
}

func newJSONWaits(t *analyze.Trace, s *analyze.Stats) *jsonWaits {
	if !t.Sched {
		return nil
	}
	return &jsonWaits{
		CPUNs: int64(s.CPU()), RunnableNs: int64(s.Waits.Runnable), BlockedNs: int64(s.Waits.Blocked), UnknownNs: int64(s.Waits.Unknown),
		SelfCPUNs: int64(s.SelfCPU()), SelfRunnableNs: int64(s.SelfWaits.Runnable), SelfBlockedNs: int64(s.SelfWaits.Blocked),
		SelfUnknownNs: int64(s.SelfWaits.Unknown),
	}
}

// jsonTime is the layout of times in JSON: RFC 3339, UTC, with all nanoseconds.
const jsonTime = "2006-01-02T15:04:05.000000000Z"

// JSON writes the report as one object, with warnings and conditions in the caller's words.
func JSON(w io.Writer, r *analyze.Result, words Words) error {
	out := jsonReport{Trace: newJSONTrace(&r.Trace, words), Functions: []jsonFunction{}, Warnings: words.Warnings(r.Warnings)}
	for i := range r.Rows {
		out.Functions = append(out.Functions, newJSONFunction(&r.Rows[i], r))
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

// JSONFunctions returns rows of a report as JSON has them, for encoding/json.
func JSONFunctions(r *analyze.Result, rows []analyze.Row) []any {
	list := make([]any, len(rows))
	for i := range rows {
		list[i] = newJSONFunction(&rows[i], r)
	}
	return list
}

// JSONTrace returns the description of traces as JSON has it, for encoding/json.
func JSONTrace(t *analyze.Trace, words Words) any { return newJSONTrace(t, words) }

func newJSONTrace(t *analyze.Trace, words Words) jsonTrace {
	out := jsonTrace{
		File: strings.Join(t.Files, ", "), Host: strings.Join(t.Hosts, ", "), Kernel: strings.Join(t.Kernels, ", "),
		Command: strings.Join(recordedCommands(t), "; "), Start: t.Start.Format(jsonTime),
		DurationNs: int64(t.Duration), Events: t.Events, Lost: t.Lost, Unmatched: t.UnmatchedReturns, Switches: t.Switches, PIDs: append([]int{}, t.PIDs...),
		SlowerThanNs: int64(t.SlowerThan), Conditions: words.conditions(t.Conditions), LeftOut: t.LeftOut,
		Survey: newJSONSurvey(t.Survey), Losses: []jsonLoss{}, Touched: []jsonTouched{},
		Probes: newJSONProbes(&t.Probes), Processes: newJSONProcesses(t.Processes), Recordings: newJSONRecordings(t.Recordings),
	}
	for _, l := range t.Losses {
		out.Losses = append(out.Losses, jsonLoss{int64(l.From), int64(l.To), l.Entries, l.Returns})
	}
	for _, th := range t.Touched {
		out.Touched = append(out.Touched, jsonTouched(th))
	}
	return out
}

// newJSONFunction returns a row of a report.
func newJSONFunction(row *analyze.Row, r *analyze.Result) jsonFunction {
	d := &row.Durations
	fn := jsonFunction{
		Name: row.Name, Module: row.Module, File: row.File, Line: row.Line,
		Calls: row.Calls, Incomplete: row.Incomplete, TotalNs: int64(row.Total), SelfNs: int64(row.Self),
		MinNs: int64(d.Min()), AvgNs: int64(row.Mean()), P50Ns: int64(row.Quantile(500)), P90Ns: int64(row.Quantile(900)),
		P99Ns: int64(row.Quantile(990)), P999Ns: int64(row.Quantile(999)), MaxNs: int64(d.Max()),
		Errors: row.Errors, Dropped: row.Dropped, PIDs: row.PIDs(),
		Uncertain: row.Uncertain, UncertainNs: int64(row.UncertainTotal), Lost: row.Lost, BelowResolution: row.BelowResolution, AwaitsProbes: row.AwaitsProbes,
		DroppedIncomplete: row.DroppedIncomplete, Provider: row.Provider(),
		CallsError: row.CallsError, Recorded: row.Recorded, Cut: row.Cut, Covered: row.Covered, TotalErrorNs: int64(row.TotalError),
		LowerBounds: lowerBounds(&row.Stats), UpperBounds: []string{},
		jsonWaits: newJSONWaits(&r.Trace, &row.Stats),
	}
	if row.SelfAtMost {
		fn.UpperBounds = append(fn.UpperBounds, "self_ns")
	}
	if r.By != "" {
		fn.By = map[string]any{r.By: nil} // lost entries have no known value
		if row.Value.Text != "" {
			fn.By[r.By] = row.Value.Plain
		}
	}
	return fn
}

// lowerBounds are the keys of figures that are at least as large as the report says.
func lowerBounds(s *analyze.Stats) []string {
	keys := []string{}
	if s.MeanAtLeast() {
		keys = append(keys, "total_ns", "self_ns", "avg_ns")
	}
	names := []string{"p50_ns", "p90_ns", "p99_ns", "p999_ns"}
	for i, q := range quantiles() {
		if s.QuantileAtLeast(q) {
			keys = append(keys, names[i])
		}
	}
	return keys
}
