//go:build linux

package survey

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"utrace/record/internal/linker"
)

// warmEvery is how often the kernel is kept warm.
const warmEvery = 6 * time.Millisecond

// warmAhead is how long before the end of a window the kernel is to become warm.
const warmAhead = 20 * time.Millisecond

// anyOff is where the warmer's breakpoint would be, if anybody mapped the file.
const anyOff = 0x100

// maxWarming is how many links of a warmer may be closing.
const maxWarming = 8

// warmer keeps the kernel ready to change breakpoints at once. The first change after a while waits
// for a grace period of RCU, 5 to 15 ms and more on a busy machine (percpu_down_write of
// dup_mmap_sem in kernel/events/uprobes.c): so long would a window cost time after its end. Changes
// that follow within such a period do not wait. The warmer makes changes to a file that nobody has
// mapped.
type warmer struct {
	linker  linker.Linker
	program *ebpf.Program
	file    *os.File
	last    time.Time
	closing sync.WaitGroup
	room    chan struct{}

	mu  sync.Mutex
	err error // the first
}

// newWarmer returns a warmer, which uses a program that it never runs.
func newWarmer(l linker.Linker, program *ebpf.Program) (*warmer, error) {
	fd, err := unix.MemfdCreate("breakpoints", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("file for breakpoints: %w", err)
	}
	w := &warmer{linker: l, program: program, file: os.NewFile(uintptr(fd), "breakpoints"), room: make(chan struct{}, maxWarming)}
	if err := writeELF(w.file); err != nil {
		w.file.Close()
		return nil, fmt.Errorf("file for breakpoints: %w", err)
	}
	return w, nil
}

// writeELF writes an ELF file of one page, without anything in it.
func writeELF(w io.Writer) error {
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_DYN), Version: uint32(elf.EV_CURRENT), Machine: uint16(elf.EM_X86_64), Ehsize: 64, Phentsize: 56, Shentsize: 64,
	}
	if runtime.GOARCH == "arm64" {
		header.Machine = uint16(elf.EM_AARCH64)
	}
	if err := binary.Write(w, binary.LittleEndian, &header); err != nil {
		return err
	}
	_, err := w.Write(make([]byte, os.Getpagesize()-binary.Size(&header)))
	return err
}

// warm does so, if it is time again. It does not wait.
func (w *warmer) warm(now time.Time) {
	if now.Sub(w.last) < warmEvery {
		return
	}
	select {
	case w.room <- struct{}{}:
	default:
		return
	}
	w.last = now
	w.closing.Go(func() {
		defer func() { <-w.room }()
		link, err := w.linker.Attach(linker.Probes{
			Program: w.program, Path: fmt.Sprintf("/proc/self/fd/%d", w.file.Fd()), Sites: []linker.Site{{Off: anyOff}},
		})()
		w.fail(err)
		if err == nil {
			w.fail(link.Close())
		}
	})
}

// fail keeps the first error.
func (w *warmer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = cmp.Or(w.err, err)
}

func (w *warmer) close() error {
	w.closing.Wait()
	if err := cmp.Or(w.err, w.file.Close()); err != nil {
		return fmt.Errorf("keep the kernel ready to change breakpoints: %w", err)
	}
	return nil
}
