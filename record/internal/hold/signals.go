//go:build linux

package hold

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Signals are the signals that this process was started to ignore and to block.
type Signals struct {
	ignored []os.Signal
	blocked uint64 // bit 0 is signal 1
	known   bool
}

// Inherited returns the signals of this process. Go's runtime replaces both sets before any code of
// a program runs, and offers no way to read them. They are in variables of its own
// (runtime/signal_unix.go, runtime/proc.go), which are not found in a stripped program.
func Inherited() (s Signals) {
	const sigIgn, count = 1, 65
	actions, mask := make([]byte, 8*count), make([]byte, 8)
	if err := readVariables(map[string][]byte{"runtime.fwdSig": actions, "runtime.initSigmask": mask}); err != nil {
		return s
	}
	for sig := 1; sig < count; sig++ {
		if binary.NativeEndian.Uint64(actions[8*sig:]) == sigIgn {
			s.ignored = append(s.ignored, syscall.Signal(sig))
		}
	}
	s.blocked, s.known = binary.NativeEndian.Uint64(mask), true
	return s
}

// Start calls fn, which starts a child. The child ignores the signals that it would alone.
func (s Signals) Start(fn func() error) error {
	if len(s.ignored) == 0 {
		return fn()
	}
	signal.Ignore(s.ignored...)
	defer func() {
		c := make(chan os.Signal, 1)
		signal.Notify(c, s.ignored...) // Reset would leave them ignored
		signal.Stop(c)
	}()
	return fn()
}

// readVariables reads variables of this program, by their symbols, from its memory.
func readVariables(values map[string][]byte) error {
	f, err := elf.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return err
	}
	if f.Type != elf.ET_EXEC {
		return errors.New("a position-independent executable")
	}
	found := 0
	for _, s := range symbols {
		value := values[s.Name]
		if value == nil {
			continue
		}
		if s.Size != uint64(len(value)) {
			return fmt.Errorf("%s has %d bytes", s.Name, s.Size)
		}
		local := []unix.Iovec{{Base: &value[0]}}
		local[0].SetLen(len(value))
		if _, err := unix.ProcessVMReadv(os.Getpid(), local, []unix.RemoteIovec{{Base: uintptr(s.Value), Len: len(value)}}, 0); err != nil {
			return err
		}
		found++
	}
	if found < len(values) {
		return errors.New("no such symbols")
	}
	return nil
}

// maskOf returns the signals that a stopped tracee blocks.
func maskOf(pid int) (mask uint64, err error) {
	err = maskRequest(unix.PTRACE_GETSIGMASK, pid, &mask)
	return mask, err
}

func setMask(pid int, mask uint64) error { return maskRequest(unix.PTRACE_SETSIGMASK, pid, &mask) }

func maskRequest(request, pid int, mask *uint64) error {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(pid), unsafe.Sizeof(*mask), uintptr(unsafe.Pointer(mask)), 0, 0); errno != 0 {
		return fmt.Errorf("signal mask: %w", errno)
	}
	return nil
}
