package record

import (
	"debug/elf"
	"math/bits"

	"utrace/bpf"
	"utrace/record/internal/abi"
)

// fetchArg says how to fetch an argument from an operand of the location at addr.
func fetchArg(a argument, op abi.Operand, addr abi.Addr, machine elf.Machine) bpf.Arg {
	if a.typ.kind == kindErrno {
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
	switch t := a.typ; {
	case t.kind == kindText:
		arg.As, arg.Max = bpf.AsString, uint32(t.max)+2 // with the NUL, and one more, by which a longer text is known
		if t.array > 0 && t.array <= t.max {            // which need not end with a NUL
			arg.Max = uint32(t.array) + 1
		}
	case t.kind == kindBuffer:
		arg.As, arg.Max = bpf.AsBytes, uint32(t.max)
		if t.isText { // one more, by which a longer text is known
			arg.Max++
		}
	case t.kind == kindBool: // all of it counts
	case t.size != 0 && t.size <= arg.Size:
		arg.Size, arg.Signed = t.size, t.signed
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
