package record

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/abi"
	"utrace/record/internal/suggest"
)

// defaultText is how many bytes of a string are recorded unless str[N] says otherwise.
const defaultText = 200

// valueType is the TYPE of an argument in a probe.
type valueType struct {
	name   string // as it is in a trace: str, u32, x64 …
	kind   valueKind
	size   uint8  // bytes of a number, 0 as the operand has it
	signed bool   // of a number
	max    int    // bytes of a text
	length string // of a buffer: the argument that says how many bytes it has
	isText bool   // of a buffer: its bytes are a text
	array  int    // of a text that lies in an array: bytes of that, 0 for others

	names    map[int64]string            // of an enum
	typeName func(address uint64) string // of a type of Go
}

type valueKind uint8

const (
	kindNumber valueKind = iota
	kindHex
	kindBool
	kindChar
	kindFloat
	kindText
	kindBuffer
	kindEnum     // shown by its names
	kindTypeName // of Go: the address of a type, shown as its name
	kindErrno    // why a function of the C library has failed
)

// hasBytes reports whether a value is bytes that an address leads to.
func (t valueType) hasBytes() bool { return t.kind == kindText || t.kind == kindBuffer }

// parseType parses
//
//	s8 s16 s32 s64 u8 u16 u32 u64 x8 x16 x32 x64 ptr bool char f32 f64 str str[BYTES] buf[LENGTH-ARG]
func parseType(text string) (valueType, error) {
	t := valueType{name: text}
	base, inside, brackets := strings.Cut(text, "[")
	if brackets {
		var closed bool
		if inside, closed = strings.CutSuffix(inside, "]"); !closed {
			return t, fmt.Errorf("%q: the bracket is not closed", text)
		}
	}
	switch {
	case base == "str":
		t.kind, t.size, t.max = kindText, 8, defaultText
		if brackets {
			n, err := strconv.Atoi(inside)
			if err != nil || n < 1 || n > bpf.MaxText {
				return t, fmt.Errorf("%q: a length from 1 to %d is expected in the brackets", text, bpf.MaxText)
			}
			t.max = n
		}
		return t, nil
	case base == "buf" && brackets:
		if inside == "" {
			return t, fmt.Errorf("%q: the argument that has the length is expected in the brackets", text)
		}
		t.kind, t.size, t.max, t.length = kindBuffer, 8, bpf.MaxText, inside
		return t, nil
	case base == "buf":
		return t, errors.New("buf: say which argument has its length, as in buf[len]")
	case brackets:
		return t, fmt.Errorf("%q: only str and buf have brackets", text)
	case base == "ptr":
		t.kind, t.size = kindHex, 8
		return t, nil
	case base == "bool":
		t.kind, t.size = kindBool, 1
		return t, nil
	case base == "char":
		t.kind, t.size, t.signed = kindChar, 1, true
		return t, nil
	}
	if base != "" {
		bits, err := strconv.Atoi(base[1:])
		valid := err == nil && (bits == 8 || bits == 16 || bits == 32 || bits == 64)
		t.size = uint8(bits / 8)
		switch base[0] {
		case 's':
			t.signed = true
		case 'x':
			t.kind = kindHex
		case 'f':
			t.kind = kindFloat
			valid = valid && bits >= 32
		case 'u':
		default:
			valid = false
		}
		if valid {
			return t, nil
		}
	}
	return t, fmt.Errorf("%q is not a type: s8 to s64, u8 to u64, x8 to x64, ptr, bool, char, f32, f64, str, str[BYTES] or buf[LENGTH-ARG]%s", text, suggest.Nearest(text, typeNames()))
}

func typeNames() []string {
	return []string{"s8", "s16", "s32", "s64", "u8", "u16", "u32", "u64", "x8", "x16", "x32", "x64", "ptr", "bool", "char", "f32", "f64", "str"}
}

// argument is an argument that a probe fetches.
type argument struct {
	name   string // "arg1" for the first one if the probe gives it none
	pos    int    // which of the operands of a static probe, or of the parameters of a function, from 0
	path   *path  // of a function, where a parameter is named rather than counted
	typ    valueType
	hidden bool // fetched for a condition or a length, not recorded

	// Of a function, once they are known: where it is, and which of the arguments, counted from 1, has its length, 0 for none.
	op       abi.Operand
	lengthAt int

	described bool // nobody has asked for it by itself: it is not recorded where it cannot be read
}

