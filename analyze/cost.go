package analyze

import (
	"slices"
	"strings"
	"time"

	"utrace/format"
)

// recentCalibrations is how many calibrations, the latest ones, make a cost. One alone can be
// disturbed; all of them would not follow a machine that becomes slower.
const recentCalibrations = 5

// interruptCalibrations is the same for interrupts, which are rare: their sum over so many counts.
const interruptCalibrations = 20

// Bounds of the part of what was subtracted from calls that is not resolved: what is left must be more than that. The
// lower one is what compensation is wrong by at worst in BenchmarkCompensation where hits take most of the time; where
// calibrations scatter more, it is their spread.
const (
	minUnresolved = 0.25
	maxUnresolved = 1
)

// callCost is what the probes of a function take from a call of it and from those around it, in ns. It is
// zero where that is not known.
type callCost struct {
	inside   int32 // in the call's own duration
	complete int32 // further, in those of the calls around it, if its return was seen
	gone     int32 // the same, if it was not
	orphan   int32 // of a return whose entry was not seen
}

// hit is what an entry, or a hit, takes that has no return.
func (c *callCost) hit() int64 { return int64(c.inside) + int64(c.gone) }

// costClass is what decides on the cost of a call.
type costClass struct{ entry, ret string }

// maxClasses is how many classes are told apart; a recorder knows some dozens. What is known of further ones does not count.
const maxClasses = 1024

// costs knows what hits cost at the time of the rows in hand.
type costs struct {
	funcs  []int // by function: its class
	list   []callCost
	recent [][]format.SiteCost // by class
	least  []format.SiteCost   // by class: what its recent ones say, without interrupts
	index  map[costClass]int   // the first class is of all functions whose cost is not known
	used   []bool              // by function: an event of it came
	seen   int                 // calibrations

	quietNs, interruptNs []int64 // of the latest interruptCalibrations

	displaced   []int64 // of the calibrations that say so, recentCalibrations at most
	displacedNs int64   // what a Displaced takes beside its Value
}

// of returns the cost of a function's hits.
func (c *costs) of(fn format.FuncID) *callCost { return &c.list[c.funcs[fn]] }

// define makes functions known, those that already are included.
func (c *costs) define(funcs []format.Func) {
	for i := len(c.funcs); i < len(funcs); i++ {
		c.funcs = append(c.funcs, c.class(costClass{funcs[i].EntryClass, funcs[i].ReturnClass}))
		c.used = append(c.used, false)
	}
}

func (c *costs) class(key costClass) int {
	if c.index == nil {
		c.index, c.list, c.recent, c.least = map[costClass]int{}, make([]callCost, 1), make([][]format.SiteCost, 1), make([]format.SiteCost, 1)
	}
	i, ok := c.index[key]
	if !ok && key.entry != "" && len(c.list) < maxClasses {
		i = len(c.list)
		c.index[key] = i
		c.list = append(c.list, callCost{})
		c.recent = append(c.recent, nil)
		c.least = append(c.least, format.SiteCost{})
	}
	return i
}

