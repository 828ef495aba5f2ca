package record

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
)

// goidOffset returns where a goroutine's number lies in the runtime's struct g, by the
// version of Go, in bytes; 0 for versions that are not known. Read from the debug information of
// programs built by each, on amd64 and arm64; field syscallbp came with 1.23,
// gobuf.ret went with 1.25.
func goidOffset(version string) uint16 {
	var minor int
	if _, err := fmt.Sscanf(version, "go1.%d", &minor); err != nil {
		return 0
	}
	switch {
	case minor >= 20 && minor <= 22:
		return 152
	case minor == 23 || minor == 24:
		return 160
	case minor == 25 || minor == 26:
		return 152
	}
	return 0
}

// isOldABI reports whether a Go symbol is of assembly with the old calling
// convention, in which no register holds the goroutine.
func isOldABI(symbol string) bool { return strings.HasSuffix(symbol, ".abi0") }

// findGoEntry finds the site for the entry of a Go function. It begins with a
// check of the stack's size, such as
//
//	cmp 0x10(%r14),%rsp; jbe grow
//
// and starts over after the stack has grown, so a probe on it would fire twice. What follows the
// check runs once a call. Without a check the function is like any other.
func findGoEntry(code []byte, entry abi.Addr, exits elffile.Exits, args bool, k kernelSites) (site entrySite, ok bool) {
	keep := keepNoArgs
	if args {
		keep = keepGoArgs
	}
	if !exits.SelfEntry {
		return findEntry(code, entry, exits, keep, k), true
	}
	body := 0
	checked := false
	for range 8 {
		inst, err := x86asm.Decode(code[body:], 64)
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
			if slices.Contains(exits.Targets, entry+abi.Addr(body)) {
				return site, false
			}
			return findEntry(code[body:], entry+abi.Addr(body), exits, keep, k), true
		default:
			return site, false
		}
	}
	return site, false
}
