package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"
)

// Bounds of KeepsFramePointers.
const (
	sampledFuncs  = 500
	maxCallerSize = 64 << 10 // bytes that are looked at for a call
	prologueSize  = 256      // bytes that are looked at for what sets up a frame, which need not come first
)

// FollowsCall reports whether a is behind a call instruction: a place where a function goes on when one that it has
// called returns. An address that chance has left where a return address would be seldom is.
func (f *File) FollowsCall(a Addr) bool {
	if f.Machine == elf.EM_AARCH64 {
		code, err := f.Code(a-4, 4)
		return err == nil && a >= 4 && isCallARM64(binary.LittleEndian.Uint32(code))
	}
	for n := uint64(7); n >= 2; n-- { // the longest call without a prefix has 7 bytes
		if uint64(a) < n {
			continue
		}
		if code, err := f.Code(a-Addr(n), n); err == nil {
			return endsInCall(code)
		}
	}
	return false
}

// endsInCall reports whether x86-64 code may end in a call: E8 with four bytes, or FF /2 with the bytes that its ModRM and SIB
// bytes ask for (Intel SDM volume 2, CALL and table 2-2).
func endsInCall(code []byte) bool {
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

// isCallARM64: BL, BLR and its kinds with pointer authentication.
func isCallARM64(w uint32) bool { return w>>26 == 0x25 || w&0xfefff000 == 0xd63f0000 }

// KeepsFramePointer reports whether fn, which calls others, first makes the frame pointer register point to its frame: code that does
// not hides its caller from who follows frame pointers.
func (f *File) KeepsFramePointer(fn Func) bool {
	code, err := f.Code(fn.Addr, min(fn.Size, prologueSize))
	if err != nil {
		return false
	}
	if f.Machine == elf.EM_AARCH64 {
		return anyARM64(code, func(w uint32) bool { return w&0xff8003ff == 0x910003fd }) // add x29, sp, #n
	}
	setUps := []string{"\x48\x89\xe5", "\x48\x8b\xec"} // mov %rsp,%rbp
	if f.IsGo() {
		setUps = append(setUps, "\x48\x8d\x6c\x24", "\x48\x8d\xac\x24") // lea n(%rsp),%rbp: until Go 1.20
	}
	return slices.ContainsFunc(setUps, func(setUp string) bool { return bytes.Contains(code, []byte(setUp)) })
}

// KeepsFramePointers reports whether most functions of the file that call others keep frame pointers, by a sample of them. It is
// true if there are none to look at.
func (f *File) KeepsFramePointers() bool {
	funcs, err := f.Funcs()
	if err != nil {
		return true
	}
	kept, callers := 0, 0
	step := max(1, len(funcs)/sampledFuncs)
	for i := 0; i < len(funcs); i += step {
		fn := funcs[i]
		if !f.makesCalls(fn) {
			continue
		}
		callers++
		if f.KeepsFramePointer(fn) {
			kept++
		}
	}
	return 2*kept >= callers
}

// makesCalls reports whether there is likely to be a call in fn.
func (f *File) makesCalls(fn Func) bool {
	code, err := f.Code(fn.Addr, min(fn.Size, maxCallerSize))
	if err != nil {
		return false
	}
	if f.Machine == elf.EM_AARCH64 {
		return anyARM64(code, isCallARM64)
	}
	return bytes.IndexByte(code, 0xe8) >= 0
}

func anyARM64(code []byte, is func(uint32) bool) bool {
	for ; len(code) >= 4; code = code[4:] {
		if is(binary.LittleEndian.Uint32(code)) {
			return true
		}
	}
	return false
}
