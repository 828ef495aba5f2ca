package elffile

import (
	"debug/elf"
	"reflect"
	"strings"
	"testing"

	"utrace/record/internal/abi"
)

// Registers of struct pt_regs, x86-64.
const (
	r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi = abi.Register(0), abi.Register(1), abi.Register(2), abi.Register(3), abi.Register(4),
		abi.Register(5), abi.Register(6), abi.Register(7), abi.Register(8), abi.Register(9), abi.Register(10), abi.Register(11), abi.Register(12), abi.Register(13), abi.Register(14)
	rip, rsp = abi.Register(16), abi.Register(19)
)

type operandCase struct {
	text   string
	want   abi.Operand // without Text; Base and Index of a constant may be left out
	symbol symbolRef
}

func constant(size uint8, signed bool, value int64) abi.Operand {
	return abi.Operand{Size: size, Signed: signed, Base: abi.NoRegister, Index: abi.NoRegister, Scale: 1, Disp: value}
}

func register(size uint8, signed bool, reg abi.Register) abi.Operand {
	return abi.Operand{Size: size, Signed: signed, Kind: abi.InRegister, Base: reg, Index: abi.NoRegister, Scale: 1}
}

func memory(size uint8, signed bool, base, index abi.Register, scale uint8, disp int64) abi.Operand {
	return abi.Operand{Size: size, Signed: signed, Kind: abi.InMemory, Base: base, Index: index, Scale: scale, Disp: disp}
}

func relative(op abi.Operand) abi.Operand { op.Relative = true; return op }

func float(op abi.Operand) abi.Operand { op.Float = true; return op }

func testOperands(t *testing.T, machine elf.Machine, cases []operandCase) {
	for _, c := range cases {
		c.want.Text = c.text
		got, ref := parseOperand(c.text, machine)
		if !reflect.DeepEqual(got, c.want) || ref.name != c.symbol.name || ref.low12 != c.symbol.low12 {
			t.Errorf("%s:\n got %+v %+v\nwant %+v %+v", c.text, got, ref, c.want, c.symbol)
		}
	}
}

