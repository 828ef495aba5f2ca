package insn

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// MaxCallSize is the length of the longest call without a prefix, in bytes.
const MaxCallSize = 7

// DirectCallSize returns the length of a call that contains the address it calls, in bytes.
func DirectCallSize(machine elf.Machine) int {
	if machine == elf.EM_AARCH64 {
		return 4
	}
	return 5
}

// EndsInCall reports whether code may end in a call.
func EndsInCall(machine elf.Machine, code []byte) bool {
	if machine == elf.EM_AARCH64 {
		return len(code) >= 4 && isCallARM64(binary.LittleEndian.Uint32(code[len(code)-4:]))
	}
	return endsInCallX86(code)
}

// HasCall reports whether there is likely a call in code. On x86-64 it looks for one byte only.
func HasCall(machine elf.Machine, code []byte) bool {
	if machine == elf.EM_AARCH64 {
		return anyARM64(code, isCallARM64)
	}
	return bytes.IndexByte(code, 0xe8) >= 0
}

// endsInCallX86 reports whether x86-64 code may end in a call: E8 with four bytes, or FF /2 with as
// many bytes as its ModRM and SIB ask for (Intel SDM volume 2, CALL and table 2-2).
func endsInCallX86(code []byte) bool {
	if n := len(code); n >= 5 && code[n-5] == 0xe8 {
		return true
	}
	for n := 2; n <= min(7, len(code)); n++ {
		tail := code[len(code)-n:]
		if tail[0] != 0xff || tail[1]>>3&7 != 2 {
			continue
		}
		size, mod, rm := 2, tail[1]>>6, tail[1]&7
		if mod != 3 && rm == 4 {
			if n < 3 {
				continue
			}
			size++
			if mod == 0 && tail[2]&7 == 5 {
				size += 4
			}
		}
		switch {
		case mod == 1:
			size++
		case mod == 2 || mod == 0 && rm == 5:
			size += 4
		}
		if size == n {
			return true
		}
	}
	return false
}

// isCallARM64 matches bl, blr, and the forms of blr with pointer authentication.
func isCallARM64(w uint32) bool { return w>>26 == 0x25 || w&0xfefff000 == 0xd63f0000 }

func anyARM64(code []byte, is func(uint32) bool) bool {
	for ; len(code) >= 4; code = code[4:] {
		if is(binary.LittleEndian.Uint32(code)) {
			return true
		}
	}
	return false
}
