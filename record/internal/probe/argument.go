package probe

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"utrace/record/internal/suggest"
)

// Limits of what a probe can record. The programs in the kernel have the same (package bpf).
const (
	MaxArgs        = 12   // arguments or results, hidden ones included
	MaxText        = 4094 // bytes of a text
	MaxPattern     = 64   // bytes of a text in a condition
	MaxComparisons = 16   // in a condition
)

// defaultText is how many bytes of a string are recorded unless str[N] says otherwise.
const DefaultText = 200

// valueType is the TYPE of an argument in a probe.
type Type struct {
	Name   string // as it is in a trace: str, u32, x64 …
	Kind   Kind
	Size   uint8  // bytes of a number, 0 as the operand has it
	Signed bool   // of a number
	Max    int    // bytes of a text
	Length string // of a buffer: the argument that says how many bytes it has
	IsText bool   // of a buffer: its bytes are a text
	Array  int    // of a text that lies in an array: bytes of that, 0 for others

	EnumNames  map[int64]string            // of an enum
	GoTypeName func(address uint64) string // of a type of Go
}

type Kind uint8

const (
	KindNumber Kind = iota
	KindHex
	KindBool
	KindChar
	KindFloat
	KindText
	KindBuffer
	KindEnum   // shown by its names
	KindGoType // of Go: the address of a type, shown as its name
	KindErrno  // why a function of the C library has failed
)

// hasBytes reports whether a value is bytes that an address leads to.
func (t Type) HasBytes() bool { return t.Kind == KindText || t.Kind == KindBuffer }

// tellsFailure reports whether a result can be one that means failure: negative, or no address.
func (t Type) TellsFailure() bool {
	return t.Kind == KindNumber && t.Signed || t.Kind == KindHex || t.Kind == KindText
}

