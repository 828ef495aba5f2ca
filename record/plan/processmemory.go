//go:build linux

package plan

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"

	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/procmaps"
)

// memory is the memory of a process that has mapped a file.
type memory struct {
	mem  *os.File
	bias uint64 // address in the process minus address in the file
	file *elffile.File
}

// openMemory returns nil if the process has not mapped the file, or may not be read.
func openMemory(pid int, img *image.Image) *memory {
	maps, err := procmaps.Read(pid)
	if err != nil {
		return nil
	}
	for _, m := range maps {
		if !m.Exec || image.KeyOf(m, m.OpenPath(pid)) != img.Key {
			continue
		}
		in := slices.IndexFunc(img.File.Segments, func(s elffile.Segment) bool {
			return s.FileOff < m.FileOff+elffile.FileOff(m.End-m.Start) && m.FileOff < s.FileOff+elffile.FileOff(s.FileSize)
		})
		if in < 0 {
			continue
		}
		s := img.File.Segments[in]
		mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err != nil {
			return nil
		}
		return &memory{mem: mem, bias: m.Start - uint64(m.FileOff) - (uint64(s.Addr) - uint64(s.FileOff)), file: img.File}
	}
	return nil
}

func (m *memory) close() { m.mem.Close() }

// addr returns the address in the process of an address in the file.
func (m *memory) addr(a abi.Addr) uint64 { return uint64(a) + m.bias }

// read returns n bytes, nil if they cannot be read.
func (m *memory) read(addr uint64, n int) []byte {
	b := make([]byte, n)
	if got, _ := m.mem.ReadAt(b, int64(addr)); got != n {
		return nil
	}
	return b
}

// word returns 8 bytes as a number, 0 if they cannot be read.
func (m *memory) word(addr uint64) uint64 {
	b := m.read(addr, 8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// exported returns the value of a variable that the file exports, of 8 bytes, 0 if it has none.
func (m *memory) exported(name string) uint64 {
	a, ok := m.file.Exported(name)
	if !ok {
		return 0
	}
	return m.word(m.addr(a))
}

// text returns a C string of up to 64 bytes, "" if it cannot be read.
func (m *memory) text(addr uint64) string {
	if addr == 0 {
		return ""
	}
	b := make([]byte, 64)
	n, _ := m.mem.ReadAt(b, int64(addr))
	text, _, _ := bytes.Cut(b[:n], []byte{0})
	return string(text)
}
