package analyze

import (
	"slices"
	"strings"
	"time"

	"utrace/format"
)

// recentCalibrations is how many of the latest calibrations make a cost. A single one can be
// disturbed. All of them would not adapt to a machine that becomes slower.
const recentCalibrations = 5

// interruptCalibrations is the same for interrupts. They are rare, so their sum over that many
// counts.
const interruptCalibrations = 20

// Limits of the unresolved part of a cost: a call must take longer than that after the subtraction.
// The lower limit is the worst error in BenchmarkCompensation where hits take most of the time. If
// calibrations scatter more, their spread counts.
const (
	minUnresolved = 0.25
	maxUnresolved = 1
)

// callCost is the cost of a function's probes in ns, for a call of it and the calls around it. It
// is zero if the cost is unknown.
type callCost struct {
	inside   int32 // in the call's own duration
	complete int32 // further, in those of the calls around it, if its return was seen
	gone     int32 // the same, if its return was not seen
	orphan   int32 // of a return whose entry was not seen
}

// hit is the cost of a hit, or of an entry that has no return.
func (c *callCost) hit() int64 { return int64(c.inside) + int64(c.gone) }

// call is the cost of all hits of a complete call.
func (c *callCost) call() int64 { return int64(c.inside) + int64(c.complete) }

// costClass decides the cost of a call.
type costClass struct{ entry, ret string }

// maxClasses is how many classes are distinguished. A recorder has some dozens. Calibrations of
// further classes do not count.
const maxClasses = 1024

// costs are the costs of hits at the time of the current rows.
type costs struct {
	funcs    []int // by function: its class
	list     []callCost
	recent   [][]format.SiteCost // by class: of the latest calibrations
	quartile []format.SiteCost   // by class: lower quartiles of recent, without interrupts
	index    map[costClass]int   // the first class holds all functions without a known cost
	seen     int                 // calibrations applied

	quietNs, interruptNs []int64 // of the latest interruptCalibrations

	displaced   []int64 // of the latest recentCalibrations that have it
	displacedNs int64   // cost of a Displaced in addition to its Value
}

// of returns the cost of a function's hits.
func (c *costs) of(fn format.FuncID) *callCost { return &c.list[c.funcs[fn]] }

// row is the cost of the hit that made a row, 0 if none did.
func (c *costs) row(kind format.Kind, fn format.FuncID) int64 {
	switch kind {
	case format.Entry, format.TailEntry, format.Hit:
		return c.of(fn).hit()
	case format.Return, format.DroppedReturn:
		return int64(c.of(fn).orphan)
	}
	return 0
}

// define adds the functions that are new. It skips known ones.
func (c *costs) define(funcs []format.Func) {
	for i := len(c.funcs); i < len(funcs); i++ {
		c.funcs = append(c.funcs, c.class(costClass{funcs[i].EntryClass, funcs[i].ReturnClass}))
	}
}

func (c *costs) class(key costClass) int {
	if c.index == nil {
		c.index, c.list, c.recent, c.quartile = map[costClass]int{}, make([]callCost, 1), make([][]format.SiteCost, 1), make([]format.SiteCost, 1)
	}
	i, ok := c.index[key]
	if !ok && key.entry != "" && len(c.list) < maxClasses {
		i = len(c.list)
		c.index[key] = i
		c.list = append(c.list, callCost{})
		c.recent = append(c.recent, nil)
		c.quartile = append(c.quartile, format.SiteCost{})
	}
	return i
}

// calibrate applies the calibrations that are new, from the next row on. It skips known ones.
func (c *costs) calibrate(list []format.Calibration) {
	if len(list) <= c.seen {
		return
	}
	for _, cal := range list[c.seen:] {
		if cal.QuietNs > 0 && cal.InterruptNs >= 0 {
			const limit = maxTimeNs / interruptCalibrations
			from := max(0, len(c.quietNs)+1-interruptCalibrations)
			c.quietNs = append(c.quietNs, min(cal.QuietNs, limit))[from:]
			c.interruptNs = append(c.interruptNs, min(cal.InterruptNs, limit))[from:]
		}
		if cal.DisplacedNs > 0 && cal.DisplacedNs <= maxCostNs {
			c.displaced = append(c.displaced, cal.DisplacedNs)
			c.displaced = c.displaced[max(0, len(c.displaced)-recentCalibrations):]
			c.displacedNs = lowerQuartile(c.displaced, func(ns *int64) int64 { return *ns })
		}
		for _, site := range cal.Sites {
			i := c.class(costClass{site.Entry, site.Return})
			if i == 0 || !plausible(&site) {
				continue
			}
			recent := append(c.recent[i], site)
			c.recent[i] = recent[max(0, len(recent)-recentCalibrations):]
			c.measure(i)
		}
	}
	c.seen = len(list)
	interrupts := c.interrupts()
	for i := range c.list {
		c.update(i, interrupts)
	}
}

