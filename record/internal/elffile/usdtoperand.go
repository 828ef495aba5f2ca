package elffile

import (
	"debug/elf"
	"strconv"
	"strings"

	"utrace/record/internal/abi"
)

// Reasons why an operand is unreadable.
const (
	notUnderstood = "the operand is not understood"
	notGeneral    = "it is in a vector or floating-point register, which a probe cannot read"
	threadLocal   = "it is a thread-local variable"
	byGOT         = "it is addressed through the global offset table"
)

// symbolRef is the symbol that an operand refers to. The symbol's value is still to be added to
// Disp.
type symbolRef struct {
	name     string // "" for none
	low12    bool   // only the low 12 bits of the sum count (:lo12:); the base register has the rest
	constant bool   // the address itself is the argument
}

// parseOperands splits and reads the operands of a note.
func parseOperands(text string, machine elf.Machine) (ops []abi.Operand, refs []symbolRef) {
	for _, word := range splitOperands(text) {
		op, ref := parseOperand(word, machine)
		ops, refs = append(ops, op), append(refs, ref)
	}
	return ops, refs
}

// splitOperands splits at spaces outside of parentheses and brackets: "8@[x0, 16] -4@w1".
func splitOperands(text string) []string {
	depth := 0
	return strings.FieldsFunc(text, func(r rune) bool {
		switch r {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		}
		return depth <= 0 && (r == ' ' || r == '\t')
	})
}

// parseOperand reads [SIZE@]LOCATION (sys/sdt.h). SIZE is in bytes, negative for a signed argument,
// with an f for a float. Without SIZE, the size is the register's, else 8, as in GDB. LOCATION is
// written as in the assembly of the machine.
func parseOperand(text string, machine elf.Machine) (abi.Operand, symbolRef) {
	op := abi.Operand{Text: text, Base: abi.NoRegister, Index: abi.NoRegister, Scale: 1}
	location, size := text, int64(0)
	if before, after, ok := strings.Cut(text, "@"); ok {
		number, float := strings.CutSuffix(before, "f")
		if n, err := strconv.ParseInt(number, 10, 32); err == nil {
			op.Float, op.Signed, location, size = float, n < 0, after, max(n, -n)
			if size == 0 {
				op.Unreadable = notUnderstood
			}
		}
	}

	p := operandParser{op: &op}
	width := uint8(8)
	if machine == elf.EM_AARCH64 {
		width = p.aarch64(location)
	} else {
		width = p.x86(location)
	}
	switch size {
	case 0:
		op.Size = width
	case 1, 2, 4, 8:
		op.Size = uint8(size)
	default:
		p.fail("it has " + strconv.FormatInt(size, 10) + " bytes; only 1, 2, 4 and 8 can be read")
	}

	if op.HighByte && op.Size != 1 {
		p.fail(notUnderstood)
	}
	if op.Unreadable != "" {
		return op, symbolRef{}
	}
	return op, p.ref
}

type operandParser struct {
	op  *abi.Operand
	ref symbolRef
}

// fail notes the first reason why the operand is unreadable.
func (p *operandParser) fail(why string) {
	if p.op.Unreadable == "" {
		p.op.Unreadable = why
	}
}

// sum reads numbers and at most one symbol, added and subtracted: "40+CheckpointStats", "ga+12",
// "-66". The sum of the numbers goes into Disp, the symbol into ref.
func (p *operandParser) sum(text string) bool {
	if _, how, ok := strings.Cut(strings.ToLower(text), "@"); ok {
		if strings.Contains(how, "tpoff") || strings.Contains(how, "tls") {
			p.fail(threadLocal)
		} else {
			p.fail(byGOT)
		}
		return true
	}

	for first := true; text != "" || first; first = false {
		minus := strings.HasPrefix(text, "-")
		if minus || strings.HasPrefix(text, "+") {
			text = text[1:]
		} else if !first {
			return false
		}
		end := strings.IndexAny(text, "+-")
		if end < 0 {
			end = len(text)
		}
		term := text[:end]
		text = text[end:]
		if n, ok := parseNumber(term); ok {
			if minus {
				n = -n
			}
			p.op.Disp += n
			continue
		}
		if minus || p.ref.name != "" || !isSymbol(term) {
			return false
		}
		p.ref.name = term
	}
	return true
}

// isSymbol reports whether the text can be a symbol that the assembler writes without quotes.
func isSymbol(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '.' || c >= 0x80
		if !letter && (i == 0 || c != '$' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// parseNumber reads a number of up to 64 bits, with or without a sign: decimal, hexadecimal (0x) or
// octal (0), as in assembly.
func parseNumber(s string) (int64, bool) {
	digits, minus := strings.CutPrefix(s, "-")
	if digits == "" || digits[0] < '0' || digits[0] > '9' || strings.Contains(digits, "_") {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 0, 64)
	if minus {
		n = -n
	}
	return int64(n), err == nil
}

// registerProblem returns the reason why a register cannot be read.
func registerProblem(name string) string {
	family := strings.TrimRight(name, "0123456789()")
	switch family {
	case "xmm", "ymm", "zmm", "mm", "st", "k", "v", "q", "d", "s", "h", "b", "z", "p":
		if family != name {
			return notGeneral
		}
	}
	return notUnderstood
}

// resolveOperands adds the symbols that operands refer to. refs has those of all operands of all
// probes, in order.
func (f *File) resolveOperands(probes []USDTProbe, refs []symbolRef) {
	wanted := map[string]*variable{}
	for _, ref := range refs {
		if ref.name != "" {
			wanted[ref.name] = &variable{}
		}
	}
	if len(wanted) > 0 {
		f.findVariables(wanted)
	}
	for _, p := range probes {
		for i := range p.Args {
			if refs[i].name != "" {
				refs[i].resolve(&p.Args[i], wanted[refs[i].name], f.elf.Type)
			}
		}
		refs = refs[len(p.Args):]
	}
}

// resolve adds the value of the symbol, which is variable v of a file of type typ, to op.
func (ref symbolRef) resolve(op *abi.Operand, v *variable, typ elf.Type) {
	switch {
	case v.threadLocal:
		op.Unreadable = threadLocal
	case !v.found && strings.HasPrefix(ref.name, ".L"):
		op.Unreadable = "it is at a label that no symbol table holds"
	case !v.found:
		op.Unreadable = "no symbol table has the variable " + ref.name
	case v.ambiguous:
		op.Unreadable = "several variables are called " + ref.name
	case ref.constant && typ == elf.ET_DYN:
		op.Unreadable = "it is an address that differs by process"
	default:
		op.Disp += int64(v.addr)
		if ref.low12 {
			op.Disp &= 0xfff
		}
	}
}
