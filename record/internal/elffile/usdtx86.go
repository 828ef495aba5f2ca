package elffile

import (
	"strings"

	"utrace/record/internal/abi"
)

// x86 reads a location in AT&T syntax: $CONSTANT, %REGISTER, or DISPLACEMENT(BASE,INDEX,SCALE),
// where each part may be missing. The result is the size of the register in bytes, 8 for other
// locations.
func (p *operandParser) x86(location string) (width uint8) {
	op := p.op
	switch {
	case strings.HasPrefix(location, "$"):
		op.Kind = abi.Constant
		if !p.sum(location[1:]) {
			p.fail(notUnderstood)
		}
		p.ref.constant = true
		return 8
	case strings.HasPrefix(location, "%fs:"), strings.HasPrefix(location, "%gs:"):
		p.fail(threadLocal)
		return 8
	case strings.HasPrefix(location, "%"):
		op.Kind = abi.InRegister
		op.Base, width, op.HighByte = abi.NamedX86(location[1:])
		if op.Base == abi.NoRegister {
			p.fail(registerProblem(location[1:]))
		}
		return width
	}

	op.Kind = abi.InMemory
	disp, address, found := strings.Cut(location, "(")
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
			// The assembler makes a relative address of a symbol. A number alone counts from an
			// instruction that is not known.
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
