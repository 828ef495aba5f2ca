//go:build linux

// Package patched finds instructions that a process has changed in memory: hooks, live patches,
// instrumentation that is switched on at run time.
//
// A breakpoint on such an instruction is dangerous. The kernel copies the instruction from the file,
// not from memory, and continues after its length there (prepare_uprobe and handle_singlestep in
// kernel/events/uprobes.c). That skips the change at best. At worst it continues in the middle of
// the changed instruction, and the process crashes.
package patched

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"slices"

	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/insn"
	"utrace/record/internal/procmaps"
)

// Code is the code of a file in the memory of a process.
type Code struct {
	mem         *os.File
	machine     elf.Machine
	maps        []procmaps.Mapping // of the file, executable
	trampolines []procmaps.Mapping // of the kernel, for probes without a trap

	page   [pageSize]byte // read last
	pageAt uint64         // its address, 0 for none
}

// pageSize is how many bytes are read at once. Functions are mostly looked at by address.
const pageSize = 4096

// Open returns nil if the process has not mapped the file as code, or may not be read.
func Open(pid int, file image.Key, machine elf.Machine) *Code {
	maps, err := procmaps.Read(pid)
	if err != nil {
		return nil
	}
	c := &Code{machine: machine}
	for _, m := range maps {
		switch {
		case m.Path == "[uprobes-trampoline]":
			c.trampolines = append(c.trampolines, m)
		case m.Exec && m.Inode != 0 && image.KeyOf(m, m.OpenPath(pid)) == file:
			c.maps = append(c.maps, m)
		}
	}
	if len(c.maps) == 0 {
		return nil
	}
	if c.mem, err = os.Open(fmt.Sprintf("/proc/%d/mem", pid)); err != nil {
		return nil
	}
	return c
}

// Close closes the memory.
func (c *Code) Close() { c.mem.Close() }

// Changed reports whether the process has changed the instruction at an offset of the file.
// original are its bytes in the file. Breakpoints of the kernel, of debuggers and of other
// recordings are no change, nor is code that is not mapped or cannot be read.
func (c *Code) Changed(off elffile.FileOff, original []byte) bool {
	at := slices.IndexFunc(c.maps, func(m procmaps.Mapping) bool {
		return m.FileOff <= off && uint64(off-m.FileOff) < m.End-m.Start
	})
	if at < 0 {
		return false
	}
	addr := c.maps[at].Start + uint64(off-c.maps[at].FileOff)
	now := c.read(addr, len(original))
	return now != nil && !bytes.Equal(now, original) && !insn.IsBreakpoint(c.machine, now, original) && !c.callsTrampoline(addr, now, original)
}

// read returns n bytes, nil if they cannot be read. They are valid until the next read.
func (c *Code) read(addr uint64, n int) []byte {
	page, at := addr&^(pageSize-1), int(addr%pageSize)
	if at+n > pageSize {
		b := make([]byte, n)
		if _, err := c.mem.ReadAt(b, int64(addr)); err != nil {
			return nil
		}
		return b
	}
	if page != c.pageAt {
		if _, err := c.mem.ReadAt(c.page[:], int64(page)); err != nil {
			c.pageAt = 0
			return nil
		}
		c.pageAt = page
	}
	return c.page[at : at+n]
}

// callsTrampoline reports whether a nop of five bytes has become the call with which the kernel
// replaces it.
func (c *Code) callsTrampoline(addr uint64, now, original []byte) bool {
	in, ok := insn.Decode(c.machine, now, 0)
	if !ok || in.Flow != insn.FlowCall || !insn.IsNop(c.machine, original) {
		return false
	}
	target := addr + uint64(in.Target) // in.Target is relative: the call was decoded at address 0
	return slices.ContainsFunc(c.trampolines, func(m procmaps.Mapping) bool { return m.Start <= target && target < m.End })
}
