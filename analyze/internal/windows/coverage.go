package windows

import (
	"cmp"
	"math"
	"slices"

	"utrace/format"
)

// Coverage says when the functions of a trace were probed. A nil Coverage is of a trace whose
// functions were probed all the time.
type Coverage struct {
	funcs []*Windows // by function; nil: all the time
	// modules are those with functions that have windows, by function. whole has their whole windows.
	modules []bool
	whole   [][]window
}

// Windows are those of functions that were probed at the same times.
type Windows struct {
	Sizes []float64 // of the windows of each stratum, in order of time
	Spans []float64 // size of the part of the recording that each stratum stands for
	Size  float64   // of all windows
	// SizeErrors are the parts of Sizes that may be wrong, all in the same direction; nil if none is.
	SizeErrors []float64
	All        float64 // size of the whole recording
	Share      float64 // of the time of the recording, 0 to 1
	// WholeScale is how many calls a call in a whole window stands for; 0 if there are no such
	// windows.
	WholeScale float64

	list  []window // in order of time, without overlaps
	whole []window
	exact bool // there are no breaks, and hardly anything is missing at the ends
}

// window is a format.Window.
type window struct {
	fromNs, toNs, offNs int64
	endNs               int64  // offNs of the last window that follows without a break
	work                uint64 // processor time in ns, or IO calls: see format.Survey
	costNs              uint64 // of the probes, which is not in work
	stratum             uint8
	derived             bool // too many functions were probed: work comes from the calls, or is unknown
	unmeasured          bool // its calls are no part of the sample, since their share is unknown
}

// Place says where a call lies in the windows of its function.
type Place struct {
	OffNs    int64 // from then on its return cannot be seen; math.MaxInt64: never
	Stratum  uint8
	Windowed bool // its function was not probed all the time
	Unfair   bool // it is no part of the sample
	Whole    bool // it is in a whole window
}

// Scale is how many calls a call in a window stands for.
func (w *Windows) Scale() float64 {
	if w.Size == 0 {
		return 1
	}
	return w.All / w.Size
}

// SizeError is the part of Size that may be wrong.
func (w *Windows) SizeError() (part float64) {
	for s, off := range w.SizeErrors {
		part += off * w.Sizes[s] / max(1, w.Size)
	}
	return part
}

// Within is the part of a time in which calls that begin are part of the sample, 0 to 1.
func (w *Windows) Within(fromNs, toNs int64) float64 {
	inside := int64(0)
	for i := max(0, last(w.list, fromNs)); i < len(w.list) && w.list[i].fromNs < toNs; i++ {
		inside += max(0, min(toNs, w.list[i].toNs)-max(fromNs, w.list[i].fromNs))
	}
	return float64(inside) / float64(max(1, toNs-fromNs))
}

// Of returns the windows of a function, nil if it was probed all the time.
func (c *Coverage) Of(fn format.FuncID) *Windows {
	if c == nil || int(fn) >= len(c.funcs) {
		return nil
	}
	return c.funcs[fn]
}

// last returns the index of the last window that has begun at a time, -1 if none has.
func last(windows []window, ns int64) int {
	i, found := slices.BinarySearchFunc(windows, ns, func(w window, ns int64) int { return cmp.Compare(w.fromNs, ns) })
	if found {
		return i
	}
	return i - 1
}

// Place returns the place of a call that begins. A call between two windows, as on the way from one
// to the next, is over when the next one begins.
func (c *Coverage) Place(fn format.FuncID, startNs int64) Place {
	of := c.Of(fn)
	if of == nil {
		return Place{OffNs: math.MaxInt64}
	}
	p := Place{OffNs: math.MaxInt64, Windowed: true, Unfair: true}
	counts := false // its window has not ended
	i := last(of.list, startNs)
	if i >= 0 && startNs <= of.list[i].offNs {
		w := &of.list[i]
		counts = startNs <= w.toNs
		p.OffNs, p.Stratum, p.Unfair = w.endNs, w.stratum, !counts || w.unmeasured
	} else if i+1 < len(of.list) {
		p.OffNs = of.list[i+1].fromNs
	}
	if i := last(of.whole, startNs); i >= 0 && counts {
		p.Whole = startNs <= of.whole[i].toNs
	}
	return p
}

// CalleesKnown reports whether all functions of its module were probed when a call at a place began.
func (c *Coverage) CalleesKnown(fn format.FuncID, p Place, startNs int64) bool {
	switch {
	case p.Windowed:
		return p.Whole
	case c == nil || int(fn) >= len(c.modules) || !c.modules[fn]:
		return true
	}
	i := last(c.whole[fn], startNs)
	return i >= 0 && startNs <= c.whole[fn][i].toNs
}

// Stands is how many calls a call at a place stands for.
func (c *Coverage) Stands(fn format.FuncID, p Place) float64 {
	switch {
	case !p.Windowed:
		return 1
	case p.Unfair:
		return 0
	}
	w := c.Of(fn)
	if size := w.Sizes[p.Stratum]; size > 0 {
		return w.Spans[p.Stratum] / size
	}
	return 1 // its size is unknown
}

// Weight is how many calls a call of a function stands for in figures that need its callers. It
// counts only if it is in a whole window, unless the function was probed all the time.
func (c *Coverage) Weight(fn format.FuncID) float64 {
	if of := c.Of(fn); of != nil {
		return of.WholeScale
	}
	return 1
}
