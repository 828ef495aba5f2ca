package elffile

import (
	"strings"

	"utrace/record/internal/abi"
)

// aarch64 reads a constant, a register, or [BASE, OFFSET]. OFFSET is a constant, the low bits of a
// symbol, or an index, which may be extended and shifted (Arm Architecture Reference Manual,
// "Load/store addressing modes"). The number sign of constants is optional. The result is the size
// of the register in bytes, 8 for other locations.
func (p *operandParser) aarch64(location string) (width uint8) {
	op := p.op
	address, memory := strings.CutPrefix(location, "[")
	if !memory {
		if n, ok := parseNumber(strings.TrimPrefix(location, "#")); ok {
			op.Kind, op.Disp = abi.Constant, n
			return 8
		}
		if location == "xzr" || location == "wzr" {
			op.Kind = abi.Constant
			return 8
		}
		op.Kind = abi.InRegister
		if op.Base, width = abi.NamedARM64(location); op.Base == abi.NoRegister {
			p.fail(registerProblem(location))
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

// extend reads the modifier of an index register of size bytes: nothing, "lsl 3", "uxtw #2" or
// "sxtx".
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
