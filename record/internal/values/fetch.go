package values

import (
	"debug/elf"
	"math/bits"

	"utrace/bpf"
	"utrace/record/internal/abi"
	"utrace/record/internal/probe"
)

// FetchArg says how the BPF side fetches an argument from an operand, at a site with address addr
// in the file.
func FetchArg(a probe.Argument, op abi.Operand, addr abi.Addr, machine elf.Machine) bpf.Arg {
	if a.Type.Kind == probe.KindErrno {
		return bpf.Arg{
			From: bpf.FromMemory, Size: 4, Signed: true, Base: bpf.RegisterEntry, Index: bpf.RegisterTLS,
			NumDerefs: 1, Derefs: [bpf.MaxDerefs]int32{int32(op.Disp)},
		}
	}

	arg := bpf.Arg{Size: op.Size, Signed: op.Signed, Base: uint8(op.Base), Index: uint8(op.Index), Disp: op.Disp}
	switch {
	case op.Unreadable != "":
		arg.From = bpf.FromNowhere
	case op.Kind == abi.Constant:
		arg.From = bpf.FromConstant
	case op.Kind == abi.InRegister:
		arg.From, arg.Shift = bpf.FromRegister, op.Shift
		if op.HighByte {
			arg.Shift = 8
		}
	default:
		arg.From = bpf.FromMemory
		if op.Kind == abi.AddressOf {
			arg.From = bpf.FromAddress
		}
		arg.Shift = uint8(bits.TrailingZeros8(max(1, op.Scale)))
		arg.IndexLow, arg.IndexSigned = op.IndexLow, op.IndexSigned
		if op.Relative { // its distance from the site is the same in the process
			arg.Base = pcRegister(machine)
			arg.Disp = op.Disp - int64(addr)
		}
		if !setDerefs(&arg, op.Derefs) {
			arg.From = bpf.FromNowhere
		}
	}
	setType(&arg, a.Type)
	return arg
}

// setType sets how the BPF side copies a value of a type.
func setType(arg *bpf.Arg, t probe.Type) {
	switch {
	case t.Kind == probe.KindText:
		arg.As, arg.Max = bpf.AsString, uint32(t.Max)+2 // the NUL, and one more to recognise a longer text
		if t.Array > 0 && t.Array <= t.Max {            // it need not end with a NUL
			arg.Max = uint32(t.Array) + 1
		}
	case t.Kind == probe.KindBuffer:
		arg.As, arg.Max = bpf.AsBytes, uint32(t.Max)
		if t.IsText { // one more to recognise a longer text
			arg.Max++
		}
	case t.Kind == probe.KindBool: // all its bytes count
	case t.Size != 0 && t.Size <= arg.Size:
		arg.Size, arg.Signed = t.Size, t.Signed
	}
}

// setDerefs sets the pointers that lead to an argument. An operand adds a displacement after each
// load, the BPF side before each load. It reports false if the BPF side has no room for that.
func setDerefs(arg *bpf.Arg, derefs []int64) bool {
	if len(derefs) > bpf.MaxDerefs {
		return false
	}
	for i, next := range derefs {
		if arg.Disp != int64(int32(arg.Disp)) || arg.Index != bpf.NoRegister {
			return false
		}
		arg.Derefs[i], arg.Disp = int32(arg.Disp), next
		arg.NumDerefs++
	}
	return true
}

// pcRegister returns the index of the program counter among the words of struct pt_regs.
func pcRegister(machine elf.Machine) uint8 {
	if machine == elf.EM_AARCH64 {
		return 32
	}
	return 16
}
