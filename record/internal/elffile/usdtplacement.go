package elffile

import (
	"utrace/record/internal/abi"
	"utrace/record/internal/insn"
)

// Reasons why a location of a USDT probe cannot have a breakpoint.
const (
	whyNoNop  = "its note does not point at a nop"
	whyInside = "its note points into the middle of an instruction: a breakpoint there would corrupt it"
)

// UnprobeableUSDT returns the locations of USDT probes that cannot have a breakpoint, with the
// reason. A note is data that anybody can write, and its address may be wrong. sys/sdt.h puts a nop
// at the location. The nop must be an instruction of the function that covers it. Where no function
// is known, the nop is enough.
func (f *File) UnprobeableUSDT(probes []USDTProbe) map[abi.Addr]string {
	why := map[abi.Addr]string{}
	inside := map[abi.Addr][]abi.Addr{} // nops, by function
	covering := map[abi.Addr]Func{}
	for _, p := range probes {
		if !f.isNop(p.Addr) {
			why[p.Addr] = whyNoNop
		} else if fn, ok := f.FuncAt(p.Addr); ok {
			inside[fn.Addr] = append(inside[fn.Addr], p.Addr)
			covering[fn.Addr] = fn
		}
	}

	for start, nops := range inside { // each function is decoded once
		for _, a := range nops {
			why[a] = whyInside
		}
		err := f.decode(covering[start], func(at abi.Addr, _ insn.Inst) bool {
			if why[at] == whyInside {
				delete(why, at)
			}
			return true
		})
		if err == nil {
			continue
		}
		for _, a := range nops {
			if why[a] != "" {
				why[a] = "it is unclear whether its note points at an instruction: " + err.Error()
			}
		}
	}
	return why
}

// isNop reports whether a nop is at a.
func (f *File) isNop(a abi.Addr) bool {
	code, err := f.Code(a, min(f.room(a), 4))
	return err == nil && insn.IsNop(f.Machine, code)
}
