package analyze

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"utrace/format"
)

// Function identifies a function, across traces.
type Function struct {
	Name    string // for people
	Symbol  string // as the symbol table has it
	Module  string // path
	BuildID string
	Addr    uint64 // virtual address as the file has it
	File    string // source file, "" if unknown
	Line    int
	Segment format.Segment // of the module, in which the function is; zero if unknown
}

// Row is a function with its figures.
type Row struct {
	Function
	Stats
	Label string // the name and, if others have the same, what tells it apart
	Value Value  // that its calls have in common, where the report is grouped
	// TakenOff says when the function was taken off while recording, counted from the start of its trace, in
	// the first trace in which it was: its figures are of the time before. 0 if it was not.
	TakenOff time.Duration
	Programs []Program // that called it, by PID and name
	Lost     uint64    // entries that are not in the traces; not counted unless all threads and times are selected
	// BelowResolution: what is left of its calls is less than what the cost of its probes may be wrong by.
	BelowResolution bool

	// Unresolved is the part of what was subtracted that may be wrong.
	Unresolved time.Duration

	dropped []Program // of processes with dropped calls: the last one of each, as the trace does not tell which it was
}

// Trace describes what was analyzed: one trace, or several.
type Trace struct {
	Files    []string
	Hosts    []string
	Kernels  []string
	Commands []string
	Start    time.Time     // of the first recording
	Duration time.Duration // to the end of the last
	// Durations are those of the recordings, in the order of Files.
	Durations []time.Duration
	Events    uint64 // in the files
	Sched     bool   // rows of the scheduler tell how times divide, in one of the traces at least
	Switches  uint64 // how often threads left a processor
	Lost      uint64 // seen by a probe, but not in the files
	// Calls that are in the files as numbers only, see Stats.Dropped: complete ones, and further ones whose return was not seen.
	Dropped, DroppedIncomplete uint64
	// SlowerThan is how long a call must have taken to be kept; 0 where all were, or it depends on the function or the trace.
	SlowerThan time.Duration
	Conditions []Condition // under which calls were kept: durations first, then by Probe
	LeftOut    int         // functions that were asked for and not probed
	TakenOff   []TakenOff  // by trace and time
	Threads    int         // that events came from
	PIDs       []int       // ascending
	Probes     ProbeCost
	Unmeasured []string        // those of Files with calls of which none has a known cost
	Losses     []LossWindow    // by trace and time
	Touched    []TouchedThread // most uncertain calls first
	// Processes are those that events came from, by PID. One that has executed another program is there twice, in the order
	// of time.
	Processes []Process
}

// Program is what a process runs until it executes something else.
type Program struct {
	PID  int
	Name string
}

// Process is a process of a trace.
type Process struct {
	PID     int
	Name    string
	Command string // its command line, "" if unknown
}

// Result is a report: what was called, how often and how long. The same traces
// give the same Result.
type Result struct {
	Trace    Trace
	By       string // what the rows are grouped by, see Options; "" for functions only
	Rows     []Row  // functions called at least once; if all is selected, also those of which all calls were lost
	Warnings []Warning
}

