package elffile

import (
	"debug/elf"
	"errors"
	"fmt"
	"sort"

	"utrace/record/internal/abi"
	"utrace/record/internal/insn"
)

// maxFuncSize is the size of the largest function that is decoded, in bytes. The largest real ones
// are generated parsers and interpreters, below 1 MiB.
const maxFuncSize = 4 << 20

// ErrUndecodable means that a function contains bytes that are not known instructions: data in the
// code, or a newer instruction set. Nothing is guessed. The error is an *UndecodableError.
var ErrUndecodable = errors.New("cannot decode")

// UndecodableError says where decoding stopped. It matches ErrUndecodable.
type UndecodableError struct {
	Func string
	Addr abi.Addr
}

func (e *UndecodableError) Error() string {
	return fmt.Sprintf("%s: %v the instruction at %#x", e.Func, ErrUndecodable, uint64(e.Addr))
}

func (e *UndecodableError) Is(target error) bool { return target == ErrUndecodable }

// ErrOverlapping means that a function is not decoded because others begin in it, and together the
// file's functions have many times the bytes of its code. Such a file is made to take endless time.
var ErrOverlapping = errors.New("other functions begin in it, and together the file's functions are far larger than its code")

// IsInstruction reports whether an instruction of fn starts at a. The errors are those of Exits,
// except ErrGuessedEnd.
func (f *File) IsInstruction(fn Func, a abi.Addr) (bool, error) {
	if a < fn.Addr || uint64(a-fn.Addr) >= fn.Size {
		return false, nil
	}
	found := false
	err := f.decode(fn, func(at abi.Addr, _ insn.Inst) bool {
		found = at == a
		return at < a
	})
	return found, err
}

// decode is walk for a function of the file. It refuses functions that overlap, so that all of them
// take time in proportion to the code.
func (f *File) decode(fn Func, visit func(abi.Addr, insn.Inst) bool) error {
	t, err := f.funcs()
	if err != nil {
		return err
	}
	if i := sort.Search(len(t.funcs), func(i int) bool { return t.funcs[i].Addr > fn.Addr }); t.crowded && i < len(t.funcs) && uint64(t.funcs[i].Addr-fn.Addr) < fn.Size {
		return fmt.Errorf("%s: %w", fn.Name, ErrOverlapping)
	}
	return f.walk(fn, visit)
}

// walk calls visit for each instruction of fn until it returns false.
func (f *File) walk(fn Func, visit func(abi.Addr, insn.Inst) bool) error {
	code, err := f.Code(fn.Addr, fn.Size)
	if err != nil {
		return fmt.Errorf("%s: %w", fn.Name, err)
	}
	for at := fn.Addr; len(code) > 0; {
		in, ok := insn.Decode(f.Machine, code, at)
		if !ok {
			// Padding up to the next function. Go on arm64 counts it as part of the function.
			if (fn.SizeGuessed || f.Machine == elf.EM_AARCH64) && zero(code) {
				return nil
			}
			return &UndecodableError{Func: fn.Name, Addr: at}
		}
		if !visit(at, in) {
			return nil
		}
		code = code[in.Len:]
		at += abi.Addr(in.Len)
	}
	return nil
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
