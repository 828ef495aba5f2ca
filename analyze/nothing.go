package analyze

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"utrace/format"
)

// maxOffered is how many names are offered instead of one that nothing has.
const maxOffered = 10

// offer is what traces have to select from. It explains why nothing was selected.
type offer struct {
	processes []string        // with events
	threads   []string        // of the selected processes
	selected  bool            // there are selected threads
	called    map[string]bool // functions that selected threads have called
	matched   bool            // one of them is a selected one
	silent    []string        // selected functions that they have not called
	from, to  time.Duration   // the events of selected threads
}

// add adds a trace. sum has the counts of a run.
func (o *offer) add(src *source, sum *tally, opts *Options) {
	for _, p := range src.listProcesses() {
		if p.Called {
			o.processes = append(o.processes, fmt.Sprintf("%d %s", p.PID, p.Name))
		}
	}
	for i := range src.tables.Threads {
		th := &src.tables.Threads[i]
		if opts.process(th.PID) {
			o.threads = append(o.threads, FlowName(th))
		}
		o.selected = o.selected || opts.thread(*th)
	}
	for id := range src.tables.Funcs {
		o.addFunction(&src.tables.Funcs[id], id < len(sum.used) && sum.used[id], opts)
	}
	if sum.firstNs > 0 {
		if first := time.Duration(sum.firstNs); o.from == 0 || first < o.from {
			o.from = first
		}
		o.to = max(o.to, time.Duration(sum.lastNs))
	}
}

func (o *offer) addFunction(f *format.Func, called bool, opts *Options) {
	matches := opts.Function.function(f)
	switch {
	case called:
		o.called[f.Name] = true
		o.matched = o.matched || matches
	case matches:
		o.silent = append(o.silent, f.Name)
	}
}

// warnNothing warns that an analysis shows nothing, and says what there is instead.
func (s *summary) warnNothing(opts *Options) {
	switch {
	case opts.Function != nil || !opts.all() || opts.Min > 0:
		s.warn("", "no call matches what was selected: %s", s.offer.instead(opts))
	case len(s.offer.called) > 0:
		s.warn("", "no complete calls were recorded")
	default:
		s.warn("", "no calls were recorded")
	}
}

// instead says what the traces have. It looks at processes first, then at threads, functions,
// durations and time.
func (o *offer) instead(opts *Options) string {
	switch {
	case len(o.processes) == 0:
		return "no calls were recorded"
	case len(o.threads) == 0:
		return "the processes with calls are " + someOf(o.processes)
	case !o.selected:
		return "the threads with calls are " + someOf(o.threads)
	case !o.matched && len(o.silent) > 0:
		return "these functions were probed, but not called: " + someOf(o.silent)
	case !o.matched:
		return opts.Function.Instead(slices.Collect(maps.Keys(o.called)))
	case opts.From != 0 || opts.To != 0:
		return fmt.Sprintf("the first event is %s after the start, the last %s", FormatDuration(o.from), FormatDuration(o.to))
	case opts.Min > 0:
		return "no complete call of the selected functions took at least " + FormatDuration(opts.Min)
	}
	return "none of the selected calls is complete"
}

// Instead says which functions there are, if none of the names matches. It prefers names that have
// the pattern's letters in them.
func (p *Pattern) Instead(names []string) string {
	letters := strings.ToLower(strings.Trim(p.text, "*?/^$"))
	similar := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !strings.Contains(strings.ToLower(name), letters)
	})
	if len(similar) > 0 {
		return fmt.Sprintf("no function matches %s; similar: %s", Printable(p.text), someOf(similar))
	}
	if len(names) == 0 {
		return "no calls were recorded"
	}
	return fmt.Sprintf("no function matches %s; there are %s", Printable(p.text), someOf(names))
}

// someOf lists a few names in order.
func someOf(names []string) string {
	slices.Sort(names)
	names = slices.Compact(names)
	if more := len(names) - maxOffered; more > 0 {
		return strings.Join(names[:maxOffered], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}
