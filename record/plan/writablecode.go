//go:build linux

package plan

import (
	"fmt"
	"slices"

	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
)

// The kernel puts no breakpoint into code that a process has mapped shared or writable (valid_vma
// of kernel/events/uprobes.c; seen on Linux 6.18). It reports no error: nothing is recorded there.

// whyWritable is the reason to leave out code in a writable segment of a file.
const whyWritable = "its segment is writable as well (RWX): the kernel puts no breakpoint into writable code"

// whyNoBreakpoint says why the kernel puts no breakpoint at an offset of a file in the process of
// the scope, "" if it does.
func (sc *Scope) whyNoBreakpoint(img *image.Image, off elffile.FileOff) (why string) {
	for _, m := range sc.code[img] {
		if off < m.FileOff || uint64(off-m.FileOff) >= m.End-m.Start {
			continue
		}
		switch {
		case m.Shared:
			why = "shared"
		case m.Writable:
			why = "writable"
		default: // also mapped as usual
			return ""
		}
	}
	if why == "" {
		return ""
	}
	return fmt.Sprintf("process %d has mapped this code %s: the kernel puts no breakpoint there", sc.PID, why)
}

// addUser notes that a file is probed in the processes of a scope.
func (p *Plan) addUser(img *image.Image, sc *Scope) {
	if !slices.Contains(p.users[img], sc) {
		p.users[img] = append(p.users[img], sc)
	}
}

// whyNoBreakpoint says why an address of the file gets no breakpoint, "" if it gets one in some
// process. Processes that then lack it are added to Plan.Problems.
func (f *filePlan) whyNoBreakpoint(a abi.Addr) string {
	if f.moves != "" {
		return f.moves
	}
	off, ok := f.img.File.FileOff(a)
	if !ok {
		return ""
	}
	var lacking []string
	for _, sc := range f.p.users[f.img] {
		if why := sc.whyNoBreakpoint(f.img, off); why != "" {
			lacking = append(lacking, why)
		}
	}
	if len(lacking) == 0 {
		return ""
	}
	if len(lacking) == len(f.p.users[f.img]) && !f.p.follow {
		return lacking[0]
	}
	for _, why := range lacking {
		text := fmt.Sprintf("some functions of %s are not recorded everywhere: %s", f.img.Path, why)
		if !slices.Contains(f.p.Problems, text) {
			f.p.Problems = append(f.p.Problems, text)
		}
	}
	return ""
}
