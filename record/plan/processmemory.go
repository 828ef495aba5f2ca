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

// memory is that of a process which has mapped a file.
type memory struct {
	mem  *os.File
	bias uint64 // what the kernel has added to the addresses of the file
	file *elffile.File
}

// openMemory returns nil if the process has not mapped the file, or is not ours to read.
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

// addr returns where an address of the file is in the process.
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

// text returns a C string of up to 64 bytes.
func (m *memory) text(addr uint64) string {
	if addr == 0 {
		return ""
	}
	b := make([]byte, 64)
	n, _ := m.mem.ReadAt(b, int64(addr))
	text, _, _ := bytes.Cut(b[:n], []byte{0})
	return string(text)
}

// maxJVMTable bounds the tables of a JVM.
const maxJVMTable = 1 << 16

// jvmFlag returns a flag of a running HotSpot, true or false. It reads the tables that HotSpot exports for debuggers
// (vmStructs.cpp; seen in JDK 17 and 25), from which the layout of everything else follows.
func (m *memory) jvmFlag(name string) (on, known bool) {
	exported := func(name string) uint64 {
		a, ok := m.file.Exported(name)
		if !ok {
			return 0
		}
		return m.word(m.addr(a))
	}
	// The fields of JVMFlag: offsets of those of each flag, addresses of the static ones.
	entry := func(field string) uint64 { return exported("gHotSpotVMStructEntry" + field + "Offset") }
	typeName, fieldName, isStatic, offset, address := entry("TypeName"), entry("FieldName"), entry("IsStatic"), entry("Offset"), entry("Address")
	fields := map[string]uint64{}
	at, stride := exported("gHotSpotVMStructs"), exported("gHotSpotVMStructEntryArrayStride")
	for i := 0; i < maxJVMTable && stride > 0 && m.word(at+typeName) != 0; i, at = i+1, at+stride {
		if m.text(m.word(at+typeName)) != "JVMFlag" {
			continue
		}
		value := m.word(at + offset)
		if m.word(at+isStatic)&0xffffffff != 0 {
			value = m.word(at + address)
		}
		fields[m.text(m.word(at+fieldName))] = value
	}
	var size uint64
	at, stride = exported("gHotSpotVMTypes"), exported("gHotSpotVMTypeEntryArrayStride")
	name0, size0 := exported("gHotSpotVMTypeEntryTypeNameOffset"), exported("gHotSpotVMTypeEntrySizeOffset")
	for i := 0; i < maxJVMTable && stride > 0 && m.word(at+name0) != 0; i, at = i+1, at+stride {
		if m.text(m.word(at+name0)) == "JVMFlag" {
			size = m.word(at + size0)
			break
		}
	}
	if fields["flags"] == 0 || fields["numFlags"] == 0 || size == 0 {
		return false, false
	}
	at = m.word(fields["flags"])
	for range min(m.word(fields["numFlags"]), maxJVMTable) {
		if m.text(m.word(at+fields["_name"])) == name {
			b := m.read(m.word(at+fields["_addr"]), 1)
			return b != nil && b[0] != 0, b != nil
		}
		at += size
	}
	return false, false
}
