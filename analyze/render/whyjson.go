package render

import (
	"encoding/json"
	"io"

	"utrace/analyze/why"
)

// jsonWhy is an explanation for programs. Its keys are a contract, like those of jsonReport. Shares
// are parts of difference_ns.
type jsonWhy struct {
	Function        string        `json:"function"`
	Module          string        `json:"module"`
	Reason          string        `json:"reason"` // the sentence
	Calls           uint64        `json:"calls"`  // complete ones that are not inside another one
	Change          bool          `json:"change"` // slow are all calls of new traces, typical those of old ones
	Faster          bool          `json:"faster"` // a change: it is the other way around
	Incomplete      uint64        `json:"incomplete"`
	Cut             uint64        `json:"cut"` // those of incomplete that had taken longer already
	Slow            jsonGroup     `json:"slow"`
	Typical         jsonGroup     `json:"typical"`
	DifferenceNs    int64         `json:"difference_ns"`
	SlowCompared    uint64        `json:"slow_compared"` // in where and paths
	TypicalCompared uint64        `json:"typical_compared"`
	Where           *jsonWhyPath  `json:"where"` // with callees; null if there is no difference
	Paths           []jsonWhyPath `json:"paths"` // self times
	Causes          []jsonCause   `json:"causes"`
	Candidates      int           `json:"candidates"`
	Unexplained     float64       `json:"unexplained"`
	Examples        []jsonExample `json:"examples"`
	Warnings        []string      `json:"warnings"`
}

// jsonGroup is the calls of a range of durations.
type jsonGroup struct {
	FromNs int64  `json:"from_ns"`
	ToNs   int64  `json:"to_ns"` // 0: no limit
	Calls  uint64 `json:"calls"`
	MeanNs int64  `json:"mean_ns"`
}

func newJSONGroup(g *why.CallGroup) jsonGroup {
	return jsonGroup{int64(g.From), int64(g.To), g.Calls, int64(g.Mean)}
}

// jsonShare is a part of the difference with its 95% interval.
type jsonShare struct {
	Share float64 `json:"share"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

type jsonWhyPath struct {
	Path      []string `json:"path"`      // names of functions, the explained one first
	Scattered bool     `json:"scattered"` // the last function was called on several paths, which count together
	jsonShare
	CPU           float64     `json:"cpu"` // parts of share
	Runnable      float64     `json:"runnable"`
	Blocked       float64     `json:"blocked"`
	Unknown       float64     `json:"unknown"`
	MoreCalls     float64     `json:"more_calls"`
	LongerCalls   float64     `json:"longer_calls"`
	SlowCalls     float64     `json:"slow_calls"` // for each slow call
	TypicalCalls  float64     `json:"typical_calls"`
	SlowTimeNs    int64       `json:"slow_time_ns"` // for each slow call
	TypicalTimeNs int64       `json:"typical_time_ns"`
	Wakers        []jsonWaker `json:"wakers"`
}

type jsonWaker struct {
	Name      string  `json:"name"`
	TID       int     `json:"tid"`
	Interrupt bool    `json:"interrupt"`
	Share     float64 `json:"share"`
}

type jsonCause struct {
	Kind why.CauseKind `json:"kind"`
	Name string        `json:"name"`
	Text string        `json:"text"`
	jsonShare
	P         float64  `json:"p"`
	Slow      float64  `json:"slow"` // part of the slow calls that it is true of, or of their time
	Typical   float64  `json:"typical"`
	Values    []any    `json:"values"`
	More      int      `json:"more_values"`
	Threshold *float64 `json:"threshold"` // null if it is not about a number
	Below     bool     `json:"below"`
}

type jsonExample struct {
	File       string `json:"file"`
	PID        int    `json:"pid"`
	TID        int    `json:"tid"`
	Thread     string `json:"thread"`
	Process    string `json:"process"`
	StartNs    int64  `json:"start_ns"` // since the start of its trace
	DurationNs int64  `json:"duration_ns"`
	Args       string `json:"args"` // written as in C
	Results    string `json:"results"`
}

// WhyJSON writes an explanation as one object, with warnings in the caller's words.
func WhyJSON(w io.Writer, x *why.Explanation, words Words) error {
	out := jsonWhy{
		Function: x.Function.Name, Module: x.Function.Module, Reason: Reason(x), Calls: x.Calls, Change: x.Change, Faster: x.Faster, Incomplete: x.Incomplete, Cut: x.Cut,
		Slow: newJSONGroup(&x.Slow), Typical: newJSONGroup(&x.Typical), DifferenceNs: int64(x.Difference),
		SlowCompared: x.SlowCompared, TypicalCompared: x.TypicalCompared,
		Paths: []jsonWhyPath{}, Causes: []jsonCause{}, Candidates: x.Candidates, Unexplained: x.Unexplained,
		Examples: []jsonExample{}, Warnings: words.Warnings(x.Warnings),
	}
	if x.Where != nil {
		where := newJSONWhyPath(x.Where)
		out.Where = &where
	}
	for i := range x.Paths {
		out.Paths = append(out.Paths, newJSONWhyPath(&x.Paths[i]))
	}
	for i := range x.Causes {
		out.Causes = append(out.Causes, newJSONCause(&x.Causes[i]))
	}
	for i := range x.Examples {
		c := &x.Examples[i]
		out.Examples = append(out.Examples, jsonExample{
			c.File, c.Thread.PID, c.Thread.TID, c.Thread.Comm, c.Process, int64(c.Start), int64(c.Duration), c.Args, c.Results,
		})
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

func newJSONShare(s *why.Share) jsonShare { return jsonShare{s.Part, s.Low, s.High} }

func newJSONWhyPath(p *why.PathShare) jsonWhyPath {
	of := jsonWhyPath{
		Scattered: p.Scattered, jsonShare: newJSONShare(&p.Share), CPU: p.CPU, Runnable: p.Runnable, Blocked: p.Blocked, Unknown: p.Unknown,
		MoreCalls: p.MoreCalls, LongerCalls: p.LongerCalls, SlowCalls: p.SlowCalls, TypicalCalls: p.TypicalCalls,
		SlowTimeNs: int64(p.SlowTime), TypicalTimeNs: int64(p.TypicalTime), Wakers: []jsonWaker{},
	}
	for _, f := range p.Path {
		of.Path = append(of.Path, f.Name)
	}
	for _, w := range p.Wakers {
		of.Wakers = append(of.Wakers, jsonWaker{w.Name, w.Waker.TID, w.Waker.Interrupt, w.Part})
	}
	return of
}

func newJSONCause(c *why.Cause) jsonCause {
	of := jsonCause{
		Kind: c.Kind, Name: c.Name, Text: c.String(), jsonShare: newJSONShare(&c.Share), P: c.P, Slow: c.SlowPart, Typical: c.TypicalPart,
		Values: []any{}, More: c.More, Below: c.Below,
	}
	for _, v := range c.Values {
		of.Values = append(of.Values, v.Plain)
	}
	if c.HasThreshold() {
		of.Threshold = &c.Threshold
	}
	return of
}
