package elffile

import (
	"bytes"
	"encoding/binary"
	"slices"

	"utrace/record/internal/abi"
)

// IsLibc reports whether the file is the C library: it exports __libc_start_main, as glibc and musl
// do.
func (f *File) IsLibc() bool {
	t, err := f.symbols()
	if err != nil {
		return false
	}
	_, ok := t.defines(true, "__libc_start_main")
	return ok
}

// HoldsLibc reports whether the file may contain functions of a C library, and why: it is static,
// it is the library itself, or it is the dynamic linker.
func (f *File) HoldsLibc() (why string, ok bool) {
	if f.Interp == "" && len(f.Needed) == 0 {
		return "it needs no library", true
	}
	t, err := f.symbols()
	if err != nil {
		return "symbols cannot be read", true
	}
	return t.defines(true, "__libc_start_main")
}

// Executes reports whether code of this program may execute other programs: it imports a function
// of the C library that does, or it has one of its own, as static programs and Go programs do.
// Without symbols that is assumed.
func (f *File) Executes() bool {
	names := []string{
		"execl", "execle", "execlp", "execv", "execve", "execvp", "execvpe", "execveat", "fexecve",
		"posix_spawn", "posix_spawnp", "popen", "system", "syscall.Exec", "syscall.forkExec",
	}
	if _, ok := f.Imports(names...); ok {
		return true
	}
	funcs, err := f.Funcs()
	if err != nil || f.Stripped() && len(f.Needed) == 0 && !f.IsGo() {
		return true
	}
	return slices.ContainsFunc(funcs, func(fn Func) bool { return slices.Contains(names, fn.Name) })
}

// ErrnoSlot returns the address of the word in which a C library keeps the offset of errno from a
// thread's own variables (%fs:0). The dynamic linker fills in these 8 bytes. ErrnoSlot reads the
// code of __errno_location, which in glibc for x86-64 is
//
//	mov SLOT(%rip),%rax; add %fs:0,%rax; ret
func (f *File) ErrnoSlot() (abi.Addr, bool) {
	funcs, err := f.Funcs()
	if err != nil || !f.IsLibc() {
		return 0, false
	}
	for _, fn := range funcs {
		if fn.Name != "__errno_location" {
			continue
		}
		code, err := f.Code(fn.Addr, 21)
		if err != nil {
			return 0, false
		}
		at := fn.Addr
		if bytes.HasPrefix(code, []byte("\xf3\x0f\x1e\xfa")) { // endbr64
			code, at = code[4:], at+4
		}
		if len(code) < 17 || !bytes.HasPrefix(code, []byte("\x48\x8b\x05")) || !bytes.HasPrefix(code[7:], []byte("\x64\x48\x03\x04\x25\x00\x00\x00\x00\xc3")) {
			return 0, false
		}
		return at + 7 + abi.Addr(int32(binary.LittleEndian.Uint32(code[3:]))), true
	}
	return 0, false
}