// maxCostNs is the highest cost of a hit that is believed: 10 ms.
const maxCostNs = 1e7

// plausible reports whether the numbers can have been measured.
func plausible(s *format.SiteCost) bool {
	if s.Entry == "" || s.EntryNs < 0 || s.EntryNs > maxCostNs {
		return false
	}
	return s.Return == "" || s.InsideNs >= 0 && s.CallNs <= 2*maxCostNs && s.InsideNs <= s.CallNs
}

// measure computes the cost of a class, without interrupts, from its recent calibrations.
func (c *costs) measure(class int) {
	recent := c.recent[class]
	c.quartile[class] = format.SiteCost{
		Return:   recent[0].Return,
		EntryNs:  lowerQuartile(recent, func(s *format.SiteCost) int64 { return s.EntryNs }),
		InsideNs: lowerQuartile(recent, func(s *format.SiteCost) int64 { return s.InsideNs }),
		CallNs:   lowerQuartile(recent, func(s *format.SiteCost) int64 { return s.CallNs }),
	}
}

// update computes the cost of a class, with the part of it that interrupts add.
func (c *costs) update(class int, interrupts float64) {
	if len(c.recent[class]) == 0 {
		return
	}
	// A call's own duration mostly contains no interrupt. The sum over many inner calls does.
	whole := func(ns int64) int64 { return ns + int64(float64(ns)*interrupts) }
	cost := &c.quartile[class]
	entry := whole(cost.EntryNs)
	if cost.Return == "" {
		c.list[class] = callCost{gone: int32(entry)}
		return
	}
	inside := cost.InsideNs
	call := max(inside, whole(cost.CallNs))
	c.list[class] = callCost{inside: int32(inside), complete: int32(call - inside), gone: int32(entry - inside), orphan: int32(max(0, call-entry))}
}

// interrupts is the part that interrupts add to the cost of hits.
func (c *costs) interrupts() float64 {
	var quiet, more int64
	for i := range c.quietNs {
		quiet, more = quiet+c.quietNs[i], more+c.interruptNs[i]
	}
	return min(float64(more)/float64(max(quiet, 1)), 1)
}

// lowerQuartile is the lower quartile of values. Disturbances make costs larger, never smaller.
func lowerQuartile[T any](list []T, value func(*T) int64) int64 {
	var values []int64
	for i := range list {
		values = append(values, value(&list[i]))
	}
	slices.Sort(values)
	return values[len(values)/4]
}

// ProbeCost is the cost of the probes while traces were recorded, as far as the traces have their
// events.
type ProbeCost struct {
	Measured   bool // there are calibrations for at least one of the functions
	Raw        bool // nothing was to be subtracted: Hits and Subtracted are 0
	Hits       time.Duration
	Bounded    bool          // more was computed for a thread than fits into its traced time: Hits has that
	Displaced  time.Duration // the recorder had pre-empted threads, in their traced time
	Awaited    time.Duration // threads waited for the probes of others, in their traced time
	Traced     time.Duration // of all threads, from the first event of each to its last
	Inside     time.Duration // outermost complete calls, as measured
	Subtracted time.Duration // from Inside
	// UnmeasuredFuncs are functions with events but without a calibration, in traces that have
	// calibrations for others.
	UnmeasuredFuncs int
	Dropped         time.Duration // the part of Hits in dropped calls; it is subtracted from no call
	Unmet           uint64        // hits, of the whole recordings, that did not meet a condition on arguments
	UnmetTime       time.Duration // cost of Unmet, not in Hits
}

