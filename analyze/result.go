package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Row is a function with its figures.
type Row struct {
	Function
	Stats
	Label string // the name and, if other functions have the same, a distinction
	Value Value  // of all its calls, if the report is grouped
	// Covered is the part of the recordings' time in which the function was probed, 0 to 1. It is of
	// the selected time, and of the traces with calls of the function.
	Covered  float64
	Programs []Program // that called it, by PID and name
	Lost     uint64    // entries that are not in the traces; 0 unless all threads and times are selected
	// Unresolved is the part of Subtracted that may be wrong.
	Unresolved time.Duration
	// BelowResolution: the median of its calls is below the uncertainty of the cost of its probes.
	BelowResolution bool
	// AwaitsProbes: its calls may have waited for other threads while these were in probes, and
	// that was not subtracted. It took at least 5% of the calls' time, if they did.
	AwaitsProbes bool

	dropped []Program // the last program of each process with dropped calls
}

// Result is a report: what was called, how often and how long. The same traces give the same
// Result.
type Result struct {
	Trace Trace
	By    string // the rows are grouped by this, see Options; "" for functions only
	// Rows are the functions called at least once. If all is selected, they also contain functions
	// with lost calls only.
	Rows     []Row
	Warnings []Warning
}

// setPrograms puts the programs in order. The trace does not say which program of a process made a
// dropped call: the last one counts, unless the process has other calls of the function.
func (r *Row) setPrograms() {
	called := map[int]bool{}
	for _, p := range r.Programs {
		called[p.PID] = true
	}
	for _, p := range r.dropped {
		if !called[p.PID] {
			r.Programs = append(r.Programs, p)
		}
	}
	slices.SortFunc(r.Programs, func(a, b Program) int { return cmp.Or(cmp.Compare(a.PID, b.PID), strings.Compare(a.Name, b.Name)) })
	r.Programs = slices.Compact(r.Programs)
}

// PIDs returns the processes that called the function, ascending.
func (r *Row) PIDs() []int {
	pids := make([]int, 0, len(r.Programs))
	for _, p := range r.Programs {
		pids = append(pids, p.PID)
	}
	return slices.Compact(pids)
}

// SortKey names a figure to sort rows by.
type SortKey string

// sortKeys returns the figure of each key. Larger values come first.
func sortKeys() map[SortKey]func(*Row) int64 {
	return map[SortKey]func(*Row) int64{
		"total":    func(r *Row) int64 { return int64(r.Total) },
		"self":     func(r *Row) int64 { return int64(r.Self) },
		"calls":    func(r *Row) int64 { return int64(r.Calls) },
		"avg":      func(r *Row) int64 { return int64(r.Mean()) },
		"p50":      func(r *Row) int64 { return int64(r.Quantile(500)) },
		"p90":      func(r *Row) int64 { return int64(r.Quantile(900)) },
		"p99":      func(r *Row) int64 { return int64(r.Quantile(990)) },
		"cpu":      func(r *Row) int64 { return int64(r.CPU()) },
		"runnable": func(r *Row) int64 { return int64(r.Waits.Runnable) },
		"blocked":  func(r *Row) int64 { return int64(r.Waits.Blocked) },
		"max":      func(r *Row) int64 { return int64(r.Durations.Max()) },
		"errors":   func(r *Row) int64 { return int64(r.Errors) },
		"name":     func(*Row) int64 { return 0 },
	}
}

// SortKeys returns all keys, in order.
func SortKeys() (keys []string) {
	for key := range sortKeys() {
		keys = append(keys, string(key))
	}
	slices.Sort(keys)
	return keys
}

// ParseSortKey reads a key: total, self, calls, avg, p50, p90, p99, max, errors, cpu, runnable,
// blocked or name. It fails for any other text.
func ParseSortKey(text string) (SortKey, error) {
	if _, ok := sortKeys()[SortKey(text)]; !ok {
		const want = "total, self, calls, avg, p50, p90, p99, max, errors, cpu, runnable, blocked or name"
		return "", fmt.Errorf("cannot sort by %q: want %s", text, want)
	}
	return SortKey(text), nil
}

// Sort sorts the rows by key, and rows with equal values by name, module and address. It adds a
// warning if the traces lack what key needs.
func (r *Result) Sort(key SortKey) {
	if (key == "cpu" || key == "runnable" || key == "blocked") && !r.Trace.Sched {
		r.Warnings = append(r.Warnings, Warning{
			Option: OptionSort, Value: string(key), Text: "nothing to sort by: when threads ran was not recorded", Hint: RecordSched,
		})
	}
	value := sortKeys()[key]
	if value == nil {
		value = sortKeys()["total"]
	}
	type ranked struct {
		row   Row
		value int64
	}
	list := make([]ranked, len(r.Rows))
	for i := range r.Rows {
		list[i] = ranked{r.Rows[i], value(&r.Rows[i])}
	}
	slices.SortFunc(list, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.value, a.value), a.row.Function.Compare(&b.row.Function), a.row.Value.Compare(&b.row.Value))
	})
	for i := range list {
		r.Rows[i] = list[i].row
	}
}

// Select returns the rows of the functions that match.
func (r *Result) Select(p *Pattern) []Row {
	var rows []Row
	for i := range r.Rows {
		if p.MatchFunction(&r.Rows[i].Function) {
			rows = append(rows, r.Rows[i])
		}
	}
	return rows
}
