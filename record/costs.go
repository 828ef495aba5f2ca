//go:build linux

package record

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/insn"
	"utrace/record/plan"
)

// Costs are the costs of probe hits, with their record in the ring, to the thread that makes them.
type Costs struct {
	Measured                   bool          // on this machine; otherwise typical
	NopCall, Emulated, Stepped time.Duration // a hit, by the class of its site
	Trampoline                 time.Duration // a return through the trampoline
	Args                       time.Duration // extra, where arguments or results are fetched
}

// TypicalCosts returns typical costs on machines like this one, for planning. They are not measured
// here. On metal they are the figures published with the kernel's series "uprobes/x86: Add support
// to optimize usdt probes" (J. Olsa, 2025). On virtual machines, where a trap costs more, they were
// measured on an AMD EPYC with Linux 6.18. Each includes 0.15 us for a record.
func TypicalCosts() Costs {
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil && bytes.Contains(info, []byte(" hypervisor")) {
		return Costs{NopCall: 700, Emulated: 1050, Stepped: 10200, Trampoline: 600, Args: 1000}
	}
	return Costs{NopCall: 290, Emulated: 480, Stepped: 1060, Trampoline: 450, Args: 600}
}

// class returns the cost of a hit of a site.
func (c Costs) class(class insn.Class) time.Duration {
	switch class {
	case insn.NopCall:
		return c.NopCall
	case insn.Emulated:
		return c.Emulated
	}
	return c.Stepped
}

// args returns the extra cost of fetching a site's arguments.
func (c Costs) args(s *bpf.Site) time.Duration {
	if s == nil || s.NumArgs == 0 {
		return 0
	}
	return c.Args
}

// Hits returns the costs of an entry (or hit) and of a return of a function. They exclude the stack
// of callers, and the work of deferring calls (Config.SlowerThan).
func (c Costs) Hits(fn *plan.Func) (entry, ret time.Duration) {
	for _, s := range fn.USDTSites {
		d := c.class(s.Class) + c.args(&s.Site)
		if s.Site.Kind == format.Return {
			ret = max(ret, d)
		} else {
			entry = max(entry, d)
		}
	}
	if len(fn.USDTSites) > 0 {
		return entry, ret
	}
	switch fn.ReturnBy {
	case plan.ByTrampoline:
		ret = c.Trampoline
	case plan.ByInstruction:
		ret = c.class(fn.Returning)
	}
	return c.class(fn.Class) + c.args(fn.Entry), ret + c.args(fn.Exit)
}

// Call returns the cost of recording one call of a function, entry and return, as text.
func (c Costs) Call(fn plan.Func) string {
	entry, ret := c.Hits(&fn)
	return fmt.Sprintf("%.1f us", (entry+ret).Seconds()*1e6)
}

// medianCost returns the medians of the measurements for two kinds of sites, zeros if there are
// none.
func medianCost(list []format.Calibration, entry, ret siteKind) (c format.SiteCost) {
	var entries, calls []int64
	for _, cal := range list {
		for _, s := range cal.Sites {
			if s.Entry == string(entry) && s.Return == string(ret) {
				entries, calls = append(entries, s.EntryNs), append(calls, s.CallNs)
			}
		}
	}
	if len(entries) > 0 {
		c.EntryNs, _ = quartiles(entries)
		c.CallNs, _ = quartiles(calls)
	}
	return c
}

// spent returns the processor time that the probes took, as far as it was measured. Hits of dropped
// calls are included, fetching values is not. After a tail call, two calls return in one trap: the
// second return costs so little that it is left out.
func spent(c *catalog, list []format.Calibration) (sum time.Duration) {
	type kinds struct{ entry, ret siteKind }
	costs := map[kinds]format.SiteCost{}
	for i := range c.funcs {
		fn := &c.funcs[i]
		if fn.entries+fn.returns == 0 {
			continue
		}
		k := kinds{fn.entryKind, fn.returnKind}
		cost, ok := costs[k]
		if !ok {
			cost = medianCost(list, k.entry, k.ret)
			costs[k] = cost
		}
		traps := fn.returns - min(fn.returns, fn.tailEntries)
		sum += time.Duration(fn.entries)*time.Duration(cost.EntryNs) + time.Duration(traps)*time.Duration(max(0, cost.CallNs-cost.EntryNs))
	}
	return sum
}

// newCosts derives the costs for the overhead limit from measurements.
func newCosts(list []format.Calibration) Costs {
	of := func(entry, ret siteKind) format.SiteCost { return medianCost(list, entry, ret) }
	class := func(c insn.Class) time.Duration { return time.Duration(of(siteKind(c.String()), "").EntryNs) }
	c := Costs{Measured: true, NopCall: class(insn.NopCall), Emulated: class(insn.Emulated), Stepped: class(insn.Stepped)}
	c.Trampoline = max(0, time.Duration(of(siteKind(insn.Emulated.String()), kindTrampoline).CallNs)-c.Emulated)
	if args := of(kindUSDTArgs, ""); args.EntryNs > 0 {
		c.Args = max(0, time.Duration(args.EntryNs)-c.Emulated)
	}
	return c
}

// describe returns the costs for a trace, nil for none.
func (c *Costs) describe() *format.Costs {
	if c == nil {
		return nil
	}
	return &format.Costs{
		Measured: c.Measured, NopCallNs: c.NopCall.Nanoseconds(), EmulatedNs: c.Emulated.Nanoseconds(), SteppedNs: c.Stepped.Nanoseconds(),
		TrampolineNs: c.Trampoline.Nanoseconds(), ArgsNs: c.Args.Nanoseconds(),
	}
}
