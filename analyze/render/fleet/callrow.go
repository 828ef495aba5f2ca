package fleet

import (
	"encoding/json"
	"io"
	"math"
	"time"

	"utrace/analyze"
	"utrace/analyze/render/columnar"
)

// CallWriter writes calls, a row each.
type CallWriter = columnar.Writer[analyze.Call]

// NewCallWriter makes a writer of one file of calls. It must be closed.
func NewCallWriter(w io.Writer) (*CallWriter, error) {
	return columnar.NewWriter(w, "call", callColumns())
}

// versionLabel is the label that has a column of its own: comparing versions is what most queries do.
const versionLabel = "version"

// callColumns are the columns of calls, in order.
func callColumns() []columnar.Column[analyze.Call] {
	type call = analyze.Call
	complete := func(get func(*call) int64) func(*call) (int64, bool) {
		return func(c *call) (int64, bool) { return get(c), !c.Hit && c.State == analyze.Complete }
	}
	var labels labelText
	return []columnar.Column[call]{
		columnar.Text("trace", func(c *call) string { return c.Trace }),
		columnar.Text("host", func(c *call) string { return c.Host }),
		columnar.Time("start_time", func(c *call) time.Time { return c.Begin }),
		columnar.Int64("start_ns", func(c *call) int64 { return int64(c.Start) }),
		columnar.OptionalInt64("duration_ns", func(c *call) (int64, bool) { return int64(c.Duration), hasDuration(c) }),
		columnar.OptionalInt64("self_ns", complete(func(c *call) int64 { return int64(c.Self) })),
		columnar.Int64("total_ns", func(c *call) int64 { return int64(c.Total) }),
		columnar.Int32("depth", func(c *call) int32 { return int32(c.Depth) }),
		columnar.Text("function", func(c *call) string { return c.Function.Name }),
		columnar.Text("module", func(c *call) string { return c.Function.Module }),
		columnar.Text("build_id", func(c *call) string { return c.Function.BuildID }),
		columnar.Repeated("address", func(c *call) int64 { return int64(c.Function.Addr) }),
		columnar.Text("file", func(c *call) string { return c.Function.File }),
		columnar.Int32("line", func(c *call) int32 { return lineNumber(c.Function) }),
		columnar.Text("provider", func(c *call) string { return c.Function.Provider() }),
		columnar.Int32("pid", func(c *call) int32 { return int32(c.Thread.PID) }),
		columnar.Int32("tid", func(c *call) int32 { return int32(c.Thread.TID) }),
		columnar.Text("process", func(c *call) string { return c.Process.Comm }),
		columnar.Text("unit", func(c *call) string { return c.Process.Unit }),
		columnar.Text("container", func(c *call) string { return c.Process.Container }),
		columnar.Text("pod", func(c *call) string { return c.Process.Pod }),
		columnar.Text("thread", func(c *call) string { return c.Thread.Comm }),
		columnar.OptionalInt64("goroutine", func(c *call) (int64, bool) { return int64(c.Thread.Goroutine), c.Thread.Goroutine != 0 }),
		columnar.OptionalText("arguments", func(c *call) string { return c.Arguments }),
		columnar.OptionalText("results", func(c *call) string { return c.Results }),
		columnar.Text("state", callState),
		columnar.Float64("weight", func(c *call) float64 { return c.Weight }),
		columnar.Text("recording", func(c *call) string { return c.Recording }),
		columnar.Text("command", func(c *call) string { return c.Command }),
		columnar.Text("version", func(c *call) string { return c.Labels[versionLabel] }),
		columnar.Text("labels", func(c *call) string { return labels.of(c) }),
		columnar.Text("path", func(c *call) string { return c.Path }),
		columnar.Bool("failed", func(c *call) bool { return c.Failed }),
	}
}

// hasDuration reports whether the duration of a call is known.
func hasDuration(c *analyze.Call) bool {
	return !c.Hit && c.State == analyze.Complete && !c.Uncertain
}

func lineNumber(f *analyze.Function) int32 { return int32(min(f.Line, math.MaxInt32)) }

// labelText has the labels of the latest recording as a JSON object, sorted by key.
type labelText struct{ recording, text string }

func (l *labelText) of(c *analyze.Call) string {
	if l.text != "" && l.recording == c.Recording {
		return l.text
	}
	l.recording, l.text = c.Recording, "{}"
	if len(c.Labels) > 0 {
		if text, err := json.Marshal(c.Labels); err == nil { // a map of strings has no error
			l.text = string(text)
		}
	}
	return l.text
}

func callState(c *analyze.Call) string {
	switch {
	case c.Hit:
		return "hit"
	case c.Uncertain:
		return "uncertain"
	case c.State == analyze.Complete:
		return "complete"
	case c.State == analyze.Unwound:
		return "unwound"
	case c.State == analyze.Open:
		return "open"
	case c.State == analyze.Replaced:
		return "replaced"
	case c.State == analyze.Cut:
		return "cut"
	}
	return "noreturn"
}
