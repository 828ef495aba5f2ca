package analyze

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"utrace/format"
)

// Limits of a sample of calls.
const (
	maxSampled      = 1500 // calls of a sample
	maxSampledParts = 48   // paths of a call, those with the most self time
	maxSampledBytes = 512  // of arguments, and of results
	maxSampledText  = 200  // bytes of a value
)

// SampledCall is one of the compared calls.
type SampledCall struct {
	ID                CallID
	Duration, Elapsed time.Duration // Elapsed is as measured
	CalleesKnown      bool          // Parts has the calls inside it
	CPU               uint16
	First             bool // of its thread
	Failed            bool
	Runnable          time.Duration
	Preempted         time.Duration // in which the recorder had pre-empted the thread
	Parts             []SampledPart
	Thread            format.Thread
	Process           string // name of the program
	hash              uint64
	fn                format.FuncID
	args, results     []byte
	def               *format.Func // once its trace was read
}

// CallID identifies a call.
type CallID struct {
	File int // index of its trace
	callKey
}

// Start is when the call began, since the start of its trace.
func (c *CallID) Start() time.Duration { return time.Duration(c.startNs) }

func (c *CallID) compare(other *CallID) int {
	return cmp.Or(cmp.Compare(c.File, other.File), cmp.Compare(c.startNs, other.startNs), cmp.Compare(c.thread, other.thread),
		cmp.Compare(c.number, other.number))
}

// NamedValue is an argument or a result. Value is zero if it was not recorded.
type NamedValue struct {
	Name string // "" if it has none
	Value
}

// Args are the arguments of the call, long texts cut.
func (c *SampledCall) Args() []NamedValue { return namedValues(c.def.Args, c.args) }

// Results are the results of the call, long texts cut.
func (c *SampledCall) Results() []NamedValue { return namedValues(c.def.Results, c.results) }

func namedValues(defs []format.Arg, raw []byte) []NamedValue {
	list := make([]NamedValue, len(defs))
	for i := range defs {
		list[i].Name = defs[i].Name
		if v, ok := element(raw, i); ok {
			list[i].Value = Value{cutText(formatValue(defs[i].Type, v)), plainValue(v)}
		}
	}
	return list
}

func cutText(text string) string {
	if len(text) <= maxSampledText {
		return text
	}
	return strings.ToValidUTF8(text[:maxSampledText], "") + cutMark
}

// SampledPart is the self time of a path in a call.
type SampledPart struct {
	Node uint32
	Self time.Duration
}

// takeParts keeps the self times of the call's paths.
func (s *SampledCall) takeParts(open *openCall) {
	for _, at := range open.touched {
		if of := &open.cells[at]; of.Self > 0 {
			s.Parts = append(s.Parts, SampledPart{of.node, of.Self})
		}
	}
	if len(s.Parts) > maxSampledParts {
		slices.SortFunc(s.Parts, func(a, b SampledPart) int { return cmp.Or(cmp.Compare(b.Self, a.Self), cmp.Compare(a.Node, b.Node)) })
		s.Parts = slices.Clone(s.Parts[:maxSampledParts])
	}
}

// callSample keeps the calls with the smallest hashes: a uniform sample that does not depend on the
// order of the calls.
type callSample struct {
	calls []SampledCall
	limit uint64 // calls whose hash is not below it need not be added; 0 is no limit
}

func (s *callSample) takes(hash uint64) bool { return s.limit == 0 || hash < s.limit }

func (s *callSample) add(c SampledCall) {
	if s.calls = append(s.calls, c); len(s.calls) >= 2*maxSampled {
		s.cut()
	}
}

func (s *callSample) cut() {
	slices.SortFunc(s.calls, func(a, b SampledCall) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), a.ID.compare(&b.ID))
	})
	if len(s.calls) >= maxSampled {
		clear(s.calls[maxSampled:])
		s.calls = s.calls[:maxSampled]
		s.limit = s.calls[maxSampled-1].hash
	}
}

// hash is a random number of a call that is always the same (the finalizer of SplitMix64).
func (c *CallID) hash() uint64 {
	h := uint64(c.startNs)<<16 ^ uint64(c.thread)<<40 ^ uint64(c.number)<<1 ^ uint64(c.File)
	for range 2 {
		h += 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}
