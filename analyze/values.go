package analyze

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"utrace/format"
)

// Value is a value that calls are grouped by.
type Value struct {
	// Text is the value as in a call in C: a number, a "text" in quotes, or ? if it could not be
	// read. It is "" for calls without a value, and NULL for a null pointer instead of a text.
	Text string
	// Plain is the value for programs: a string, json.Number or bool; nil if it could not be read,
	// or is a null pointer.
	Plain any
}

// Compare orders numbers by size, and everything else by its text.
func (v *Value) Compare(other *Value) int {
	x, xok := v.Plain.(json.Number)
	y, yok := other.Plain.(json.Number)
	if xok && yok {
		m, _ := x.Float64()
		n, _ := y.Float64()
		if c := cmp.Compare(m, n); c != 0 {
			return c
		}
	}
	return strings.Compare(v.Text, other.Text)
}

// formatValues writes the values of an event as in a call in C: numbers and "texts" in quotes. A
// value that could not be read is a ?, a null pointer is NULL, and a text that was cut is
// "text".... The result is fit for a terminal.
func formatValues(defs []format.Arg, raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	var values []json.RawMessage
	if json.Unmarshal(raw, &values) != nil {
		return "?"
	}
	var b strings.Builder
	for i, v := range values {
		typ := ""
		if i < len(defs) {
			typ = defs[i].Type
		}
		switch {
		case typ == errnoType && string(v) == "0": // it has not failed
			continue
		case typ == errnoType:
			b.WriteString(" ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(formatValue(typ, v))
	}
	return b.String()
}

// element returns an element of a JSON array without reading the others; false if there is none.
// The element may be invalid.
func element(array []byte, index int) ([]byte, bool) {
	array = bytes.TrimSpace(array)
	if len(array) < 2 || array[0] != '[' {
		return nil, false
	}
	depth, from, quoted := 0, 1, false
	for at := 1; at < len(array); at++ {
		c := array[at]
		switch {
		case quoted && c == '\\':
			at++
		case c == '"':
			quoted = !quoted
		case quoted:
		case depth == 0 && (c == ',' || c == ']'):
			if index == 0 {
				value := bytes.TrimSpace(array[from:at])
				return value, len(value) > 0
			}
			if c == ']' {
				return nil, false
			}
			index--
			from = at + 1
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		}
	}
	return nil, false
}

// eaiType is the type of a failure to resolve a name, which is a negative number shown by its name;
// 0 if the call has not failed.
const eaiType = "enum EAI"

// errnoType is the type of an error number: 0 if the call has not failed.
const errnoType = "errno"

// formatValue writes one value of a type of the probe language.
func formatValue(typ string, raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "?"
	}
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return "?"
		}
		if strings.HasPrefix(typ, "enum ") || typ == "type" || typ == errnoType || strings.HasPrefix(typ, "f") { // names; infinite, or not a number
			return Printable(s)
		}
		return quote(typ, s)
	case '{':
		return formatObject(typ, raw)
	case 'n':
		return "?"
	}
	number := Printable(string(raw))
	if strings.HasPrefix(typ, "x") || typ == "ptr" {
		if n, err := strconv.ParseUint(number, 10, 64); err == nil {
			return "0x" + strconv.FormatUint(n, 16)
		}
	}
	return number
}

// formatObject writes a text that was cut, or is not UTF-8, or a null pointer instead of a text.
func formatObject(typ string, raw []byte) string {
	text, cut, ok := objectText(raw)
	switch {
	case isNull(raw):
		return "NULL"
	case !ok:
		return "?"
	case cut:
		return quote(typ, text) + cutMark
	}
	return quote(typ, text)
}

// cutMark follows a text that was cut while recording.
const cutMark = "..."

// objectText reads a text that was cut, or is not UTF-8.
func objectText(raw []byte) (text string, cut, ok bool) {
	var o struct {
		Text  *string `json:"text"`
		Bytes *string `json:"bytes"`
		Cut   bool    `json:"cut"`
	}
	if json.Unmarshal(raw, &o) != nil {
		return "", false, false
	}
	switch {
	case o.Text != nil:
		return *o.Text, o.Cut, true
	case o.Bytes != nil:
		b, err := base64.StdEncoding.DecodeString(*o.Bytes)
		return string(b), o.Cut, err == nil
	}
	return "", false, false
}

// isNull reports whether an object is a null pointer.
func isNull(raw []byte) bool {
	var o struct {
		Null bool `json:"null"`
	}
	return json.Unmarshal(raw, &o) == nil && o.Null
}

// quote puts a text, or a char, into quotes. It escapes characters that are not printable.
func quote(typ, s string) string {
	quoted := strconv.Quote(s)
	if typ == "char" {
		return "'" + quoted[1:len(quoted)-1] + "'"
	}
	return quoted
}

// plainValue returns a value for programs.
func plainValue(raw []byte) any {
	switch {
	case !json.Valid(raw):
		return nil
	case raw[0] == '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return nil
		}
		return Printable(s)
	case raw[0] == '{':
		text, cut, ok := objectText(raw)
		switch {
		case !ok:
			return nil
		case cut:
			return Printable(text) + cutMark
		}
		return Printable(text)
	case raw[0] == 't' || raw[0] == 'f':
		return raw[0] == 't'
	case bytes.ContainsAny(raw[:1], "-0123456789"):
		return json.Number(raw)
	}
	return nil
}