// parseArguments parses "NAME:TYPE, TYPE, …", what is between the parentheses of a probe; of a function also NAME and
// paths such as req->len, whose types the debug information has. "..." is all, with the types that the probe itself
// gives.
func parseArguments(text string, ofFunction bool) (args []argument, all bool, err error) {
	text = strings.TrimSpace(text)
	switch text {
	case "...":
		return nil, true, nil
	case "":
		return nil, false, nil
	}
	for i, part := range splitArguments(text) {
		a, err := parseArgument(strings.TrimSpace(part), i, ofFunction)
		if err != nil {
			return nil, false, fmt.Errorf("argument %d: %w", i+1, err)
		}
		for _, other := range args {
			if other.name == a.name {
				return nil, false, fmt.Errorf("two arguments are called %q", a.name)
			}
		}
		args = append(args, a)
	}
	if len(args) > bpf.MaxArgs {
		return nil, false, fmt.Errorf("%d arguments: there can be %d", len(args), bpf.MaxArgs)
	}
	if ofFunction { // its debug information may know more
		return args, false, nil
	}
	return addLengths(args)
}

// parseArgument parses the argument at a place in the list, counted from 0.
func parseArgument(text string, at int, ofFunction bool) (a argument, err error) {
	name, typ, named := strings.Cut(text, ":")
	name = strings.TrimSpace(name)
	if !named {
		typ, err := parseType(text)
		if err == nil {
			return argument{name: fmt.Sprintf("arg%d", at+1), pos: at, typ: typ}, nil
		}
		if !ofFunction {
			return a, err
		}
	}
	p, pathErr := parsePath(name)
	switch {
	case pathErr != nil && ofFunction:
		return a, pathErr
	case pathErr != nil || p.steps != "" && !ofFunction:
		return a, fmt.Errorf("%q is not a name", name)
	}
	a.name, a.pos, a.path = name, at, &p
	if !named {
		return a, nil
	}
	if n, ok := argumentNumber(name); ok {
		if n < 1 || n > bpf.MaxArgs {
			return a, fmt.Errorf("%s: the arguments are arg1 to arg%d", name, bpf.MaxArgs)
		}
		a.pos, a.path = n-1, nil
	}
	a.typ, err = parseType(strings.TrimSpace(typ))
	return a, err
}

// argumentNumber returns N of argN.
func argumentNumber(name string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(name, "arg")
	if !ok || !isDigits(digits) {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		n = 0
	}
	return n, true
}

// addLengths has the arguments that say how long others are fetched, too.
func addLengths(args []argument) ([]argument, bool, error) {
	for i := range args {
		if args[i].typ.kind != kindBuffer {
			continue
		}
		at, more, err := findArgument(args, args[i].typ.length, valueType{name: "s64", signed: true})
		if err != nil {
			return nil, false, err
		}
		args = more
		if args[at].typ.hasBytes() || args[at].typ.kind == kindFloat {
			return nil, false, fmt.Errorf("%q is not a number of bytes", args[i].typ.length)
		}
		args[i].lengthAt = at + 1
	}
	return args, false, nil
}

// findArgument returns which of the arguments has a name. arg1, arg2 … are the first, the second … that the probe has;
// one that is not there yet is added as a hidden one of the type like.
func findArgument(args []argument, name string, like valueType) (at int, with []argument, err error) {
	for i, a := range args {
		if a.name == name && !a.hidden {
			return i, args, nil
		}
	}
	if n, ok := argumentNumber(name); ok {
		if n < 1 || n > bpf.MaxArgs {
			return 0, args, fmt.Errorf("%s: the arguments are arg1 to arg%d", name, bpf.MaxArgs)
		}
		for i, a := range args {
			if a.pos == n-1 && a.typ.hasBytes() == like.hasBytes() {
				return i, args, nil
			}
		}
		if len(args) >= bpf.MaxArgs {
			return 0, args, fmt.Errorf("more than %d arguments, those of conditions included", bpf.MaxArgs)
		}
		return len(args), append(args, argument{name: name, pos: n - 1, typ: like, hidden: true}), nil
	}
	names := make([]string, 0, len(args))
	for _, a := range args {
		names = append(names, a.name)
	}
	return 0, args, fmt.Errorf("no argument is called %q%s", name, suggest.Nearest(name, names))
}

func isName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// describe says what the recorded ones of the arguments are, for a trace.
func describe(args []argument) []format.Arg {
	var list []format.Arg
	for _, a := range args {
		if !a.hidden {
			list = append(list, format.Arg{Name: a.name, Type: a.typ.name})
		}
	}
	return list
}
