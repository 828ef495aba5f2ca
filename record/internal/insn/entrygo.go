package insn

import (
	"slices"

	"golang.org/x/arch/x86/x86asm"

	"utrace/record/internal/abi"
)

// findEntryGo finds the site for the entry of a Go function on x86-64. Most Go functions begin with
// a check of the stack's size, such as
//
//	cmp 0x10(%r14),%rsp; jbe grow
//
// and start over after the stack has grown, so a probe on the check would fire twice. The code
// after the check runs once a call. A function without a check is like any other.
func findEntryGo(fn Func, args bool, k Kernel) (site Entry, ok bool) {
	keep := keepNoArgs
	if args {
		keep = keepGoArgs
	}
	if !fn.SelfEntry {
		return findEntryX86(fn.Code, fn, keep, k), true
	}
	body := 0
	checked := false
	for range 8 {
		inst, err := x86asm.Decode(fn.Code[body:], 64)
		if err != nil || inst.Op == 0 {
			return site, false
		}
		body += inst.Len
		switch inst.Op {
		case x86asm.CMP:
			limit, mem := inst.Args[1].(x86asm.Mem)
			checked = checked || mem && limit.Base == x86asm.R14 && (limit.Disp == 0x10 || limit.Disp == 0x18)
		case x86asm.LEA, x86asm.MOV, x86asm.SUB: // of a frame's size from the stack pointer, in R12
			if inst.Args[0] != x86asm.R12 {
				return site, false
			}
		case x86asm.JB:
		case x86asm.JBE:
			if !checked {
				return site, false
			}
			if slices.Contains(fn.Targets, fn.Addr+abi.Addr(body)) {
				return site, false
			}
			return findEntryX86(fn.Code[body:], fn, keep, k), true
		default:
			return site, false
		}
	}
	return site, false
}
