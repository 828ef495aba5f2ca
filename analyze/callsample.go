package analyze

import (
	"cmp"
	"slices"
	"time"

	"utrace/format"
)

// Limits of a sample of calls.
const (
	maxSampled      = 1500 // calls of a sample
	maxSampledParts = 48   // paths of a call, those with the most self time
	maxSampledBytes = 512  // of arguments, and of results
)

// sampledCall is one of the compared calls.
type sampledCall struct {
	callKey
	hash         uint64
	file         int
	fn           format.FuncID
	duration     time.Duration
	elapsedNs    int64 // as measured
	calleesKnown bool  // parts has the calls inside it
	cpu          uint16
	first        bool // of its thread
	failed       bool
	args         []byte
	results      []byte
	runnable     time.Duration
	preemptedNs  int64 // in which the recorder had pre-empted the thread
	parts        []sampledPart
	def          *format.Func // once its trace was read, as are the next two
	info         format.Thread
	process      string
}

// sampledPart is the self time of a path in a call.
type sampledPart struct {
	node uint32
	self time.Duration
}

// takeParts keeps the self times of the call's paths.
func (s *sampledCall) takeParts(open *openCall) {
	for _, at := range open.touched {
		if of := &open.cells[at]; of.self > 0 {
			s.parts = append(s.parts, sampledPart{of.node, of.self})
		}
	}
	if len(s.parts) > maxSampledParts {
		slices.SortFunc(s.parts, func(a, b sampledPart) int { return cmp.Or(cmp.Compare(b.self, a.self), cmp.Compare(a.node, b.node)) })
		s.parts = slices.Clone(s.parts[:maxSampledParts])
	}
}

// callSample keeps the calls with the smallest hashes: a uniform sample that does not depend on the
// order of the calls.
type callSample struct {
	calls []sampledCall
	limit uint64 // calls whose hash is not below it need not be added; 0 is no limit
}

func (s *callSample) takes(hash uint64) bool { return s.limit == 0 || hash < s.limit }

func (s *callSample) add(c sampledCall) {
	if s.calls = append(s.calls, c); len(s.calls) >= 2*maxSampled {
		s.cut()
	}
}

func (s *callSample) cut() {
	slices.SortFunc(s.calls, func(a, b sampledCall) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.startNs, b.startNs), cmp.Compare(a.thread, b.thread), cmp.Compare(a.number, b.number))
	})
	if len(s.calls) >= maxSampled {
		clear(s.calls[maxSampled:])
		s.calls = s.calls[:maxSampled]
		s.limit = s.calls[maxSampled-1].hash
	}
}

// hash is a random number of a call that is always the same (the finalizer of SplitMix64).
func (k callKey) hash(file int) uint64 {
	h := uint64(k.startNs)<<16 ^ uint64(k.thread)<<40 ^ uint64(k.number)<<1 ^ uint64(file)
	for range 2 {
		h += 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}
