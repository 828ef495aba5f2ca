package analyze

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"utrace/format"
)

// Printable makes text from a traced process fit for terminals and files. Control characters,
// terminal escapes, invisible and invalid characters become Go escapes such as \x1b.
func Printable(s string) string {
	if isPrintable(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if r == utf8.RuneError && s[i:min(i+3, len(s))] != "\ufffd" {
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i])+0x100, 16)[1:])
		} else if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// FileName is the name of a trace in all views. It is fit for terminals.
func FileName(path string) string { return Printable(path) }

// maxName is the length of the longest name or path that is shown in full. A call path has up to
// maxPath of them, a label two.
const maxName = 4 << 10

// maxBuildID is the number of bytes of a build ID that are shown: a SHA-1 has 40 digits, Go's own
// has 83.
const maxBuildID = 128

// printableName is Printable for names and paths. It cuts one that is too long, with an ellipsis.
func printableName(s string) string {
	s = Printable(s)
	if len(s) <= maxName {
		return s
	}
	end := maxName - len("…")
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

func isPrintable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

func printableMeta(m format.Meta) format.Meta {
	m.Host, m.Kernel, m.Recorder, m.Arch = Printable(m.Host), Printable(m.Kernel), Printable(m.Recorder), Printable(m.Arch)
	m.Command, m.Args, m.Probes, m.Presets = printables(m.Command), printables(m.Args), printables(m.Probes), printables(m.Presets)
	if format.CheckLabels(m.Labels) != nil { // not by utrace
		m.Labels = nil
	}
	return m
}

func printables(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = Printable(s)
	}
	return out
}

// Plural writes a number with its noun.
func Plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// FormatDuration writes a duration in us, ms or s with three decimals.
func FormatDuration(d time.Duration) string { return string(AppendDuration(nil, d)) }

// AppendDuration appends what FormatDuration returns.
func AppendDuration(b []byte, d time.Duration) []byte {
	v, name := int64(d/1e6), " s" // in thousandths of the unit
	switch {
	case d < time.Millisecond:
		v, name = int64(d), " us"
	case d < time.Second:
		v, name = int64(d/1e3), " ms"
	}
	b = strconv.AppendInt(b, v/1000, 10)
	part := v % 1000
	b = append(b, '.', byte('0'+part/100), byte('0'+part/10%10), byte('0'+part%10))
	return append(b, name...)
}