// parseType parses
//
//	s8 s16 s32 s64 u8 u16 u32 u64 x8 x16 x32 x64 ptr bool char f32 f64 str str[BYTES] buf[LENGTH-ARG]
func parseType(text string) (Type, error) {
	t := Type{Name: text}
	base, inside, brackets := strings.Cut(text, "[")
	if brackets {
		var closed bool
		if inside, closed = strings.CutSuffix(inside, "]"); !closed {
			return t, fmt.Errorf("%q: the bracket is not closed", text)
		}
	}
	switch {
	case base == "str":
		t.Kind, t.Size, t.Max = KindText, 8, DefaultText
		if brackets {
			n, err := strconv.Atoi(inside)
			if err != nil || n < 1 || n > MaxText {
				return t, fmt.Errorf("%q: a length from 1 to %d is expected in the brackets", text, MaxText)
			}
			t.Max = n
		}
		return t, nil
	case base == "buf" && brackets:
		if inside == "" {
			return t, fmt.Errorf("%q: the argument that has the length is expected in the brackets", text)
		}
		t.Kind, t.Size, t.Max, t.Length = KindBuffer, 8, MaxText, inside
		return t, nil
	case base == "buf":
		return t, errors.New("buf: say which argument has its length, as in buf[len]")
	case brackets:
		return t, fmt.Errorf("%q: only str and buf have brackets", text)
	case base == "ptr":
		t.Kind, t.Size = KindHex, 8
		return t, nil
	case base == "bool":
		t.Kind, t.Size = KindBool, 1
		return t, nil
	case base == "char":
		t.Kind, t.Size, t.Signed = KindChar, 1, true
		return t, nil
	}
	if base != "" {
		bits, err := strconv.Atoi(base[1:])
		valid := err == nil && (bits == 8 || bits == 16 || bits == 32 || bits == 64)
		t.Size = uint8(bits / 8)
		switch base[0] {
		case 's':
			t.Signed = true
		case 'x':
			t.Kind = KindHex
		case 'f':
			t.Kind = KindFloat
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
type Argument struct {
	Name   string // "arg1" for the first one if the probe gives it none
	Pos    int    // which of the operands of a static probe, or of the parameters of a function, from 0
	Path   *Path  // of a function, where a parameter is named rather than counted
	Type   Type
	Hidden bool // fetched for a condition or a length, not recorded

	LengthAt int // which of the arguments, counted from 1, has its length; 0 for none

	Described bool // it comes from "...": left out, without an error, where it cannot be read
}

// parseArguments parses "NAME:TYPE, TYPE, …", what is between the parentheses of a probe; of a function also NAME and
// paths such as req->len, whose types the debug information has. "..." is all, with the types that the probe itself
// gives.
func parseArguments(text string, ofFunction bool) (args []Argument, all bool, err error) {
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
			if other.Name == a.Name {
				return nil, false, fmt.Errorf("two arguments are called %q", a.Name)
			}
		}
		args = append(args, a)
	}
	if len(args) > MaxArgs {
		return nil, false, fmt.Errorf("%d arguments: there can be %d", len(args), MaxArgs)
	}
	if ofFunction { // its debug information may know more
		return args, false, nil
	}
	return addLengths(args)
}

// parseArgument parses the argument at a place in the list, counted from 0.
func parseArgument(text string, at int, ofFunction bool) (a Argument, err error) {
	name, typ, named := strings.Cut(text, ":")
	name = strings.TrimSpace(name)
	if !named {
		typ, err := parseType(text)
		if err == nil {
			return Argument{Name: fmt.Sprintf("arg%d", at+1), Pos: at, Type: typ}, nil
		}
		if !ofFunction {
			return a, err
		}
	}
	p, pathErr := ParsePath(name)
	switch {
	case pathErr != nil && ofFunction:
		return a, pathErr
	case pathErr != nil || p.Steps != "" && !ofFunction:
		return a, fmt.Errorf("%q is not a name", name)
	}
	a.Name, a.Pos, a.Path = name, at, &p
	if !named {
		return a, nil
	}
	if n, ok := ArgumentNumber(name); ok {
		if n < 1 || n > MaxArgs {
			return a, fmt.Errorf("%s: the arguments are arg1 to arg%d", name, MaxArgs)
		}
		a.Pos, a.Path = n-1, nil
	}
	a.Type, err = parseType(strings.TrimSpace(typ))
	return a, err
}

// argumentNumber returns N of argN.
func ArgumentNumber(name string) (n int, ok bool) {
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
func addLengths(args []Argument) ([]Argument, bool, error) {
	for i := range args {
		if args[i].Type.Kind != KindBuffer {
			continue
		}
		at, err := (*Arguments)(&args).Find(args[i].Type.Length, Type{Name: "s64", Signed: true})
		if err != nil {
			return nil, false, err
		}
		if args[at].Type.HasBytes() || args[at].Type.Kind == KindFloat {
			return nil, false, fmt.Errorf("%q is not a number of bytes", args[i].Type.Length)
		}
		args[i].LengthAt = at + 1
	}
	return args, false, nil
}

// arguments are the arguments of a static probe, as a scope.
type Arguments []Argument

// recorded reports whether a recorded argument has a name.
func (l *Arguments) Recorded(name string) bool {
	return slices.ContainsFunc(*l, func(a Argument) bool { return a.Name == name && !a.Hidden })
}

// find returns which of the arguments has a name. arg1, arg2 … are the first, the second … that
// the probe has; one that is not in the list yet is added, hidden, with the type like.
func (l *Arguments) Find(name string, like Type) (at int, err error) {
	for i, a := range *l {
		if a.Name == name && !a.Hidden {
			return i, nil
		}
	}
	if n, ok := ArgumentNumber(name); ok {
		if n < 1 || n > MaxArgs {
			return 0, fmt.Errorf("%s: the arguments are arg1 to arg%d", name, MaxArgs)
		}
		for i, a := range *l {
			if a.Pos == n-1 && a.Type.HasBytes() == like.HasBytes() {
				return i, nil
			}
		}
		if len(*l) >= MaxArgs {
			return 0, fmt.Errorf("more than %d arguments, those of conditions included", MaxArgs)
		}
		*l = append(*l, Argument{Name: name, Pos: n - 1, Type: like, Hidden: true})
		return len(*l) - 1, nil
	}
	names := make([]string, 0, len(*l))
	for _, a := range *l {
		names = append(names, a.Name)
	}
	return 0, fmt.Errorf("no argument is called %q%s", name, suggest.Nearest(name, names))
}

// lookUp returns which argument has a name, and its type. It is find as a scope wants it.
func (l *Arguments) LookUp(name string, like Type) (at int, typ Type, err error) {
	if at, err = l.Find(name, like); err != nil {
		return 0, typ, err
	}
	return at, (*l)[at].Type, nil
}

func isName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
