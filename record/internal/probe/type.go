package probe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"utrace/record/internal/suggest"
)

// Type is the TYPE of an argument in a probe. The zero value means the type in the debug
// information.
type Type struct {
	Name   string // as in a trace: str, u32, x64 …
	Kind   Kind
	Size   uint8  // of a number, in bytes; 0: as the operand
	Signed bool   // of a number
	Max    int    // bytes of a text or a buffer that are recorded at most
	Length string // of a buffer: the argument with its length
	IsText bool   // of a buffer: its bytes are a text
	Array  int    // of a text in an array: the size of the array in bytes; otherwise 0

	EnumNames  map[int64]string            // of an enum
	GoTypeName func(address uint64) string // of a Go type
}

// Kind is the sort of values of a Type.
type Kind uint8

// Kinds of values.
const (
	KindNumber Kind = iota
	KindHex
	KindBool
	KindChar
	KindFloat
	KindText
	KindBuffer
	KindEnum   // shown by name
	KindGoType // the address of a Go type, shown as its name
	KindErrno  // the error of a C library function
)

// HasBytes reports whether a value is the address of bytes to record.
func (t Type) HasBytes() bool { return t.Kind == KindText || t.Kind == KindBuffer }

// TellsFailure reports whether a result of this type can mean failure: a negative number, or a null
// address.
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
				return t, fmt.Errorf("%q: expected a length from 1 to %d in the brackets", text, MaxText)
			}
			t.Max = n
		}
		return t, nil
	case base == "buf" && brackets:
		if inside == "" {
			return t, fmt.Errorf("%q: expected the argument with the length in the brackets", text)
		}
		t.Kind, t.Size, t.Max, t.Length = KindBuffer, 8, MaxText, inside
		return t, nil
	case base == "buf":
		return t, errors.New("buf: name the argument with its length, as in buf[len]")
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

// holds reports whether the type can hold a number. If its size is unknown, it can.
func (t Type) holds(number uint64, negative bool) bool {
	bits := 8 * t.Size
	switch {
	case bits == 0 || bits > 64, t.Kind == KindHex:
		return true
	case t.Kind == KindBool:
		return !negative && number <= 1
	case negative && !t.Signed: // as in C: all bits set for -1
		return int64(number) >= -1<<(bits-1)
	case negative:
		return int64(number) >= -1<<(bits-1)
	case t.Signed:
		return number <= 1<<(bits-1)-1
	}
	return bits == 64 || number <= 1<<bits-1
}
