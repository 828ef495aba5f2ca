package elffile

import (
	"cmp"
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// maxFrames is the largest .eh_frame that is read, in bytes. A browser has 30 MiB.
const maxFrames = 256 << 20

// frame is a range of code with unwind rules of its own: a function, or the unlikely part of one.
type frame struct {
	start, size uint64
	// called says that at start the unwind rules are those behind a call instruction: the return address where the call has
	// left it, no register saved. An unlikely part is jumped to from the middle of its function, mostly with another stack.
	called bool
}

func (fr frame) end() uint64 { return fr.start + fr.size }

// readFrames returns the ranges that .eh_frame describes, by address, one for each start.
func (f *File) readFrames() ([]frame, error) {
	data, addr, err := f.ehFrame()
	if err != nil {
		return nil, err
	}
	list := parseFrames(data, addr, f.Machine)
	slices.SortStableFunc(list, func(a, b frame) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.size, a.size))
	})
	return slices.CompactFunc(list, func(a, b frame) bool { return a.start == b.start }), nil
}

// ehFrame returns the bytes of .eh_frame and their address. Without section headers they are found through
// .eh_frame_hdr (LSB 5.0, 10.6.2), which a segment names, and end with that segment's neighbour at the latest.
func (f *File) ehFrame() (data []byte, addr uint64, err error) {
	if s := f.elf.Section(".eh_frame"); s != nil && s.Type != elf.SHT_NOBITS {
		data, err = f.sectionData(s, maxFrames)
		return data, s.Addr, err
	}
	for _, p := range f.elf.Progs {
		if p.Type != elf.PT_GNU_EH_FRAME || p.Filesz < 8 {
			continue
		}
		c := &cursor{b: f.readAt(p.Off, min(p.Filesz, 64))}
		version, encoding := c.byte(), c.byte()
		c.skip(2)
		at, ok := pointer(c, encoding, p.Vaddr+c.off)
		if c.bad || version != 1 || !ok {
			break
		}
		for _, load := range f.elf.Progs {
			if load.Type == elf.PT_LOAD && at >= load.Vaddr && at-load.Vaddr < load.Filesz {
				n := load.Filesz - (at - load.Vaddr)
				if n > maxFrames {
					return nil, 0, fmt.Errorf("unwind tables of %d bytes: %w", n, ErrTooLarge)
				}
				return f.readAt(load.Off+(at-load.Vaddr), n), at, nil
			}
		}
	}
	return nil, 0, nil
}

// pointer reads an encoded pointer, which lies at address at (LSB 5.0, 10.5.1). ok is false for encodings that stand for more than
// a value: relative to something else, or indirect.
func pointer(c *cursor, encoding byte, at uint64) (v uint64, ok bool) {
	const omit, relative, indirect = 0xff, 0x10, 0x80
	if encoding == omit || encoding&indirect != 0 {
		return 0, false
	}
	switch encoding & 0x0f {
	case 0x00, 0x04, 0x0c: // absptr, udata8, sdata8
		v = c.uint(8)
	case 0x01:
		v = c.uleb()
	case 0x02:
		v = c.uint(2)
	case 0x03:
		v = c.uint(4)
	case 0x09:
		v = uint64(c.sleb())
	case 0x0a:
		v = uint64(int64(int16(c.uint(2))))
	case 0x0b:
		v = uint64(int64(int32(c.uint(4))))
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

// cie is what the frames of one common information entry share.
type cie struct {
	encoding  byte // of the addresses of a frame
	augmented bool // a frame has augmentation data
	signal    bool // the frame of a signal handler's caller: it is not called
	rules     rules
}

// parseFrames reads .eh_frame (LSB 5.0, 10.6.1), which lies at address addr. An entry that it cannot make sense of is left
// out. The work is linear in the bytes, since each entry is read once.
func parseFrames(data []byte, addr uint64, machine elf.Machine) []frame {
	var out []frame
	cies := map[uint64]*cie{}
	c := &cursor{b: data}
	for c.left() >= 4 {
		length := c.uint(4)
		if length == 0 { // the end, or that of one of several tables
			continue
		}
		if length == 0xffffffff {
			length = c.uint(8)
		}
		if c.bad || length > c.left() {
			break
		}
		body := c.off
		entry := &cursor{b: data[:body+length], off: body}
		c.skip(length)
		switch back := entry.uint(4); {
		case entry.bad:
		case back == 0:
			// The start of the entry is what frames refer to: four bytes, or twelve, before the body.
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

// parseCIE reads the entry from behind its id. It returns nil if it is of an unknown kind.
func parseCIE(c *cursor, machine elf.Machine) *cie {
	version := c.byte()
	augmentation := string(c.str())
	if version != 1 && version != 3 && version != 4 {
		return nil
	}
	if version == 4 {
		if addressSize, segmentSize := c.byte(), c.byte(); addressSize != 8 || segmentSize != 0 {
			return nil
		}
	}
	out := &cie{rules: newRules(machine)}
	c.uleb() // code alignment
	out.rules.dataAlign = c.sleb()
	if version == 1 {
		out.rules.returnColumn = uint64(c.byte())
	} else {
		out.rules.returnColumn = c.uleb()
	}
	rest, known := strings.CutPrefix(augmentation, "z")
	if !known && augmentation != "" || c.bad {
		return nil
	}
	if known {
		n := c.uleb()
		if c.bad || n > c.left() {
			return nil
		}
		end := c.off + n
		out.augmented = true
		for _, kind := range []byte(rest) {
			switch kind {
			case 'R':
				out.encoding = c.byte()
			case 'P': // the personality routine; only its size matters
				if _, ok := pointer(c, c.byte()&0x0f, 0); !ok {
					return nil
				}
			case 'L':
				c.byte()
			case 'S':
				out.signal = true
			}
		}
		c.off = end
	}
	out.rules.run(c)
	if c.bad {
		return nil
	}
	return out
}

// parseFrame reads a frame description entry from behind its pointer to the common one.
func parseFrame(c *cursor, addr uint64, shared *cie) (fr frame, ok bool) {
	start, ok := pointer(c, shared.encoding, addr+c.off)
	size, _ := pointer(c, shared.encoding&0x0f, 0)
	if shared.augmented {
		c.skip(c.uleb())
	}
	if !ok || c.bad || size == 0 || start+size < start {
		return frame{}, false
	}
	r := shared.rules
	r.run(c)
	return frame{start: start, size: size, called: !c.bad && !shared.signal && r.atEntry()}, true
}
