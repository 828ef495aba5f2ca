package insn

import (
	"encoding/binary"

	"utrace/record/internal/abi"
)

// x86Decoder is a position in the bytes of one instruction.
type x86Decoder struct {
	code []byte
	pos  int
	bad  bool // read beyond the code

	rexW, opsize, addrsize bool
	rep                    byte // F2, F3 or 0
	lock, rex              bool
}

// decodeX86 is Decode for x86-64. It finds the length and the flow of control, no more. The steps
// are those of the processor:
//
//  1. Legacy prefixes and REX.
//  2. An opcode in one of the maps. A VEX, EVEX or XOP prefix names the map.
//  3. ModRM, SIB, displacement and immediate.
func decodeX86(code []byte, at abi.Addr) (in Inst, ok bool) {
	d := x86Decoder{code: code[:min(len(code), MaxLen)]}
	op := d.prefixes()
	in = d.opcode(op)
	if in.Len < 0 || d.bad {
		return Inst{}, false
	}
	in.Len = d.pos
	switch in.Flow {
	case FlowJump, FlowBranch, FlowCall:
		in.Target += at + abi.Addr(d.pos)
	}
	return in, true
}

func undefined() Inst { return Inst{Len: -1} }

func (d *x86Decoder) byte() byte {
	if d.pos >= len(d.code) {
		d.bad = true
		return 0
	}
	d.pos++
	return d.code[d.pos-1]
}

// skip skips n bytes.
func (d *x86Decoder) skip(n int) {
	d.pos += n
	if d.pos > len(d.code) {
		d.bad = true
	}
}

// prefixes skips the prefixes and returns the first byte of the opcode.
func (d *x86Decoder) prefixes() byte {
	for {
		b := d.byte()
		switch b {
		case 0x66:
			d.opsize = true
		case 0x67:
			d.addrsize = true
		case 0xf0:
			d.lock = true
		case 0xf2, 0xf3:
			d.rep = b
		case 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65:
		default:
			if b&0xf0 != 0x40 {
				return b
			}
			d.rex, d.rexW = true, b&8 != 0
			continue
		}
		// A REX prefix counts only directly before the opcode.
		d.rex, d.rexW = false, false
	}
}

func (d *x86Decoder) opcode(op byte) Inst {
	switch op {
	case 0x0f:
		return d.twoByte(d.byte())
	case 0x62:
		return d.evex()
	case 0xc4, 0xc5:
		return d.vex(op)
	case 0x8f: // pop, or XOP
		if d.pos < len(d.code) && d.code[d.pos]&0x38 != 0 {
			return d.xop()
		}
		d.modrm()
		return Inst{}
	case 0xc6, 0xc7: // mov, or xabort and xbegin
		m := d.modrm()
		if m&0x38 != 0 && m != 0xf8 {
			return undefined()
		}
		if op == 0xc6 {
			d.skip(1)
			return Inst{}
		}
		if m != 0xf8 {
			d.skip(d.immZ())
			return Inst{}
		}
		return d.relative(FlowBranch, 4) // xbegin: the target is where an abort goes
	case 0xfe:
		if d.modrm()&0x38 > 0x08 {
			return undefined()
		}
		return Inst{}
	case 0xff:
		return d.groupFF()
	case 0xc2, 0xc3, 0xca, 0xcb:
		d.operands(oneByteMap[op])
		return Inst{Flow: FlowReturn}
	case 0xe0, 0xe1, 0xe2, 0xe3: // loop, jrcxz
		return d.relative(FlowBranch, 1)
	case 0xe8:
		return d.relative(FlowCall, 4)
	case 0xe9:
		return d.relative(FlowJump, 4)
	case 0xeb:
		return d.relative(FlowJump, 1)
	}

	if op&0xf0 == 0x70 {
		return d.relative(FlowBranch, 1)
	}
	return d.operands(oneByteMap[op])
}

// groupFF decodes inc, dec, call, far call, jmp, far jmp and push.
func (d *x86Decoder) groupFF() Inst {
	m := d.modrm()
	switch m >> 3 & 7 {
	case 2:
		return Inst{Flow: FlowCallIndirect}
	case 4:
		return Inst{Flow: FlowJumpIndirect}
	case 3, 5: // far: memory only
		if m >= 0xc0 {
			return undefined()
		}
		if m>>3&7 == 3 {
			return Inst{Flow: FlowCallIndirect}
		}
		return Inst{Flow: FlowJumpIndirect}
	case 7:
		return undefined()
	}
	return Inst{}
}