func TestOperandsX86(t *testing.T) {
	const none = abi.NoRegister
	high := register(1, true, rax)
	high.HighByte = true
	testOperands(t, elf.EM_X86_64, []operandCase{
		{text: "8@%rdi", want: register(8, false, rdi)},
		{text: "-4@%edi", want: register(4, true, rdi)},
		{text: "-4@%r13d", want: register(4, true, r13)},
		{text: "2@%r13w", want: register(2, false, r13)},
		{text: "2@%ax", want: register(2, false, rax)},
		{text: "1@%dil", want: register(1, false, rdi)},
		{text: "1@%bpl", want: register(1, false, rbp)},
		{text: "-1@%r15b", want: register(1, true, r15)},
		{text: "-1@%r9l", want: register(1, true, r9)},
		{text: "-1@%ah", want: high},
		{text: "8@%eax", want: register(8, false, rax)}, // the size governs (sys/sdt.h)
		{text: "8@%rsp", want: register(8, false, rsp)},
		{text: "4@%r8d", want: register(4, false, r8)},
		{text: "4@%r10d", want: register(4, false, r10)},
		{text: "4@%r11d", want: register(4, false, r11)},
		{text: "8@%r12", want: register(8, false, r12)},
		{text: "8@%r14", want: register(8, false, r14)},
		{text: "8@%rbx", want: register(8, false, rbx)},
		{text: "8@%rcx", want: register(8, false, rcx)},
		{text: "4@%edx", want: register(4, false, rdx)},
		{text: "2@%si", want: register(2, false, rsi)},
		{text: "8@%rip", want: register(8, false, rip)},
		{text: "4f@%esi", want: float(register(4, false, rsi))},
		{text: "-8f@%rax", want: float(register(8, true, rax))},

		{text: "-4@$-1", want: constant(4, true, -1)},
		{text: "8@$0", want: constant(8, false, 0)},
		{text: "-8@$9223372036854775807", want: constant(8, true, 1<<63-1)},
		{text: "-8@$-9223372036854775808", want: constant(8, true, -1<<63)},
		{text: "8@$18446744073709551615", want: constant(8, false, -1)},
		{text: "4@$0x1f", want: constant(4, false, 31)},
		{text: "4@$017", want: constant(4, false, 15)},

		{text: "8@(%rsp)", want: memory(8, false, rsp, none, 1, 0)},
		{text: "8@0(%rbp)", want: memory(8, false, rbp, none, 1, 0)},
		{text: "-2@-66(%rbp)", want: memory(2, true, rbp, none, 1, -66)},
		{text: "-4@-68(%rsp)", want: memory(4, true, rsp, none, 1, -68)},
		{text: "-4@0x10(%rsp)", want: memory(4, true, rsp, none, 1, 16)},
		{text: "-4@8+4-1(%rsp)", want: memory(4, true, rsp, none, 1, 11)},
		{text: "-4@(%r11,%rdx,4)", want: memory(4, true, r11, rdx, 4, 0)},
		{text: "-1@(%r8,%rcx)", want: memory(1, true, r8, rcx, 1, 0)},
		{text: "1@-96(%rbp,%rax,8)", want: memory(1, false, rbp, rax, 8, -96)},
		{text: "1@-96(%rbp, %rax, 8)", want: memory(1, false, rbp, rax, 8, -96)},
		{text: "8f@16(%rdx)", want: float(memory(8, false, rdx, none, 1, 16))},

		{text: "-4@NBuffers(%rip)", want: relative(memory(4, true, none, none, 1, 0)), symbol: symbolRef{name: "NBuffers"}},
		{text: "-4@40+CheckpointStats(%rip)", want: relative(memory(4, true, none, none, 1, 40)), symbol: symbolRef{name: "CheckpointStats"}},
		{text: "-4@ga+12(%rip)", want: relative(memory(4, true, none, none, 1, 12)), symbol: symbolRef{name: "ga"}},
		{text: "4@sym-8(%rip)", want: relative(memory(4, false, none, none, 1, -8)), symbol: symbolRef{name: "sym"}},
		{text: "4@-8+sym(%rip)", want: relative(memory(4, false, none, none, 1, -8)), symbol: symbolRef{name: "sym"}},
		{text: "-4@ga(,%rcx,4)", want: relative(memory(4, true, none, rcx, 4, 0)), symbol: symbolRef{name: "ga"}},
		{text: "-4@ga+4(%rax)", want: relative(memory(4, true, rax, none, 1, 4)), symbol: symbolRef{name: "ga"}},
		{text: "-4@ga", want: relative(memory(4, true, none, none, 1, 0)), symbol: symbolRef{name: "ga"}},
		{text: "8@buf.1234(%rip)", want: relative(memory(8, false, none, none, 1, 0)), symbol: symbolRef{name: "buf.1234"}},
		{text: "8@_ZN1a1b17h0$LT$E(%rip)", want: relative(memory(8, false, none, none, 1, 0)), symbol: symbolRef{name: "_ZN1a1b17h0$LT$E"}},
		{text: "8f@.LC1(%rip)", want: float(relative(memory(8, false, none, none, 1, 0))), symbol: symbolRef{name: ".LC1"}},
		{text: "8@$ga", want: constant(8, false, 0), symbol: symbolRef{name: "ga"}},

		// These have no size.
		{text: "%rdi", want: register(8, false, rdi)},
		{text: "%edi", want: register(4, false, rdi)},
		{text: "%r9b", want: register(1, false, r9)},
		{text: "8(%rsp)", want: memory(8, false, rsp, none, 1, 8)},
		{text: "$7", want: constant(8, false, 7)},
	})
}