// setPrograms puts the programs in order. A process with dropped calls only has its last one.
func (r *Row) setPrograms() {
	known := map[int]bool{}
	for _, p := range r.Programs {
		known[p.PID] = true
	}
	for _, p := range r.dropped {
		if !known[p.PID] {
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

// Recorded is how long was recorded, all recordings together.
func (t *Trace) Recorded() (sum time.Duration) {
	for _, d := range t.Durations {
		sum += d
	}
	return sum
}

// SortKey says what rows are sorted by.
type SortKey string

// sortKeys tells what each key compares. Larger values come first.
func sortKeys() map[SortKey]func(*Row) int64 {
	return map[SortKey]func(*Row) int64{
		"total":    func(r *Row) int64 { return int64(r.Total) },
		"self":     func(r *Row) int64 { return int64(r.Self) },
		"calls":    func(r *Row) int64 { return int64(r.Calls) },
		"avg":      func(r *Row) int64 { return int64(r.Mean()) },
		"p50":      func(r *Row) int64 { return int64(r.Durations.Quantile(500)) },
		"p90":      func(r *Row) int64 { return int64(r.Durations.Quantile(900)) },
		"p99":      func(r *Row) int64 { return int64(r.Durations.Quantile(990)) },
		"cpu":      func(r *Row) int64 { return int64(r.CPU()) },
		"runnable": func(r *Row) int64 { return int64(r.Waits.Runnable) },
		"blocked":  func(r *Row) int64 { return int64(r.Waits.Blocked) },
		"max":      func(r *Row) int64 { return int64(r.Durations.Max()) },
		"errors":   func(r *Row) int64 { return int64(r.Errors) },
		"name":     func(*Row) int64 { return 0 },
	}
}

// ParseSortKey reads a key: total, self, calls, avg, p50, p90, p99, max, errors, cpu, runnable, blocked or name.
func ParseSortKey(text string) (SortKey, error) {
	if _, ok := sortKeys()[SortKey(text)]; !ok {
		return "", fmt.Errorf("cannot sort by %q: want total, self, calls, avg, p50, p90, p99, max, errors, cpu, runnable, blocked or name", text)
	}
	return SortKey(text), nil
}

// Sort sorts the rows by key, those with equal values by name, module and address.
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
		return cmp.Or(cmp.Compare(b.value, a.value), a.row.Function.Compare(&b.row.Function), compareValues(&a.row.Value, &b.row.Value))
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

// Compare orders functions by name, module and address.
func (f *Function) Compare(other *Function) int {
	return cmp.Or(strings.Compare(f.Name, other.Name), strings.Compare(f.Module, other.Module), cmp.Compare(f.Addr, other.Addr),
		strings.Compare(f.File, other.File), strings.Compare(f.BuildID, other.BuildID))
}

// functionKey is what makes functions of different traces the same.
type functionKey struct {
	module string // build ID, or the path if it has none
	addr   uint64
	name   string
	file   string // of a function of an interpreter, which has no address
}

// functions numbers the functions of all traces of an analysis.
type functions struct {
	list  []Function
	index map[functionKey]int
}

func newFunctions() *functions { return &functions{index: map[functionKey]int{}} }

// add returns the number of a function of a trace.
func (fs *functions) add(f *format.Func, modules []format.Module) int {
	m := &modules[f.Module]
	key := functionKey{cmp.Or(m.BuildID, m.Path), f.Addr, f.Name, ""}
	if f.Addr == 0 {
		key.file = f.File
	}
	if i, ok := fs.index[key]; ok {
		return i
	}
	i := len(fs.list)
	fs.index[key] = i
	fn := Function{
		Name: f.Name, Symbol: f.Symbol, Module: m.Path, BuildID: m.BuildID, Addr: f.Addr, File: f.File, Line: f.Line,
	}
	for _, s := range m.Segments {
		if f.Addr >= s.Addr && f.Addr-s.Addr < s.Size {
			fn.Segment = s
		}
	}
	fs.list = append(fs.list, fn)
	return i
}

// setLabels gives functions of the same name what tells them apart.
func (r *Result) setLabels() {
	labels := map[string]map[Function]string{} // by name
	for i := range r.Rows {
		f := &r.Rows[i].Function
		if labels[f.Name] == nil {
			labels[f.Name] = map[Function]string{}
		}
		labels[f.Name][*f] = f.Name
	}
	for _, list := range labels {
		if len(list) > 1 {
			tellApart(list)
		}
	}
	for i := range r.Rows {
		f := &r.Rows[i].Function
		r.Rows[i].Label = labels[f.Name][*f]
	}
}

// tellApart gives each function the first of its longer names that no other one has.
func tellApart(labels map[Function]string) {
	count := map[string]int{}
	for f := range labels {
		for _, name := range f.longerNames() {
			count[name]++
		}
	}
	for f := range labels {
		for _, name := range f.longerNames() {
			if labels[f] = name; count[name] == 1 {
				break
			}
		}
	}
}

// longerNames are different names of a function with more and more of the module, the place in the source and the address.
func (f *Function) longerNames() []string {
	var names []string
	add := func(parts ...string) {
		parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
		if name := f.Name + " [" + strings.Join(parts, " ") + "]"; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	base, address := filepath.Base(f.Module), fmt.Sprintf("%#x", f.Addr)
	place := fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
	switch {
	case f.File == "":
		place, address = address, ""
	case f.Addr == 0: // of an interpreter
		if place, address = f.File, ""; f.Line != 0 { // 0: a whole file
			place += fmt.Sprintf(":%d", f.Line)
		}
		add(place)
	}
	add(base)
	add(base, place)
	add(f.Module, place)
	add(f.Module, place, f.BuildID)
	add(base, place, address)
	add(f.Module, place, address, f.BuildID)
	return names
}
