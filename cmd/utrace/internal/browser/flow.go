package browser

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"

	"utrace/analyze"
	"utrace/analyze/render"
)

// pageLines is how many lines of a flow are kept.
const pageLines = 20_000

// flow is the flow of calls: a page of it is in memory.
type flow struct {
	path   string
	opts   analyze.Options
	fields render.Fields
	start  func(name string, run func(*job) (done func())) *job
	fail   func(error)

	first   int      // number of lines[0]
	lines   []string // the page
	count   int      // lines that are known to exist
	counted bool     // there are no others
	loading *job     // of a page
	search  *job
}

// newFlow begins to read a flow. start starts a job.
func newFlow(path string, opts analyze.Options, fields render.Fields,
	start func(string, func(*job) func()) *job, fail func(error)) *flow {
	f := &flow{path: path, opts: opts, fields: fields, start: start, fail: fail}
	f.load(0)
	start("counting lines", func(j *job) func() {
		lines, err := f.part(j, io.Discard, math.MaxInt, math.MaxInt)
		return func() {
			f.finish(err)
			f.count, f.counted = lines, err == nil
		}
	})
	return f
}

func (f *flow) head(int) []string {
	if title := f.fields.Title(); title != "" {
		return []string{title}
	}
	return nil
}

func (f *flow) length() int { return f.count }

// line reads the page of a line that is not in memory.
func (f *flow) line(i, _ int) string {
	if i >= f.first && i < f.first+len(f.lines) {
		return strings.TrimSuffix(f.lines[i-f.first], "\n")
	}
	if f.loading == nil {
		f.load(max(0, i-pageLines/2))
	}
	return "..."
}

// load reads the page that begins at a line.
func (f *flow) load(first int) {
	f.loading = f.start("reading the flow", func(j *job) func() {
		var page strings.Builder
		lines, err := f.part(j, &page, first, first+pageLines)
		return func() {
			f.loading = nil
			f.finish(err)
			f.first, f.lines = first, strings.SplitAfter(page.String(), "\n")
			f.lines = f.lines[:len(f.lines)-1] // what is after the last line
			if !f.counted {
				f.count = max(f.count, lines)
			}
		}
	})
}

// finish reports an error of a pass.
func (f *flow) finish(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		f.fail(err)
	}
}

// part writes lines of the flow to w, and returns how many there are up to to.
func (f *flow) part(j *job, w io.Writer, from, to int) (lines int, err error) {
	return render.FlowPart(j.ctx, w, f.path, j.options(f.opts), f.fields, from, to)
}

// find searches with a pass over the trace: up to the first match or, backwards, up to the line.
func (f *flow) find(pattern *regexp.Regexp, after, step int, found func(line int)) {
	if f.search != nil {
		f.search.stop()
	}
	from, to := after+1, math.MaxInt
	if step < 0 {
		from, to = 0, after
	}
	f.search = f.start("searching", func(j *job) func() {
		m := &matcher{pattern: pattern, first: step > 0, line: from, at: -1}
		_, err := f.part(j, m, from, to)
		if errors.Is(err, errFound) {
			err = nil
		}
		return func() {
			f.finish(err)
			if f.search == j {
				f.count = max(f.count, m.at+1)
				f.search = nil
				found(m.at)
			}
		}
	})
}

// matcher is a Writer of lines that remembers which matches: the first one, which ends the writing,
// or the last.
type matcher struct {
	pattern *regexp.Regexp
	first   bool
	line    int    // number of the next line
	rest    []byte // of a line whose end is to come
	at      int    // the line that matches, -1 if there is none so far
}

// errFound ends a search.
var errFound = errors.New("a line matches")

func (m *matcher) Write(p []byte) (int, error) {
	if m.first && m.at >= 0 {
		return 0, errFound
	}
	data := append(m.rest, p...)
	for {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			m.rest = bytes.Clone(data)
			return len(p), nil
		}
		if m.pattern.Match(line) {
			m.at = m.line
			if m.first {
				return 0, errFound
			}
		}
		m.line++
		data = rest
	}
}