// add adds a trace. It reports whether none of its functions has a calibration.
func (p *ProbeCost) add(src *source, sum *tally, raw bool) (unmeasured bool) {
	p.Raw = raw
	p.Hits += time.Duration(sum.hitNs)
	p.Bounded = p.Bounded || sum.bounded
	p.Displaced += time.Duration(sum.preemptedNs)
	p.Awaited += time.Duration(sum.awaitedNs)
	p.Traced += time.Duration(sum.tracedNs)
	p.Inside += time.Duration(sum.insideNs)
	p.Subtracted += time.Duration(sum.insideNs - sum.correctedNs)
	calibrated := map[costClass]bool{}
	for _, cal := range src.tables.Calibrations {
		for i := range cal.Sites {
			if s := &cal.Sites[i]; plausible(s) {
				calibrated[costClass{s.Entry, s.Return}] = true
			}
		}
	}
	measured, unknown := false, 0
	for i := range src.tables.Funcs {
		if f := &src.tables.Funcs[i]; calibrated[costClass{f.EntryClass, f.ReturnClass}] {
			measured = true
		} else if i < len(sum.used) && sum.used[i] {
			unknown++
		}
	}
	p.addUnmet(&src.tables)
	if !measured {
		return unknown > 0
	}
	p.Measured = true
	p.UnmeasuredFuncs += unknown
	return false
}

// addUnmet adds the hits that did not meet a condition on arguments. A complete trace has their
// number.
func (p *ProbeCost) addUnmet(t *format.Tables) {
	if t.End == nil || p.Raw {
		return
	}
	costs := newHitCosts(t.Calibrations)
	for _, u := range t.End.Unmet {
		if int(u.Func) >= len(t.Funcs) {
			continue
		}
		f := &t.Funcs[u.Func]
		cost := costs[costClass{f.EntryClass, f.ReturnClass}]
		p.Unmet += u.Entries + u.Returns
		took := float64(u.Entries)*float64(cost.entryNs) + float64(u.Returns)*float64(cost.callNs-cost.entryNs)
		p.UnmetTime = min(p.UnmetTime+time.Duration(min(took, maxTimeNs)), maxTimeNs)
	}
}

// hitCosts are the costs of hits over a whole recording, by class: of an entry alone, and of a
// call.
type hitCosts map[costClass]struct{ entryNs, callNs int64 }

func newHitCosts(list []format.Calibration) hitCosts {
	entries, calls := map[costClass][]int64{}, map[costClass][]int64{}
	for _, cal := range list {
		for i := range cal.Sites {
			if s := &cal.Sites[i]; plausible(s) {
				class := costClass{s.Entry, s.Return}
				entries[class], calls[class] = append(entries[class], s.EntryNs), append(calls[class], max(s.EntryNs, s.CallNs))
			}
		}
	}
	h := hitCosts{}
	for class := range entries {
		slices.Sort(entries[class])
		slices.Sort(calls[class])
		middle := len(calls[class]) / 2
		h[class] = struct{ entryNs, callNs int64 }{entries[class][middle], calls[class][middle]}
	}
	return h
}

// addDropped adds dropped calls. The trace has their number only.
func (p *ProbeCost) addDropped(d *format.Dropped, f *format.Func, costs hitCosts) {
	if p.Raw {
		return
	}
	cost := costs[costClass{f.EntryClass, f.ReturnClass}]
	ns := time.Duration(min(float64(d.Complete)*float64(cost.callNs)+float64(d.Incomplete)*float64(cost.entryNs), maxTimeNs))
	p.Dropped += ns
	p.Hits += ns
}

// unresolved returns, for each class, the part of the subtracted cost that may be wrong.
func unresolved(list []format.Calibration) map[costClass]float64 {
	spreads := map[costClass][]float64{}
	for _, cal := range list {
		for i := range cal.Sites {
			if s := &cal.Sites[i]; s.InsideNs > 0 {
				class := costClass{s.Entry, s.Return}
				spreads[class] = append(spreads[class], float64(s.InsideIQRNs)/float64(s.InsideNs))
			}
		}
	}
	parts := map[costClass]float64{}
	for class, list := range spreads {
		slices.Sort(list)
		parts[class] = min(max(list[len(list)/2], minUnresolved), maxUnresolved)
	}
	return parts
}

// warnUnmeasured warns of traces without calibrations if others have some.
func (s *summary) warnUnmeasured() {
	if !s.trace.Probes.Measured {
		return
	}
	for _, path := range s.trace.Unmeasured {
		s.warn(path, "the cost of probes was not measured: the times of this trace contain it, those of the others do not")
	}
}

// movedFactor is the change of a cost that is worth a warning.
const movedFactor = 1.5

// addMoved warns if the cost of hits has changed while recording.
func (s *summary) addMoved(path string, list []format.Calibration) {
	if m := format.NewMoved(list); m.Factor() >= movedFactor {
		s.warn(path, "the cost of the probes of a call moved from %s to %s while recording (sites %s): the subtracted cost adapts within some seconds",
			FormatDuration(time.Duration(m.FromNs)), FormatDuration(time.Duration(m.ToNs)), Printable(strings.TrimSpace(m.Entry+" "+m.Return)))
	}
}
