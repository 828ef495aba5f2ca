package elffile

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"utrace/record/internal/abi"
)

// Limits on the notes of USDT probes. The largest known file (libjvm.so) has 531 of them in 60 KiB.
// sys/sdt.h writes at most 12 operands.
const (
	maxUSDTNotes = 2 << 20 // bytes
	maxOperands  = 32
)

// USDTProbe is one location of a static probe (USDT): a note of owner "stapsdt", type 3. A probe of
// one name may have many locations, each with its own operands.
type USDTProbe struct {
	Provider, Name string
	// Addr is the address of the instruction, a nop, with prelink undone. It may be outside of the
	// code (check with FileOff): a linker that discards a function keeps its note.
	Addr      abi.Addr
	Semaphore abi.Addr // with prelink undone; 0 if there is none
	ArgText   string   // the operands as the note has them
	Args      []abi.Operand
}

// USDTProbes returns the USDT probes of the file, sorted by provider, name and address. It leaves
// out notes that it cannot parse. The error, ErrMalformed or ErrTooLarge, reports them: the
// returned probes are valid with it.
func (f *File) USDTProbes() ([]USDTProbe, error) { return f.usdt() }

func (f *File) readUSDT() ([]USDTProbe, error) {
	var probes []USDTProbe
	var refs []symbolRef // of all operands of all probes, in order
	bad := 0
	var firstErr error
	base := f.elf.Section(".stapsdt.base")
	for _, s := range f.elf.Sections {
		if s.Name != ".note.stapsdt" || s.Type == elf.SHT_NOBITS {
			continue
		}
		b, err := f.sectionData(s, maxUSDTNotes)
		if err != nil {
			if firstErr == nil {
				firstErr = err
			}
			continue
		}
		found, r, skipped := parseUSDTNotes(b, f.Machine, base)
		probes, refs, bad = append(probes, found...), append(refs, r...), bad+skipped
	}

	f.resolveOperands(probes, refs)
	slices.SortStableFunc(probes, func(a, b USDTProbe) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), strings.Compare(a.Name, b.Name), cmp.Compare(a.Addr, b.Addr))
	})
	if bad > 0 && firstErr == nil {
		firstErr = fmt.Errorf("%w: %d of %d notes", ErrMalformed, bad, bad+len(probes))
	}
	if firstErr != nil {
		return probes, fmt.Errorf("static probes of %s: %w", f.Path, firstErr)
	}
	return probes, nil
}

// parseUSDTNotes reads the notes of a section, and counts the unreadable ones. refs are the symbols
// of all operands, in order.
func parseUSDTNotes(b []byte, machine elf.Machine, base *elf.Section) (probes []USDTProbe, refs []symbolRef, bad int) {
	read := uint64(0)
	for n := range notes(b, 4) {
		read += 12 + (uint64(len(n.owner))+3)&^3 + (uint64(len(n.desc))+3)&^3
		if n.owner != "stapsdt\x00" || n.typ != 3 {
			continue
		}
		p, ok := parseUSDTNote(n.desc, base)
		if !ok {
			bad++
			continue
		}
		args, r := parseOperands(p.ArgText, machine)
		if len(args) > maxOperands {
			bad++
			continue
		}
		p.Args = args
		probes, refs = append(probes, p), append(refs, r...)
	}

	if rest := b[min(read, uint64(len(b))):]; len(bytes.Trim(rest, "\x00")) > 0 { // cut short
		bad++
	}
	return probes, refs, bad
}

// parseUSDTNote reads a descriptor
// (https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation): the addresses of the
// instruction, of .stapsdt.base as the linker had it, and of the semaphore; then provider, name and
// operands, each with a NUL. Prelink has moved the file by the distance between that base and the
// section's address.
func parseUSDTNote(b []byte, base *elf.Section) (p USDTProbe, ok bool) {
	const addrs = 3 * 8
	if len(b) < addrs {
		return p, false
	}
	le := binary.LittleEndian
	addr, linkBase, semaphore := le.Uint64(b), le.Uint64(b[8:]), le.Uint64(b[16:])
	moved := uint64(0)
	if base != nil && linkBase != 0 {
		moved = base.Addr - linkBase
	}
	p.Addr = abi.Addr(addr + moved)
	if semaphore != 0 {
		p.Semaphore = abi.Addr(semaphore + moved)
	}
	texts := bytes.SplitN(b[addrs:], []byte{0}, 4)
	if len(texts) < 4 {
		return p, false
	}
	for _, t := range texts[:3] {
		if len(t) > maxString {
			return p, false
		}
	}
	p.Provider, p.Name, p.ArgText = string(texts[0]), string(texts[1]), string(texts[2])
	return p, p.Provider != "" && p.Name != ""
}
