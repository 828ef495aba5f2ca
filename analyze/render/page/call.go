package page

import (
	"strings"
	"time"

	"utrace/analyze"
	"utrace/analyze/render"
)

// call is one of the slowest calls of a function. The first of its spans is the call itself.
type call struct {
	File       string `json:"file,omitempty"` // if there are several
	Start      int64  `json:"start"`          // since the start of the trace
	Duration   int64  `json:"duration"`
	Began      string `json:"began"` // RFC 3339, UTC
	Thread     string `json:"thread"`
	TID        int    `json:"tid"`
	PID        int    `json:"pid"`
	Process    string `json:"process"`
	Arguments  string `json:"arguments,omitempty"`
	Results    string `json:"results,omitempty"`
	Spent      string `json:"spent,omitempty"` // in words, if the scheduler was recorded
	Omitted    uint64 `json:"omitted,omitempty"`
	OmittedMax int64  `json:"omitted_max,omitempty"`
	Spans      spans  `json:"spans"`
}

// spans are calls, hits and waits inside a slow call, in order of their starts.
type spans struct {
	Function []int   `json:"function"` // -1: a wait
	Depth    []int   `json:"depth"`
	Start    []int64 `json:"start"` // since the start of the call
	End      []int64 `json:"end"`
	Duration []int64 `json:"duration"` // less the cost of probes; -1: it did not return, or is a hit or a wait
	Waits    []wait  `json:"waits"`    // those with function -1, in order
}

type wait struct {
	Blocked  int64  `json:"blocked"`
	Runnable int64  `json:"runnable"`
	Unknown  int64  `json:"unknown"`
	Waker    string `json:"waker"`
	TID      int    `json:"tid"` // of the thread that woke it up; 0 for none
}

func newCall(c *analyze.SlowCall, flow *flowNames, several bool) call {
	out := call{
		Start: int64(c.Start), Duration: int64(c.Duration), Began: c.Began.Format(time.RFC3339Nano), Thread: threadName(c), TID: c.Thread.TID,
		PID: c.Thread.PID, Process: c.Process, Arguments: c.Args, Results: c.Results, Omitted: c.Omitted, OmittedMax: int64(c.OmittedMax),
	}
	if several {
		out.File = c.File
	}
	if c.Sched {
		out.Spent = render.Spent(c)
	}
	out.Spans = newSpans(c, flow)
	return out
}

func threadName(c *analyze.SlowCall) string {
	return strings.TrimSpace(analyze.FlowName(&c.Thread) + " " + c.Thread.Comm)
}

// newSpans joins the beginnings and ends of calls.
func newSpans(c *analyze.SlowCall, flow *flowNames) (s spans) {
	add := func(function, depth int, start, end, duration time.Duration) {
		s.Function, s.Depth, s.Start = append(s.Function, function), append(s.Depth, depth), append(s.Start, int64(start-c.Start))
		s.End, s.Duration = append(s.End, int64(end-c.Start)), append(s.Duration, int64(duration))
	}
	var open []int
	for i := range c.Flow {
		step := &c.Flow[i]
		switch step.Kind {
		case analyze.Enter:
			open = append(open, len(s.Function))
			add(flow.number(step.Func), step.Depth, step.At, step.At, -1)
		case analyze.Leave:
			at := open[len(open)-1]
			open = open[:len(open)-1]
			s.End[at] = int64(step.At - c.Start)
			if step.State.Returned() {
				s.Duration[at] = int64(step.Duration)
			}
		case analyze.Hit:
			add(flow.number(step.Func), step.Depth, step.At, step.At, -1)
		case analyze.Waited:
			w := step.Wait
			s.Waits = append(s.Waits, wait{int64(w.Blocked), int64(w.Runnable), int64(w.Unknown), w.Waker.String(), w.Waker.TID})
			add(-1, step.Depth, step.At-step.Duration, step.At, -1)
		}
	}
	return s
}
