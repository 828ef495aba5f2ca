package record

import (
	"debug/elf"
	"errors"
	"fmt"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/target"
)

// signature finds out where the values are that a probe wants of one function: from its debug information, or else by
// the calling convention, by which the first arguments lie in registers.
type signature struct {
	file *target.File
	fn   target.Func
	site target.Addr // where its entry is probed: all is still as it was when it was called
	isGo bool
}

// boundValues are the values of a probe, found in one function.
type boundValues struct {
	args, results []argument
	conds         []bpf.Cond
}

// bind finds the values of a probe. returns says that the function's return is seen; slowerThan, unless it is 0, is how long
// calls must take to be kept.
func (s *signature) bind(v *values, returns bool, slowerThan time.Duration) (b boundValues, err error) {
	if !returns && (v.result != nil || v.results) {
		return b, errors.New("its return is not seen, so what it returns cannot be recorded")
	}
	b.args = v.args
	if b.args, err = s.addLengths(b.args); err != nil {
		return b, err
	}
	if v.result != nil {
		b.results = []argument{{name: "ret", typ: *v.result}}
	}
	ends := endings{list: &b.results, duration: returns}
	if returns {
		ends.find = s.findResult
	}
	cond, args, err := v.cond.slower(slowerThan).bind(b.args, s.findArgument, ends)
	if err != nil {
		return b, fmt.Errorf("condition: %w", err)
	}
	if b.conds, err = cond.compile(); err != nil {
		return b, fmt.Errorf("condition: %w", err)
	}
	if b.args, err = s.place(args, s.parameterPlace); err != nil {
		return b, err
	}
	b.results, err = s.place(b.results, s.resultPlace)
	return b, err
}

// addLengths has the arguments that say how long others are fetched, too.
func (s *signature) addLengths(args []argument) ([]argument, error) {
	args, _, err := addLengths(append([]argument(nil), args...))
	return args, err
}

// findArgument is findArgument for a function.
func (s *signature) findArgument(args []argument, name string, like valueType) (int, []argument, error) {
	return findArgument(args, name, like)
}

// findResult finds what the function returns.
func (s *signature) findResult(list []argument, name string, like valueType) (int, []argument, error) {
	if len(list) > 0 {
		return 0, list, nil
	}
	return 0, list, errors.New("what the function returns is not known: say it, as in -> s32")
}

// place says of each value where it is. It adds a hidden one for each length of a Go string.
func (s *signature) place(list []argument, place func(word int) (target.Operand, error)) ([]argument, error) {
	placed := append([]argument(nil), list...)
	for i := range list {
		a := &placed[i]
		word := a.pos
		if s.isGo { // a string is two words
			for _, other := range list {
				if other.pos < a.pos && other.typ.kind == kindText {
					word++
				}
			}
		}
		var err error
		if a.typ.kind == kindFloat {
			return nil, fmt.Errorf("%s: it is in a floating-point register, which a probe cannot read", a.name)
		}
		if a.op, err = place(word); err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		if a.typ.size != 0 && !a.typ.hasBytes() {
			a.op.Size, a.op.Signed = a.typ.size, a.typ.signed
		}
		if s.isGo && a.typ.kind == kindText {
			length := argument{name: "len(" + a.name + ")", pos: a.pos, hidden: true, typ: valueType{name: "s64", signed: true, size: 8}}
			if length.op, err = place(word + 1); err != nil {
				return nil, fmt.Errorf("%s: %w", a.name, err)
			}
			placed = append(placed, length)
			a.typ.kind, a.typ.isText, a.lengthAt = kindBuffer, true, len(placed)
			placed[i] = *a
		}
	}
	if len(placed) > bpf.MaxArgs {
		return nil, fmt.Errorf("%d arguments, those of conditions and lengths included: %d are the most", len(placed), bpf.MaxArgs)
	}
	return placed, nil
}

// Words of struct pt_regs, see target.Register.
func (s *signature) argumentRegisters() []target.Register {
	switch {
	case s.file.Machine == elf.EM_AARCH64 && s.isGo: // x0 to x15
		return []target.Register{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	case s.file.Machine == elf.EM_AARCH64:
		return []target.Register{0, 1, 2, 3, 4, 5, 6, 7}
	case s.isGo: // rax rbx rcx rdi rsi r8 r9 r10 r11 (cmd/compile/abi-internal.md)
		return []target.Register{10, 5, 11, 14, 13, 9, 8, 7, 6}
	}
	return []target.Register{14, 13, 12, 11, 9, 8} // rdi rsi rdx rcx r8 r9 (System V ABI, AMD64 supplement, 3.2.3)
}

// parameterPlace returns where a word of the arguments is by the calling convention.
func (s *signature) parameterPlace(word int) (target.Operand, error) {
	op := target.Operand{Size: 8, Kind: target.InRegister, Base: target.NoRegister, Index: target.NoRegister, Scale: 1}
	regs := s.argumentRegisters()
	if word < len(regs) {
		op.Base = regs[word]
		return op, nil
	}
	if s.isGo {
		return op, errors.New("it is on the stack: where is only known with debug information")
	}
	op.Kind, op.Base, op.Disp = target.InMemory, 19, 8+8*int64(word-len(regs)) // behind the return address
	if s.file.Machine == elf.EM_AARCH64 {
		op.Base, op.Disp = 31, 8*int64(word-len(regs))
	}
	return op, nil
}

// resultPlace returns where a word of what a function returns is by the calling convention.
func (s *signature) resultPlace(word int) (target.Operand, error) {
	op := target.Operand{Size: 8, Kind: target.InRegister, Base: 10, Index: target.NoRegister, Scale: 1}
	switch {
	case s.isGo || s.file.Machine == elf.EM_AARCH64:
		op.Base = s.argumentRegisters()[word]
	case word == 1:
		op.Base = 12 // rdx
	}
	return op, nil
}

// fetch says how to fetch the values, at their site.
func (b *boundValues) fetch(list []argument, site *bpf.Site, addr target.Addr, machine elf.Machine) {
	site.NumArgs = uint8(len(list))
	for i, a := range list {
		site.Args[i] = fetchArg(a, a.op, addr, machine)
		if a.lengthAt > 0 {
			site.Args[i].LengthArg = uint8(a.lengthAt - 1)
		}
	}
}

// sites returns what to do at the entry of a function, and at its return. Either is nil where nothing but the time is
// wanted.
func (b *boundValues) sites(template bpf.Site, hit bool, addr target.Addr, machine elf.Machine) (entry, exit *bpf.Site) {
	followed := template.Flags&bpf.SiteFollowed != 0
	if !hit && !followed && len(b.conds) > 0 {
		template.Flags |= bpf.SitePaired
	}
	template.NumConds = uint8(copy(template.Conds[:], b.conds))
	if len(b.args) > 0 || len(b.conds) > 0 || followed {
		with := template
		if hit {
			with.Kind = format.Hit
		}
		b.fetch(b.args, &with, addr, machine)
		entry = &with
	}
	if !hit && (len(b.results) > 0 || len(b.conds) > 0 || followed) {
		with := template
		with.Kind = format.Return
		if !followed { // they have been decided on at the entry
			with.NumConds = 0
		}
		b.fetch(b.results, &with, addr, machine)
		exit = &with
	}
	return entry, exit
}
