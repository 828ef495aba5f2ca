package elffile

import (
	"debug/elf"
	"strconv"
	"strings"

	"utrace/record/internal/abi"
)

// Why an operand is unreadable.
const (
	notUnderstood = "the operand is not understood"
	notGeneral    = "it is in a vector or floating-point register, which a probe cannot read"
	threadLocal   = "it is a thread-local variable"
	byGOT         = "it is addressed through the global offset table"
)

// symbolRef is the symbol that an operand speaks of: its value is still to be added to Disp.
type symbolRef struct {
	name     string // "" for none
	low12    bool   // only the low 12 bits of the sum (:lo12:); the base register holds the rest
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

// splitOperands splits at spaces, but for those inside of parentheses and brackets: "8@[x0, 16] -4@w1".
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

// parseOperand reads [SIZE@]PLACE, where SIZE is in bytes, negative for a signed argument, with an f for a float
// (sys/sdt.h), and PLACE is as the assembler of the machine writes it. Without SIZE it is that of the register, else 8 (as GDB has it).
func parseOperand(text string, machine elf.Machine) (abi.Operand, symbolRef) {
	op := abi.Operand{Text: text, Base: abi.NoRegister, Index: abi.NoRegister, Scale: 1}
	place, size := text, int64(0)
	if before, after, ok := strings.Cut(text, "@"); ok {
		number, float := strings.CutSuffix(before, "f")
		if n, err := strconv.ParseInt(number, 10, 32); err == nil {
			op.Float, op.Signed, place, size = float, n < 0, after, max(n, -n)
			if size == 0 {
				op.Unreadable = notUnderstood
			}
		}
	}
	p := operandParser{op: &op}
	width := uint8(8)
	if machine == elf.EM_AARCH64 {
		width = p.aarch64(place)
	} else {
		width = p.x86(place)
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

// x86 reads a place in AT&T syntax: $CONSTANT, %REGISTER, or DISPLACEMENT(BASE,INDEX,SCALE) of which each part may be missing. It returns
// the size of the register in bytes, 8 for other places.
func (p *operandParser) x86(place string) (width uint8) {
	op := p.op
	switch {
	case strings.HasPrefix(place, "$"):
		op.Kind = abi.Constant
		if !p.sum(place[1:]) {
			p.fail(notUnderstood)
		}
		p.ref.constant = true
		return 8
	case strings.HasPrefix(place, "%fs:"), strings.HasPrefix(place, "%gs:"):
		p.fail(threadLocal)
		return 8
	case strings.HasPrefix(place, "%"):
		op.Kind = abi.InRegister
		op.Base, width, op.HighByte = abi.NamedX86(place[1:])
		if op.Base == abi.NoRegister {
			p.fail(registerProblem(place[1:]))
		}
		return width
	}
	op.Kind = abi.InMemory
	disp, address, found := strings.Cut(place, "(")
	if disp != "" && !p.sum(disp) {
		p.fail(notUnderstood)
	}
	if !found {
		if p.ref.name == "" { // nobody means the absolute address 5 by "5"
			p.fail(notUnderstood)
		}
		op.Relative = true
		return 8
	}
	address, closed := strings.CutSuffix(address, ")")
	parts := strings.Split(address, ",")
	if !closed || len(parts) > 3 {
		p.fail(notUnderstood)
		return 8
	}
	for i, part := range parts {
		part = strings.TrimSpace(part)
		switch {
		case i == 2:
			if part != "1" && part != "2" && part != "4" && part != "8" || op.Index == abi.NoRegister {
				p.fail(notUnderstood)
				return 8
			}
			op.Scale = part[0] - '0'
		case i == 0 && part == "%rip":
			// The assembler makes a relative address of a symbol's; a number alone counts from an instruction that is not known.
			if p.ref.name == "" || len(parts) > 1 {
				p.fail(notUnderstood)
			}
		case i == 0 && part == "" && len(parts) > 1:
		default:
			name, ok := strings.CutPrefix(part, "%")
			reg, size, _ := abi.NamedX86(name)
			if !ok || reg == abi.NoRegister || size != 8 || name == "rip" {
				p.fail(notUnderstood)
				return 8
			}
			if i == 0 {
				op.Base = reg
			} else {
				op.Index = reg
			}
		}
	}
	op.Relative = p.ref.name != ""
	return 8
}

// aarch64 reads a constant, a register, or [BASE, OFFSET] where OFFSET is a constant, the low bits of a symbol or
// an index, which may be extended and shifted (Arm Architecture Reference Manual, "Load/store addressing modes"). The number sign
// of constants is optional. It returns the size of the register in bytes, 8 for other places.
func (p *operandParser) aarch64(place string) (width uint8) {
	op := p.op
	address, memory := strings.CutPrefix(place, "[")
	if !memory {
		if n, ok := parseNumber(strings.TrimPrefix(place, "#")); ok {
			op.Kind, op.Disp = abi.Constant, n
			return 8
		}
		if place == "xzr" || place == "wzr" {
			op.Kind = abi.Constant
			return 8
		}
		op.Kind = abi.InRegister
		if op.Base, width = abi.NamedARM64(place); op.Base == abi.NoRegister {
			p.fail(registerProblem(place))
		}
		return width
	}
	op.Kind = abi.InMemory
	address, closed := strings.CutSuffix(address, "]")
	parts := strings.Split(address, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	var size uint8
	if op.Base, size = abi.NamedARM64(parts[0]); !closed || size != 8 || len(parts) > 3 {
		p.fail(notUnderstood)
		return 8
	}
	if len(parts) == 1 {
		return 8
	}
	offset := strings.TrimPrefix(parts[1], "#")
	index, indexSize := abi.NamedARM64(offset)
	n, number := parseNumber(offset)
	symbol, low12 := strings.CutPrefix(offset, ":lo12:")
	switch {
	case index != abi.NoRegister && index != abi.SPARM64:
		op.Index = index
		if !p.extend(parts[2:], indexSize) {
			p.fail(notUnderstood)
		}
	case len(parts) == 3:
		p.fail(notUnderstood)
	case number:
		op.Disp = n
	case low12:
		if !p.sum(symbol) || p.ref.name == "" {
			p.fail(notUnderstood)
		}
		p.ref.low12 = true
	case strings.HasPrefix(offset, ":tprel") || strings.HasPrefix(offset, ":dtprel") || strings.HasPrefix(offset, ":tlsdesc"):
		p.fail(threadLocal)
	case strings.HasPrefix(offset, ":got"):
		p.fail(byGOT)
	default:
		p.fail(notUnderstood)
	}
	return 8
}

// extend reads what is done to an index register of size bytes: nothing, "lsl 3", "uxtw #2" or "sxtx".
func (p *operandParser) extend(how []string, size uint8) bool {
	if len(how) == 0 {
		return size == 8
	}
	name, amount, shifted := strings.Cut(how[0], " ")
	if shifted {
		n, ok := parseNumber(strings.TrimPrefix(strings.TrimSpace(amount), "#"))
		if !ok || n < 0 || n > 3 {
			return false
		}
		p.op.Scale = 1 << n
	}
	switch name {
	case "lsl":
		return shifted && size == 8
	case "sxtx":
		return size == 8
	case "uxtw", "sxtw":
		p.op.IndexLow, p.op.IndexSigned = true, name == "sxtw"
		return size == 4
	}
	return false
}

// sum reads numbers and at most one symbol, added and subtracted: "40+CheckpointStats", "ga+12", "-66". The numbers go into Disp, the symbol
// into ref.
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

// isSymbol says whether the text can be a symbol that the assembler need not quote.
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

// parseNumber reads a number of up to 64 bits, signed or not, decimal, hexadecimal (0x) or octal (0), as the assembler has them.
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

// registerProblem tells why a register cannot be read.
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
