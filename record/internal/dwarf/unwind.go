package dwarf

import (
	"debug/elf"
	"strings"

	"utrace/record/internal/cursor"
)

// Frame is a range of code with its own unwind rules: a function, or the unlikely part of one.
type Frame struct {
	Start, Size uint64
	// Called reports whether Start has the unwind rules of a state right after a call instruction:
	// the return address is where the call put it, and no register is saved. An unlikely part is
	// reached by a jump from the middle of its function, mostly with another stack.
	Called bool
}

// End is the first address after the range.
func (fr Frame) End() uint64 { return fr.Start + fr.Size }

// EncodedPointer reads an encoded pointer at address `at` (LSB 5.0, 10.5.1). If ok is false, the
// encoding needs more than the value: it is indirect, or relative to something other than the
// pointer itself.
func EncodedPointer(c *cursor.Cursor, encoding byte, at uint64) (v uint64, ok bool) {
	const omit, relative, indirect = 0xff, 0x10, 0x80
	if encoding == omit || encoding&indirect != 0 {
		return 0, false
	}
	switch encoding & 0x0f {
	case 0x00, 0x04, 0x0c: // absptr, udata8, sdata8
		v = c.Uint(8)
	case 0x01:
		v = c.Uleb()
	case 0x02:
		v = c.Uint(2)
	case 0x03:
		v = c.Uint(4)
	case 0x09:
		v = uint64(c.Sleb())
	case 0x0a:
		v = uint64(int64(int16(c.Uint(2))))
	case 0x0b:
		v = uint64(int64(int32(c.Uint(4))))
	default:
		return 0, false
	}

	switch encoding & 0x70 {
	case 0:
		return v, true
	case relative:
		return v + at, true
	}
	return 0, false
}

// cie is a common information entry: what several frames share.
type cie struct {
	encoding  byte // of the addresses of a frame
	augmented bool // a frame has augmentation data
	signal    bool // its frames are of a signal handler.s caller, which is not called
	rules     unwindRules
}

// ParseFrames reads .eh_frame (LSB 5.0, 10.6.1), which lies at address addr. It leaves out entries
// that it does not understand. The work is linear in the bytes, since each entry is read once.
func ParseFrames(data []byte, addr uint64, machine elf.Machine) []Frame {
	var out []Frame
	cies := map[uint64]*cie{}
	c := &cursor.Cursor{Bytes: data}
	for c.Left() >= 4 {
		length := c.Uint(4)
		if length == 0 { // the end of this table; another may follow
			continue
		}
		if length == 0xffffffff {
			length = c.Uint(8)
		}
		if c.Bad || length > c.Left() {
			break
		}
		body := c.Off
		entry := &cursor.Cursor{Bytes: data[:body+length], Off: body}
		c.Skip(length)
		switch back := entry.Uint(4); {
		case entry.Bad:
		case back == 0:
			// Frames refer to the start of the entry: four bytes before the body, or twelve.
			cies[body-4] = parseCIE(entry, machine)
			cies[body-12] = cies[body-4]
		case back <= body:
			if shared := cies[body-back]; shared != nil {
				if fr, ok := parseFrame(entry, addr, shared); ok {
					out = append(out, fr)
				}
			}
		}
	}
	return out
}

// parseCIE reads the entry after its id. It returns nil if the kind of the entry is unknown.
func parseCIE(c *cursor.Cursor, machine elf.Machine) *cie {
	version := c.Byte()
	augmentation := string(c.Text())
	if version != 1 && version != 3 && version != 4 {
		return nil
	}
	if version == 4 {
		if addressSize, segmentSize := c.Byte(), c.Byte(); addressSize != 8 || segmentSize != 0 {
			return nil
		}
	}
	out := &cie{rules: newUnwindRules(machine)}
	c.Uleb() // code alignment
	out.rules.dataAlign = c.Sleb()
	if version == 1 {
		out.rules.returnColumn = uint64(c.Byte())
	} else {
		out.rules.returnColumn = c.Uleb()
	}
	rest, known := strings.CutPrefix(augmentation, "z")
	if !known && augmentation != "" || c.Bad {
		return nil
	}
	if known {
		n := c.Uleb()
		if c.Bad || n > c.Left() {
			return nil
		}
		end := c.Off + n
		out.augmented = true
		for _, kind := range []byte(rest) {
			switch kind {
			case 'R':
				out.encoding = c.Byte()
			case 'P': // the personality routine: only its size matters
				if _, ok := EncodedPointer(c, c.Byte()&0x0f, 0); !ok {
					return nil
				}
			case 'L':
				c.Byte()
			case 'S':
				out.signal = true
			}
		}
		c.Off = end
	}

	out.rules.run(c)
	if c.Bad {
		return nil
	}
	return out
}

// parseFrame reads a frame description entry after its pointer to the common entry.
func parseFrame(c *cursor.Cursor, addr uint64, shared *cie) (fr Frame, ok bool) {
	start, ok := EncodedPointer(c, shared.encoding, addr+c.Off)
	size, _ := EncodedPointer(c, shared.encoding&0x0f, 0)
	if shared.augmented {
		c.Skip(c.Uleb())
	}
	if !ok || c.Bad || size == 0 || start+size < start {
		return Frame{}, false
	}
	r := shared.rules
	r.run(c)
	return Frame{Start: start, Size: size, Called: !c.Bad && !shared.signal && r.atEntry()}, true
}
