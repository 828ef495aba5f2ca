package plan

import (
	"debug/elf"
	"math/bits"

	"utrace/bpf"
	"utrace/record/internal/abi"
	"utrace/record/internal/probe"
)

// fetchArg says how to fetch an argument from an operand of the location at addr.
func fetchArg(a probe.Argument, op abi.Operand, addr abi.Addr, machine elf.Machine) bpf.Arg {
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
		if op.Relative { // the site is as far from it as in the file
			arg.Base = pcRegister(machine)
			arg.Disp = op.Disp - int64(addr)
		}
		if !setDerefs(&arg, op.Derefs) {
			arg.From = bpf.FromNowhere
		}
	}
	switch t := a.Type; {
	case t.Kind == probe.KindText:
		arg.As, arg.Max = bpf.AsString, uint32(t.Max)+2 // with the NUL, and one more, by which a longer text is known
		if t.Array > 0 && t.Array <= t.Max {            // which need not end with a NUL
			arg.Max = uint32(t.Array) + 1
		}
	case t.Kind == probe.KindBuffer:
		arg.As, arg.Max = bpf.AsBytes, uint32(t.Max)
		if t.IsText { // one more, by which a longer text is known
			arg.Max++
		}
	case t.Kind == probe.KindBool: // all of it counts
	case t.Size != 0 && t.Size <= arg.Size:
		arg.Size, arg.Signed = t.Size, t.Signed
	}
	return arg
}

// setDerefs says which pointers lead to an argument: there each is added to before it is followed, here behind it. It reports
// false for what the kernel's program has no room for.
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

// pcRegister returns which word of struct pt_regs is the program counter.
func pcRegister(machine elf.Machine) uint8 {
	if machine == elf.EM_AARCH64 {
		return 32
	}
	return 16
}