func TestOperandsAArch64(t *testing.T) {
	const none, sp = abi.NoRegister, abi.SPARM64
	index := func(op abi.Operand, signed bool) abi.Operand { op.IndexLow, op.IndexSigned = true, signed; return op }
	testOperands(t, elf.EM_AARCH64, []operandCase{
		{text: "8@x0", want: register(8, false, 0)},
		{text: "-4@w1", want: register(4, true, 1)},
		{text: "8@x30", want: register(8, false, 30)},
		{text: "8@sp", want: register(8, false, sp)},
		{text: "8@fp", want: register(8, false, 29)},
		{text: "4@wzr", want: constant(4, false, 0)},
		{text: "-4@5", want: constant(4, true, 5)},
		{text: "-4@-5", want: constant(4, true, -5)},
		{text: "-4@#-5", want: constant(4, true, -5)},
		{text: "8@[sp]", want: memory(8, false, sp, none, 1, 0)},
		{text: "8@[x0, 16]", want: memory(8, false, 0, none, 1, 16)},
		{text: "8@[x0,-16]", want: memory(8, false, 0, none, 1, -16)},
		{text: "4@[sp, #12]", want: memory(4, false, sp, none, 1, 12)},
		{text: "4@[sp,#-12]", want: memory(4, false, sp, none, 1, -12)},
		{text: "-1@[x0, x1]", want: memory(1, true, 0, 1, 1, 0)},
		{text: "8@[x1, x2, lsl 3]", want: memory(8, false, 1, 2, 8, 0)},
		{text: "8@[x1,x2,lsl #3]", want: memory(8, false, 1, 2, 8, 0)},
		{text: "4@[x0, w1, uxtw 2]", want: index(memory(4, false, 0, 1, 4, 0), false)},
		{text: "4@[x0, w1, uxtw]", want: index(memory(4, false, 0, 1, 1, 0), false)},
		{text: "4@[x0, w1, sxtw 2]", want: index(memory(4, false, 0, 1, 4, 0), true)},
		{text: "4@[x0, x1, sxtx #2]", want: memory(4, false, 0, 1, 4, 0)},
		{text: "-4@[x0, #:lo12:ga]", want: memory(4, true, 0, none, 1, 0), symbol: symbolRef{name: "ga", low12: true}},
		{text: "-4@[x0,:lo12:ga+4]", want: memory(4, true, 0, none, 1, 4), symbol: symbolRef{name: "ga", low12: true}},
		{text: "w7", want: register(4, false, 7)},
	})
}

func TestUnreadableOperands(t *testing.T) {
	for _, c := range []struct {
		machine   elf.Machine
		text, why string
	}{
		{elf.EM_X86_64, "8f@%xmm0", notGeneral},
		{elf.EM_X86_64, "-8@%ymm15", notGeneral},
		{elf.EM_X86_64, "8f@%st(1)", notGeneral},
		{elf.EM_X86_64, "-4@%fs:ti@tpoff", threadLocal},
		{elf.EM_X86_64, "-4@ti@tpoff(%rax)", threadLocal},
		{elf.EM_X86_64, "8@ga@GOTPCREL(%rip)", byGOT},
		{elf.EM_X86_64, "16@%rdi", "16 bytes"},
		{elf.EM_X86_64, "16f@32(%rsp)", "16 bytes"},
		{elf.EM_X86_64, "3@%rdi", "3 bytes"},
		{elf.EM_X86_64, "0@%rdi", notUnderstood},
		{elf.EM_X86_64, "2@%ah", notUnderstood},
		{elf.EM_X86_64, "8@%rxx", notUnderstood},
		{elf.EM_X86_64, "8@%r16", notUnderstood},
		{elf.EM_X86_64, "8@%r8q", notUnderstood},
		{elf.EM_X86_64, "8@(%eax)", notUnderstood},
		{elf.EM_X86_64, "8@(%rax", notUnderstood},
		{elf.EM_X86_64, "8@(%rax,%rbx,3)", notUnderstood},
		{elf.EM_X86_64, "8@(%rax,%rbx,4,5)", notUnderstood},
		{elf.EM_X86_64, "8@8(%rip)", notUnderstood},
		{elf.EM_X86_64, "8@(%rax)(%rbx)", notUnderstood},
		{elf.EM_X86_64, "8@()", notUnderstood},
		{elf.EM_X86_64, "8@", notUnderstood},
		{elf.EM_X86_64, "8@$", notUnderstood},
		{elf.EM_X86_64, "8@$8+", notUnderstood},
		{elf.EM_X86_64, "8@$99999999999999999999", notUnderstood},
		{elf.EM_X86_64, "8@a+b(%rip)", notUnderstood},
		{elf.EM_X86_64, "8@8-a(%rip)", notUnderstood},
		{elf.EM_X86_64, "8@5", notUnderstood},
		{elf.EM_AARCH64, "-8@v0", notGeneral},
		{elf.EM_AARCH64, "8f@d8", notGeneral},
		{elf.EM_AARCH64, "8@x31", notUnderstood},
		{elf.EM_AARCH64, "8@x05", notUnderstood},
		{elf.EM_AARCH64, "8@[w0]", notUnderstood},
		{elf.EM_AARCH64, "8@[x0, 16]!", notUnderstood},
		{elf.EM_AARCH64, "8@[x0", notUnderstood},
		{elf.EM_AARCH64, "8@[]", notUnderstood},
		{elf.EM_AARCH64, "8@[x0, w1]", notUnderstood},
		{elf.EM_AARCH64, "8@[x0, x1, lsl]", notUnderstood},
		{elf.EM_AARCH64, "8@[x0, x1, lsl 9]", notUnderstood},
		{elf.EM_AARCH64, "8@[x0, x1, uxtw]", notUnderstood},
		{elf.EM_AARCH64, "8@[x0, 8, lsl 3]", notUnderstood},
		{elf.EM_AARCH64, "8@[x0, #:tprel_lo12:ti]", threadLocal},
		{elf.EM_AARCH64, "8@[x0, #:got_lo12:ga]", byGOT},
		{elf.EM_AARCH64, "8@ga", notUnderstood},
		{elf.EM_AARCH64, "8@%rdi", notUnderstood},
	} {
		op, ref := parseOperand(c.text, c.machine)
		if !strings.Contains(op.Unreadable, c.why) || op.Text != c.text || ref != (symbolRef{}) {
			t.Errorf("%s: %q, want %q: %+v %+v", c.text, op.Unreadable, c.why, op, ref)
		}
	}
}

