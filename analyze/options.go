package analyze

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"utrace/format"
)

// Options selects the calls of an analysis. The zero value is all of them.
type Options struct {
	Function *Pattern // calls of the functions that match; nil for all
	PIDs     []int    // of these processes; empty for all
	// TIDs selects threads, with the goroutines and tracks first seen on them. Flows selects
	// threads, goroutines and tracks by FlowName. Both empty: all.
	TIDs  []int
	Flows []string
	// From and To select calls that begin at From or later, and before To, since the start of the
	// trace. They count with all of their duration. To 0 is no limit.
	From, To time.Duration
	// By groups the calls of each function: "pid", "tid", "comm", "cgroup", "unit", "container",
	// "pod", or the name of an argument or a result, where "ret" is the first result; "" does not
	// group. A call that lacks the argument
	// belongs to the value of the nearest call around it that has it. A result belongs to its own
	// call only.
	By string
	// Errors decide which calls have failed. A call has failed if one of the rules that apply to
	// its function is true. Without a rule that applies, a negative or null result and an errno are
	// errors.
	Errors []*ErrorRule
	// Min selects complete calls that took at least that long. A flow or a tree also has the calls
	// around them. 0 for all.
	Min time.Duration
	Raw bool // durations as measured: the cost of probes is not subtracted
	// Name, unless nil, is called for each function of a trace. It may set the Name, Symbol, File and
	// Line of one that is Unnamed.
	Name func(m *format.Module, f *format.Func)
	// Open opens a trace for one pass over it; nil is format.Open. Several may be open at once.
	Open func(path string) (*format.Reader, error)
}

// open opens a trace.
func (o *Options) open(path string) (*format.Reader, error) {
	if o.Open == nil {
		return format.Open(path)
	}
	return o.Open(path)
}

// views returns how many views share a trace. Values need a single view, which sees them in the
// order of the file on every machine.
func (o *Options) views() int {
	if o.By != "" {
		return 1
	}
	return shards()
}

// columns returns the columns that grouping needs.
func (o *Options) columns() format.Columns {
	return format.Columns{Args: o.By != "" && !isThreadKey(o.By)}
}

// process reports whether threads of a process can be selected.
func (o *Options) process(pid int) bool { return len(o.PIDs) == 0 || slices.Contains(o.PIDs, pid) }

// thread reports whether a thread is selected.
func (o *Options) thread(t format.Thread) bool {
	return o.process(t.PID) && (!o.someThreads() || slices.Contains(o.TIDs, t.TID) || slices.Contains(o.Flows, FlowName(&t)))
}

// someThreads reports whether only some threads of a process are selected.
func (o *Options) someThreads() bool { return len(o.TIDs)+len(o.Flows) > 0 }

// all reports whether calls of all threads and times are selected.
func (o *Options) all() bool { return len(o.PIDs) == 0 && !o.someThreads() && o.From == 0 && o.To == 0 }

// outside reports whether a call that begins at ns is not selected.
func (o *Options) outside(ns int64) bool {
	return ns < int64(o.From) || o.To != 0 && ns >= int64(o.To)
}

// short reports whether a call that ends is not selected, as it took less than Min or has no
// duration.
func (o *Options) short(t *thread, f *frame, state State) bool {
	return o.Min > 0 && (state != Complete || f.durationNs(t) < int64(o.Min))
}

// selectsAll reports whether all calls are selected by their times.
func (o *Options) selectsAll() bool { return o.From == 0 && o.To == 0 && o.Min == 0 }

// selects reports whether a call that ends is selected by its time.
func (o *Options) selects(t *thread, f *frame, state State) bool {
	return !o.outside(f.startNs) && !o.short(t, f, state)
}

// selection decides which calls a view shows.
type selection struct {
	opts    *Options
	matches []bool // by function
}

func (s *selection) define(funcs []format.Func) {
	for len(s.matches) < len(funcs) {
		s.matches = append(s.matches, s.opts.Function.function(&funcs[len(s.matches)]))
	}
}

// enter decides whether a call is shown: it must begin in the selected time, and it or a call
// around it must be of a selected function.
func (s *selection) enter(f, parent *frame) {
	f.matched = s.matches[f.fn] || parent != nil && parent.matched
	f.hidden = !f.matched || s.opts.outside(f.startNs)
}

// Pattern matches names: a glob such as SSL_*, or a /regular expression/.
type Pattern struct {
	text   string // as given
	glob   string
	regexp *regexp.Regexp
}

// ParsePattern reads a pattern. A regular expression matches anywhere in a name, a glob matches the
// whole name. A * in a glob also matches slashes. It fails for a pattern with wrong syntax.
func ParsePattern(text string) (*Pattern, error) {
	if len(text) >= 2 && text[0] == '/' && text[len(text)-1] == '/' {
		re, err := regexp.Compile(text[1 : len(text)-1])
		if err != nil {
			return nil, fmt.Errorf("pattern %s: %w", text, err)
		}
		return &Pattern{text: text, regexp: re}, nil
	}
	return parseGlob(text)
}

func parseGlob(text string) (*Pattern, error) {
	glob := hideSlashes(text)
	if _, err := path.Match(glob, ""); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", text, err)
	}
	return &Pattern{text: text, glob: glob}, nil
}

// Match reports whether a name matches. A nil Pattern matches everything.
func (p *Pattern) Match(name string) bool {
	switch {
	case p == nil:
		return true
	case p.regexp != nil:
		return p.regexp.MatchString(name)
	}
	ok, err := path.Match(p.glob, hideSlashes(name))
	return ok && err == nil
}

// MatchFunction reports whether a function matches by its name or its symbol. A static probe, or a
// span, also matches by the name of the probe where it begins. A nil Pattern matches everything.
func (p *Pattern) MatchFunction(f *Function) bool {
	return p.function(&format.Func{Name: f.Name, Symbol: f.Symbol, USDT: f.USDT, Addr: f.Addr})
}

// function reports the same of a function of a trace.
func (p *Pattern) function(f *format.Func) bool {
	if p.Match(f.Name) || f.Symbol != "" && p.Match(f.Symbol) {
		return true
	}
	_, probe, _ := strings.Cut(f.USDT, ":")
	return probe != "" && f.Addr != 0 && p.Match(probe) // without an address it is named by the probe's arguments
}

// hideSlashes keeps path.Match from treating slashes in names as separators.
func hideSlashes(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
