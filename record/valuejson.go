//go:build linux

package record

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"syscall"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"utrace/bpf"
	"utrace/record/internal/probe"
	"utrace/record/internal/values"
)

// appendValues appends the JSON array of an event's values, by the rules of package format.
func appendValues(dst []byte, args []probe.Argument, v *bpf.Values) []byte {
	dst = append(dst, '[')
	first := true
	for i, a := range args {
		if a.Hidden {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if a.Type.Kind == probe.KindErrno && !failed(args[0].Type, v) {
			dst = append(dst, '0')
			continue
		}
		dst = appendValue(dst, a.Type, v, i)
	}
	return append(dst, ']')
}

// failed reports whether a function has failed with an errno, by its result, the first of the
// values.
func failed(t probe.Type, v *bpf.Values) bool {
	switch t.Kind {
	case probe.KindEnum: // of a name's resolution
		return v.Readable(0) && int64(v.Number(0)) == values.EAISystem
	case probe.KindNumber:
		return v.Readable(0) && int64(v.Number(0)) < 0
	case probe.KindHex:
		return v.Readable(0) && v.Number(0) == 0
	}
	return !v.Readable(0) // a text at no address
}

func appendValue(dst []byte, t probe.Type, v *bpf.Values, i int) []byte {
	if !v.Readable(i) {
		if t.HasBytes() && v.Null(i) {
			return append(dst, `{"null":true}`...)
		}
		if t.Kind == probe.KindGoType { // there is no type at nil
			return append(dst, `"nil"`...)
		}
		return append(dst, "null"...)
	}
	n := v.Number(i)
	switch t.Kind {
	case probe.KindText, probe.KindBuffer:
		return appendText(dst, v.Text(i), t.Max)
	case probe.KindBool:
		return strconv.AppendBool(dst, n != 0)
	case probe.KindErrno:
		if name := unix.ErrnoName(syscall.Errno(n)); name != "" {
			return strconv.AppendQuote(dst, name)
		}
	case probe.KindGoType:
		name := "nil"
		if n != 0 {
			name = t.GoTypeName(n)
		}
		quoted, _ := json.Marshal(name) // a string: no error
		return append(dst, quoted...)
	case probe.KindEnum:
		if name, ok := t.EnumNames[int64(n)]; ok {
			quoted, _ := json.Marshal(name) // a string: no error
			return append(dst, quoted...)
		}
	case probe.KindChar:
		return appendText(dst, []byte{byte(n)}, 1)
	case probe.KindFloat:
		f := math.Float64frombits(n)
		if t.Size == 4 {
			f = float64(math.Float32frombits(uint32(n)))
		}
		text, err := json.Marshal(f)
		if err != nil { // infinite, or not a number
			text = strconv.AppendQuote(nil, strconv.FormatFloat(f, 'g', -1, 64))
		}
		return append(dst, text...)
	}
	if t.Signed {
		return strconv.AppendInt(dst, int64(n), 10)
	}
	return strconv.AppendUint(dst, n, 10)
}

// appendText appends text, cut off after max bytes.
func appendText(dst, text []byte, max int) []byte {
	cut := len(text) > max
	if cut {
		text = text[:max]
		for n := len(text); n > len(text)-utf8.UTFMax && n > 0; n-- { // not in the middle of a character
			if r, size := utf8.DecodeLastRune(text[:n]); r != utf8.RuneError || size != 1 {
				if n > len(text)-utf8.UTFMax && utf8.Valid(text[:n]) {
					text = text[:n]
				}
				break
			}
		}
	}
	if utf8.Valid(text) {
		quoted, _ := json.Marshal(string(text)) // a string: no error
		if !cut {
			return append(dst, quoted...)
		}
		dst = append(append(dst, `{"text":`...), quoted...)
	} else {
		dst = append(dst, `{"bytes":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, text)
		dst = append(dst, '"')
	}
	if cut {
		dst = append(dst, `,"cut":true`...)
	}
	return append(dst, '}')
}