func TestSplitOperands(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "",
		"8@%rdi":             "8@%rdi",
		"-4@%edi  8@(%rsp) ": "-4@%edi|8@(%rsp)",
		"8@[x0, 16] -4@w1 4@[x0, w1, uxtw 2] -4@5": "8@[x0, 16]|-4@w1|4@[x0, w1, uxtw 2]|-4@5",
		"1@-96(%rbp, %rax, 8) 8@$1":                "1@-96(%rbp, %rax, 8)|8@$1",
		"8@%st(1) 8@%rax":                          "8@%st(1)|8@%rax",
		"8@[x0 -4@w1":                              "8@[x0 -4@w1",
		"8@x0] -4@w1":                              "8@x0]|-4@w1",
	} {
		if got := strings.Join(splitOperands(text), "|"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzOperand(f *testing.F) {
	for _, text := range []string{"-4@40+CheckpointStats(%rip)", "8@-96(%rbp,%rax,8)", "-8@$-9223372036854775808", "1@%ah", "8f@%xmm0", "%fs:ti@tpoff"} {
		f.Add(text, false)
	}
	for _, text := range []string{"8@[x0, w1, sxtw #2] -4@[sp, 12]", "-4@[x0, #:lo12:ga+4]", "8@-5", "-8@v0"} {
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, arm bool) {
		machine, words := elf.EM_X86_64, abi.Register(20)
		if arm {
			machine, words = elf.EM_AARCH64, 32
		}
		ops, refs := parseOperands(text, machine)
		if len(ops) != len(refs) {
			t.Fatalf("%d operands, %d symbols", len(ops), len(refs))
		}
		for i, op := range ops {
			if op.Unreadable != "" {
				continue
			}
			size := op.Size == 1 || op.Size == 2 || op.Size == 4 || op.Size == 8
			scale := op.Scale == 1 || op.Scale == 2 || op.Scale == 4 || op.Scale == 8
			base := op.Base < words || op.Base == abi.NoRegister && op.Kind != abi.InRegister
			index := op.Index == abi.NoRegister || op.Index < words && op.Kind == abi.InMemory
			if !size || !scale || !base || !index || op.Relative && (op.Kind != abi.InMemory || refs[i].name == "") {
				t.Errorf("%q: %+v %+v", text, op, refs[i])
			}
			if again, _ := parseOperand(op.Text, machine); !reflect.DeepEqual(again, op) {
				t.Errorf("%q alone: %+v, not %+v", op.Text, again, op)
			}
		}
	})
}