// calibrate takes note of calibrations, those that are already known included. From the next row on they count.
func (c *costs) calibrate(list []format.Calibration) {
	if len(list) <= c.seen {
		return
	}
	for _, cal := range list[c.seen:] {
		if cal.QuietNs > 0 && cal.InterruptNs >= 0 {
			from := max(0, len(c.quietNs)+1-interruptCalibrations)
			c.quietNs, c.interruptNs = append(c.quietNs, min(cal.QuietNs, maxTimeNs/interruptCalibrations))[from:], append(c.interruptNs, min(cal.InterruptNs, maxTimeNs/interruptCalibrations))[from:]
		}
		if cal.DisplacedNs > 0 && cal.DisplacedNs <= maxCostNs {
			c.displaced = append(c.displaced, cal.DisplacedNs)
			c.displaced = c.displaced[max(0, len(c.displaced)-recentCalibrations):]
			c.displacedNs = leastOf(c.displaced, func(ns *int64) int64 { return *ns })
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

// maxCostNs is the most that a hit may cost: 10 ms.
const maxCostNs = 1e7

// plausible keeps numbers out that could not have been measured.
func plausible(s *format.SiteCost) bool {
	if s.Entry == "" || s.EntryNs < 0 || s.EntryNs > maxCostNs {
		return false
	}
	return s.Return == "" || s.InsideNs >= 0 && s.CallNs <= 2*maxCostNs && s.InsideNs <= s.CallNs
}

// measure takes in that what a class costs was measured anew.
func (c *costs) measure(class int) {
	recent := c.recent[class]
	c.least[class] = format.SiteCost{
		Return:   recent[0].Return,
		EntryNs:  leastOf(recent, func(s *format.SiteCost) int64 { return s.EntryNs }),
		InsideNs: leastOf(recent, func(s *format.SiteCost) int64 { return s.InsideNs }),
		CallNs:   leastOf(recent, func(s *format.SiteCost) int64 { return s.CallNs }),
	}
}

// update takes in how much time interrupts take.
func (c *costs) update(class int, interrupts float64) {
	if len(c.recent[class]) == 0 {
		return
	}
	// A call's own duration is without interrupts most often, the sum over many inner ones is not.
	whole := func(ns int64) int64 { return ns + int64(float64(ns)*interrupts) }
	least := &c.least[class]
	entry := whole(least.EntryNs)
	if least.Return == "" {
		c.list[class] = callCost{gone: int32(entry)}
		return
	}
	inside := least.InsideNs
	call := max(inside, whole(least.CallNs))
	c.list[class] = callCost{inside: int32(inside), complete: int32(call - inside), gone: int32(entry - inside), orphan: int32(max(0, call-entry))}
}

// interrupts is what interrupts add to the cost of hits, as a part of it.
func (c *costs) interrupts() float64 {
	var quiet, more int64
	for i := range c.quietNs {
		quiet, more = quiet+c.quietNs[i], more+c.interruptNs[i]
	}
	return min(float64(more)/float64(max(quiet, 1)), 1)
}

// leastOf returns the lower quartile of some values: what disturbs a calibration makes costs larger, never smaller.
func leastOf[T any](list []T, value func(*T) int64) int64 {
	var values []int64
	for i := range list {
		values = append(values, value(&list[i]))
	}
	slices.Sort(values)
	return values[len(values)/4]
}

// ProbeCost is what the probes took while traces were recorded, as far as their events are in the traces.
type ProbeCost struct {
	Known      bool // calibrations tell the cost of at least one of the functions
	Raw        bool // it was not to be subtracted: Hits and Subtracted are 0
	Hits       time.Duration
	Displaced  time.Duration // the recorder ran in the place of threads, in their traced time
	Traced     time.Duration // of all threads, from the first event of each to its last
	Inside     time.Duration // outermost complete calls, as measured
	Subtracted time.Duration // from them
	Unknown    int           // functions with events for which the cost is not known, where that of others is
	Dropped    time.Duration // of Hits, those of calls that were dropped: of no call it is subtracted
	Unmet      uint64        // hits, of the whole recordings, that did not meet a condition on arguments
	UnmetTime  time.Duration // what they took, besides Hits
}

// add takes in a trace. It reports whether the cost of none of its functions is known.
func (p *ProbeCost) add(src *source, sum *tally, raw bool) (unmeasured bool) {
	p.Raw = raw
	p.Hits += time.Duration(sum.hitNs - sum.displacedNs)
	p.Displaced += time.Duration(sum.displacedNs)
	p.Traced += time.Duration(sum.tracedNs)
	p.Inside += time.Duration(sum.insideNs)
	p.Subtracted += time.Duration(sum.insideNs - sum.correctedNs)
	known := map[costClass]bool{}
	for _, cal := range src.tables.Calibrations {
		for i := range cal.Sites {
			if s := &cal.Sites[i]; plausible(s) {
				known[costClass{s.Entry, s.Return}] = true
			}
		}
	}
	measured, unknown := false, 0
	for i := range src.tables.Funcs {
		if f := &src.tables.Funcs[i]; known[costClass{f.EntryClass, f.ReturnClass}] {
			measured = true
		} else if i < len(sum.used) && sum.used[i] {
			unknown++
		}
	}
	p.addUnmet(&src.tables)
	if !measured {
		return unknown > 0
	}
	p.Known = true
	p.Unknown += unknown
	return false
}

// addUnmet takes in hits that did not meet a condition on arguments, of which a complete trace has the number.
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

// hitCosts are what hits cost over all of a recording, by class: of an entry alone, and of a call.
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

// addDropped takes in calls that were dropped, of which the trace has the number.
func (p *ProbeCost) addDropped(d *format.Dropped, f *format.Func, costs hitCosts) {
	if p.Raw {
		return
	}
	cost := costs[costClass{f.EntryClass, f.ReturnClass}]
	ns := time.Duration(min(float64(d.Complete)*float64(cost.callNs)+float64(d.Incomplete)*float64(cost.entryNs), maxTimeNs))
	p.Dropped += ns
	p.Hits += ns
}

// unresolved tells for each class which part of what was subtracted is not resolved.
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

// warnUnmeasured says of which traces it is not known what probes took, if it is of others.
func (s *summary) warnUnmeasured() {
	if !s.trace.Probes.Known {
		return
	}
	for _, path := range s.trace.Unmeasured {
		s.warn(path, "what the probes took was not measured: it is in the times of this trace, unlike the others")
	}
}

// movedFactor is by how much costs must have moved to be worth a warning.
const movedFactor = 1.5

// addMoved warns where what hits cost has moved while recording.
func (s *summary) addMoved(path string, list []format.Calibration) {
	if m := format.NewMoved(list); m.Factor() >= movedFactor {
		s.warn(path, "what the probes of a call cost moved from %s to %s while recording (sites %s): what is subtracted follows within some seconds",
			FormatDuration(time.Duration(m.FromNs)), FormatDuration(time.Duration(m.ToNs)), printable(strings.TrimSpace(m.Entry+" "+m.Return)))
	}
}
