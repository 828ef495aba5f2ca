//go:build linux

package record

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// Costs are what hits of probes typically cost on one sort of machine, with
// their record in the ring.
type Costs struct {
	NopCall, Emulated, Stepped time.Duration // a hit, by the class of its site
	Trampoline                 time.Duration // a return by way of the trampoline
}

// TypicalCosts returns the costs on machines like this one, to plan with: they
// are not measured here. On metal they are the figures published with the kernel's
// series "uprobes/x86: Add support to optimize usdt probes" (J. Olsa, 2025), on virtual machines,
// where a trap costs more, those seen on an AMD EPYC with Linux 6.18; a record is 0.15 us of each.
func TypicalCosts() Costs {
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil && bytes.Contains(info, []byte(" hypervisor")) {
		return Costs{NopCall: 700, Emulated: 1050, Stepped: 10200, Trampoline: 600}
	}
	return Costs{NopCall: 290, Emulated: 480, Stepped: 1060, Trampoline: 450}
}

// Call returns what recording one call of a function costs, entry and return, as text.
func (c Costs) Call(fn PlannedFunc) string {
	d := map[SiteClass]time.Duration{NopCall: c.NopCall, Emulated: c.Emulated, Stepped: c.Stepped}[fn.Class]
	switch fn.ReturnBy {
	case ByTrampoline:
		d += c.Trampoline
	case ByInstruction:
		d += c.Stepped
	}
	return fmt.Sprintf("%.1f us", d.Seconds()*1e6)
}
