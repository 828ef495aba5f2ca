package insn

import (
	"bytes"
	"debug/elf"
	"slices"
)

// SetsFramePointer reports whether code sets the frame pointer register to the address of a frame.
// isGo is set if Go's compiler made the code.
func SetsFramePointer(machine elf.Machine, code []byte, isGo bool) bool {
	if machine == elf.EM_AARCH64 {
		return anyARM64(code, func(w uint32) bool { return w&0xff8003ff == 0x910003fd }) // add x29, sp, #n
	}
	setUps := []string{"\x48\x89\xe5", "\x48\x8b\xec"} // mov %rsp,%rbp
	if isGo {
		setUps = append(setUps, "\x48\x8d\x6c\x24", "\x48\x8d\xac\x24") // lea n(%rsp),%rbp: until Go 1.20
	}
	return slices.ContainsFunc(setUps, func(setUp string) bool { return bytes.Contains(code, []byte(setUp)) })
}