func (d *x86Decoder) twoByte(op byte) Inst {
	switch op {
	case 0x38:
		return d.operands(map38[d.byte()])
	case 0x3a:
		return d.operands(map3A[d.byte()])
	case 0x78: // vmread; extrq and insertq of SSE4a have two immediates
		d.modrm()
		if d.opsize || d.rep == 0xf2 {
			d.skip(2)
		}
		return Inst{}
	}
	if op&0xf0 == 0x80 {
		return d.relative(FlowBranch, 4)
	}
	return d.operands(twoByteMap[op])
}

// vex decodes the bytes after C5 or C4 (Intel SDM volume 2, 2.3.5).
func (d *x86Decoder) vex(op byte) Inst {
	if d.rex || d.opsize || d.rep != 0 || d.lock {
		return undefined()
	}
	opcodes := byte(1)
	if op == 0xc4 {
		opcodes = d.byte() & 0x1f
	}
	d.byte()
	return d.vectorOpcode(opcodes, false)
}

// evex decodes the bytes after 62 (Intel SDM volume 2, 2.7.1). The second of the three payload
// bytes has a bit that is always 1.
func (d *x86Decoder) evex() Inst {
	if d.rex || d.opsize || d.rep != 0 || d.lock {
		return undefined()
	}
	p0, p1 := d.byte(), d.byte()
	d.byte()
	if p0&8 != 0 || p1&4 == 0 {
		return undefined()
	}
	return d.vectorOpcode(p0&7, true)
}

func (d *x86Decoder) vectorOpcode(opcodes byte, evex bool) Inst {
	op := d.byte()
	switch {
	case opcodes == 1:
		if evex && op == 0x77 {
			return undefined()
		}
		return d.operands(vexMap1[op])
	case opcodes == 2, evex && (opcodes == 5 || opcodes == 6):
		return d.operands('m')
	case opcodes == 3:
		return d.operands('M')
	}
	return undefined()
}

// xop decodes the bytes after 8F (AMD64 manual volume 6, 1.1.1.2). Maps 8, 9 and A have 1, 0 and 4
// bytes of immediate.
func (d *x86Decoder) xop() Inst {
	if d.rex || d.opsize || d.rep != 0 || d.lock {
		return undefined()
	}
	opcodes := d.byte() & 0x1f
	d.byte()
	d.byte()
	d.modrm()
	switch opcodes {
	case 8:
		d.skip(1)
	case 9:
	case 10:
		d.skip(4)
	default:
		return undefined()
	}
	return Inst{}
}

// modrm skips ModRM, SIB and displacement, and returns ModRM (Intel SDM volume 2, 2.1.5).
func (d *x86Decoder) modrm() byte {
	m := d.byte()
	mod, rm := m>>6, m&7
	if mod == 3 {
		return m
	}
	if rm == 4 {
		if sib := d.byte(); mod == 0 && sib&7 == 5 {
			d.skip(4)
		}
	}
	switch {
	case mod == 1:
		d.skip(1)
	case mod == 2, mod == 0 && rm == 5:
		d.skip(4)
	}
	return m
}

// immZ is the size of an immediate that follows the operand size: 4 bytes at most.
func (d *x86Decoder) immZ() int {
	if d.opsize && !d.rexW {
		return 2
	}
	return 4
}

// operands skips the operand bytes that a letter of the opcode maps represents.
func (d *x86Decoder) operands(letter byte) Inst {
	switch letter {
	case '.':
	case 'm':
		d.modrm()
	case 'M':
		d.modrm()
		d.skip(1)
	case 'Z':
		d.modrm()
		d.skip(d.immZ())
	case 'b':
		d.skip(1)
	case 'w':
		d.skip(2)
	case 'z':
		d.skip(d.immZ())
	case 'q':
		if d.rexW {
			d.skip(8)
		} else {
			d.skip(d.immZ())
		}
	case 'o':
		if d.addrsize {
			d.skip(4)
		} else {
			d.skip(8)
		}
	case 'e':
		d.skip(3)
	case 'g', 'G':
		if d.modrm()&0x38 > 0x08 {
			break
		}
		if letter == 'g' {
			d.skip(1)
		} else {
			d.skip(d.immZ())
		}
	default:
		return undefined()
	}
	return Inst{}
}

// relative skips a displacement of n bytes. decodeX86 adds the address of the next instruction to
// the target. A jump with prefix 66 and without REX.W is not decoded: Intel's processors read 4
// bytes of displacement, AMD's read 2.
func (d *x86Decoder) relative(to Flow, n int) Inst {
	if n == 4 && d.opsize && !d.rexW {
		return undefined()
	}
	start := d.pos
	d.skip(n)
	if d.bad {
		return undefined()
	}
	if n == 1 {
		return Inst{Flow: to, Target: abi.Addr(int8(d.code[start]))}
	}
	return Inst{Flow: to, Target: abi.Addr(int32(binary.LittleEndian.Uint32(d.code[start:])))}
}
