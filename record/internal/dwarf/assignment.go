package dwarf

import (
	"debug/elf"
	"strings"

	"utrace/record/internal/abi"
)

// convention is a calling convention: how functions get their parameters and return their results.
type convention struct {
	name string // for messages
	why  string // why it is unknown, "" if it is known
	// first reports whether it holds for each function, whatever the compiler has optimised. If so,
	// it comes before location lists.
	first  bool
	assign func(f funcInfo) (params, results []location)
}

// convention returns the calling convention of a function, by its machine and by the language and
// compiler of its unit.
func (w *walk) convention(f funcInfo) convention {
	language := f.unit.language
	switch {
	case language == languageGo:
		name, registers := "Go's calling convention", strings.Contains(f.unit.producer, "regabi") && !strings.HasSuffix(f.name, ".abi0")
		return convention{name: name, first: true, assign: func(f funcInfo) ([]location, []location) {
			return w.assignGo(f, registers)
		}}
	case w.machine == elf.EM_X86_64 && language == languageRust:
		return convention{name: "rustc's calling convention", assign: w.assignRust}
	case w.machine == elf.EM_X86_64 && hasCConvention(language):
		return convention{name: "System V calling convention", assign: w.assignSysV}
	case w.machine == elf.EM_AARCH64 && hasCConvention(language):
		return convention{name: "AAPCS64 calling convention", assign: w.assignArm64}
	}
	return convention{name: "location lists", why: "the calling convention of its language is not known on this machine"}
}

// hasCConvention reports whether functions of a language are called like those of C.
func hasCConvention(language uint64) bool {
	const objectiveC = 0x10
	return isC(language) || isCPlusPlus(language) || language == objectiveC || language == languageAssembler
}

// intRegisters are the registers for integer parameters that are still free.
type intRegisters []abi.Register

// take returns the next free register, NoRegister if there is none.
func (r *intRegisters) take() abi.Register {
	if len(*r) == 0 {
		return abi.NoRegister
	}
	first := (*r)[0]
	*r = (*r)[1:]
	return first
}

// stackArea assigns locations on the stack to parameters.
type stackArea struct {
	base  abi.Register
	start uint64 // from base
	next  uint64 // from start, which is aligned
}

func (s *stackArea) take(size, align uint64) location {
	s.next = alignUp(s.next, align)
	p := inMemory(size, expr{base: s.base, disp: int64(s.start + s.next)})
	s.next += size
	return p
}

func alignUp(n, align uint64) uint64 {
	if align == 0 {
		return n
	}
	return (n + align - 1) / align * align
}
