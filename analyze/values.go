package analyze

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"utrace/format"
)

// formatValues writes what an event carries, as the values of a call in C: numbers, "texts" in quotes, ? for
// what could not be read, "text"... for one that was longer. It is fit for a terminal.
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

// errnoType is the type of a value that says why a call has failed, 0 if it has not.
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
			return printable(s)
		}
		return quote(typ, s)
	case '{':
		return formatObject(typ, raw)
	case 'n':
		return "?"
	}
	number := printable(string(raw))
	if strings.HasPrefix(typ, "x") || typ == "ptr" {
		if n, err := strconv.ParseUint(number, 10, 64); err == nil {
			return "0x" + strconv.FormatUint(n, 16)
		}
	}
	return number
}

// formatObject writes a text that is cut, or is not UTF-8.
func formatObject(typ string, raw json.RawMessage) string {
	var o struct {
		Text  *string `json:"text"`
		Bytes *string `json:"bytes"`
		Cut   bool    `json:"cut"`
	}
	if json.Unmarshal(raw, &o) != nil {
		return "?"
	}
	text := ""
	switch {
	case o.Text != nil:
		text = quote(typ, *o.Text)
	case o.Bytes != nil:
		b, err := base64.StdEncoding.DecodeString(*o.Bytes)
		if err != nil {
			return "?"
		}
		text = quote(typ, string(b))
	default:
		return "?"
	}
	if o.Cut {
		text += "..."
	}
	return text
}

// quote puts a text, or a char, into quotes, with escapes for what is not printable.
func quote(typ, s string) string {
	quoted := strconv.Quote(s)
	if typ == "char" {
		return "'" + quoted[1:len(quoted)-1] + "'"
	}
	return quoted
}
