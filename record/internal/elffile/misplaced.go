package elffile

import (
	"debug/elf"
	"encoding/binary"
	"strings"
)

// Reasons why no breakpoint may be put at a location of a static probe.
const (
	whyNoNop  = "its note does not point at a nop"
	whyInside = "its note points into the middle of an instruction: a breakpoint there would corrupt it"
)

// Misplaced returns which of the locations of static probes are no place for a breakpoint, and why. A note is data that anybody can write, and its
// address may be wrong: as sys/sdt.h has it there is a nop, which is an instruction of the function that covers it. Where no function
// is known, the nop must do.
func (f *File) Misplaced(probes []StaticProbe) map[Addr]string {
	why := map[Addr]string{}
	inside := map[Addr][]Addr{} // nops, by function
	covering := map[Addr]Func{}
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
		err := f.decode(covering[start], func(at Addr, _ inst) bool {
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
				why[a] = "whether its note points at an instruction cannot be told: " + err.Error()
			}
		}
	}
	return why
}

// isNop says whether the bytes at a are those of a nop (Intel SDM volume 2, NOP; Arm ARM, C6.2.250). endbr64 is none: an indirect branch
// to a breakpoint in its place would fault.
func (f *File) isNop(a Addr) bool {
	code, err := f.Code(a, min(f.room(a), 4))
	if err != nil {
		return false
	}
	if f.Machine == elf.EM_AARCH64 {
		return len(code) == 4 && binary.LittleEndian.Uint32(code) == 0xd503201f
	}
	for _, nop := range []string{"\x90", "\x66\x90", "\x0f\x1f", "\x66\x0f\x1f"} {
		if strings.HasPrefix(string(code), nop) {
			return true
		}
	}
	return false
}
